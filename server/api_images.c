/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_images.h"

#include "server/api_jobs.h"
#include "server/api_stream.h"
#include "server/negotiate.h"
#include "server/prompted.h"

#include <stdio.h>

/* ---- the way back, on a finish or engine thread ---- */

void images_write(struct answer *a, const struct generation *g, const struct outcomes *outcomes)
{
    const struct job *failed = generation_failed(g);
    int64_t took_us = clock_now_us(&g->service->clock) - g->arrived_us;
    struct result result;

    if (failed) {
        result_write_failure(a, failed->status, failed->why.text);
    } else {
        result_of(&result, g, outcomes);
        result_write(a, &result, g->raw);
    }
    timing_of(&a->timing, g->job, g->count);
    timing_write(a);
    if (!failed)
        answer_header(a, "openai-processing-ms", "%lld", (long long)(took_us / 1000));
}

static void on_finished(struct generation *g)
{
    struct answer answer;

    if (!generation_failed(g) && generation_is_moderated(g)) {
        keeper_settle(g);
        return;
    }
    images_write(&answer, g, NULL);
    generation_log(g);
    http_ticket_answer(g->ticket, &answer); /* g may be gone from here on */
}

static void on_settled(struct generation *g, const struct outcomes *outcomes, enum status st)
{
    struct answer answer;

    if (outcomes)
        images_write(&answer, g, outcomes);
    else
        answer_fail_http(&answer, 503, (struct failure){.retry_after_ms = 5000},
                         st == ST_FULL ? "the server has no room to keep what waits"
                                       : "the server cannot reach its store");
    generation_log(g);
    http_ticket_answer(g->ticket, &answer); /* g may be gone from here on */
}

/* ---- on the io thread ---- */

static void on_gone(void *owner)
{
    generation_cancel(owner);
}

static void on_over(void *owner)
{
    generation_put(owner);
}

static void refuse(struct http_request *r, enum status st, const struct request_error *error)
{
    const struct failure failure = {error->param[0] ? error->param : NULL, error->code, 0};
    struct answer answer;

    if (error->http)
        answer_fail_http(&answer, error->http, failure, error->why.text);
    else
        answer_fail(&answer, st, failure, error->why.text);
    http_answer(r, &answer);
}

static void refuse_full(struct service *s, struct http_request *r)
{
    struct answer answer;

    metrics_refuse(&s->metrics, METRICS_PLACES);
    generation_write_full(&answer, s);
    http_answer(r, &answer);
}

/* From here on the request is answered through its ticket, also when the engine says no. */
static void submit(struct generation *g)
{
    struct answer answer;

    if (generation_submit(g, &answer))
        http_ticket_answer(g->ticket, &answer);
    else if (g->made)
        stream_begin(g);
}

static void fill(struct generation *g, struct service *s, const struct order *order,
                 const struct tenant_grant *grant)
{
    g->service = s;
    g->granted = true;
    g->grant = *grant;
    g->finished = on_finished;
    g->settled = on_settled;
    generation_fill(g, s, order);
    if (order->request.stream)
        stream_prepare(g, order->request.partials);
}

static void start(struct service *s, struct http_request *r, const struct order *order,
                  const struct tenant_grant *grant)
{
    struct generation *g = generation_take(s->generations, order->request.images);

    if (!g) {
        tenant_return(s->tenants, grant);
        refuse_full(s, r);
        return;
    }
    g->arrived_us = r->arrived_us;
    snprintf(g->id, sizeof(g->id), "%s", r->id);
    fill(g, s, order, grant);
    g->ticket = http_hold(r, g, on_gone, on_over);
    if (!g->ticket) {
        g->refused = true;
        generation_put(g);
        refuse_full(s, r);
        return;
    }
    submit(g);
}

/* What the order needs of the caller's limits is reserved, before any work is done. */
static enum status reserve(struct service *s, int tenant, const struct order *order,
                           struct tenant_grant *grant, struct answer *refusal)
{
    struct tenant_refusal why = {.retry_after_ms = 0};
    enum status st =
        tenant_take(s->tenants, grant, tenant, order->request.images, service_time(s), &why);

    if (!st)
        return ST_OK;
    metrics_refuse(&s->metrics, METRICS_LIMIT);
    answer_fail(refusal, st,
                (struct failure){st == ST_INVALID ? "n" : NULL, NULL, why.retry_after_ms},
                why.why.text);
    return st;
}

static void admit(struct service *s, struct http_request *r, const struct order *order)
{
    struct tenant_grant grant;
    struct answer answer;

    if (reserve(s, r->tenant - 1, order, &grant, &answer))
        http_answer(r, &answer);
    else
        start(s, r, order, &grant);
}

/* ---- the same for a request that was held before ---- */

/* Events may come from other threads at once, so the head goes first, and a refusal is an event. */
static void submit_held(struct generation *g)
{
    struct answer answer;

    if (g->made)
        stream_begin(g);
    if (!generation_submit(g, &answer))
        return;
    if (g->made)
        stream_refuse(g, &answer);
    else
        http_ticket_answer(g->ticket, &answer);
}

static struct generation *take_held(struct errand *e, const struct tenant_grant *grant)
{
    struct service *s = errand_service(e);
    struct generation *g = generation_take(s->generations, e->order.request.images);

    if (!g)
        return NULL;
    g->owner = e;
    g->ticket = e->ticket;
    g->arrived_us = e->arrived_us;
    snprintf(g->id, sizeof(g->id), "%s", e->request);
    fill(g, s, &e->order, grant);
    atomic_store(&e->generation, g);
    if (atomic_load(&e->gone)) /* before he could be told */
        generation_cancel(g);
    return g;
}

void images_begin(struct errand *e)
{
    struct service *s = errand_service(e);
    struct tenant_grant grant;
    struct generation *g;
    struct answer answer;

    if (!service_is_open(s)) {
        answer_fail_http(&answer, 503, (struct failure){.retry_after_ms = 2000},
                         "the server is stopping");
        http_ticket_answer(e->ticket, &answer);
        return;
    }
    if (reserve(s, e->tenant, &e->order, &grant, &answer)) {
        http_ticket_answer(e->ticket, &answer);
        return;
    }
    g = take_held(e, &grant);
    if (g) {
        submit_held(g);
        return;
    }
    tenant_return(s->tenants, &grant);
    metrics_refuse(&s->metrics, METRICS_PLACES);
    generation_write_full(&answer, s);
    http_ticket_answer(e->ticket, &answer);
}

/* ---- a request comes in ---- */

void images_generate(struct service *s, struct http_request *r)
{
    struct http_text type = http_header(r, "content-type");
    struct order order;
    struct request_error error;
    struct answer answer;
    enum status st;

    if (!negotiate_is_json(type.data, type.bytes)) {
        answer_fail_http(&answer, 415, (struct failure){0},
                         "the Content-Type must be application/json");
        http_answer(r, &answer);
        return;
    }
    st = order_read(s, &order, r, &error);
    if (st)
        refuse(r, st, &error);
    else if (prompted_take(s, r, &order))
        ; /* its words need more than a look: it is answered from elsewhere */
    else if (jobs_are_wanted(r))
        jobs_create(s, r, &order);
    else
        admit(s, r, &order);
    order_close(&order);
}
