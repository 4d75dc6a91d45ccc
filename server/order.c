/* SPDX-License-Identifier: Apache-2.0 */
#include "server/order.h"

#include "base/crypto.h"
#include "server/deadline.h"
#include "server/grants.h"
#include "server/negotiate.h"

#include <stdio.h>

static enum status fail(struct request_error *error, enum status st, const char *param,
                        const char *code)
{
    snprintf(error->param, sizeof(error->param), "%s", param);
    error->code = code;
    return st;
}

static enum status check_model(struct service *s, struct order *order, struct request_error *error)
{
    const char *name = order->request.model;

    order->engines = s->engines;
    order->engine = engines_take(s->engines);
    if (!order->engine) {
        why_fail(&error->why, ST_CANCELLED, "no models are served now");
        return fail(error, ST_CANCELLED, "", NULL);
    }
    order->model = name ? engine_find_model(order->engine, name) : 0;
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
    struct engine *e = order->engine;
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
    if (wish.raw && q->stream) {
        why_fail(&error->why, ST_INVALID,
                 "stream answers with events, which Accept: image/... does not take");
        return fail(error, ST_INVALID, "stream", NULL);
    }
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

static enum status check_text(struct service *s, const char *name, int characters,
                              struct request_error *error)
{
    int most = atomic_load(&s->prompt_max);

    if (characters <= most)
        return ST_OK;
    why_fail(&error->why, ST_INVALID,
             "%s must have at most %d characters on this server; it has %d", name, most,
             characters);
    return fail(error, ST_INVALID, name, NULL);
}

/* What this server allows, which may be less than limner could do. */
static enum status check_allowed(struct service *s, struct order *order,
                                 struct request_error *error)
{
    int images_max = atomic_load(&s->images_max), steps_max = atomic_load(&s->steps_max);
    enum status st;

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
    st = check_text(s, "prompt", order->request.prompt_characters, error);
    return st ? st : check_text(s, "negative_prompt", order->request.negative_characters, error);
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

/* What a request may say that it is for. */
static enum status check_context(struct service *s, const struct http_request *r,
                                 const struct order *order, struct request_error *error)
{
    const char *context = order->request.context;
    const struct policy *policy;
    struct tenant_limits tenant;
    struct policy_context known = {.grant_required = true};
    bool is_known;

    if (!context)
        return ST_OK;
    policy = s->judge ? judge_policy(s->judge) : NULL;
    is_known = policy && policy_context(policy, context, &known);
    if (policy)
        judge_release(s->judge, policy);
    if (!is_known) {
        why_fail(&error->why, ST_INVALID, "this server's policy knows no context '%.48s'", context);
        return fail(error, ST_INVALID, "context", "unknown_context");
    }
    tenant_get(s->tenants, r->tenant - 1, &tenant);
    if (!known.grant_required || grants_has(s->grants, tenant.name, context, clock_unix_s()))
        return ST_OK;
    why_fail(&error->why, ST_REFUSED,
             "the context '%.48s' was not granted to %s, or the grant is over: ask the operator of "
             "this server (limner context grant)",
             context, tenant.name);
    error->http = 403;
    return fail(error, ST_REFUSED, "context", "context_not_granted");
}

enum status order_parse(struct service *s, struct order *order, struct http_text body,
                        const char *model, struct request_error *error)
{
    enum status st;

    *order = (struct order){.weight = 1};
    st = request_parse(&order->request, body.data, body.bytes, error);
    if (st)
        return st;
    if (model)
        order->request.model = model;
    st = check_model(s, order, error);
    return st ? st : check_picture(s, order, error);
}

enum status order_read(struct service *s, struct order *order, const struct http_request *r,
                       struct request_error *error)
{
    struct http_text accept = http_header(r, "accept");
    enum status st = order_parse(s, order, r->body, NULL, error);

    if (!st)
        st = check_allowed(s, order, error);
    if (!st)
        st = check_context(s, r, order, error);
    if (!st)
        st = check_format(order, accept, error);
    if (!st)
        st = choose_seed(order, error);
    if (!st)
        st = read_deadline(s, r, order, error);
    return st;
}

void order_close(struct order *order)
{
    request_close(&order->request);
    if (order->engine)
        engines_put(order->engines, order->engine);
    order->engine = NULL;
}
