/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keeper.h"

#include "base/log.h"
#include "server/keeper/room.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS   100
#define SWEEP_S   30
#define SECOND_US 1000000

/* ---- errands ---- */

struct errand *errand_take(struct keeper *k)
{
    struct errand *e;

    pthread_mutex_lock(&k->lock);
    e = k->free;
    if (e)
        k->free = e->next;
    pthread_mutex_unlock(&k->lock);
    if (e)
        *e = (struct errand){.keeper = k};
    return e;
}

void errand_forget(struct errand *e)
{
    order_close(&e->order);
    free(e->body.data);
    e->body = (struct store_bytes){0};
}

void errand_put(struct errand *e)
{
    struct keeper *k = e->keeper;

    errand_forget(e);
    pthread_mutex_lock(&k->lock);
    e->next = k->free;
    k->free = e;
    pthread_mutex_unlock(&k->lock);
}

void errand_send(struct errand *e)
{
    struct keeper *k = e->keeper;

    pthread_mutex_lock(&k->lock);
    e->next = NULL;
    *k->last = e;
    k->last = &e->next;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

struct service *errand_service(const struct errand *e)
{
    return e->keeper->service;
}

/* Whoever gives it a generation looks at `gone` afterwards, so one of the two sees the other. */
void errand_gone(void *errand)
{
    struct errand *e = errand;
    struct generation *g;

    atomic_store(&e->gone, true);
    g = atomic_load(&e->generation);
    if (g)
        generation_cancel(g);
}

void errand_over(void *errand)
{
    struct errand *e = errand;
    struct generation *g = atomic_load(&e->generation);

    if (g)
        generation_put(g);
    errand_put(e);
}

void errand_answer(struct errand *e, struct answer *a)
{
    http_ticket_answer(e->ticket, a); /* e may be gone from here on */
}

void errand_refuse_http(struct errand *e, int status, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, failure, message);
    errand_answer(e, &answer);
}

void errand_refuse(struct errand *e, enum status st, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail(&answer, st, failure, message);
    errand_answer(e, &answer);
}

void errand_refuse_store(struct errand *e, enum status st)
{
    errand_refuse_http(e, 503, (struct failure){.retry_after_ms = 5000},
                       st == ST_FULL ? "the server has no room to keep jobs"
                                     : "the server cannot reach its store");
}

/* ---- jobs under way ---- */

struct live *live_take(struct keeper *k)
{
    struct live *l = k->live_free;

    if (!l)
        return NULL;
    k->live_free = l->next;
    *l = (struct live){.next = k->live};
    k->live = l;
    atomic_fetch_add(&k->live_count, 1);
    return l;
}

void live_put(struct keeper *k, struct live *l)
{
    struct live **at = &k->live;

    if (l->generation)
        generation_put(l->generation);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    l->next = k->live_free;
    k->live_free = l;
    atomic_fetch_sub(&k->live_count, 1);
}

struct live *live_find(struct keeper *k, const char *id)
{
    for (struct live *l = k->live; l; l = l->next) {
        if (!l->dropped && !strcmp(l->job.id, id))
            return l;
    }
    return NULL;
}

void keeper_finished(struct generation *g)
{
    struct keeper *k = g->service->keeper;

    pthread_mutex_lock(&k->lock);
    g->next = k->finished;
    k->finished = g;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

void keeper_settle(struct generation *g)
{
    struct keeper *k = g->service->keeper;

    pthread_mutex_lock(&k->lock);
    g->next = k->unsettled;
    k->unsettled = g;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

/* ---- the thread ---- */

int64_t keeper_unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void keeper_note(struct keeper *k, enum status st, const struct why *why)
{
    if (st && !k->store_failed)
        log_error("store", "%s", why->text);
    k->store_failed = st != ST_OK;
}

static void run_errand(struct keeper *k, struct errand *e)
{
    switch (e->kind) {
    case ERRAND_CREATE:
        create_run(k, e);
        break;
    case ERRAND_LOOK:
        look_run(k, e);
        break;
    case ERRAND_PICTURE:
        look_picture(k, e);
        break;
    case ERRAND_WATCH:
        watch_run(k, e);
        break;
    case ERRAND_CANCEL:
        end_cancel(k, e);
        break;
    }
}

void keeper_sweep(struct keeper *k)
{
    struct why why = {""};

    k->sweep_us = clock_now_us(&k->service->clock) + SWEEP_S * SECOND_US;
    keeper_note(k, k->store->ops->job_sweep(k->store, clock_unix_s(), k->keep, &why), &why);
}

/* Pictures that the store could not take are offered again. */
static void offer_again(struct keeper *k)
{
    struct live *next;

    for (struct live *l = k->live; l; l = next) {
        next = l->next;
        if (l->done)
            end_generation(k, l);
    }
}

/* What has come in since the last look; waits for a tick when that is nothing. */
struct mail {
    struct errand *errands;
    struct generation *finished, *unsettled;
    struct preview preview[PREVIEWS_MAX];
    int preview_count;
    bool drain, stop;
};

static void wait_a_tick(struct keeper *k)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&k->changed, &k->lock, &until);
}

