/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lane.h"

#include "base/log.h"
#include "engine/sizing.h"
#include "models/calibrate.h"

#include <string.h>

static enum status load_models(struct lane *lane, const struct lane_options *o, struct why *why)
{
    for (int m = 0; m < o->model_count; m++) {
        enum status st = model_open(&lane->models[m], lane->device, o->model_folder[m], why);
        const char *name;

        if (st)
            return st;
        name = model_info(lane->models[m])->name;
        for (int other = 0; other < m; other++) {
            if (!strcmp(name, model_info(lane->models[other])->name))
                return why_fail(why, ST_INVALID, "two model folders are called \"%s\"; rename one",
                                name);
        }
    }
    return ST_OK;
}

/* What memory is sized for. */
struct turn {
    struct lane *lane;
    const struct lane_options *options;
};

static void carve_seats(void *context)
{
    const struct turn *t = context;

    batch_init(&t->lane->batch, t->lane->models, t->options->model_count,
               t->options->batch_max + t->options->spare, t->options->size_max);
}

static enum status rehearse(void *context, int m, struct why *why)
{
    const struct turn *t = context;
    const struct lane_options *o = t->options;
    int size = model_info(t->lane->models[m])->size_max;

    if (o->size_max > 0 && o->size_max < size)
        size = o->size_max;
    return model_rehearse(t->lane->models[m], o->batch_max, size, size, why);
}

static enum status size_memory(struct lane *lane, const struct lane_options *o, struct why *why)
{
    struct turn turn = {lane, o};
    const struct sizing sizing = {.device = lane->device,
                                  .models = lane->models,
                                  .model_count = o->model_count,
                                  .tile = o->vae_tile,
                                  .never_less = o->beside,
                                  .carve = carve_seats,
                                  .rehearse = rehearse,
                                  .context = &turn};
    enum status st = sizing_take(&sizing, why);
    char tiles[256];

    if (st)
        return st;
    sizing_describe(lane->models, o->model_count, tiles, sizeof(tiles));
    log_info("memory", "device=%d activations_mib=%zu%s", lane->device->index,
             lane->device->arena.peak >> 20, tiles);
    return ST_OK;
}

/* One step of `count` pictures of the model's own size. */
static enum status warm_step(struct lane *lane, int m, int count, double guidance, struct why *why)
{
    const struct model_info *info = model_info(lane->models[m]);
    struct latent *latents[BATCH_SEATS_MAX];
    struct picture picture = {.prompt = "",
                              .negative = "",
                              .width = info->size_default,
                              .height = info->size_default,
                              .steps = info->steps_default,
                              .guidance = guidance,
                              .sampler = info->sampler_default};

    for (int i = 0; i < count; i++) {
        enum status st;

        latents[i] = &lane->batch.seat[i].latent[m];
        st = model_latent_start(lane->models[m], latents[i], &picture, NULL, NULL, why);
        if (st)
            return st;
    }
    model_step(lane->models[m], latents, count);
    if (device_sync(lane->device))
        return why_fail(why, ST_DEVICE, "the device failed at the first step of %s", info->name);
    return ST_OK;
}

static enum status warm_decode(struct lane *lane, int m, struct why *why)
{
    struct image image = {0};
    enum status st =
        model_decode(lane->models[m], &lane->batch.seat[0].latent[m], &image, NULL, why);

    image_close(&image);
    return st;
}

/* Every number of rows that a step can have, the most first: what is tuned then is tuned for the
   batch that has to be fast. Even ones are pictures with two rows each, odd ones with one. */
static enum status warm_rows(struct lane *lane, int m, int batch_max, struct why *why)
{
    int last = 0;

    for (int rows = 2 * batch_max; rows >= 1; rows--) {
        int prepared = device_rows(lane->device, rows);
        bool pairs = rows > batch_max;
        enum status st;

        if (prepared == last || (pairs && rows % 2))
            continue;
        st = pairs ? warm_step(lane, m, rows / 2, 2, why) : warm_step(lane, m, rows, 1, why);
        if (st)
            return st;
        last = prepared;
    }
    return warm_decode(lane, m, why);
}

static bool is_warmed(const struct lane *lane, const struct lane_options *o, int m)
{
    return o->size_max == 0 || o->size_max >= model_info(lane->models[m])->size_default;
}

/* At a model's own size, or the largest there is room for. */
static enum status calibrate(struct lane *lane, const struct lane_options *o, struct why *why)
{
    enum status st = ST_OK;

    for (int m = 0; m < o->model_count && !st; m++) {
        const struct model_info *info = model_info(lane->models[m]);
        int size = info->size_default;

        if (!is_warmed(lane, o, m))
            size = o->size_max - o->size_max % info->size_multiple;
        st = calibrate_run(lane->models[m], lane->device, &lane->batch.seat[0].latent[m], size,
                           size, why);
    }
    return st;
}

/* The first step of a size makes the device's plans and touches its memory; nobody should wait for
   that. On a CPU one row and no decode: what these would add is under a second once, and a big
   model would be ready seconds later for it. A GPU sees everything that can come at a model's own
   size: once as a rehearsal, and once to remember it as it was prepared. */
static enum status warm_up(struct lane *lane, const struct lane_options *o, struct why *why)
{
    bool gpu = lane->device->accelerator != ACCELERATOR_CPU;
    enum status st = ST_OK;

    for (int m = 0; m < o->model_count && !st; m++)
        if (is_warmed(lane, o, m))
            st = gpu ? warm_rows(lane, m, o->batch_max, why) : warm_step(lane, m, 1, 1, why);
    if (st || !gpu)
        return st;
    if (device_prepare(lane->device))
        return why_fail(why, ST_DEVICE, "the device failed while it was prepared");
    for (int m = 0; m < o->model_count && !st; m++)
        if (is_warmed(lane, o, m))
            st = warm_rows(lane, m, o->batch_max, why);
    return st;
}

enum status lane_open(struct lane *lane, const struct lane_options *options, struct why *why)
{
    enum status st = device_open(&lane->device, options->device, why);

    if (!st)
        st = load_models(lane, options, why);
    if (!st)
        st = size_memory(lane, options, why);
    if (!st)
        st = calibrate(lane, options, why);
    if (!st)
        st = warm_up(lane, options, why);
    if (st)
        lane_close(lane);
    return st;
}

void lane_close(struct lane *lane)
{
    for (int m = 0; m < BATCH_MODELS_MAX; m++)
        model_close(&lane->models[m]);
    device_close(&lane->device);
}

void lane_enter(struct lane *lane)
{
    device_enter(lane->device);
}
