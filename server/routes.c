/* SPDX-License-Identifier: Apache-2.0 */
#include "server/routes.h"

#include "server/access.h"
#include "server/api_appeals.h"
#include "server/api_console.h"
#include "server/api_dashboard.h"
#include "server/api_decisions.h"
#include "server/api_detect.h"
#include "server/api_images.h"
#include "server/api_jobs.h"
#include "server/api_log.h"
#include "server/api_metrics.h"
#include "server/api_review.h"
#include "server/auth.h"
#include "server/limits.h"

#include <stdio.h>
#include <string.h>

#define ON_PUBLIC  (1u << ROUTES_PUBLIC)
#define ON_METRICS (1u << ROUTES_METRICS)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Whom a path is for. */
enum need {
    NEED_NOTHING,
    NEED_KEY,
    NEED_GENERATE,
    NEED_METRICS,
    NEED_OWNER,  /* a key of the tenant's */
    NEED_LINK,   /* or a signed link, which the handler looks at */
    NEED_REVIEW, /* whoever looks at other people's pictures has a name: these need a key always */
    NEED_LEAD,
    NEED_COMPLIANCE,
    NEED_BREAKER,
};

struct route {
    const char *method, *path;
    bool prefix; /* `path` is where the target begins */
    unsigned listeners;
    enum need need;
    void (*handle)(struct service *s, struct http_request *r);
    const char *other; /* method, or NULL */
};

/* What a key must be for, to be let in. */
static const struct {
    unsigned scopes; /* one of them; 0: any key will do */
    bool always;     /* also where no key was made yet */
} needs[] = {
    [NEED_KEY] = {0, false},
    [NEED_GENERATE] = {SCOPE_GENERATE, false},
    [NEED_METRICS] = {SCOPE_METRICS, true},
    [NEED_OWNER] = {SCOPE_GENERATE | SCOPE_APPEAL, false},
    [NEED_LINK] = {SCOPE_GENERATE | SCOPE_APPEAL, false},
    [NEED_REVIEW] = {SCOPE_REVIEW | SCOPE_LEAD, true},
    [NEED_LEAD] = {SCOPE_LEAD, true},
    [NEED_COMPLIANCE] = {SCOPE_COMPLIANCE, true},
    [NEED_BREAKER] = {SCOPE_LEAD | SCOPE_ADMIN, true},
};

static bool is(struct http_text text, const char *word)
{
    return text.bytes == strlen(word) && memcmp(text.data, word, text.bytes) == 0;
}

static void fail(struct http_request *r, int status, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, failure, message);
    http_answer(r, &answer);
}

/* ---- health ---- */

static void handle_live(struct service *s, struct http_request *r)
{
    struct answer answer;

    (void)s;
    answer_text(&answer, 200, "text/plain", "ok\n");
    http_answer(r, &answer);
}

static void refuse_unready(struct service *s, struct http_request *r)
{
    const char *reason = service_unready(s);

    fail(r, 503, (struct failure){.retry_after_ms = 2000}, reason ? reason : "try again");
}

static void handle_ready(struct service *s, struct http_request *r)
{
    if (service_unready(s))
        refuse_unready(s, r);
    else
        handle_live(s, r);
}

/* ---- metrics ---- */

static void handle_metrics(struct service *s, struct http_request *r);

/* ---- models ---- */

static void write_model(struct json_out *o, struct service *s, const struct model_info *info)
{
    json_out_object(o, NULL);
    json_out_string(o, "id", info->name);
    json_out_string(o, "object", "model");
    json_out_int(o, "created", atomic_load(&s->loaded_s));
    json_out_string(o, "owned_by", "limner");
    json_out_object(o, "limits");
    json_out_int(o, "size_min", info->size_min);
    json_out_int(o, "size_max",
                 s->size_max > 0 && s->size_max < info->size_max ? s->size_max : info->size_max);
    json_out_int(o, "size_multiple", info->size_multiple);
    json_out_int(o, "prompt_tokens", info->prompt_tokens);
    json_out_object_end(o);
    json_out_object(o, "defaults");
    json_out_int(o, "size", info->size_default);
    json_out_int(o, "num_inference_steps", info->steps_default);
    json_out_real(o, "guidance_scale", info->guidance_default);
    json_out_string(o, "sampler", sampler_name(info->sampler_default));
    json_out_object_end(o);
    json_out_object_end(o);
}

