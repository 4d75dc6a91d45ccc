/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/batch.h"

#include <assert.h>

static int size_limit(const struct model *m, int size_max)
{
    int own = model_info(m)->size_max;

    return size_max > 0 && size_max < own ? size_max : own;
}

void batch_init(struct batch *batch, struct model *const *models, int model_count, int seat_count,
                int size_max)
{
    assert(model_count <= BATCH_MODELS_MAX && seat_count >= 1 && seat_count <= BATCH_SEATS_MAX);
    *batch = (struct batch){.models = models, .model_count = model_count, .seat_count = seat_count};
    for (int s = 0; s < seat_count; s++) {
        for (int m = 0; m < model_count; m++) {
            int size = size_limit(models[m], size_max);

            model_latent_carve(models[m], &batch->seat[s].latent[m], size, size);
        }
    }
}

static struct latent *seat_latent(struct seat *seat)
{
    return &seat->latent[seat->job->model];
}

enum status batch_seat(struct batch *batch, struct job *job, struct why *why)
{
    enum status st;
    struct seat *seat = batch->seat;

    assert(batch->taken < batch->seat_count);
    while (seat->job)
        seat++;
    st = model_latent_start(batch->models[job->model], &seat->latent[job->model], &job->picture,
                            NULL, NULL, why);
    if (st)
        return st;
    seat->job = job;
    batch->taken++;
    job->prompt_cut = seat_latent(seat)->prompt_cut;
    return ST_OK;
}

static bool goes_together(const struct job *a, const struct job *b)
{
    return a->model == b->model && a->picture.width == b->picture.width &&
           a->picture.height == b->picture.height;
}

/* Everybody who sits at or after `first` and goes together with it, marked in `stepped`. */
static int gather(struct batch *batch, int first, bool *stepped, struct latent **latents)
{
    int count = 0;

    for (int s = first; s < batch->seat_count; s++) {
        struct seat *seat = &batch->seat[s];

        if (!seat->job || stepped[s] || !goes_together(seat->job, batch->seat[first].job))
            continue;
        stepped[s] = true;
        latents[count++] = seat_latent(seat);
    }
    return count;
}

void batch_step(struct batch *batch)
{
    bool stepped[BATCH_SEATS_MAX] = {false};
    struct latent *latents[BATCH_SEATS_MAX];

    for (int s = 0; s < batch->seat_count; s++) {
        struct job *job = batch->seat[s].job;

        if (!job || stepped[s])
            continue;
        int count = gather(batch, s, stepped, latents);
        model_step(batch->models[job->model], latents, count);
    }
    for (int s = 0; s < batch->seat_count; s++) {
        if (batch->seat[s].job)
            atomic_store(&batch->seat[s].job->step, seat_latent(&batch->seat[s])->step);
    }
}

static struct job *stand_up(struct batch *batch, struct seat *seat)
{
    struct job *job = seat->job;

    seat->job = NULL;
    batch->taken--;
    return job;
}

struct job *batch_release(struct batch *batch)
{
    for (int s = 0; s < batch->seat_count; s++) {
        struct seat *seat = &batch->seat[s];
        struct job *job = seat->job;

        if (!job)
            continue;
        if (atomic_load(&job->cancelled)) {
            job->status = why_fail(&job->why, ST_CANCELLED, "nobody waits for this picture");
            return stand_up(batch, seat);
        }
        if (model_latent_done(seat_latent(seat))) {
            job->status = model_decode(batch->models[job->model], seat_latent(seat), &job->image,
                                       NULL, &job->why);
            return stand_up(batch, seat);
        }
    }
    return NULL;
}

struct job *batch_evict(struct batch *batch)
{
    for (int s = 0; s < batch->seat_count; s++) {
        if (batch->seat[s].job)
            return stand_up(batch, &batch->seat[s]);
    }
    return NULL;
}
