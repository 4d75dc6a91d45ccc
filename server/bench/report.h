/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what the samples of a run say: quantiles, deadlines kept, rates, what went wrong.
 *
 * Quantiles are exact: all values are sorted, and the q-quantile is the smallest value that at
 * least the share q of them does not exceed.
 *
 * Latency counts from when a request was due, and is that of answered requests and of those that
 * timed out, with the time they waited: leaving them out would make a server that hangs look fast.
 * Refusals have no latency; they are misses. A request attains its objective when it was answered
 * with what it asked for, within its deadline if it has one. What warmed up is left out, and so is
 * what a run that was ended early left unfinished.
 */
#ifndef SERVER_BENCH_REPORT_H
#define SERVER_BENCH_REPORT_H

#include "base/json.h"
#include "server/bench/mix.h"
#include "server/bench/sample.h"

#include <stdio.h>

#define REPORT_MISSES_MAX 48
#define REPORT_LATE_MS    5.0 /* a request that is sent later than this was sent late */

struct quantiles {
    size_t count; /* 0: the others are 0 as well */
    double mean, p50, p90, p95, p99, max;
};

struct report_kind {
    size_t requests, ok, attained;
    struct quantiles latency_ms;
};

/* Requests that ended in the same way. */
struct report_miss {
    enum fate fate;
    int http, code;
    size_t count;
};

struct report {
    size_t warmup, unfinished; /* left out of all that follows */
    size_t requests, ok, attained, pictures;
    double attainment; /* share of the requests; 0 when there were none */
    double span_s;     /* in which requests came */
    double elapsed_s;  /* until the last of them had ended */
    double offered;    /* requests per second of the span */
    double throughput; /* answered as asked, per second until the last had ended */
    double goodput;    /* attained, likewise */
    double pictures_per_s;

    struct quantiles latency_ms, late_ms; /* late: between due and sent */
    size_t late, unsent;
    struct quantiles stage_ms[LABELS_MAX];
    struct quantiles prediction_error_ms; /* without sign */
    double prediction_bias_ms;            /* mean of what it took less what was predicted */

    struct report_kind kind[MIX_KINDS_MAX];
    struct report_miss miss[REPORT_MISSES_MAX]; /* most frequent first */
    int miss_count;
    size_t miss_other; /* in ways beyond these */
};

/* What the run was, for the reader. */
struct report_about {
    const char *url, *arrivals; /* "poisson", or the trace */
    double rate;                /* of a Poisson process, else 0 */
    uint64_t seed;
    bool ended_early;
};

/* ST_FULL without memory for one number per sample. */
MUST_USE enum status report_make(struct report *out, const struct samples *samples,
                                 const struct mix *mix);

/* Sorts `values`. */
struct quantiles report_quantiles(double *values, size_t count);

void report_print(FILE *out, const struct report *r, const struct samples *samples,
                  const struct mix *mix, const struct report_about *about);
void report_json(struct json_out *o, const struct report *r, const struct samples *samples,
                 const struct mix *mix, const struct report_about *about);

#endif /* SERVER_BENCH_REPORT_H */
