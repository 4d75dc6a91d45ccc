/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - what the server counts, and the page that a Prometheus reads.
 *
 * Counting is a few relaxed atomic additions, from any thread. Labels are routes, codes, models,
 * stages, outcomes, batch sizes and reasons, all out of fixed lists: a stranger cannot make a new
 * series. Times are histograms (base/histogram.h), whose bounds on the page are exact, and not
 * summaries: a Prometheus can add those of several servers.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/histogram.h"
#include "codec/encode.h"
#include "kernels/health.h"
#include "server/metrics_moderation.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define METRICS_ROUTES_MAX 48
#define METRICS_CODES_MAX  24
#define METRICS_MODELS_MAX 32 /* by name, since the start */

struct desk_numbers;
struct engine_stats;
struct marker;
struct stages;
struct webhook_stats;

/* Why requests were refused before the engine was asked. */
enum metrics_refusal {
    METRICS_LIMIT,   /* the tenant's limits */
    METRICS_PLACES,  /* no place for one more request */
    METRICS_UNREADY, /* loading, or stopping */
    METRICS_REFUSALS
};

struct metrics_route {
    atomic_ullong by_code[METRICS_CODES_MAX];
    struct histogram duration; /* from a request's last byte to its answer's; microseconds */
};

struct metrics {
    struct metrics_route route[METRICS_ROUTES_MAX];
    struct histogram send[METRICS_MODELS_MAX]; /* pictures encoded to their answer sent */
    atomic_ullong refused[METRICS_REFUSALS];
    atomic_llong picture_us; /* a moving mean of a picture's time on the device */
    struct metrics_moderation moderation;
};

/* A named number for the page that somebody else keeps: gauges, and counters of the engine. */
struct metrics_extra {
    const char *name, *help;
    bool counter;
    double value; /* below 0: not known, and not told */
};

void metrics_count(struct metrics *m, int route, int code, int64_t duration_us);
void metrics_picture(struct metrics *m, int64_t duration_us);
void metrics_send(struct metrics *m, int model, int64_t duration_us);
void metrics_refuse(struct metrics *m, enum metrics_refusal why);

/* What stands on the page beside what is counted here. */
struct metrics_page {
    const char *version;
    const char *const *names; /* the routes' labels */
    int name_count;
    const struct engine_stats *stats; /* NULL: there is no engine yet, or no longer */
    const struct stages *stages;      /* NULL with them */
    const struct metrics_extra *extra;
    int extra_count;
    const struct health_gpu *gpus;
    int gpu_count;
    struct judge *judge; /* NULL: nothing of moderation is told */
    struct hook *hook;   /* NULL: there is none */
    int64_t now_s;
    const struct desk_numbers *reviews;   /* NULL: nobody reviews here */
    const struct webhook_stats *webhooks; /* NULL: nobody is told */
    const struct marker *marker;          /* NULL: nothing is marked */
};

/* The page in Prometheus' text format 0.0.4. ST_FULL without memory. */
MUST_USE enum status metrics_write(const struct metrics *m, const struct metrics_page *page,
                                   struct bytes *out);

#endif /* SERVER_METRICS_H */
