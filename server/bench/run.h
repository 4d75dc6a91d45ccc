/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - one run against a server: sends every request when it is due, and keeps what came of it.
 *
 * One thread does all of it. When every connection is taken, requests wait for one in the order in
 * which they were due, and are late; one that waits longer than the timeout is never sent. SIGINT
 * or SIGTERM end the run at once: what has not ended stays unfinished.
 */
#ifndef SERVER_BENCH_RUN_H
#define SERVER_BENCH_RUN_H

#include "server/bench/arrivals.h"
#include "server/bench/sample.h"

#include <stdbool.h>

struct run_options {
    const char *url;
    int connections;
    int64_t timeout_us; /* since a request was due */
    bool progress;      /* told on stderr, once a second */
};

/* Close the samples when it succeeded. ST_INVALID: the URL; ST_FULL, ST_IO: this machine could not;
   that a server does not answer is no failure. *ended tells that a signal ended it early. */
MUST_USE enum status run_bench(struct samples *out, const struct arrivals *arrivals,
                               const struct mix *mix, const struct run_options *options,
                               bool *ended, struct why *why);
void run_close(struct samples *s);

#endif /* SERVER_BENCH_RUN_H */
