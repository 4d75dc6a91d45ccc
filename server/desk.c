/* SPDX-License-Identifier: Apache-2.0 */
#include "server/desk.h"

#include "base/crypto.h"
#include "base/log.h"
#include "server/desk/room.h"
#include "server/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)
#define LOOK_S    5
#define SWEEP_S   60

bool desk_run(struct desk *d, void (*run)(void *owner), void *owner)
{
    bool taken;

    pthread_mutex_lock(&d->lock);
    taken = d->call_count < d->calls_max && !d->stop;
    if (taken)
        d->calls[(d->call_first + d->call_count++) % d->calls_max] = (struct call){run, owner};
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return taken;
}

/* ---- what all functions of the desk use ---- */

int64_t desk_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void desk_note(struct desk *d, enum status st, const struct why *why)
{
    if (st && !d->store_failed)
        log_error("store", "%s", why->text);
    d->store_failed = st != ST_OK;
}

void desk_event(struct desk *d, const struct store_decision *decision, const char *item,
                const char *actor, const char *kind, const char *text)
{
    struct store_event event = {.at_ms = desk_now_ms()};
    struct why why = {""};

    if (decision) {
        memcpy(event.decision, decision->id, sizeof(event.decision));
        memcpy(event.tenant, decision->tenant, sizeof(event.tenant));
    }
    snprintf(event.item, sizeof(event.item), "%s", item);
    snprintf(event.actor, sizeof(event.actor), "%s", actor);
    snprintf(event.kind, sizeof(event.kind), "%s", kind);
    snprintf(event.text, sizeof(event.text), "%s", text);
    desk_note(d, d->store->ops->event_add(d->store, &event, &why), &why);
}

void desk_answer(struct answer *a, int status)
{
    answer_json(a);
    a->status = status;
    answer_header(a, "cache-control", "no-store");
}

void desk_pseudonym(const struct desk *d, char out[PSEUDONYM_MAX], const char *prefix)
{
    struct crypto_hmac hmac;
    uint8_t mac[32];

    if (!strcmp(prefix, "owner") || !strcmp(prefix, "system")) {
        snprintf(out, PSEUDONYM_MAX, "%s", prefix);
        return;
    }
    crypto_hmac(&hmac, d->service->secret, sizeof(d->service->secret));
    crypto_hmac_add_text(&hmac, "reviewer");
    crypto_hmac_add_text(&hmac, prefix);
    crypto_hmac_end(&hmac, mac);
    snprintf(out, PSEUDONYM_MAX, "R-%02X%02X", mac[0], mac[1]);
}

static const struct {
    int status;
    const char *code, *message;
} refusals[APPEAL_REFUSALS] = {
    [APPEAL_NOT_APPEALABLE] = {403, "not_appealable",
                               "this decision cannot be appealed here; its statement says what "
                               "else can be done"},
    [APPEAL_WINDOW_EXPIRED] = {410, "window_expired", "the time to appeal is over"},
    [APPEAL_ALREADY] = {409, "already_appealed", "an appeal of this decision is open already"},
    [APPEAL_KEY_REUSED] = {422, "idempotency_key_reused",
                           "this Idempotency-Key came with another appeal before"},
    [APPEAL_DECIDED_BEFORE] = {403, "decided_before",
                               "you had a part in this decision before, so somebody else looks at "
                               "it now"},
    [APPEAL_LEASE_OVER] = {409, "lease_over",
                           "this item is not yours any more; claim again, and you get it or "
                           "another one"},
    [APPEAL_STATE] = {409, "not_in_this_state",
                      "what you ask for cannot be done with it as it stands now"},
};

bool desk_is_refused(struct desk *d, struct matter *m, enum status st, enum appeal_refusal refusal,
                     const struct why *why)
{
    if (refusal) {
        matter_fail(m, refusals[refusal].status, (struct failure){.code = refusals[refusal].code},
                    refusals[refusal].message);
        return true;
    }
    if (!st)
        return false;
    if (st == ST_MISSING)
        matter_fail(m, 404, (struct failure){.code = "item_not_found"}, "there is no such item");
    else if (st == ST_LATE)
        matter_fail(m, 409, (struct failure){.code = "stale"},
                    "somebody else has changed it meanwhile: look at it again");
    else if (st == ST_INVALID)
        matter_fail(m, 400, (struct failure){0}, why->text);
    else {
        desk_note(d, st, why);
        matter_fail_store(m, st);
    }
    return true;
}

/* ---- what is asked for ---- */

