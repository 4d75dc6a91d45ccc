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
    int free = 0;

    assert(batch->taken < batch->seat_count);
    while (batch->seat[free].job)
        free++;
    st = model_latent_start(batch->models[job->model], &batch->seat[free].latent[job->model],
                            &job->picture, NULL, NULL, why);
    if (st)
        return st;
    batch->seat[free].job = job;
    batch->taken++;
    job->seat = free;
    job->prompt_cut = seat_latent(&batch->seat[free])->prompt_cut;
    return ST_OK;
}

int batch_steps(const struct batch *batch, const struct job *job)
{
    return batch->seat[job->seat].latent[job->model].plan.count;
}

void batch_step(struct batch *batch, struct job *const *jobs, int count)
{
    struct latent *latents[BATCH_SEATS_MAX] = {NULL};

    assert(count >= 1 && count <= batch->taken);
    for (int i = 0; i < count; i++) {
        assert(batch->seat[jobs[i]->seat].job == jobs[i] && jobs[i]->model == jobs[0]->model);
        latents[i] = seat_latent(&batch->seat[jobs[i]->seat]);
    }
    model_step(batch->models[jobs[0]->model], latents, count);
    for (int i = 0; i < count; i++)
        atomic_store(&jobs[i]->step, latents[i]->step);
}

bool batch_is_done(const struct batch *batch, const struct job *job)
{
    return model_latent_done(&batch->seat[job->seat].latent[job->model]);
}

void batch_decode(struct batch *batch, struct job *job)
{
    job->status = model_decode(batch->models[job->model], seat_latent(&batch->seat[job->seat]),
                               &job->image, NULL, &job->why);
}

enum status batch_preview(const struct batch *batch, const struct job *job, struct image *image,
                          struct why *why)
{
    return model_preview(batch->models[job->model], &batch->seat[job->seat].latent[job->model],
                         image, why);
}

void batch_stand(struct batch *batch, struct job *job)
{
    assert(batch->seat[job->seat].job == job);
    batch->seat[job->seat].job = NULL;
    batch->taken--;
}
