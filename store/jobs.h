/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.h - requests that outlive the process: rows of the store, and what is done with them.
 *
 * A job is added when somebody was promised that it will be finished, and ends once: completed with
 * all its pictures in one transaction, or failed. What was not ended is found by whoever opens the
 * store next, with the request as it was sent. Ended jobs are kept for a time and within a room.
 *
 * A job whose pictures wait for a person is HELD: made, not taken up again, and not forgotten. It
 * ends by itself with the last word about them (moderation.h): completed when any of its pictures
 * may be had, else failed as moderation_blocked.
 *
 * A key is the client's own name for a request: one tenant has at most one job with a key.
 */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_JOB_ID_MAX     40 /* these with a NUL */
#define STORE_JOB_TENANT_MAX 64
#define STORE_JOB_KEY_MAX    256
#define STORE_JOB_MODEL_MAX  64
#define STORE_JOB_CODE_MAX   48
#define STORE_JOB_TEXT_MAX   512
#define STORE_JOB_ROW_BYTES  1024 /* what a row takes of the room, beside bodies and pictures */

enum store_job_state {
    STORE_JOB_OPEN,
    STORE_JOB_COMPLETED,
    STORE_JOB_FAILED,
    STORE_JOB_HELD, /* made; pictures of it wait for a person */
    STORE_JOB_STATES
};

/* Times are seconds since 1970; 0: not yet, or never. */
struct store_job {
    int64_t seq; /* given by the store: the order of coming */
    char id[STORE_JOB_ID_MAX];
    char tenant[STORE_JOB_TENANT_MAX];
    enum store_job_state state;
    char key[STORE_JOB_KEY_MAX]; /* empty: none */
    uint8_t hash[32];            /* of the request */
    char model[STORE_JOB_MODEL_MAX];
    int width, height, steps, images;
    int64_t seed; /* of the first picture */
    int format;
    bool raw;            /* a picture's bytes were asked for, not JSON */
    int cut;             /* tokens that the prompt was cut to; 0: it was not */
    int64_t created_s;   /* wall time */
    int64_t deadline_ms; /* since 1970; 0: none */
    int64_t finished_s;
    int starts;                                                 /* how often a server took it up */
    int falls;                                                  /* and fell with it under way */
    int64_t event;                                              /* the number of its last event */
    int status;                                                 /* enum status of a failed job */
    char code[STORE_JOB_CODE_MAX], message[STORE_JOB_TEXT_MAX]; /* why it failed */
};

struct store_bytes {
    void *data; /* from malloc; the caller frees it */
    size_t count;
};

struct store_picture {
    int64_t seed;
    char sha256[65];
    char decision[STORE_JOB_ID_MAX]; /* that stopped it, and may let it go; or empty */
    struct store_bytes data;         /* empty while it is stopped */
};

/* How long and how much of what is over is kept. */
struct store_keep {
    int64_t seconds;
    int64_t bytes; /* the newest job is kept, whatever it takes */
};

#endif /* STORE_JOBS_H */
