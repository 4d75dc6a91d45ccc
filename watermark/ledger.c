/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/ledger.h"

#include "base/sign.h"
#include "watermark/ledger_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- clocks ---- */

static int64_t now_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t wall_ns(void *of)
{
    (void)of;
    return now_ns(CLOCK_REALTIME);
}

static int64_t boot_ns(void *of)
{
    (void)of;
    return now_ns(CLOCK_BOOTTIME);
}

int64_t ledger_now_us(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000;
}

/* ---- the thread ---- */

/* When a head is due: soon after records without one, else when the last one is a minute old. */
static int64_t due_us(const struct ledger *l)
{
    bool behind = l->tree.size != l->signed_size;

    return l->signed_us + 1000LL * (behind ? l->checkpoint_ms : LEDGER_IDLE_MS);
}

/* Until there is work or a head is due. Under the lock. */
static void wait_for_work(struct ledger *l)
{
    int64_t due = due_us(l);
    struct timespec until = {due / 1000000, due % 1000000 * 1000};

    while (!l->first && !l->closing && ledger_now_us() < due)
        pthread_cond_timedwait(&l->work, &l->lock, &until);
}

static void gather(struct ledger *l)
{
    const struct timespec moment = {l->gather_us / 1000000, l->gather_us % 1000000 * 1000L};

    if (!l->first || !l->gather_us || l->closing)
        return;
    pthread_mutex_unlock(&l->lock);
    nanosleep(&moment, NULL);
    pthread_mutex_lock(&l->lock);
}

static bool alone(const struct ledger_wish *w)
{
    return w->erase || w->expire_count;
}

/* The first wishes, as many as go together. What can fail by itself goes alone: others have nothing
   to do with it. Under the lock. */
static struct ledger_wish *take(struct ledger *l)
{
    struct ledger_wish *list = l->first, *w = list;
    int count = 1;

    if (!w)
        return NULL;
    while (w->next && count < LEDGER_BATCH && !alone(w) && !alone(w->next)) {
        w = w->next;
        count++;
    }
    l->first = w->next;
    if (!l->first)
        l->last = &l->first;
    w->next = NULL;
    l->waiting -= count;
    return list;
}

static void tell(struct ledger_wish *list)
{
    while (list) {
        struct ledger_wish *next = list->next; /* it is gone once it is told */

        list->done = true;
        pthread_cond_signal(&list->told);
        list = next;
    }
}

