/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_images.h"

#include "base/crypto.h"
#include "base/log.h"
#include "server/deadline.h"
#include "server/negotiate.h"
#include "server/request.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_MS_MAX 60000

struct images {
    struct job_pool *jobs;
    pthread_mutex_t lock; /* of the list of free generations */
    struct generation *free;
    struct generation *all;
};

/* The pictures of one request on their way. */
struct generation {
    struct service *service;
    struct http_ticket *ticket;
    struct job *job[REQUEST_IMAGES_MAX];
    int count;
    atomic_int left; /* jobs that are not done */
    struct tenant_grant grant;
    bool refused; /* after the grant: it is given back */
    bool raw;
    int64_t arrived_us;
    char id[HTTP_ID_MAX];
    struct generation *next; /* free */
};

/* What a request asks for, once everything about it was looked at. */
struct order {
    struct request request;
    struct picture picture;
    int model;
    bool raw;
    enum format format;
    int64_t deadline_ms; /* after its arrival; 0: none */
    int weight;          /* of the tenant */
};

enum status images_open(struct images **out, int jobs_max)
{
    struct images *images = calloc(1, sizeof(*images));

    *out = images;
    if (!images)
        return ST_FULL;
    pthread_mutex_init(&images->lock, NULL);
    images->all = calloc((size_t)jobs_max, sizeof(*images->all));
    if (!images->all || job_pool_open(&images->jobs, (size_t)jobs_max)) {
        images_close(out);
        return ST_FULL;
    }
    for (int i = 0; i < jobs_max; i++) {
        images->all[i].next = images->free;
        images->free = &images->all[i];
    }
    return ST_OK;
}

void images_close(struct images **images)
{
    if (!*images)
        return;
    job_pool_close(&(*images)->jobs);
    pthread_mutex_destroy(&(*images)->lock);
    free((*images)->all);
    free(*images);
    *images = NULL;
}

static struct generation *generation_take(struct images *images, int count)
{
    struct generation *g;

    pthread_mutex_lock(&images->lock);
    g = images->free;
    if (g)
        images->free = g->next;
    pthread_mutex_unlock(&images->lock);
    if (!g)
        return NULL;
    *g = (struct generation){.count = count};
    if (job_take(images->jobs, g->job, (size_t)count) == ST_OK)
        return g;
    g->count = 0;
    pthread_mutex_lock(&images->lock);
    g->next = images->free;
    images->free = g;
    pthread_mutex_unlock(&images->lock);
    return NULL;
}

static void generation_put(struct images *images, struct generation *g)
{
    for (int i = 0; i < g->count; i++)
        job_put(images->jobs, g->job[i]);
    pthread_mutex_lock(&images->lock);
    g->next = images->free;
    images->free = g;
    pthread_mutex_unlock(&images->lock);
}

/* ---- the way back, on a finish or engine thread ---- */

static const struct model_info *info_of(const struct generation *g)
{
    return engine_model_info(atomic_load(&g->service->engine), g->job[0]->model);
}

/* base64 ends with a NUL, which falls on the quote behind the string. */
static void write_picture(struct json_out *o, struct job *job)
{
    size_t length = crypto_base64_length(job->body.count);
    char *room;

    json_out_object(o, NULL);
    room = json_out_reserve(o, "b64_json", length);
    if (room) {
        char behind = room[length];

        crypto_base64_encode(room, job->body.data, job->body.count);
        room[length] = behind;
    }
    bytes_close(&job->body);
    json_out_int(o, "seed", (int64_t)job->picture.seed);
    json_out_object(o, "limner");
    json_out_string(o, "pixels_sha256", job->pixels_sha256);
    json_out_object_end(o);
    json_out_object_end(o);
}

