/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - what the server counts, and the page that a Prometheus reads.
 *
 * Counting is a few relaxed atomic additions, from any thread. Labels are routes and codes only,
 * both out of fixed lists: a stranger cannot make a new series.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "codec/encode.h"
#include "kernels/health.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define METRICS_ROUTES_MAX  16
#define METRICS_CODES_MAX   16
#define METRICS_BUCKETS_MAX 24

struct metrics_route {
    atomic_ullong by_code[METRICS_CODES_MAX];
    atomic_ullong by_bucket[METRICS_BUCKETS_MAX]; /* not cumulative; the last one is +Inf */
    atomic_ullong duration_us;
};

struct metrics {
    struct metrics_route route[METRICS_ROUTES_MAX];
    atomic_ullong pictures;  /* that were made */
    atomic_llong picture_us; /* a moving mean of a picture's time on the device */
};

/* A named number for the page that somebody else keeps: gauges, and counters of the engine. */
struct metrics_extra {
    const char *name, *help;
    bool counter;
    double value;
};

void metrics_count(struct metrics *m, int route, int code, int64_t duration_us);
void metrics_picture(struct metrics *m, int64_t duration_us);

/* What stands on the page beside what is counted here. */
struct metrics_page {
    const char *const *names; /* the routes' labels */
    int name_count;
    const struct metrics_extra *extra;
    int extra_count;
    const struct health_gpu *gpus;
    int gpu_count;
};

/* The page in Prometheus' text format 0.0.4. ST_FULL without memory. */
MUST_USE enum status metrics_write(const struct metrics *m, const struct metrics_page *page,
                                   struct bytes *out);

#endif /* SERVER_METRICS_H */