static void handle_models(struct service *s, struct http_request *r)
{
    struct engine *e = service_take_engine(s);
    struct answer answer;

    if (!e) {
        refuse_unready(s, r);
        return;
    }
    answer_json(&answer);
    json_out_object(&answer.json, NULL);
    json_out_string(&answer.json, "object", "list");
    json_out_array(&answer.json, "data");
    for (int i = 0; i < engine_model_count(e); i++)
        write_model(&answer.json, s, engine_model_info(e, i));
    engines_put(s->engines, e);
    json_out_array_end(&answer.json);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    http_answer(r, &answer);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo %XX. False when it does not fit, or is no encoding, or hides a NUL. */
static bool decode_percent(char *out, size_t size, struct http_text in)
{
    size_t used = 0;

    for (size_t i = 0; i < in.bytes; i++) {
        int c = (unsigned char)in.data[i];

        if (c == '%') {
            if (i + 2 >= in.bytes || hex_value(in.data[i + 1]) < 0 || hex_value(in.data[i + 2]) < 0)
                return false;
            c = hex_value(in.data[i + 1]) * 16 + hex_value(in.data[i + 2]);
            i += 2;
        }
        if (c == 0 || used + 1 >= size)
            return false;
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return true;
}

static void handle_model(struct service *s, struct http_request *r)
{
    size_t skip = strlen("/v1/models/");
    struct http_text id = {r->path.data + skip, r->path.bytes - skip};
    struct engine *e = service_take_engine(s);
    char name[MODEL_NAME_MAX];
    struct answer answer;
    int model;

    if (!e) {
        refuse_unready(s, r);
        return;
    }
    model = decode_percent(name, sizeof(name), id) ? engine_find_model(e, name) : -1;
    if (model < 0) {
        engines_put(s->engines, e);
        fail(r, 404, (struct failure){"model", "model_not_found", 0},
             "no model has this name; GET /v1/models lists them");
        return;
    }
    answer_json(&answer);
    write_model(&answer.json, s, engine_model_info(e, model));
    engines_put(s->engines, e);
    answer_json_end(&answer);
    http_answer(r, &answer);
}

static void handle_generations(struct service *s, struct http_request *r)
{
    if (service_is_open(s)) {
        images_generate(s, r);
    } else {
        metrics_refuse(&s->metrics, METRICS_UNREADY);
        refuse_unready(s, r);
    }
}

/* Jobs are in the store, so they can be asked for while the models are loaded. */
static void handle_jobs(struct service *s, struct http_request *r)
{
    static const char root[] = "/v1/jobs/";
    struct http_text rest = {r->path.data + sizeof(root) - 1, r->path.bytes - (sizeof(root) - 1)};

    if (atomic_load(&s->draining))
        refuse_unready(s, r);
    else
        jobs_handle(s, r, rest);
}

/* ---- the table ---- */

static const struct route routes[] = {
    {"POST", "/v1/images/generations", false, ON_PUBLIC, NEED_GENERATE, handle_generations, NULL},
    {"GET", "/v1/jobs/", true, ON_PUBLIC, NEED_GENERATE, handle_jobs, "DELETE"},
    {"GET", "/v1/models", false, ON_PUBLIC, NEED_KEY, handle_models, NULL},
    {"GET", "/v1/models/", true, ON_PUBLIC, NEED_KEY, handle_model, NULL},
    {"GET", "/v1/decisions", false, ON_PUBLIC, NEED_OWNER, api_decisions_list, NULL},
    {"GET", "/v1/decisions/", true, ON_PUBLIC, NEED_LINK, api_decisions_one, NULL},
    {"POST", "/v1/appeals", false, ON_PUBLIC, NEED_LINK, api_appeals_new, NULL},
    {"GET", "/v1/appeals/", true, ON_PUBLIC, NEED_LINK, api_appeals_one, "POST"},
    {"GET", "/appeal/", true, ON_PUBLIC, NEED_NOTHING, api_decisions_page, "POST"},
    {"POST", "/v1/detect", false, ON_PUBLIC, NEED_NOTHING, api_detect, NULL},
    {"GET", "/detect", false, ON_PUBLIC, NEED_NOTHING, api_detect_page, "POST"},
    {"POST", "/v1/review/claim", false, ON_PUBLIC, NEED_REVIEW, api_review_claim, NULL},
    {"GET", "/v1/review/items", false, ON_PUBLIC, NEED_LEAD, api_review_items, NULL},
    {"GET", "/v1/review/items/", true, ON_PUBLIC, NEED_REVIEW, api_review_item, "POST"},
    {"GET", "/v1/review/mine", false, ON_PUBLIC, NEED_REVIEW, api_review_mine, NULL},
    {"POST", "/v1/review/break", false, ON_PUBLIC, NEED_REVIEW, api_review_break, NULL},
    {"GET", "/v1/review/stats", false, ON_PUBLIC, NEED_LEAD, api_review_stats, NULL},
    {"GET", "/v1/review/settings", false, ON_PUBLIC, NEED_LEAD, api_review_settings, "POST"},
    {"POST", "/v1/review/golden", false, ON_PUBLIC, NEED_LEAD, api_review_golden, NULL},
    {"POST", "/v1/breakers/close", false, ON_PUBLIC, NEED_BREAKER, api_review_close, NULL},
    {"GET", "/v1/moderation/export", false, ON_PUBLIC, NEED_COMPLIANCE, api_review_export, NULL},
    {"GET", "/v1/log/checkpoint", false, ON_PUBLIC, NEED_KEY, api_log_checkpoint, NULL},
    {"GET", "/v1/log/key", false, ON_PUBLIC, NEED_KEY, api_log_key, NULL},
    {"GET", "/v1/log/proof", false, ON_PUBLIC, NEED_KEY, api_log_proof, NULL},
    {"GET", "/v1/log/consistency", false, ON_PUBLIC, NEED_KEY, api_log_consistency, NULL},
    {"GET", "/v1/log/tile/entries/", true, ON_PUBLIC, NEED_COMPLIANCE, api_log_tile, NULL},
    {"GET", "/v1/log/tile/", true, ON_PUBLIC, NEED_KEY, api_log_tile, NULL},
    {"GET", "/v1/log/entries", false, ON_PUBLIC, NEED_COMPLIANCE, api_log_entries, NULL},
    {"GET", "/v1/log/stats", false, ON_PUBLIC, NEED_COMPLIANCE, api_log_stats, NULL},
    {"GET", "/v1/log/search", false, ON_PUBLIC, NEED_COMPLIANCE, api_log_search, NULL},
    {"GET", "/officer", false, ON_PUBLIC, NEED_NOTHING, api_console_officer, NULL},
    {"GET", "/review", false, ON_PUBLIC, NEED_NOTHING, api_console_review, NULL},
    {"GET", "/review/lead", false, ON_PUBLIC, NEED_NOTHING, api_console_lead, NULL},
    {"GET", "/livez", false, ON_PUBLIC | ON_METRICS, NEED_NOTHING, handle_live, NULL},
    {"GET", "/readyz", false, ON_PUBLIC | ON_METRICS, NEED_NOTHING, handle_ready, NULL},
    {"GET", "/healthz", false, ON_PUBLIC | ON_METRICS, NEED_NOTHING, handle_ready, NULL},
    {"GET", "/metrics", false, ON_METRICS, NEED_METRICS, handle_metrics, NULL},
    {"GET", "/dashboard", false, ON_METRICS, NEED_NOTHING, api_dashboard_page, NULL},
    {"GET", "/dashboard/data", false, ON_METRICS, NEED_METRICS, api_dashboard_data, NULL},
};

#define ROUTE_COUNT ((int)COUNT_OF(routes))

_Static_assert(COUNT_OF(routes) < METRICS_ROUTES_MAX, "and one for what is no route");

/* Series 0 counts what no route took, route i is series i + 1. */
static void handle_metrics(struct service *s, struct http_request *r)
{
    const char *names[COUNT_OF(routes) + 1] = {"other"};

    for (int i = 0; i < ROUTE_COUNT; i++)
        names[i + 1] = routes[i].path;
    api_metrics_handle(s, r, names, ROUTE_COUNT + 1);
}

static bool is_at(const struct route *route, const struct http_request *r)
{
    size_t bytes = strlen(route->path);

    if (!(route->listeners & (1u << r->listener)))
        return false;
    if (!route->prefix)
        return is(r->path, route->path);
    return r->path.bytes > bytes && memcmp(r->path.data, route->path, bytes) == 0;
}

static bool takes(const struct route *route, struct http_text method)
{
    return is(method, route->method) || (route->other && is(method, route->other)) ||
           (is(method, "HEAD") && !strcmp(route->method, "GET"));
}

/* Is the caller one that this path is for? If not, the request is answered. */
static bool is_admitted(struct service *s, struct http_request *r, enum need need)
{
    struct http_text authorization = http_header(r, "authorization");
    struct auth_caller caller;
    enum auth_verdict verdict;
    struct answer answer;

    if (need == NEED_NOTHING || (need == NEED_METRICS && s->metrics_open))
        return true;
    verdict = auth_check(s->auth, authorization, needs[need].scopes, clock_unix_s(), &caller);
    r->tenant = caller.tenant + 1;
    r->scopes = caller.scopes;
    memcpy(r->caller, caller.prefix, sizeof(r->caller));
    if (verdict == AUTH_OK || (verdict == AUTH_OPEN && !needs[need].always) ||
        (verdict == AUTH_ABSENT && need == NEED_LINK))
        return true;
    auth_refuse(&answer, verdict == AUTH_OPEN ? AUTH_ABSENT : verdict, needs[need].scopes);
    http_answer(r, &answer);
    return false;
}

static void refuse_method(struct http_request *r, const struct route *route)
{
    const char *head = !strcmp(route->method, "GET") ? ", HEAD" : "";
    struct answer answer;
    char allowed[48], message[96];

    snprintf(allowed, sizeof(allowed), "%s%s%s%s", route->method, head, route->other ? ", " : "",
             route->other ? route->other : "");
    snprintf(message, sizeof(message), "this path takes %s", allowed);
    answer_fail_http(&answer, 405, (struct failure){0}, message);
    answer_header(&answer, "allow", "%s", allowed);
    http_answer(r, &answer);
}

/* What HTTP itself refused comes to no handler, and who left before the answer has only that. */
static void join_trace(struct http_request *r)
{
    struct http_text parent = http_header(r, "traceparent");

    if (!r->trace.id[0])
        trace_take(&r->trace, parent.data, parent.bytes);
}

void routes_handle(void *service, struct http_request *r)
{
    const struct route *other_method = NULL;

    join_trace(r);
    for (int i = 0; i < ROUTE_COUNT; i++) {
        if (!is_at(&routes[i], r))
            continue;
        r->route = i + 1;
        if (takes(&routes[i], r->method)) {
            if (is_admitted(service, r, routes[i].need))
                routes[i].handle(service, r);
            return;
        }
        other_method = &routes[i];
    }
    if (other_method)
        refuse_method(r, other_method);
    else
        fail(r, 404, (struct failure){.code = "unknown_path"},
             "there is nothing at this path; pictures come from POST /v1/images/generations");
}

void routes_refuse(void *service, struct answer *a, int status, const char *reason)
{
    (void)service;
    if (status == 413)
        reason = "the body is larger than this server takes";
    answer_fail_http(a, status, (struct failure){0}, reason);
}

void routes_decorate(void *service, struct http_request *r, struct answer *a)
{
    struct service *s = service;
    char text[TRACE_TEXT_MAX];
    struct tenant_view view;

    r->timing = a->timing;
    join_trace(r);
    if (r->trace.id[0]) {
        trace_write(text, &r->trace);
        answer_header(a, "traceparent", "%s", text);
    }
    if (!r->tenant)
        return;
    tenant_look(s->tenants, r->tenant - 1, service_time(s), &view);
    limits_write(a, &view);
}

/* Those who look after the server ask often, and a line of each would hide the others. */
static bool is_quiet(const struct http_request *r, int status)
{
    enum need need = r->route ? routes[r->route - 1].need : NEED_KEY;

    return status < 400 && (need == NEED_NOTHING || need == NEED_METRICS);
}

void routes_answered(void *service, const struct http_request *r, int status)
{
    struct service *s = service;
    int64_t now = clock_now_us(&s->clock);
    struct tenant_limits tenant = {.name = ""};

    metrics_count(&s->metrics, r->route, status, now - r->arrived_us);
    if (r->timing.logged_us && status == 200)
        metrics_send(&s->metrics, r->timing.slot, now - r->timing.logged_us);
    if (r->tenant)
        tenant_get(s->tenants, r->tenant - 1, &tenant);
    access_log(&(struct access){.request = r,
                                .status = status,
                                .took_us = now - r->arrived_us,
                                .tenant = r->tenant ? tenant.name : NULL,
                                .quiet = is_quiet(r, status)});
}
