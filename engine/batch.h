/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - the seats on one device.
 *
 * A seat owns memory for one picture of any loaded model, carved once. Jobs sit down and stand up
 * between any two denoising steps. One step advances everybody: seats that share a model and a size
 * go through the network together, so there is one forward pass per such group and turn.
 *
 * Only the engine thread touches a batch.
 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "engine/job.h"

#define BATCH_MODELS_MAX 8
#define BATCH_SEATS_MAX  32

struct seat {
    struct job *job; /* NULL: free */
    struct latent
        latent[BATCH_MODELS_MAX]; /* one per loaded model; job->model says which is used */
};

struct batch {
    struct model *const *models;
    int model_count;
    struct seat seat[BATCH_SEATS_MAX];
    int seat_count;
    int taken;
};

/* Carve `seat_count` seats for pictures up to each model's own limit and `size_max` pixels a side,
   from the device's arena. */
void batch_init(struct batch *batch, struct model *const *models, int model_count, int seat_count,
                int size_max);

/* Seat a job, which is not cancelled, on a free seat. On failure the job is not seated. */
MUST_USE enum status batch_seat(struct batch *batch, struct job *job, struct why *why);

/* One denoising step for every seat. */
void batch_step(struct batch *batch);

/* The next job that is cancelled or has all its steps, decoded into job->image unless cancelled,
   with its seat free again; NULL when there is none. job->status says how it went. */
struct job *batch_release(struct batch *batch);

/* Everybody stands up, whatever their state: NULL when all seats are free. */
struct job *batch_evict(struct batch *batch);

#endif /* ENGINE_BATCH_H */
