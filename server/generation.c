/* SPDX-License-Identifier: Apache-2.0 */
#include "server/generation.h"

#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_MS_MAX 60000

struct generations {
    struct job_pool *jobs;
    pthread_mutex_t lock; /* of the list of free generations */
    struct generation *free;
    struct generation *all;
};

enum status generations_open(struct generations **out, int jobs_max)
{
    struct generations *it = calloc(1, sizeof(*it));

    *out = it;
    if (!it)
        return ST_FULL;
    pthread_mutex_init(&it->lock, NULL);
    it->all = calloc((size_t)jobs_max, sizeof(*it->all));
    if (!it->all || job_pool_open(&it->jobs, (size_t)jobs_max)) {
        generations_close(out);
        return ST_FULL;
    }
    for (int i = 0; i < jobs_max; i++) {
        it->all[i].next = it->free;
        it->free = &it->all[i];
    }
    return ST_OK;
}

void generations_close(struct generations **all)
{
    if (!*all)
        return;
    job_pool_close(&(*all)->jobs);
    pthread_mutex_destroy(&(*all)->lock);
    free((*all)->all);
    free(*all);
    *all = NULL;
}

static void put(struct generations *all, struct generation *g)
{
    pthread_mutex_lock(&all->lock);
    g->next = all->free;
    all->free = g;
    pthread_mutex_unlock(&all->lock);
}

struct generation *generation_take(struct generations *all, int count)
{
    struct generation *g;

    pthread_mutex_lock(&all->lock);
    g = all->free;
    if (g)
        all->free = g->next;
    pthread_mutex_unlock(&all->lock);
    if (!g)
        return NULL;
    *g = (struct generation){.count = count};
    if (job_take(all->jobs, g->job, (size_t)count) == ST_OK)
        return g;
    put(all, g);
    return NULL;
}

void generation_put(struct generation *g)
{
    struct generations *all = g->service->generations;

    if (g->granted && g->refused)
        tenant_return(g->service->tenants, &g->grant);
    else if (g->granted)
        tenant_end(g->service->tenants, &g->grant);
    for (int i = 0; i < g->count; i++)
        job_put(all->jobs, g->job[i]);
    if (g->engine)
        engines_put(g->service->engines, g->engine);
    put(all, g);
}

/* By its category's name, since numbers change with the policy. */
static void count_decision(struct service *s, const struct job *job)
{
    const struct policy *policy = judge_policy(s->judge);
    const struct verdict *v = &job->verdict;
    bool known = v->category >= 0 && v->category < policy_category_count(policy);

    metrics_decided(&s->metrics.moderation, STORE_STAGE_IMAGE,
                    known ? policy_category(policy, v->category)->id : "", v->action, v->cause);
    judge_release(s->judge, policy);
}

static void on_job_done(struct job *job)
{
    struct generation *g = job->ticket;

    if (job->judged && g->service->judge)
        count_decision(g->service, job);
    if (job->status == ST_OK || generation_is_withheld(job))
        metrics_picture(&g->service->metrics, job->times.decoded_us - job->times.seated_us);
    else
        generation_cancel(g);
    if (g->made)
        g->made(g, job);
    if (atomic_fetch_sub(&g->left, 1) == 1)
        g->finished(g);
}

/* For whom, as the record of what is decided about it has it. */
static void fill_owner(struct job *job, const struct generation *g, const struct order *order,
                       int index)
{
    const struct request *q = &order->request;
    struct job_owner *owner = &job->owner;
    struct tenant_limits tenant;

    tenant_get(g->service->tenants, g->grant.tenant, &tenant);
    *owner = (struct job_owner){.index = index};
    snprintf(owner->tenant, sizeof(owner->tenant), "%s", tenant.name);
    snprintf(owner->context, sizeof(owner->context), "%s", q->context ? q->context : "");
    snprintf(owner->user, sizeof(owner->user), "%s", q->user ? q->user : "");
    snprintf(owner->request, sizeof(owner->request), "%s", g->id);
    snprintf(owner->held_for, sizeof(owner->held_for), "%s", order->held_for);
}

static void fill_job(struct job *job, struct generation *g, const struct order *order, int index)
{
    const struct request *q = &order->request;
    enum status st =
        job_set_texts(job, q->prompt, strlen(q->prompt), q->negative, strlen(q->negative), NULL);

    assert(st == ST_OK); /* request.c counted the characters */
    (void)st;
    snprintf(job->id, sizeof(job->id), "%.24s-%d", g->id, index);
    fill_owner(job, g, order, index);
    job->model = order->model;
    job->picture = order->picture;
    job->picture.prompt = job->prompt;
    job->picture.negative = job->negative;
    job->picture.seed += (uint64_t)index;
    job->format = order->format;
    job->quality = q->compression >= 0 ? q->compression : 100;
    job->times.received_us = g->arrived_us;
    job->tenant = g->grant.tenant;
    job->weight = order->weight;
    job->priority = q->priority;
    job->deadline_us = order->deadline_ms ? g->arrived_us + 1000 * order->deadline_ms : 0;
    job->done = on_job_done;
    job->ticket = g;
}