static void write_json(struct answer *a, const struct generation *g)
{
    static const char *const formats[] = {
        [FORMAT_PNG] = "png", [FORMAT_WEBP] = "webp", [FORMAT_JPEG] = "jpeg"};
    const struct job *first = g->job[0];
    struct json_out *o = &a->json;
    char text[192];

    answer_json(a);
    json_out_object(o, NULL);
    json_out_int(o, "created", clock_unix_s());
    json_out_string(o, "model", info_of(g)->name);
    snprintf(text, sizeof(text), "%dx%d", first->picture.width, first->picture.height);
    json_out_string(o, "size", text);
    json_out_string(o, "output_format", formats[first->format]);
    json_out_string(o, "background", "opaque");
    if (first->prompt_cut) {
        snprintf(text, sizeof(text),
                 "the prompt was cut: the model reads %d tokens, start and end included",
                 info_of(g)->prompt_tokens);
        json_out_array(o, "warnings");
        json_out_string(o, NULL, text);
        json_out_array_end(o);
    }
    json_out_array(o, "data");
    for (int i = 0; i < g->count; i++)
        write_picture(o, g->job[i]);
    json_out_array_end(o);
    json_out_object_end(o);
    answer_json_end(a);
}

static void write_raw(struct answer *a, const struct generation *g)
{
    struct job *job = g->job[0];

    answer_text(a, 200, encode_media_type(job->format), NULL);
    a->raw = job->body;
    job->body = (struct bytes){0};
    answer_header(a, "x-limner-pixels-sha256", "%s", job->pixels_sha256);
    answer_header(a, "x-limner-seed", "%llu", (unsigned long long)job->picture.seed);
    if (job->prompt_cut)
        answer_header(a, "x-limner-warning", "prompt cut to %d tokens", info_of(g)->prompt_tokens);
}

/* The failure to tell: siblings of a failed picture are cancelled, which is not the reason. */
static const struct job *failed_job(const struct generation *g)
{
    const struct job *failed = NULL;

    for (int i = 0; i < g->count; i++) {
        const struct job *job = g->job[i];

        if (job->status && (!failed || failed->status == ST_CANCELLED))
            failed = job;
    }
    return failed;
}

static void write_failure(struct answer *a, const struct job *job)
{
    /* A picture that was admitted and then found no memory is not the client's haste. */
    if (job->status == ST_FULL)
        answer_fail_http(a, 503, (struct failure){0}, "the server is out of memory");
    else
        answer_fail(a, job->status, (struct failure){0}, job->why.text);
}

static void generation_finish(struct generation *g)
{
    const struct job *failed = failed_job(g), *first = g->job[0];
    int64_t took_us = clock_now_us(&g->service->clock) - g->arrived_us;
    struct answer answer;

    if (failed)
        write_failure(&answer, failed);
    else if (g->raw)
        write_raw(&answer, g);
    else
        write_json(&answer, g);
    timing_of(&answer.timing, g->job, g->count);
    timing_write(&answer);
    if (!failed)
        answer_header(&answer, "openai-processing-ms", "%lld", (long long)(took_us / 1000));
    log_info("generation", "id=%s status=%s n=%d size=%dx%d steps=%d seed=%llu ms=%lld%s%s", g->id,
             status_name(failed ? failed->status : ST_OK), g->count, first->picture.width,
             first->picture.height, first->picture.steps, (unsigned long long)first->picture.seed,
             (long long)(took_us / 1000), failed ? " why=" : "", failed ? failed->why.text : "");
    http_ticket_answer(g->ticket, &answer); /* g may be gone from here on */
}

static void on_job_done(struct job *job)
{
    struct generation *g = job->ticket;

    if (job->status == ST_OK)
        metrics_picture(&g->service->metrics, job->times.decoded_us - job->times.seated_us);
    else
        for (int i = 0; i < g->count; i++)
            atomic_store(&g->job[i]->cancelled, true);
    if (atomic_fetch_sub(&g->left, 1) == 1)
        generation_finish(g);
}

/* ---- on the io thread ---- */

static void on_gone(void *owner)
{
    struct generation *g = owner;

    for (int i = 0; i < g->count; i++)
        atomic_store(&g->job[i]->cancelled, true);
}

