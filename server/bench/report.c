/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int by_count(const void *a, const void *b)
{
    const struct report_miss *x = a, *y = b;

    return (x->count < y->count) - (x->count > y->count);
}

static double quantile(const double *sorted, size_t count, double q)
{
    double rank = ceil(q * (double)count - 1e-9); /* 0.95 * 20 is a little more than 19 */

    return sorted[rank < 1 ? 0 : (size_t)rank - 1];
}

struct quantiles report_quantiles(double *values, size_t count)
{
    double sum = 0;

    if (count == 0)
        return (struct quantiles){0};
    qsort(values, count, sizeof(*values), by_size);
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return (struct quantiles){
        .count = count,
        .mean = sum / (double)count,
        .p50 = quantile(values, count, 0.50),
        .p90 = quantile(values, count, 0.90),
        .p95 = quantile(values, count, 0.95),
        .p99 = quantile(values, count, 0.99),
        .max = values[count - 1],
    };
}

static bool is_measured(const struct samples *s, const struct sample *sample)
{
    return sample->intended_us >= s->warmup_us && sample->fate != FATE_UNFINISHED;
}

static double latency_ms(const struct sample *s)
{
    return (double)(s->ended_us - s->intended_us) / 1000;
}

static bool is_attained(const struct sample *s, const struct mix_kind *kind)
{
    return s->fate == FATE_OK &&
           (!kind->deadline_ms || s->ended_us - s->intended_us <= kind->deadline_ms * 1000);
}

/* ---- values of one sort, into one array ---- */

enum value {
    VALUE_LATENCY, /* `which`: a kind, or below 0 */
    VALUE_LATE,
    VALUE_STAGE, /* `which`: the stage */
    VALUE_PREDICTION,
};

/* What it took from being sent, less what the server said it would. */
static double misprediction_ms(const struct sample *s)
{
    return (double)(s->ended_us - s->sent_us) / 1000 - (double)s->predicted_ms;
}

static bool value_of(const struct sample *s, enum value value, int which, double *out)
{
    switch (value) {
    case VALUE_LATENCY:
        *out = latency_ms(s);
        return (s->fate == FATE_OK || s->fate == FATE_TIMEOUT) && (which < 0 || s->kind == which);
    case VALUE_LATE:
        *out = (double)(s->sent_us - s->intended_us) / 1000;
        return s->sent_us >= 0;
    case VALUE_STAGE:
        *out = (double)s->stage_ms[which];
        return s->fate == FATE_OK && *out >= 0;
    case VALUE_PREDICTION:
        *out = fabs(misprediction_ms(s));
        return s->fate == FATE_OK && s->predicted_ms >= 0;
    }
    return false;
}

static struct quantiles gather(double *room, const struct samples *samples, enum value value,
                               int which)
{
    size_t count = 0;

    for (size_t i = 0; i < samples->count; i++) {
        if (is_measured(samples, &samples->of[i]))
            count += value_of(&samples->of[i], value, which, &room[count]);
    }
    return report_quantiles(room, count);
}

/* ---- counts ---- */

static void count_miss(struct report *r, const struct sample *s)
{
    for (int i = 0; i < r->miss_count; i++) {
        struct report_miss *m = &r->miss[i];

        if (m->fate == s->fate && m->http == s->http && m->code == s->code) {
            m->count++;
            return;
        }
    }
    if (r->miss_count < REPORT_MISSES_MAX)
        r->miss[r->miss_count++] = (struct report_miss){s->fate, s->http, s->code, 1};
    else
        r->miss_other++;
}

static void count_one(struct report *r, const struct sample *s, const struct mix *mix)
{
    const struct mix_kind *kind = &mix->kind[s->kind];
    bool ok = s->fate == FATE_OK, attained = is_attained(s, kind);

    r->requests++;
    r->ok += ok;
    r->attained += attained;
    r->pictures += ok ? (size_t)(kind->images > 1 ? kind->images : 1) : 0;
    r->late += s->sent_us >= 0 && (double)(s->sent_us - s->intended_us) > REPORT_LATE_MS * 1000;
    r->unsent += s->sent_us < 0;
    r->kind[s->kind].requests++;
    r->kind[s->kind].ok += ok;
    r->kind[s->kind].attained += attained;
    if (ok && s->predicted_ms >= 0)
        r->prediction_bias_ms += misprediction_ms(s);
    if (!ok)
        count_miss(r, s);
}

/* Sums become means, counts become rates. */
static void rate(struct report *r, const struct samples *samples, int64_t last_us)
{
    double elapsed_us = (double)(last_us > samples->end_us ? last_us : samples->end_us);

    r->span_s = (double)(samples->end_us - samples->warmup_us) / 1e6;
    r->elapsed_s = (elapsed_us - (double)samples->warmup_us) / 1e6;
    if (r->span_s > 0)
        r->offered = (double)r->requests / r->span_s;
    if (r->elapsed_s > 0) {
        r->throughput = (double)r->ok / r->elapsed_s;
        r->goodput = (double)r->attained / r->elapsed_s;
        r->pictures_per_s = (double)r->pictures / r->elapsed_s;
    }
    if (r->requests)
        r->attainment = (double)r->attained / (double)r->requests;
    if (r->prediction_error_ms.count)
        r->prediction_bias_ms /= (double)r->prediction_error_ms.count;
}

enum status report_make(struct report *out, const struct samples *samples, const struct mix *mix)
{
    double *room = calloc(samples->count + 1, sizeof(*room));
    int64_t last_us = 0;

    *out = (struct report){0};
    if (!room)
        return ST_FULL;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *s = &samples->of[i];

        if (s->intended_us < samples->warmup_us) {
            out->warmup++;
        } else if (s->fate == FATE_UNFINISHED) {
            out->unfinished++;
        } else {
            count_one(out, s, mix);
            last_us = s->ended_us > last_us ? s->ended_us : last_us;
        }
    }
    out->latency_ms = gather(room, samples, VALUE_LATENCY, -1);
    out->late_ms = gather(room, samples, VALUE_LATE, -1);
    out->prediction_error_ms = gather(room, samples, VALUE_PREDICTION, -1);
    for (int i = 0; i < samples->stages.count; i++)
        out->stage_ms[i] = gather(room, samples, VALUE_STAGE, i);
    for (int i = 0; i < mix->count; i++)
        out->kind[i].latency_ms = gather(room, samples, VALUE_LATENCY, i);
    rate(out, samples, last_us);
    qsort(out->miss, (size_t)out->miss_count, sizeof(out->miss[0]), by_count);
    free(room);
    return ST_OK;
}
