/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arrivals.h - when each request is due: the whole run is drawn before its first request is sent.
 *
 * Arrivals are open-loop: they come when they come, however the server is doing. Each is a function
 * of the seed and its own number, so the same options give the same run, to the microsecond and to
 * the seed of every picture. Times count from the start of the run, warm-up included.
 */
#ifndef SERVER_BENCH_ARRIVALS_H
#define SERVER_BENCH_ARRIVALS_H

#include "server/bench/mix.h"

#define ARRIVALS_MAX       1000000 /* of one run: every sample is kept, 112 bytes each */
#define ARRIVALS_DAYS_MAX  7
#define ARRIVALS_TRACE_MAX ((size_t)64 << 20) /* bytes of a trace */

struct arrival {
    int64_t at_us;
    uint64_t seed; /* of its picture, when its kind states none */
    int kind;      /* of the mix */
};

struct arrivals {
    struct arrival *of;
    size_t count;
    int64_t warmup_us; /* what is due before this warms up, and is not measured */
    int64_t end_us;    /* of the time in which requests come */
};

struct arrivals_options {
    double rate;         /* requests per second, of a Poisson process */
    int64_t requests;    /* after the warm-up; 0: as many as fall into the duration */
    int64_t duration_us; /* after the warm-up; 0: until the requests are there. One must be said */
    int64_t warmup_us;
    uint64_t seed;
};

/* ST_INVALID when there would be none, or more than ARRIVALS_MAX, or more than ARRIVALS_DAYS_MAX;
   ST_FULL without memory. Close what succeeded. */
MUST_USE enum status arrivals_poisson(struct arrivals *out, const struct arrivals_options *options,
                                      const struct mix *mix, struct why *why);

/* One arrival per line: milliseconds since the start, then the name of its kind, which may be left
   out when there is one only. Lines go forward in time; empty ones and those that begin with '#'
   are passed over. The rate is not looked at; `requests` and `duration_us` cut the trace off. */
MUST_USE enum status arrivals_trace(struct arrivals *out, const char *text, size_t bytes,
                                    const struct arrivals_options *options, const struct mix *mix,
                                    struct why *why);
MUST_USE enum status arrivals_load(struct arrivals *out, const char *path,
                                   const struct arrivals_options *options, const struct mix *mix,
                                   struct why *why);
void arrivals_close(struct arrivals *a);

#endif /* SERVER_BENCH_ARRIVALS_H */