void generation_fill(struct generation *g, struct service *s, const struct order *order)
{
    const struct model_info *info = engine_model_info(order->engine, order->model);

    engines_hold(s->engines, order->engine);
    g->engine = order->engine;
    g->service = s;
    g->raw = order->raw;
    g->prompt_tokens = info->prompt_tokens;
    memcpy(g->model, info->name, sizeof(g->model));
    atomic_store(&g->left, g->count);
    for (int i = 0; i < g->count; i++)
        fill_job(g->job[i], g, order, i);
}

/* Where one place falls free: the mean time of a picture, dealt over the seats. */
static int retry_after_ms(const struct service *s)
{
    long long ms = atomic_load(&((struct service *)s)->metrics.picture_us) / 1000 / s->seats;

    return (int)(ms < 1000 ? 1000 : ms > RETRY_AFTER_MS_MAX ? RETRY_AFTER_MS_MAX : ms);
}

void generation_write_full(struct answer *a, const struct service *s)
{
    answer_fail(a, ST_FULL, (struct failure){.retry_after_ms = retry_after_ms(s)},
                "too many pictures are waiting; try again later");
}

/* Too late for its deadline: now is better than then. The prediction goes along. */
static void write_late(struct answer *a, const struct generation *g, int64_t finish_us)
{
    int64_t deadline_us = g->job[0]->deadline_us;
    int64_t over_ms = (finish_us - deadline_us + 999) / 1000;
    int64_t in_ms = (finish_us - g->arrived_us) / 1000;
    struct failure failure = {
        .code = "deadline_unattainable",
        .retry_after_ms = (int)(over_ms < RETRY_AFTER_MS_MAX ? over_ms : RETRY_AFTER_MS_MAX)};
    char text[160];

    snprintf(text, sizeof(text),
             "this would be finished %.2f s after it came, and its deadline is after %.2f s",
             (double)in_ms / 1000, (double)(deadline_us - g->arrived_us) / 1e6);
    answer_fail_http(a, 429, failure, text);
    answer_header(a, "x-limner-predicted-ms", "%lld", (long long)in_ms);
}

enum status generation_submit(struct generation *g, struct answer *refusal)
{
    struct service *s = g->service;
    int64_t finish_us;
    enum status st = engine_submit(g->engine, g->job, g->count, &finish_us);

    if (!st)
        return ST_OK;
    g->refused = true;
    if (st == ST_LATE)
        write_late(refusal, g, finish_us);
    else if (st == ST_FULL)
        generation_write_full(refusal, s);
    else
        answer_fail(refusal, st, (struct failure){.retry_after_ms = retry_after_ms(s)}, "");
    return st;
}

int generation_index(const struct generation *g, const struct job *job)
{
    int i = 0;

    while (g->job[i] != job)
        i++;
    return i;
}

void generation_cancel(struct generation *g)
{
    for (int i = 0; i < g->count; i++)
        atomic_store(&g->job[i]->cancelled, true);
}

bool generation_is_withheld(const struct job *job)
{
    return job->status == ST_REFUSED && job->judged && job->decision[0];
}

bool generation_is_moderated(const struct generation *g)
{
    for (int i = 0; i < g->count; i++) {
        if (g->job[i]->decision[0] && g->job[i]->verdict.action != BAND_ALLOW)
            return true;
    }
    return false;
}

const struct job *generation_failed(const struct generation *g)
{
    const struct job *failed = NULL;

    for (int i = 0; i < g->count; i++) {
        const struct job *job = g->job[i];

        if (job->status && !generation_is_withheld(job) &&
            (!failed || failed->status == ST_CANCELLED))
            failed = job;
    }
    return failed;
}

void generation_log(const struct generation *g)
{
    const struct job *failed = generation_failed(g), *first = g->job[0];
    int64_t took_us = clock_now_us(&g->service->clock) - g->arrived_us;
    int withheld = 0;

    for (int i = 0; i < g->count; i++)
        withheld += generation_is_withheld(g->job[i]);
    log_info("generation",
             "id=%s status=%s n=%d withheld=%d size=%dx%d steps=%d seed=%llu ms=%lld%s%s", g->id,
             status_name(failed ? failed->status : ST_OK), g->count, withheld, first->picture.width,
             first->picture.height, first->picture.steps, (unsigned long long)first->picture.seed,
             (long long)(took_us / 1000), failed ? " why=" : "", failed ? failed->why.text : "");
}