static struct mail collect(struct keeper *k)
{
    struct mail mail;

    pthread_mutex_lock(&k->lock);
    if (!k->first && !k->finished && !k->unsettled && !k->preview_count && !k->stop &&
        k->drain == k->drained)
        wait_a_tick(k);
    mail = (struct mail){.errands = k->first,
                         .finished = k->finished,
                         .unsettled = k->unsettled,
                         .preview_count = k->preview_count,
                         .drain = k->drain && !k->drained,
                         .stop = k->stop};
    memcpy(mail.preview, k->preview, sizeof(mail.preview));
    k->first = NULL;
    k->last = &k->first;
    k->finished = k->unsettled = NULL;
    k->preview_count = 0;
    pthread_mutex_unlock(&k->lock);
    return mail;
}

static void drain(struct keeper *k)
{
    k->draining = true;
    end_hand_over(k);
    pthread_mutex_lock(&k->lock);
    k->drained = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

/* Previews first: a job that is over is gone with the next line. */
static void read_mail(struct keeper *k, struct mail *mail)
{
    struct generation *next_finished;
    struct errand *next;

    for (int i = 0; i < mail->preview_count; i++)
        watch_show(k, &mail->preview[i]);
    for (struct generation *g = mail->finished; g; g = next_finished) {
        next_finished = g->next;
        end_generation(k, g->owner);
    }
    for (struct generation *g = mail->unsettled; g; g = next_finished) {
        next_finished = g->next;
        settle_run(k, g);
    }
    if (mail->drain)
        drain(k);
    for (struct errand *e = mail->errands; e; e = next) {
        next = e->next;
        run_errand(k, e);
    }
}

static void *run(void *memory)
{
    struct keeper *k = memory;
    int64_t tick_us = 0;
    struct mail mail;

    do {
        int64_t now_us;

        mail = collect(k);
        if (mail.stop)
            k->draining = true;
        read_mail(k, &mail);
        now_us = clock_now_us(&k->service->clock);
        if (now_us < tick_us && !mail.stop)
            continue;
        tick_us = now_us + TICK_MS * 1000;
        offer_again(k);
        create_resume(k);
        watch_tick(k);
        if (now_us >= k->sweep_us)
            keeper_sweep(k);
    } while (!mail.stop || k->live);
    watch_stop(k);
    return NULL;
}

/* ---- opening and closing ---- */

static enum status take_memory(struct keeper *k, const struct keeper_options *options,
                               struct why *why)
{
    k->errands = calloc((size_t)options->errands_max, sizeof(*k->errands));
    k->lives = calloc((size_t)options->jobs_max, sizeof(*k->lives));
    if (!k->errands || !k->lives)
        return why_fail(why, ST_FULL, "no memory for %d jobs", options->jobs_max);
    for (int i = 0; i < options->errands_max; i++) {
        k->errands[i].next = k->free;
        k->free = &k->errands[i];
    }
    for (int i = 0; i < options->jobs_max; i++) {
        k->lives[i].next = k->live_free;
        k->live_free = &k->lives[i];
    }
    return ST_OK;
}

enum status keeper_open(struct keeper **out, struct service *s, struct store *store,
                        const struct keeper_options *options, struct why *why)
{
    struct keeper *k = calloc(1, sizeof(*k));
    enum status st;

    *out = k;
    if (!k)
        return why_fail(why, ST_FULL, "no memory for jobs");
    k->service = s;
    k->store = store;
    k->keep = options->keep;
    k->last = &k->first;
    k->resuming = true;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    st = take_memory(k, options, why);
    if (!st && pthread_create(&k->thread, NULL, run, k))
        st = why_fail(why, ST_FULL, "cannot start a thread to keep jobs");
    if (st)
        keeper_close(out);
    else
        k->running = true;
    return st;
}

void keeper_drain(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->drain = true;
    pthread_cond_broadcast(&k->changed);
    while (!k->drained)
        pthread_cond_wait(&k->changed, &k->lock);
    pthread_mutex_unlock(&k->lock);
}

int keeper_busy(const struct keeper *k)
{
    return atomic_load(&((struct keeper *)k)->live_count);
}

void keeper_stop(struct keeper *k)
{
    if (!k || !k->running)
        return;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    k->running = false;
}

void keeper_close(struct keeper **keeper)
{
    struct keeper *k = *keeper;

    if (!k)
        return;
    keeper_stop(k);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k->errands);
    free(k->lives);
    free(k);
    *keeper = NULL;
}
