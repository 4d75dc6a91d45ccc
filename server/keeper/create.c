/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/log.h"
#include "server/api_images.h"
#include "server/async.h"
#include "server/keeper/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_US 1000000 /* before a job is tried again whose outcome could not be written */

/* ---- a request that was seen before ---- */

static void answer_job(struct keeper *k, struct errand *e, const struct store_job *job,
                       bool replayed)
{
    struct answer answer;

    look_answer(k, &answer, 202, job);
    answer_header(&answer, "location", "/v1/jobs/%s", job->id);
    answer_header(&answer, "preference-applied", "respond-async");
    if (replayed)
        answer_header(&answer, "idempotent-replayed", "true");
    errand_answer(e, &answer);
}

/* A client that lost its connection and asks again waits for what is under way; one at a time. */
static void wait_with(struct keeper *k, struct errand *e, const struct store_job *job)
{
    struct live *l = live_find(k, job->id);

    if (l && l->waiter && atomic_load(&l->waiter->gone)) {
        errand_refuse_http(l->waiter, 503, (struct failure){0}, "the client is gone");
        l->waiter = NULL;
    }
    if (l && !l->waiter)
        l->waiter = e;
    else
        errand_refuse_http(e, 409, (struct failure){NULL, "idempotency_in_progress", 1000},
                           "a request with this Idempotency-Key is under way");
}

/* What is told at once and never was a promise: words that were blocked. */
static bool is_refusal(const struct store_job *job)
{
    return job->state == STORE_JOB_FAILED && !job->starts;
}

static void replay(struct keeper *k, struct errand *e, const struct store_job *job)
{
    if (!crypto_equal(job->hash, e->hash, sizeof(job->hash)))
        errand_refuse_http(e, 422, (struct failure){.code = "idempotency_key_reused"},
                           "this Idempotency-Key came with another request before");
    else if (e->async && !is_refusal(job))
        answer_job(k, e, job, true);
    else if (job->state == STORE_JOB_OPEN)
        wait_with(k, e, job);
    else
        look_replay(k, e, job);
}

/* ---- a fresh one ---- */

enum status create_row(struct keeper *k, struct store_job *job, const struct errand *e)
{
    const struct model_info *model = engine_model_info(e->order.engine, e->order.model);
    const struct picture *p = &e->order.picture;
    struct tenant_limits limits;

    tenant_get(k->service->tenants, e->tenant, &limits);
    *job = (struct store_job){.width = p->width,
                              .height = p->height,
                              .steps = p->steps,
                              .images = e->order.request.images,
                              .seed = (int64_t)p->seed,
                              .format = (int)e->order.format,
                              .raw = e->order.raw,
                              .created_s = clock_unix_s(),
                              .starts = 1};
    if (e->order.deadline_ms)
        job->deadline_ms = keeper_unix_ms() + e->order.deadline_ms -
                           (clock_now_us(&k->service->clock) - e->arrived_us) / 1000;
    snprintf(job->tenant, sizeof(job->tenant), "%s", limits.name);
    snprintf(job->model, sizeof(job->model), "%s", model->name);
    snprintf(job->key, sizeof(job->key), "%s", e->key);
    memcpy(job->hash, e->hash, sizeof(job->hash));
    return crypto_id(job->id, sizeof(job->id), ASYNC_ID_PREFIX, NULL);
}

/* What it needs of the tenant's limits and of the pools. NULL: the errand is answered. */
static struct live *admit(struct keeper *k, struct errand *e)
{
    struct service *s = k->service;
    struct tenant_refusal refusal = {.retry_after_ms = 0};
    struct tenant_grant grant;
    struct generation *g;
    struct answer answer;
    struct live *l;
    enum status st = tenant_take(s->tenants, &grant, e->tenant, e->order.request.images,
                                 service_time(s), &refusal);

    if (st) {
        metrics_refuse(&s->metrics, METRICS_LIMIT);
        errand_refuse(e, st,
                      (struct failure){st == ST_INVALID ? "n" : NULL, NULL, refusal.retry_after_ms},
                      refusal.why.text);
        return NULL;
    }
    l = live_take(k);
    g = l ? generation_take(s->generations, e->order.request.images) : NULL;
    if (g) {
        g->service = s;
        g->grant = grant;
        g->granted = true;
        l->generation = g;
        return l;
    }
    tenant_return(s->tenants, &grant);
    if (l)
        live_put(k, l);
    metrics_refuse(&s->metrics, METRICS_PLACES);
    generation_write_full(&answer, s);
    errand_answer(e, &answer);
    return NULL;
}

