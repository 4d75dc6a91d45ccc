/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - many requests under way on one thread: the one room where libcurl is a guest.
 *
 * At most `connections` at the same time, kept open between requests. Nothing is followed, nothing
 * is asked again: what comes is written into the request's sample. (One exception is libcurl's own:
 * a kept connection that turns out to have been closed before a byte came back is opened anew.)
 */
#ifndef SERVER_BENCH_LOAD_H
#define SERVER_BENCH_LOAD_H

#include "base/status.h"
#include "server/bench/arrivals.h"
#include "server/bench/sample.h"

#include <stdbool.h>

#define LOAD_CONNECTIONS_MAX 10000
#define LOAD_FDS_MAX         4

struct load;

struct load_options {
    const char *url; /* http://HOST:PORT, with or without a path; "/v1/..." is put behind it */
    const struct mix *mix;
    int connections;
    int64_t timeout_us; /* since a request was due */
};

/* Reads the keys of all kinds from the environment; one that is not there is no key. Everything
   that `options` points to must outlive it. ST_INVALID names what is wrong with the URL. */
MUST_USE enum status load_open(struct load **out, const struct load_options *options,
                               struct why *why);
void load_close(struct load **l); /* what is under way is cut off, its samples stay unfinished */

void load_begin(struct load *l, int64_t start_us); /* of the run, on the monotonic clock */

int load_busy(const struct load *l);      /* requests under way */
bool load_has_room(const struct load *l); /* a connection is free */

/* Send what `arrival` asks for, with a free connection; the sample is written to until it has an
   end. Names of stages and codes go to `samples`. ST_FULL without memory. */
MUST_USE enum status load_send(struct load *l, struct samples *samples, struct sample *sample,
                               const struct arrival *arrival);

/* Move everything on, and wait until there is more to do or one of `fds` can be read. */
MUST_USE enum status load_wait(struct load *l, const int *fds, int count, struct why *why);

#endif /* SERVER_BENCH_LOAD_H */
