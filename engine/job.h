/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - one picture on its way.
 *
 * A job is a baton: exactly one thread owns it at a time, and handing it over is the
 * synchronisation. Only `cancelled`, `previews`, `state` and `step` are for others too while it is
 * away.
 * Jobs come from a fixed pool; when the pool is empty the answer to a stranger is "later".
 *
 *     received -> queued -> seated -> finishing -> done        any of them -> failed
 */
#ifndef ENGINE_JOB_H
#define ENGINE_JOB_H

#include "codec/encode.h"
#include "engine/schedule.h"
#include "models/model.h"
#include "moderation/policy.h"
#include "store/moderation.h"

#include <stdatomic.h>

#define JOB_PROMPT_BYTES_MAX (32000 * 4) /* 32,000 characters of UTF-8 */
#define JOB_ID_MAX           40

#define JOB_PREVIEWS_MAX 3

enum job_state {
    JOB_RECEIVED,
    JOB_QUEUED,
    JOB_SEATED,
    JOB_FINISHING,
    JOB_DONE,
    JOB_FAILED,
};

/* When each border was passed, on the engine's clock; 0 until then. stages.h makes durations of
   it. */
struct job_times {
    int64_t received_us;   /* whoever asks may set it; or it is when the job came to the engine */
    int64_t admitted_us;   /* a place in the queue */
    int64_t seated_us;     /* a seat */
    int64_t text_us;       /* its prompt was read */
    int64_t first_step_us; /* its first step began */
    int64_t last_step_us;  /* its last one ended */
    int64_t decoded_us;
    int64_t judged_us;  /* it is allowed, and that is written down; or nobody judges here */
    int64_t marked_us;  /* and read back; or nobody marks here */
    int64_t encoded_us; /* and its manifest is signed */
    int64_t logged_us;  /* its record is on the disk: now it may leave */
    int64_t ended_us;   /* handed back, done or not */
};

/* For whom a picture is made, by value, as the record of what was decided about it has it. Empty
   words: nothing was said. */
struct job_owner {
    char tenant[STORE_JOB_TENANT_MAX];
    char context[STORE_NAME_MAX]; /* that was claimed, and that the tenant holds */
    char user[STORE_USER_MAX];    /* the caller's own word for whom it is */
    char request[STORE_NAME_MAX];
    char job[STORE_ID_MAX];        /* of the store's, when it is promised */
    int index;                     /* which of the request's pictures */
    char held_for[STORE_NAME_MAX]; /* the category for which the prompt says that a person has to
                                      look at what is made of it */
};

struct job {
    /* What is asked, by value: written before the job is put into the engine, read-only after. */
    char id[JOB_ID_MAX];
    int model;              /* index in the engine */
    int slot, judged_as;    /* its model's number in the stages and at the judge; the engine says */
    struct picture picture; /* its texts point into this job */
    char prompt[JOB_PROMPT_BYTES_MAX + 1], negative[JOB_PROMPT_BYTES_MAX + 1];
    enum format format;
    int quality;
    int tenant, weight; /* who pays; below SCHEDULE_TENANTS_MAX; weight 0: 1 */
    enum priority priority;
    int64_t deadline_us; /* on the engine's clock; 0: none */
    struct job_owner owner;

    /* Called once, on a finish or engine thread, when the job is done or failed; from then on the
       job belongs to whoever is called. */
    void (*done)(struct job *job);
    void *ticket; /* of whoever asked */

    /* How many pictures of the way to it are wanted, and who gets them: encoded as the picture will
       be, from 0 on, and not all of them when they are made faster than they are taken. Called on a
       thread of the engine's, and before `done`; the bytes are freed afterwards. Whoever gets them
       may want more or fewer until then: only what was wanted at first is foretold. */
    atomic_int previews;
    void (*previewed)(struct job *job, int index, const struct bytes *body);

    /* How it went. */
    atomic_bool cancelled; /* anybody may set it; nobody clears it */
    atomic_int state;      /* enum job_state */
    atomic_int step;       /* denoising steps done */
    enum status status;
    struct why why;
    bool prompt_cut;
    const char *model_name, *weights_sha256; /* the engine's, or NULL: nobody has said */
    struct image image;
    char pixels_sha256[65]; /* of the pixels before anything marks them, in hex; empty until then */
    bool judged;            /* the verdict is a judge's: it allows nothing by itself */
    struct verdict verdict;
    char decision[STORE_ID_MAX]; /* the record of it; empty: none is kept */
    struct bytes body;           /* the encoded picture; whoever was called takes it */
    struct job_times times;
    int64_t promised_us; /* when it was foretold to be finished; 0: it was not */
    int batch_most;      /* pictures of the largest step it was in */

    atomic_int holders; /* threads of the engine's that have it; the last one hands it back */
    struct {
        struct image image;
        int index, made;  /* of the image; how many came or were left out */
        atomic_bool away; /* the image is another thread's */
    } preview;

    struct entry entry; /* the schedule's */
    int seat;           /* on the lane */
    struct job *next;   /* in the pool, or in a list of whoever owns it */
};

struct job_pool;

MUST_USE enum status job_pool_open(struct job_pool **out, size_t jobs_max);
void job_pool_close(struct job_pool **pool); /* all jobs must be back */

/* `count` clean jobs or none: ST_FULL. From any thread. */
MUST_USE enum status job_take(struct job_pool *pool, struct job **jobs, size_t count);

/* Frees what the job still holds and puts it back. From any thread. */
void job_put(struct job_pool *pool, struct job *job);

/* Copies the texts into the job. ST_INVALID when one is longer than JOB_PROMPT_BYTES_MAX. */
MUST_USE enum status job_set_texts(struct job *job, const char *prompt, size_t prompt_bytes,
                                   const char *negative, size_t negative_bytes, struct why *why);

/* job->pixels_sha256, so that anybody can check that the same request makes the same picture,
   whatever a mark or a format makes of it afterwards. */
void job_hash_pixels(struct job *job);

const char *job_state_name(enum job_state state);

#endif /* ENGINE_JOB_H */
