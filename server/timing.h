/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timing.h - what an answer with pictures tells of how long they took: to its client in headers, to
 * the access log, and to whoever counts.
 *
 *     Server-Timing: admit;dur=0.2, queue;dur=3.1, text;dur=12.0, ...
 *     x-limner-predicted-ms: 2140        since the request came; what admission foretold
 *     x-limner-batch: 4                  pictures of the largest step that one of them was in
 */
#ifndef SERVER_TIMING_H
#define SERVER_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#define TIMING_STAGES_MAX 10

struct answer;
struct job;

struct timing {
    bool told; /* there are pictures behind this answer, or were to be */
    int slot;  /* its model, in the stages */
    int batch_most;
    int64_t us[TIMING_STAGES_MAX]; /* of every stage (engine/stages.h) the longest that one of them
                                      took; below 0: none */
    int64_t logged_us;             /* when the last of them was; 0: one is missing */
    int64_t predicted_us;          /* since the request came; 0: nothing was foretold */
};

/* Of jobs that the engine handed back. */
void timing_of(struct timing *out, struct job *const *jobs, int count);

/* The headers of a->timing. */
void timing_write(struct answer *a);

#endif /* SERVER_TIMING_H */
