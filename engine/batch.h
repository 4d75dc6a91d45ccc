/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - the seats on one device.
 *
 * A seat owns memory for one picture of any loaded model, carved once. Jobs sit down and stand up
 * between any two denoising steps. Who steps is not decided here (schedule.h): a step takes any of
 * those who sit, of one model and one size, through the network together.
 *
 * Only the engine thread touches a batch.
 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "engine/job.h"

#define BATCH_MODELS_MAX 8
#define BATCH_SEATS_MAX  SCHEDULE_SEATS_MAX

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

/* Seat a job on a free seat: its prompt is read. On failure the job is not seated. */
MUST_USE enum status batch_seat(struct batch *batch, struct job *job, struct why *why);

/* Steps of its plan: some samplers take one more or less than was asked for. */
int batch_steps(const struct batch *batch, const struct job *job);

/* One denoising step for these, who sit here, have steps left, and share a model and a size. */
void batch_step(struct batch *batch, struct job *const *jobs, int count);

/* Has it all its steps? */
bool batch_is_done(const struct batch *batch, const struct job *job);

/* The job's pixels into job->image; job->status says how it went. */
void batch_decode(struct batch *batch, struct job *job);

/* The pixels of what the last step made of the picture. Not before the first one. */
MUST_USE enum status batch_preview(const struct batch *batch, const struct job *job,
                                   struct image *image, struct why *why);

/* Its seat is free again, whatever its state. */
void batch_stand(struct batch *batch, struct job *job);

#endif /* ENGINE_BATCH_H */
