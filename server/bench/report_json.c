/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/report.h"

static void write_quantiles(struct json_out *o, const char *name, const struct quantiles *q)
{
    json_out_object(o, name);
    json_out_int(o, "count", (int64_t)q->count);
    if (q->count) {
        json_out_real(o, "mean", q->mean);
        json_out_real(o, "p50", q->p50);
        json_out_real(o, "p90", q->p90);
        json_out_real(o, "p95", q->p95);
        json_out_real(o, "p99", q->p99);
        json_out_real(o, "max", q->max);
    }
    json_out_object_end(o);
}

static void write_about(struct json_out *o, const struct report *r,
                        const struct report_about *about)
{
    json_out_string(o, "url", about->url);
    json_out_string(o, "arrivals", about->arrivals);
    if (about->rate > 0)
        json_out_real(o, "rate_per_s", about->rate);
    json_out_int(o, "seed", (int64_t)about->seed);
    json_out_bool(o, "ended_early", about->ended_early);
    json_out_int(o, "warmup_requests", (int64_t)r->warmup);
    json_out_int(o, "unfinished", (int64_t)r->unfinished);
}

static void write_counts(struct json_out *o, const struct report *r)
{
    json_out_int(o, "requests", (int64_t)r->requests);
    json_out_int(o, "answered", (int64_t)r->ok);
    json_out_int(o, "in_time", (int64_t)r->attained);
    json_out_int(o, "sent_late", (int64_t)r->late);
    json_out_int(o, "never_sent", (int64_t)r->unsent);
    json_out_int(o, "pictures", (int64_t)r->pictures);
    json_out_real(o, "attainment", r->attainment);
    json_out_real(o, "span_s", r->span_s);
    json_out_real(o, "elapsed_s", r->elapsed_s);
    json_out_real(o, "offered_per_s", r->offered);
    json_out_real(o, "throughput_per_s", r->throughput);
    json_out_real(o, "goodput_per_s", r->goodput);
    json_out_real(o, "pictures_per_s", r->pictures_per_s);
}

static void write_times(struct json_out *o, const struct report *r, const struct samples *samples)
{
    write_quantiles(o, "latency_ms", &r->latency_ms);
    write_quantiles(o, "sent_after_due_ms", &r->late_ms);
    json_out_object(o, "stages_ms");
    for (int i = 0; i < samples->stages.count; i++)
        write_quantiles(o, samples->stages.name[i], &r->stage_ms[i]);
    json_out_object_end(o);
    write_quantiles(o, "prediction_error_ms", &r->prediction_error_ms);
    if (r->prediction_error_ms.count)
        json_out_real(o, "prediction_bias_ms", r->prediction_bias_ms);
}

static void write_kinds(struct json_out *o, const struct report *r, const struct mix *mix)
{
    json_out_array(o, "kinds");
    for (int i = 0; i < mix->count; i++) {
        const struct report_kind *k = &r->kind[i];

        json_out_object(o, NULL);
        json_out_string(o, "name", mix->kind[i].name);
        if (mix->kind[i].deadline_ms)
            json_out_int(o, "deadline_ms", mix->kind[i].deadline_ms);
        json_out_int(o, "requests", (int64_t)k->requests);
        json_out_int(o, "answered", (int64_t)k->ok);
        json_out_int(o, "in_time", (int64_t)k->attained);
        write_quantiles(o, "latency_ms", &k->latency_ms);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void write_misses(struct json_out *o, const struct report *r, const struct samples *samples)
{
    json_out_array(o, "misses");
    for (int i = 0; i < r->miss_count; i++) {
        const struct report_miss *m = &r->miss[i];

        json_out_object(o, NULL);
        json_out_string(o, "fate", sample_fate_name(m->fate));
        if (m->http)
            json_out_int(o, "status", m->http);
        json_out_string(o, "code", m->code >= 0 ? samples->codes.name[m->code] : NULL);
        json_out_int(o, "count", (int64_t)m->count);
        json_out_object_end(o);
    }
    json_out_array_end(o);
    json_out_int(o, "misses_in_other_ways", (int64_t)r->miss_other);
}

void report_json(struct json_out *o, const struct report *r, const struct samples *samples,
                 const struct mix *mix, const struct report_about *about)
{
    json_out_object(o, NULL);
    write_about(o, r, about);
    write_counts(o, r);
    write_times(o, r, samples);
    write_kinds(o, r, mix);
    write_misses(o, r, samples);
    json_out_object_end(o);
}