static void on_over(void *owner)
{
    struct generation *g = owner;

    if (g->refused)
        tenant_return(g->service->tenants, &g->grant);
    else
        tenant_end(g->service->tenants, &g->grant);
    generation_put(g->service->images, g);
}

/* Where one place falls free: the mean time of a picture, dealt over the seats. */
static int retry_after_ms(const struct service *s)
{
    long long ms = atomic_load(&((struct service *)s)->metrics.picture_us) / 1000 / s->seats;

    return (int)(ms < 1000 ? 1000 : ms > RETRY_AFTER_MS_MAX ? RETRY_AFTER_MS_MAX : ms);
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
    metrics_refuse(&s->metrics, METRICS_PLACES);
    refuse(r, ST_FULL, (struct failure){.retry_after_ms = retry_after_ms(s)},
           "too many pictures are waiting; try again later");
}

static enum status fail(struct request_error *error, enum status st, const char *param,
                        const char *code)
{
    snprintf(error->param, sizeof(error->param), "%s", param);
    error->code = code;
    return st;
}

static enum status check_model(struct service *s, struct order *order, struct request_error *error)
{
    struct engine *e = atomic_load(&s->engine);
    const char *name = order->request.model;

    order->model = name ? engine_find_model(e, name) : 0;
    if (order->model < 0) {
        why_fail(&error->why, ST_MISSING, "no model is called '%.64s'; GET /v1/models lists them",
                 name);
        return fail(error, ST_MISSING, "model", "model_not_found");
    }
    return ST_OK;
}

static enum status check_picture(struct service *s, struct order *order,
                                 struct request_error *error)
{
    struct engine *e = atomic_load(&s->engine);
    const struct model_info *info = engine_model_info(e, order->model);
    enum status st = request_picture(&order->request, info, s->size_max, &order->picture, error);

    if (st)
        return st;
    st = engine_check(e, order->model, &order->picture, &error->why);
    return st ? fail(error, st, "", NULL) : ST_OK;
}

/* In which format, and whether as bytes. `accept` may be empty. */
static enum status check_format(struct order *order, struct http_text accept,
                                struct request_error *error)
{
    const struct request *q = &order->request;
    struct wish wish = negotiate_accept(accept.data, accept.bytes);

    order->raw = wish.raw;
    order->format = !q->format_given && wish.raw ? wish.best : q->format;
    if (wish.raw && q->images != 1) {
        why_fail(&error->why, ST_INVALID, "n must be 1 when Accept asks for an image's bytes");
        return fail(error, ST_INVALID, "n", NULL);
    }
    if (wish.raw && !wish.format[order->format]) {
        why_fail(&error->why, ST_INVALID, "output_format is not what the Accept header takes");
        return fail(error, ST_INVALID, "output_format", NULL);
    }
    if (q->compression >= 0 && order->format == FORMAT_PNG) {
        why_fail(&error->why, ST_INVALID,
                 "output_compression is for output_format webp and jpeg; png loses nothing");
        return fail(error, ST_INVALID, "output_compression", NULL);
    }
    return ST_OK;
}

/* What this server allows, which may be less than limner could do. */
static enum status check_allowed(struct service *s, struct order *order,
                                 struct request_error *error)
{
    int images_max = atomic_load(&s->images_max), steps_max = atomic_load(&s->steps_max);

    if (order->request.images > images_max) {
        why_fail(&error->why, ST_INVALID, "n must be 1 to %d on this server", images_max);
        return fail(error, ST_INVALID, "n", NULL);
    }
    if (order->request.steps > steps_max) {
        why_fail(&error->why, ST_INVALID, "num_inference_steps must be 1 to %d on this server",
                 steps_max);
        return fail(error, ST_INVALID, "num_inference_steps", NULL);
    }
    if (order->picture.steps > steps_max)
        order->picture.steps = steps_max;
    return ST_OK;
}

static enum status choose_seed(struct order *order, struct request_error *error)
{
    uint32_t seed; /* short enough to be typed again */