static void fill(struct keeper *k, struct live *l, const struct order *order, const char *request,
                 int64_t arrived_us)
{
    struct generation *g = l->generation;

    g->owner = l;
    g->finished = keeper_finished;
    g->arrived_us = arrived_us;
    snprintf(g->id, sizeof(g->id), "%s", request);
    generation_fill(g, k->service, order);
    for (int i = 0; i < g->count; i++)
        g->job[i]->previewed = watch_previewed;
    for (int i = 0; i < g->count; i++) {
        struct job_owner *owner = &g->job[i]->owner;

        snprintf(owner->tenant, sizeof(owner->tenant), "%s", l->job.tenant);
        snprintf(owner->job, sizeof(owner->job), "%s", l->job.id);
    }
}

/* The promise is on the disk, or the job is nobody's. */
static bool promise(struct keeper *k, struct live *l, struct errand *e)
{
    struct why why = {""};
    enum status st = settle_keep_held(k, l->job.id, e->order.held_for);

    if (!st) {
        st = k->store->ops->job_add(k->store, &l->job, e->body.data, e->body.count, &why);
        keeper_note(k, st, &why);
    }
    if (st) {
        l->dropped = true;
        l->generation->refused = true;
        generation_cancel(l->generation);
        errand_refuse_store(e, st);
        return false;
    }
    return true;
}

static void begin(struct keeper *k, struct errand *e)
{
    struct live *l = admit(k, e);
    struct answer answer;

    if (!l)
        return;
    if (create_row(k, &l->job, e)) {
        l->generation->refused = true;
        live_put(k, l);
        errand_refuse(e, ST_IO, (struct failure){0}, "");
        return;
    }
    fill(k, l, &e->order, e->request, e->arrived_us);
    if (generation_submit(l->generation, &answer)) {
        live_put(k, l);
        errand_answer(e, &answer);
        return;
    }
    if (!promise(k, l, e))
        return;
    errand_forget(e);
    if (e->async)
        answer_job(k, e, &l->job, false);
    else
        l->waiter = e;
}

void create_run(struct keeper *k, struct errand *e)
{
    struct tenant_limits limits;
    struct store_job job;
    struct why why = {""};
    enum status st = ST_MISSING;

    if (e->key[0]) {
        tenant_get(k->service->tenants, e->tenant, &limits);
        st = k->store->ops->job_find_key(k->store, limits.name, e->key, &job, &why);
    }
    if (!st && look_is_expired(k, &job)) {
        keeper_sweep(k);
        st = ST_MISSING;
    }
    if (!st) {
        replay(k, e, &job);
    } else if (st != ST_MISSING) {
        keeper_note(k, st, &why);
        errand_refuse_store(e, st);
    } else if (k->draining || !service_is_open(k->service)) {
        errand_refuse_http(e, 503, (struct failure){.retry_after_ms = 2000},
                           "the server is stopping");
    } else if (e->blocked && !settle_blocked(k, e)) {
        return; /* and told */
    } else if (e->async || e->key[0]) {
        begin(k, e);
    } else {
        images_begin(e);
    }
}

/* ---- one that a server left open ---- */

static void give_up(struct keeper *k, struct store_job *job, enum status st, const char *code,
                    const char *message)
{
    job->event = watch_last_of(job);
    end_fail(job, st, code, message);
    if (end_store(k, job, NULL, 0))
        return;
    log_info("job", "id=%s given_up=%s why=%s", job->id, code, job->message);
    watch_end(k, job);
}

static int tenant_of(struct keeper *k, const struct store_job *job)
{
    int tenant = tenant_find(k->service->tenants, job->tenant);

    return tenant < 0 ? 0 : tenant; /* more tenants than there can be share the first one's place */
}

/* The stored request, with what was decided when it came. */
static bool read_stored(struct keeper *k, struct store_job *job, const struct store_bytes *body,
                        struct order *order)
{
    struct tenant_limits limits;
    struct request_error error;
    enum status st = order_parse(k->service, order, (struct http_text){body->data, body->count},
                                 job->model, &error);