static void (*const functions[MATTER_KINDS])(struct desk *d, struct matter *m) = {
    [MATTER_LIST] = owner_list,        [MATTER_DECISION] = owner_decision,
    [MATTER_PICTURE] = owner_picture,  [MATTER_PREVIEW] = owner_preview,
    [MATTER_PAGE] = form_page,         [MATTER_FORM] = form_take,
    [MATTER_APPEAL] = file_appeal,     [MATTER_STATE] = file_state,
    [MATTER_WITHDRAW] = file_withdraw, [MATTER_REPLY] = file_reply,
    [MATTER_CLAIM] = claim_run,        [MATTER_ITEM] = item_run,
    [MATTER_HEARTBEAT] = claim_beat,   [MATTER_RELEASE] = claim_put_back,
    [MATTER_SKIP] = claim_put_back,    [MATTER_ASK] = claim_ask,
    [MATTER_DECIDE] = rule_decide,     [MATTER_VIEW] = show_word,
    [MATTER_LOOK] = show_look,         [MATTER_MINE] = people_mine,
    [MATTER_BREAK] = people_break,     [MATTER_STATS] = tell_stats,
    [MATTER_ITEMS] = item_list,        [MATTER_SETTINGS] = settings_show,
    [MATTER_SET] = settings_set,       [MATTER_GOLDEN] = rule_golden,
    [MATTER_CLOSE] = slices_close,     [MATTER_EXPORT] = export_run,
    [MATTER_NOTHING] = owner_nothing,
};

void desk_handle(struct desk *d, struct matter *m)
{
    functions[m->kind](d, m);
}

/* ---- the thread ---- */

static void wait_a_second(struct desk *d)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_cond_timedwait(&d->changed, &d->lock, &until);
}

/* What comes next, if there is something within a second. False: all is done, and the thread ends.
 */
static bool collect(struct desk *d, struct call *out)
{
    bool more;

    *out = (struct call){NULL, NULL};
    pthread_mutex_lock(&d->lock);
    if (!d->call_count && !d->stop)
        wait_a_second(d);
    if (d->call_count) {
        *out = d->calls[d->call_first];
        d->call_first = (d->call_first + 1) % d->calls_max;
        d->call_count--;
    }
    more = out->run || !d->stop;
    pthread_mutex_unlock(&d->lock);
    return more;
}

/* What is too old goes, and what is late is escalated. */
static void sweep(struct desk *d)
{
    struct store *s = d->store;
    int64_t now_s = clock_unix_s();
    const struct policy *policy;
    struct why why = {""};
    enum status st;
    int count;

    do {
        st = s->ops->object_sweep(s, now_s, &count, &why);
        d->sweeps += st ? 0 : count;
    } while (!st && count);
    policy = judge_policy(d->service->judge);
    if (!st)
        st = appeal_sweep(s, policy, now_s, &count, &why);
    judge_release(d->service->judge, policy);
    desk_note(d, st, &why);
    webhook_wake(d->service->webhook);
}

/* Looking at a long queue takes time that those who wait for an answer need: at most a hundredth
   of it. */
static void look(struct desk *d, int64_t now_us)
{
    int64_t took_us;

    tell_look(d);
    took_us = clock_now_us(&d->service->clock) - now_us;
    d->look_us = now_us + took_us;
    d->look_us += took_us * 100 > LOOK_S * SECOND_US ? took_us * 100 : LOOK_S * SECOND_US;
}

static void tick(struct desk *d)
{
    int64_t now_us = clock_now_us(&d->service->clock);

    if (!d->store || !d->service->judge)
        return;
    if (now_us >= d->sweep_us) {
        d->sweep_us = now_us + SWEEP_S * SECOND_US;
        sweep(d);
    }
    if (now_us >= d->look_us)
        look(d, now_us);
}

static void *run(void *memory)
{
    struct desk *d = memory;
    struct call call;

    if (d->store)
        settings_load(d);
    while (collect(d, &call)) {
        if (call.run)
            call.run(call.owner);
        tick(d);
    }
    return NULL;
}

/* ---- opening and closing ---- */

static enum status take_memory(struct desk *d, struct why *why)
{
    d->calls = calloc((size_t)d->calls_max, sizeof(*d->calls));
    d->items = calloc(ITEMS_MAX, sizeof(*d->items));
    d->events = calloc(EVENTS_MAX, sizeof(*d->events));
    return d->calls && d->items && d->events ? ST_OK
                                             : why_fail(why, ST_FULL, "no memory for appeals");
}

enum status desk_open(struct desk **out, struct service *s, const struct desk_options *options,
                      struct why *why)
{
    struct desk *d = calloc(1, sizeof(*d));
    enum status st;

    *out = d;
    if (!d)
        return why_fail(why, ST_FULL, "no memory for appeals");
    d->service = s;
    d->store = options->store;
    d->calls_max = options->functions_max;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    st = take_memory(d, why);
    if (!st && pthread_create(&d->thread, NULL, run, d))
        st = why_fail(why, ST_FULL, "cannot start a thread for appeals");
    if (st)
        desk_close(out);
    else
        d->running = true;
    return st;
}

void desk_stop(struct desk *d)
{
    if (!d || !d->running)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    d->running = false;
}

void desk_close(struct desk **desk)
{
    struct desk *d = *desk;

    if (!d)
        return;
    desk_stop(d);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    for (int i = 0; i < d->person_count; i++)
        free(d->person[i]);
    free(d->events);
    free(d->items);
    free(d->calls);
    free(d);
    *desk = NULL;
}