    if (order->request.seed_given)
        return ST_OK;
    if (crypto_random(&seed, sizeof(seed))) {
        why_fail(&error->why, ST_IO, "no random numbers");
        return fail(error, ST_IO, "", NULL);
    }
    order->picture.seed = seed;
    return ST_OK;
}

/* What the request says, or else what the tenant's requests have. */
static enum status read_deadline(struct service *s, const struct http_request *r,
                                 struct order *order, struct request_error *error)
{
    struct http_text deadline = http_header(r, "x-request-deadline-ms");
    struct http_text prefer = http_header(r, "prefer");
    struct tenant_limits limits;
    enum status st = deadline_read(&order->deadline_ms, deadline.data, deadline.bytes, prefer.data,
                                   prefer.bytes, &error->why);

    if (st)
        return fail(error, st, "x-request-deadline-ms", NULL);
    tenant_get(s->tenants, r->tenant - 1, &limits);
    order->weight = limits.weight;
    if (!order->deadline_ms)
        order->deadline_ms = limits.deadline_ms;
    return ST_OK;
}

static enum status read_order(struct service *s, const struct http_request *r, struct order *order,
                              struct request_error *error)
{
    struct http_text accept = http_header(r, "accept");
    enum status st = request_parse(&order->request, r->body.data, r->body.bytes, error);

    if (!st)
        st = check_model(s, order, error);
    if (!st)
        st = check_picture(s, order, error);
    if (!st)
        st = check_allowed(s, order, error);
    if (!st)
        st = check_format(order, accept, error);
    if (!st)
        st = choose_seed(order, error);
    if (!st)
        st = read_deadline(s, r, order, error);
    return st;
}

static void fill_job(struct job *job, struct generation *g, const struct order *order, int index)
{
    const struct request *q = &order->request;
    enum status st =
        job_set_texts(job, q->prompt, strlen(q->prompt), q->negative, strlen(q->negative), NULL);

    assert(st == ST_OK); /* request.c counted the characters */
    (void)st;
    snprintf(job->id, sizeof(job->id), "%.24s-%d", g->id, index);
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

/* From here on the request is answered through its ticket, also when the engine says no. */
static void submit(struct service *s, struct generation *g)
{
    int64_t finish_us;
    enum status st = engine_submit(atomic_load(&s->engine), g->job, g->count, &finish_us);
    struct answer answer;

    if (!st)
        return;
    g->refused = true;
    if (st == ST_LATE)
        write_late(&answer, g, finish_us);
    else
        answer_fail(&answer, st, (struct failure){.retry_after_ms = retry_after_ms(s)},
                    "too many pictures are waiting; try again later");
    http_ticket_answer(g->ticket, &answer);
}

static void start(struct service *s, struct http_request *r, const struct order *order,
                  const struct tenant_grant *grant)
{
    struct generation *g = generation_take(s->images, order->request.images);

    if (!g) {
        tenant_return(s->tenants, grant);
        refuse_full(s, r);
        return;
    }
    g->service = s;
    g->grant = *grant;
    g->raw = order->raw;
    g->arrived_us = r->arrived_us;
    snprintf(g->id, sizeof(g->id), "%s", r->id);
    atomic_store(&g->left, g->count);
    for (int i = 0; i < g->count; i++)
        fill_job(g->job[i], g, order, i);
    g->ticket = http_hold(r, g, on_gone, on_over);
    if (!g->ticket) {
        tenant_return(s->tenants, grant);
        generation_put(s->images, g);
        refuse_full(s, r);
        return;
    }
    submit(s, g);
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
    struct order order = {.model = 0};
    struct request_error error;
    struct answer answer;
    enum status st;

    if (!negotiate_is_json(type.data, type.bytes)) {
        answer_fail_http(&answer, 415, (struct failure){0},
                         "the Content-Type must be application/json");
        http_answer(r, &answer);
        return;
    }
    st = read_order(s, r, &order, &error);
    if (!st)
        admit(s, r, &order);
    else
        refuse(r, st, (struct failure){error.param[0] ? error.param : NULL, error.code, 0},
               error.why.text);
    request_close(&order.request);
}
