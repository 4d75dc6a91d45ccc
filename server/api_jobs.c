/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_jobs.h"

#include "base/crypto.h"
#include "server/async.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is(struct http_text text, const char *word)
{
    return text.bytes == strlen(word) && memcmp(text.data, word, text.bytes) == 0;
}

static void refuse(struct http_request *r, int status, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, failure, message);
    http_answer(r, &answer);
}

static struct errand *begin(struct service *s, struct http_request *r, enum errand_kind kind)
{
    struct errand *e = errand_take(s->keeper);

    if (!e) {
        refuse(r, 429, (struct failure){0}, "too many requests about jobs at the same time");
        return NULL;
    }
    e->kind = kind;
    e->tenant = r->tenant - 1;
    e->arrived_us = r->arrived_us;
    return e;
}

bool jobs_hold(struct http_request *r, struct errand *e)
{
    e->ticket = http_hold(r, e, errand_gone, errand_over);
    if (e->ticket)
        return true;
    errand_put(e);
    refuse(r, 429, (struct failure){0}, "too many requests at the same time");
    return false;
}

/* From here on the keeper answers. */
static void send(struct http_request *r, struct errand *e)
{
    if (jobs_hold(r, e))
        errand_send(e);
}

bool jobs_are_wanted(const struct http_request *r)
{
    struct http_text prefer = http_header(r, "prefer");

    return http_header(r, "idempotency-key").data ||
           (prefer.data && async_wanted(prefer.data, prefer.bytes));
}

/* The body, and behind it what else the answer depends on: both make the hash. */
static enum status copy_body(struct errand *e, struct http_text body)
{
    char *copy = malloc(body.bytes + 2);

    if (!copy)
        return ST_FULL;
    memcpy(copy, body.data, body.bytes);
    copy[body.bytes] = (char)e->order.raw;
    copy[body.bytes + 1] = (char)e->order.format;
    e->body = (struct store_bytes){copy, body.bytes};
    crypto_sha256(e->hash, copy, body.bytes + 2);
    return ST_OK;
}

/* What is streamed is not kept. */
static void refuse_stream(struct http_request *r)
{
    refuse(r, 400, (struct failure){.param = "stream"},
           "stream goes neither with Prefer: respond-async, where GET /v1/jobs/{id}/events tells "
           "what happens, nor with an Idempotency-Key");
}

struct errand *jobs_errand(struct service *s, struct http_request *r, struct order *order)
{
    struct http_text key = http_header(r, "idempotency-key"), prefer = http_header(r, "prefer");
    bool kept = jobs_are_wanted(r);
    struct why why = {""};
    struct errand *e;

    if (kept && order->request.stream) {
        refuse_stream(r);
        return NULL;
    }
    e = begin(s, r, ERRAND_CREATE);
    if (!e)
        return NULL;
    e->order = *order;
    *order = (struct order){.model = 0};
    e->async = prefer.data && async_wanted(prefer.data, prefer.bytes);
    snprintf(e->request, sizeof(e->request), "%s", r->id);
    if (key.data && async_key(e->key, key.data, key.bytes, &why)) {
        errand_put(e);
        refuse(r, 400, (struct failure){.param = "Idempotency-Key"}, why.text);
        return NULL;
    }
    if (kept && copy_body(e, r->body)) {
        errand_put(e);
        refuse(r, 503, (struct failure){0}, "the server is out of memory");
        return NULL;
    }
    return e;
}

void jobs_create(struct service *s, struct http_request *r, struct order *order)
{
    struct errand *e = jobs_errand(s, r, order);

    if (e)
        send(r, e);
}

static void refuse_delete(struct http_request *r)
{
    struct answer answer;

    answer_fail_http(&answer, 405, (struct failure){0}, "DELETE is for /v1/jobs/{id} itself");
    answer_header(&answer, "allow", "GET, HEAD");
    http_answer(r, &answer);
}

void jobs_handle(struct service *s, struct http_request *r, struct http_text rest)
{
    static const enum errand_kind kinds[] = {
        [ASYNC_JOB] = ERRAND_LOOK, [ASYNC_EVENTS] = ERRAND_WATCH, [ASYNC_IMAGE] = ERRAND_PICTURE};
    struct http_text last = http_header(r, "last-event-id");
    struct why why = {""};
    struct async_path path;
    bool cancels = is(r->method, "DELETE");
    struct errand *e;
    int previews;

    if (!async_path(&path, rest.data, rest.bytes)) {
        refuse(r, 404, (struct failure){.code = "job_not_found"},
               "there is no such job, or it has expired");
        return;
    }
    if (cancels && path.part != ASYNC_JOB) {
        refuse_delete(r);
        return;
    }
    if (async_previews(&previews, r->query.data, r->query.bytes, &why) &&
        path.part == ASYNC_EVENTS) {
        refuse(r, 400, (struct failure){.param = "partial_images"}, why.text);
        return;
    }
    e = begin(s, r, cancels ? ERRAND_CANCEL : kinds[path.part]);
    if (!e)
        return;
    memcpy(e->id, path.id, sizeof(e->id));
    e->k = path.k;
    e->event = async_event(last.data, last.bytes);
    e->previews = previews;
    send(r, e);
}
