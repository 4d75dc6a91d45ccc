/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - the order of things: who waits, who sits, who is finished. No HTTP.
 *
 * One thread for each device owns it and takes turns: drop the cancelled and the late, seat the
 * waiting, one denoising step for those whose turn it is (schedule.h), decode and release the
 * finished. Jobs may join and leave between any two steps; all devices take from one queue. Finish
 * threads judge, mark and encode. Every queue is bounded.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/clock.h"
#include "engine/job.h"
#include "engine/stages.h"
#include "kernels/devices.h"

#define ENGINE_MODELS_MAX 8

struct engine;
struct judge;
struct marker;
struct stages;

struct engine_options {
    struct devices devices; /* each gets a thread and a copy of every model; count 0: the CPU */
    const char *model_folder[ENGINE_MODELS_MAX];
    int model_count;       /* the first is the default */
    int seats_max;         /* pictures that are denoised together on a device; 0: 4 */
    int queue_max;         /* pictures that may wait; 0: 64 */
    int queue_s;           /* seconds that may be foretold to a picture; 0: any */
    int finish_threads;    /* 0: 2 */
    int size_max;          /* pixels, on top of each model's own limit; 0: the model's own */
    const char *costs;     /* file of what steps cost here, from one start to the next; or NULL */
    struct judge *judge;   /* of every picture before it is handed back; borrowed; NULL: nobody */
    struct marker *marker; /* of every picture after that; borrowed; NULL: nobody */
    int vae_tile; /* latents along a tile of a decoded picture; 0: whole if memory allows */
    bool beside;  /* another engine has memory that it will give back: too little is ST_FULL, and no
                     reason to decode in tiles from now on */
    struct stages *stages; /* where times are recorded; borrowed; NULL: the engine has its own */
};

/* Why a request was not taken. */
enum engine_refusal {
    ENGINE_FULL,     /* too many pictures wait */
    ENGINE_BACKLOG,  /* for too long */
    ENGINE_DEADLINE, /* it would be late */
    ENGINE_STOPPING,
    ENGINE_REFUSALS
};

struct engine_stats {
    int waiting, seated, finishing;
    int seats;         /* pictures that may step at once, on all devices */
    int64_t busy_us;   /* of all devices since the start, in texts, steps and decodings */
    int64_t oldest_us; /* for how long who waits longest has waited */
    uint64_t done, failed, cancelled, late, withheld, steps;
    uint64_t refused[ENGINE_REFUSALS]; /* requests */
    struct stages_promises promises;
};

/* Load the models, size the memory, warm up: minutes for a big model. */
MUST_USE enum status engine_open(struct engine **out, const struct engine_options *options,
                                 struct why *why);

/* Finish what is seated or waiting for at most `drain_ms`, fail the rest with ST_CANCELLED, stop
   the threads, free everything. */
void engine_close(struct engine **e, int drain_ms);

int engine_model_count(const struct engine *e);
const struct model_info *engine_model_info(const struct engine *e, int model);
int engine_find_model(const struct engine *e, const char *name); /* below 0: none has this name */

/* model_check, and the engine's own size limit. From any thread. */
MUST_USE enum status engine_check(const struct engine *e, int model, const struct picture *picture,
                                  struct why *why);

/* Ownership moves to the engine with ST_OK: job->done will be called, exactly once. ST_FULL: the
   queue is full; ST_LATE: their deadline cannot be met; ST_CANCELLED: the engine is closing; then
   the jobs stay with the caller. `count` jobs, which share everything but texts and seeds, go
   together or not at all. *finish_us, unless it is NULL, is when the last of them is foretold to be
   finished, on the clock of job times; 0: nobody knows yet. From any thread, never waits. */
MUST_USE enum status engine_submit(struct engine *e, struct job *const *jobs, int count,
                                   int64_t *finish_us);

/* The place in the queue, from 1 on, of a job that was submitted and is not put back; as the
   deadlines stand, of which fairness among tenants makes another order. 0: it does not wait. */
int engine_position(struct engine *e, const struct job *job);

/* False once a device broke, or what the judge scores with: drain, exit, let the supervisor
   restart. */
bool engine_is_healthy(const struct engine *e);
void engine_get_stats(const struct engine *e, struct engine_stats *out);
const struct stages *engine_stages(const struct engine *e); /* lives as long as the engine, or as
                                                               whoever lent them says */
/* The first device, what all of them hold, and which models decode in tiles. */
void engine_describe(const struct engine *e, char *text, size_t bytes);

#endif /* ENGINE_ENGINE_H */
