/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_dashboard.h"

#include "server/desk_numbers.h"
#include "server/history.h"
#include "server/web.h"
#include "server/webhook.h"

#include <string.h>

#define SINCE_DIGITS 15

/* ---- the page ---- */

void api_dashboard_page(struct service *s, struct http_request *r)
{
    struct answer answer;

    (void)s;
    web_answer(&answer, web_dashboard, WEB_ASK);
    http_answer(r, &answer);
}

/* ---- looking ---- */

static void add_steps(struct history_counts *c, const struct stages *stages, int model)
{
    for (int rows = 1; rows <= stages_batch_max(stages); rows++) {
        struct histogram h = {.count = 0};

        stages_add_steps(stages, model, rows, &h);
        c->steps += h.count;
        c->rows += h.count * (uint64_t)rows;
        c->steps_us += h.sum;
    }
}

static void add_model(struct service *s, struct history_view *v, const struct stages *stages,
                      int model)
{
    stages_add_pictures(stages, model, OUTCOME_OK, &v->series[HISTORY_PICTURE]);
    for (enum stage i = 0; i < STAGE_COUNT; i++)
        stages_add(stages, model, OUTCOME_OK, i, &v->series[HISTORY_STAGE + i]);
    histogram_add(&v->series[HISTORY_SEND], &s->metrics.send[model]);
    add_steps(&v->counts, stages, model);
}

static void add_counts(struct service *s, struct history_counts *c, const struct engine_stats *st)
{
    c->ended[OUTCOME_OK] = st->done;
    c->ended[OUTCOME_FAILED] = st->failed;
    c->ended[OUTCOME_CANCELLED] = st->cancelled;
    c->ended[OUTCOME_LATE] = st->late;
    c->ended[OUTCOME_WITHHELD] = st->withheld;
    for (int i = 0; i < ENGINE_REFUSALS; i++)
        c->refused += st->refused[i];
    for (int i = 0; i < METRICS_REFUSALS; i++)
        c->refused += atomic_load(&s->metrics.refused[i]);
}

static void add_judged(struct service *s, struct history_counts *c)
{
    struct judge_stats stats;

    if (!s->judge)
        return;
    judge_get_stats(s->judge, &stats);
    for (int band = 0; band < BAND_COUNT; band++)
        c->judged[band] = stats.by_action[band];
}

void api_dashboard_look(struct service *s)
{
    int64_t now_us = clock_now_us(&s->clock);
    struct engine *e = history_is_due(s->history, now_us) ? service_take_engine(s) : NULL;
    struct engine_stats stats;
    struct history_view *v;

    if (!e)
        return;
    v = history_look(s->history);
    engines_get_stats(s->engines, &stats);
    v->now_us = now_us;
    v->unix_s = clock_unix_s();
    v->waiting = stats.waiting;
    v->seated = stats.seated;
    v->oldest_us = stats.oldest_us;
    v->lanes = stats.seats / stages_batch_max(engine_stages(e));
    add_counts(s, &v->counts, &stats);
    add_judged(s, &v->counts);
    for (int m = 0; m < stages_models(engine_stages(e)); m++)
        add_model(s, v, engine_stages(e), m);
    engines_put(s->engines, e);
    history_note(s->history);
}

/* ---- the data ---- */

/* Strict: digits, and not too many; anything else is from the start. */
static int64_t read_since(struct http_text query)
{
    static const char name[] = "since=";
    const size_t bytes = sizeof(name) - 1;
    int64_t value = 0;

    if (query.bytes <= bytes || query.bytes > bytes + SINCE_DIGITS ||
        memcmp(query.data, name, bytes) != 0)
        return 0;
    for (size_t i = bytes; i < query.bytes; i++) {
        if (query.data[i] < '0' || query.data[i] > '9')
            return 0;
        value = value * 10 + (query.data[i] - '0');
    }
    return value;
}

static void write_now(struct json_out *o, struct service *s, const struct engine *e)
{
    struct engine_stats stats;

    engines_get_stats(s->engines, &stats);
    json_out_object(o, "now");
    json_out_int(o, "waiting", stats.waiting);
    json_out_int(o, "oldest_us", stats.oldest_us);
    json_out_int(o, "seated", stats.seated);
    json_out_int(o, "finishing", stats.finishing);
    json_out_int(o, "seats", stats.seats);
    json_out_int(o, "batch_max", stages_batch_max(engine_stages(e)));
    json_out_object_end(o);
}

