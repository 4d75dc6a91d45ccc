/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.h - a day of requests in minutes: the engine's own schedule on a virtual clock.
 *
 * Requests arrive at random moments (Poisson) and are admitted, seated, stepped, decoded and given
 * up by the code that serves them (schedule.h), on devices whose times come from a table (cost.h).
 * Beside it stand two baselines of the literature: static batches in order of arrival, which start
 * together and end together, and one picture at a time. What is random comes from the seed alone,
 * so all policies see the same day.
 */
#ifndef ENGINE_SIMULATE_H
#define ENGINE_SIMULATE_H

#include "engine/schedule.h"

#define SIMULATE_KINDS_MAX 16

enum policy {
    POLICY_LIMNER, /* schedule.h, with early refusals */
    POLICY_STATIC, /* first come, first served, in batches of one shape that end together */
    POLICY_SINGLE, /* first come, first served, one at a time */
};
#define POLICY_COUNT 3

/* A kind of request, and how often it comes beside the others. */
struct simulate_kind {
    char name[32];
    double share;
    int tenant, weight;
    struct cost_shape shape;
    int rows, steps;
    int64_t deadline_us; /* after its arrival; 0: none */
};

struct simulate_options {
    enum policy policy;
    const struct costs *costs; /* steps and rests; a rest is taken to be the decoding alone */
    const struct simulate_kind *kinds;
    int kind_count;
    double rate; /* requests per second, of all kinds */
    int64_t requests;
    uint64_t seed;
    int lanes, batch_max;
    int64_t encode_us; /* after decoding, on other threads */
};

/* What became of one kind. Latencies from arrival to the encoded picture. */
struct simulate_result {
    int64_t asked, done, in_time, refused, late;
    double p50_s, p95_s, p99_s, mean_s;
    double alone_s; /* latency with the device for itself */
};

struct simulate_report {
    struct simulate_result all, kind[SIMULATE_KINDS_MAX];
    double duration_s, done_per_s, in_time_per_s;
    double busy;           /* share of the time in which a device worked */
    double occupancy;      /* pictures of a step, in the mean */
    double forecast_error; /* mean of |foretold - came| / came */
};

/* ST_FULL without memory; ST_INVALID: the table knows nothing of a kind's model. */
MUST_USE enum status simulate_run(const struct simulate_options *options,
                                  struct simulate_report *report, struct why *why);

/* Requests of this mix that one device can make per second at best. */
double simulate_saturation(const struct costs *costs, const struct simulate_kind *kinds, int count,
                           int batch_max);

#endif /* ENGINE_SIMULATE_H */