static void *write_all(void *memory)
{
    struct ledger *l = memory;
    bool more = true;

    pthread_mutex_lock(&l->lock);
    while (more) {
        struct ledger_wish *list;
        bool sign;

        wait_for_work(l);
        gather(l);
        list = take(l);
        more = list || !l->closing;
        sign = ledger_now_us() >= due_us(l) || (!more && l->tree.size != l->signed_size);
        pthread_mutex_unlock(&l->lock);
        if (list || sign)
            ledger_serve(l, list, sign);
        if (sign)
            l->signed_us = ledger_now_us();
        pthread_mutex_lock(&l->lock);
        tell(list);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- who waits ---- */

static enum status wait_for(struct ledger *l, struct ledger_wish *w, struct why *why)
{
    if (!l->key)
        return why_fail(why, ST_UNSUPPORTED, "the log was opened to be read: there is no key");
    pthread_mutex_lock(&l->lock);
    assert(!l->closing);
    if (l->waiting >= LEDGER_WAITING_MAX) {
        pthread_mutex_unlock(&l->lock);
        return why_fail(why, ST_FULL, "%d records wait for the log already", LEDGER_WAITING_MAX);
    }
    pthread_cond_init(&w->told, NULL);
    l->waiting++;
    *l->last = w;
    l->last = &w->next;
    pthread_cond_signal(&l->work);
    while (!w->done)
        pthread_cond_wait(&w->told, &l->lock);
    pthread_mutex_unlock(&l->lock);
    pthread_cond_destroy(&w->told);
    if (w->st && why)
        *why = w->why;
    return w->st;
}

enum status ledger_append(struct ledger *l, struct record *r, const char *clear, struct why *why)
{
    struct ledger_wish w = {.record = r, .clear = clear};

    return wait_for(l, &w, why);
}

enum status ledger_sign(struct ledger *l, struct why *why)
{
    struct ledger_wish w = {.sign = true};

    return wait_for(l, &w, why);
}

enum status ledger_erase(struct ledger *l, int64_t index, struct record *r, struct why *why)
{
    struct ledger_wish w = {.record = r, .erase = &index};

    r->kind = RECORD_ERASE;
    return wait_for(l, &w, why);
}

/* ---- retention ---- */

/* Is the segment that begins at `first` full, and all of it older? */
static enum status is_old(struct ledger *l, int64_t first, int64_t before_ns, bool *old,
                          struct why *why)
{
    struct store_leaf leaves[TREE_TILE];
    int count = TREE_TILE;
    enum status st = ledger_entries(l, first, leaves, &count, why);

    *old = !st && count == TREE_TILE;
    for (int i = 0; i < count && !st; i++)
        *old &= leaves[i].time_ns < before_ns;
    if (!st)
        ledger_release(leaves, count);
    return st;
}

enum status ledger_expire(struct ledger *l, int64_t before_ns, int64_t *count, struct why *why)
{
    int64_t first = 0;
    bool old = true;
    enum status st = ledger_expired(l->store, &first, why);

    *count = 0;
    while (!st && old) {
        struct record r = {.kind = RECORD_RETENTION};
        struct ledger_wish w = {.record = &r, .expire_first = first, .expire_count = TREE_TILE};

        st = is_old(l, first, before_ns, &old, why);
        if (st || !old)
            break;
        snprintf(r.note, sizeof(r.note), "0-%" PRId64, first + TREE_TILE - 1);
        st = wait_for(l, &w, why);
        if (st == ST_REFUSED) /* held: all that is newer waits as well */
            return ST_OK;
        if (!st)
            *count += TREE_TILE;
        first += TREE_TILE;
    }
    return st;
}

/* ---- opening ---- */

static enum status start(struct ledger *l, struct why *why)
{
    l->signed_us = ledger_now_us() - 1000LL * l->checkpoint_ms; /* what is not signed is due */
    if (pthread_create(&l->thread, NULL, write_all, l))
        return why_fail(why, ST_FULL, "no thread for the log");
    l->started = true;
    return ST_OK;
}

static void init_lock(struct ledger *l)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->work, &attr);
    pthread_condattr_destroy(&attr);
    l->last = &l->first;
}

static enum status set_up(struct ledger *l, const struct ledger_options *o, struct why *why)
{
    const char *origin = o->origin ? o->origin : LEDGER_ORIGIN;
    enum status st = checkpoint_origin_check(origin, why);

    if (st)
        return st;
    snprintf(l->origin, sizeof(l->origin), "%s", origin);
    if (o->key && sign_kind(o->key) != SIGN_ED25519)
        return why_fail(why, ST_INVALID, "the log is signed with Ed25519; this key is another's");
    st = ledger_check_edge(l, why);
    if (!st)
        st = ledger_reload(l, why);
    if (st || !l->key)
        return st;
    l->batch = calloc(1, sizeof(*l->batch));
    if (!l->batch)
        return why_fail(why, ST_FULL, "no memory for the log");
    return start(l, why);
}

enum status ledger_open(struct ledger **out, const struct ledger_options *o, struct why *why)
{
    struct ledger *l = calloc(1, sizeof(*l));
    enum status st;

    *out = NULL;
    if (!l)
        return why_fail(why, ST_FULL, "no memory for the log");
    init_lock(l);
    l->store = o->store;
    l->key = o->key;
    l->clock = o->clock ? *o->clock : (struct ledger_clock){wall_ns, boot_ns, NULL};
    l->gather_us = o->gather_us;
    l->checkpoint_ms = o->checkpoint_ms ? o->checkpoint_ms : LEDGER_CHECKPOINT_MS;
    st = set_up(l, o, why);
    if (st)
        ledger_close(&l);
    *out = l;
    return st;
}

void ledger_close(struct ledger **out)
{
    struct ledger *l = *out;

    if (!l)
        return;
    if (l->started) {
        pthread_mutex_lock(&l->lock);
        l->closing = true;
        pthread_cond_signal(&l->work);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l->batch);
    free(l);
    *out = NULL;
}
