/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_images.h"

#include "server/api_jobs.h"
#include "server/api_stream.h"
#include "server/negotiate.h"
#include "server/result.h"

#include <stdio.h>

/* ---- the way back, on a finish or engine thread ---- */

void images_write(struct answer *a, const struct generation *g)
{
    const struct job *failed = generation_failed(g);
    int64_t took_us = clock_now_us(&g->service->clock) - g->arrived_us;
    struct result result;

    if (failed) {
        result_write_failure(a, failed->status, failed->why.text);
    } else {
        result_of(&result, g);
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

    images_write(&answer, g);
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

static void refuse(struct http_request *r, enum status st, struct failure failure,
                   const char *message)
{
    struct answer answer;

    answer_fail(&answer, st, failure, message);
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

static void start(struct service *s, struct http_request *r, const struct order *order,
                  const struct tenant_grant *grant)
{
    struct generation *g = generation_take(s->generations, order->request.images);

    if (!g) {
        tenant_return(s->tenants, grant);
        refuse_full(s, r);
        return;
    }
    g->granted = true;
    g->grant = *grant;
    g->arrived_us = r->arrived_us;
    g->finished = on_finished;
    snprintf(g->id, sizeof(g->id), "%s", r->id);
    generation_fill(g, s, order);
    if (order->request.stream)
        stream_prepare(g, order->request.partials);
    g->ticket = http_hold(r, g, on_gone, on_over);
    if (!g->ticket) {
        g->refused = true;
        generation_put(g);
        refuse_full(s, r);
        return;
    }
    submit(g);
}

/* What the order needs of the caller's limits is reserved here, before any work is done. */
static void admit(struct service *s, struct http_request *r, const struct order *order)
{
    struct tenant_refusal refusal = {.retry_after_ms = 0};
    struct tenant_grant grant;
    enum status st = tenant_take(s->tenants, &grant, r->tenant - 1, order->request.images,
                                 service_time(s), &refusal);

    if (!st) {
        start(s, r, order, &grant);
        return;
    }
    metrics_refuse(&s->metrics, METRICS_LIMIT);
    refuse(r, st, (struct failure){st == ST_INVALID ? "n" : NULL, NULL, refusal.retry_after_ms},
           refusal.why.text);
}

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
    if (!st && jobs_are_wanted(r))
        jobs_create(s, r, &order);
    else if (!st)
        admit(s, r, &order);
    else
        refuse(r, st, (struct failure){error.param[0] ? error.param : NULL, error.code, 0},
               error.why.text);
    order_close(&order);
}
