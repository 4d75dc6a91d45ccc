/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - what became of every request of a run.
 *
 * Whoever makes a run fills these, and report.h makes sense of them. Times count from the start of
 * the run. Latency is ended_us - intended_us: a request that was sent late, because the one before
 * was slow, has waited all the same.
 */
#ifndef SERVER_BENCH_SAMPLE_H
#define SERVER_BENCH_SAMPLE_H

#include "server/bench/labels.h"

#include <stdint.h>

enum fate {
    FATE_UNFINISHED, /* the run was ended before it was known */
    FATE_OK,         /* answered with what was asked for */
    FATE_STATUS,     /* answered with something else: see http and code */
    FATE_TIMEOUT,    /* not answered in time, or not even sent */
    FATE_ABSENT,     /* nobody listens there */
    FATE_CUT,        /* the connection ended before the answer did */
    FATE_GARBAGE,    /* an answer that is none */
};

struct sample {
    int64_t intended_us, sent_us, ended_us; /* sent below 0: never */
    int kind;                               /* of the mix */
    enum fate fate;
    int http;                   /* status; 0: none came */
    int code;                   /* of the codes: the server's word, or the connection's; below 0 */
    float predicted_ms;         /* what the server said it would take; below 0: nothing */
    float stage_ms[LABELS_MAX]; /* of the stages; below 0: not told */
};

struct samples {
    struct sample *of;
    size_t count;
    struct labels stages, codes;
    int64_t warmup_us; /* what was due before is not measured */
    int64_t end_us;    /* of the time in which requests came */
};

const char *sample_fate_name(enum fate fate);

#endif /* SERVER_BENCH_SAMPLE_H */