    if (st == ST_CANCELLED)
        return false; /* it is left for the next start */
    if (st) {
        give_up(k, job, st, error.code ? error.code : "invalid_value", error.why.text);
        return false;
    }
    tenant_get(k->service->tenants, tenant_of(k, job), &limits);
    order->weight = limits.weight;
    order->raw = job->raw;
    order->format = (enum format)job->format;
    order->picture.seed = (uint64_t)job->seed;
    order->picture.steps = job->steps;
    if (job->deadline_ms) {
        order->deadline_ms = job->deadline_ms - keeper_unix_ms();
        if (order->deadline_ms <= 0) {
            give_up(k, job, ST_LATE, "deadline_exceeded",
                    "the deadline passed while no server ran");
            return false;
        }
    }
    return true;
}

/* False: there is no room now. */
static bool submit_stored(struct keeper *k, struct store_job *job, const struct order *order)
{
    int64_t now_us = clock_now_us(&k->service->clock);
    struct live *l = live_take(k);
    struct answer answer;
    struct why why = {""};
    enum status st = ST_FULL;

    if (!l)
        return false;
    l->job = *job;
    l->generation = generation_take(k->service->generations, job->images);
    if (l->generation) {
        l->generation->service = k->service;
        tenant_resume(k->service->tenants, &l->generation->grant, tenant_of(k, job), job->images);
        l->generation->granted = true;
        fill(k, l, order, job->id, now_us);
        st = generation_submit(l->generation, &answer);
        l->generation->refused = false; /* only its places go back: it was paid for before */
        if (st)
            answer_close(&answer);
    }
    if (st) {
        live_put(k, l);
        if (st == ST_LATE)
            give_up(k, job, ST_LATE, "deadline_exceeded",
                    "the deadline cannot be met after the server's restart");
        return st == ST_LATE;
    }
    l->job.starts++;
    l->job.falls++;
    keeper_note(k, k->store->ops->job_start(k->store, &l->job, &why), &why);
    log_info("job", "id=%s taken_up=%d", job->id, l->job.starts);
    return true;
}

static bool resume_one(struct keeper *k, struct store_job *job, const struct store_bytes *body)
{
    char held_for[STORE_NAME_MAX];
    struct order order;
    bool taken = true;

    if (settle_held_for(k, job->id, held_for))
        return false;
    if (job->falls >= FALLS_MAX) {
        give_up(k, job, ST_IO, "internal_error", "");
        return true;
    }
    if (read_stored(k, job, body, &order)) {
        memcpy(order.held_for, held_for, sizeof(held_for));
        taken = submit_stored(k, job, &order);
    }
    order_close(&order);
    return taken;
}

void create_again(struct keeper *k, const struct store_job *job)
{
    if (!k->resuming || k->resumed >= job->seq)
        k->resumed = job->seq - 1;
    k->resuming = true;
    k->resume_us = clock_now_us(&k->service->clock) + AGAIN_US;
}

/* The oldest that is open and not under way; ST_MISSING: there is none. */
static enum status find_left(struct keeper *k, struct store_job *job, struct store_bytes *body)
{
    struct why why = {""};
    enum status st;

    do {
        free(body->data);
        *body = (struct store_bytes){0};
        st = k->store->ops->job_next(k->store, k->resumed, job, body, &why);
        if (!st && live_find(k, job->id))
            k->resumed = job->seq;
    } while (!st && k->resumed == job->seq);
    if (st != ST_MISSING)
        keeper_note(k, st, &why);
    return st;
}

void create_resume(struct keeper *k)
{
    while (k->resuming && !k->draining && service_is_open(k->service) &&
           clock_now_us(&k->service->clock) >= k->resume_us) {
        struct store_bytes body = {0};
        struct store_job job;
        enum status st = find_left(k, &job, &body);
        bool taken;

        if (st == ST_MISSING)
            k->resuming = false;
        if (st) {
            free(body.data);
            return;
        }
        taken = resume_one(k, &job, &body);
        free(body.data);
        if (!taken)
            return;
        k->resumed = job.seq;
    }
}