static void write_step(struct json_out *o, const char *model, int rows, const struct histogram *h)
{
    json_out_object(o, NULL);
    json_out_string(o, "model", model);
    json_out_int(o, "pictures", rows);
    json_out_int(o, "count", (int64_t)h->count);
    json_out_int(o, "p50_us", (int64_t)histogram_quantile(h, 0.5));
    json_out_int(o, "p95_us", (int64_t)histogram_quantile(h, 0.95));
    json_out_object_end(o);
}

/* Since the start. */
static void write_steps(struct json_out *o, const struct engine *e)
{
    const struct stages *stages = engine_stages(e);

    json_out_array(o, "steps");
    for (int m = 0; m < stages_models(stages); m++) {
        for (int rows = 1; rows <= stages_batch_max(stages); rows++) {
            struct histogram h = {.count = 0};

            stages_add_steps(stages, m, rows, &h);
            if (h.count)
                write_step(o, stages_model_name(stages, m), rows, &h);
        }
    }
    json_out_array_end(o);
}

/* What people say of what was decided, and whether their owners were told. */
static void write_reviews(struct service *s, struct json_out *o)
{
    struct webhook_stats webhooks;
    struct desk_numbers numbers;

    desk_look(s->desk, &numbers);
    desk_numbers_write(o, "reviews", &numbers);
    if (!s->webhook)
        return;
    webhook_get_stats(s->webhook, &webhooks);
    json_out_object(o, "webhooks");
    json_out_int(o, "delivered", webhooks.delivered);
    json_out_int(o, "failed", webhooks.failed);
    json_out_int(o, "given_up", webhooks.given_up);
    json_out_object_end(o);
}

static void write_drift(struct json_out *o, const struct judge_stats *stats)
{
    json_out_array(o, "psi");
    for (int i = 0; i < stats->categories; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "category", stats->drift[i].category);
        json_out_real(o, "value", stats->drift[i].psi);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void write_canary(struct json_out *o, const struct judge_stats *stats)
{
    if (!stats->canary_runs) {
        json_out_string(o, "canary", NULL);
        return;
    }
    json_out_object(o, "canary");
    json_out_bool(o, "ok", stats->sound);
    json_out_int(o, "age_s", clock_unix_s() - stats->canary_unix_s);
    json_out_object_end(o);
}

/* What the machine does by itself; what people say of it is the desk's to tell. */
static void write_moderation(struct service *s, struct json_out *o)
{
    const struct policy *policy = judge_policy(s->judge);
    const struct policy_settings *settings = policy_settings(policy);
    struct judge_stats stats;

    judge_get_stats(s->judge, &stats);
    json_out_object(o, "moderation");
    json_out_object(o, "policy");
    json_out_string(o, "id", policy_id(policy));
    json_out_int(o, "version", policy_version(policy));
    json_out_object_end(o);
    json_out_int(o, "judged", (int64_t)stats.pictures);
    json_out_int(o, "shadow_differs", (int64_t)stats.shadow_differs);
    json_out_int(o, "failed", (int64_t)stats.unrecorded);
    json_out_real(o, "psi_alert", settings->drift.alert);
    json_out_real(o, "psi_page", settings->drift.page);
    write_drift(o, &stats);
    write_canary(o, &stats);
    json_out_object_end(o);
    judge_release(s->judge, policy);
}

void api_dashboard_data(struct service *s, struct http_request *r)
{
    struct engine *e = service_take_engine(s);
    struct answer answer;
    struct json_out *o = &answer.json;

    answer_json(&answer);
    json_out_object(o, NULL);
    json_out_string(o, "version", LIMNER_VERSION);
    json_out_int(o, "started_unix_s", s->started_s);
    json_out_int(o, "unix_s", clock_unix_s());
    json_out_string(o, "unready", service_unready(s)); /* null: it is ready */
    if (e) {
        write_now(o, s, e);
        write_steps(o, e);
        engines_put(s->engines, e);
    }
    if (s->judge)
        write_moderation(s, o);
    history_write(s->history, read_since(r->query), o);
    write_reviews(s, o);
    json_out_object_end(o);
    answer_json_end(&answer);
    answer_header(&answer, "cache-control", "no-store");
    http_answer(r, &answer);
}
