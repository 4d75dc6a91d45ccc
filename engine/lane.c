/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lane.h"

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

static void carve_seats(struct lane *lane, const struct lane_options *o)
{
    batch_init(&lane->batch, lane->models, o->model_count, o->seats_max, o->size_max);
}

/* Walk through the biggest turn there can be on an arena that only counts, then take that much. */
static enum status size_memory(struct lane *lane, const struct lane_options *o, struct why *why)
{
    enum status st = ST_OK;

    device_measure_begin(lane->device);
    carve_seats(lane, o);
    for (int m = 0; m < o->model_count && !st; m++) {
        int size = model_info(lane->models[m])->size_max;

        if (o->size_max > 0 && o->size_max < size)
            size = o->size_max;
        st = model_rehearse(lane->models[m], o->seats_max, size, size, why);
    }
    if (st) {
        enum status end = device_measure_end(lane->device, NULL);

        (void)end;
        return st;
    }
    st = device_measure_end(lane->device, why);
    if (st)
        return st;
    carve_seats(lane, o);
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

/* A GPU is prepared for every number of rows that a step can have, the most first: what is tuned
   then is tuned for the batch that has to be fast. */
static enum status warm_gpu(struct lane *lane, int m, struct why *why)
{
    enum status st = ST_OK;
    int last = 0;

    for (int seats = lane->batch.seat_count; seats >= 1 && !st; seats--) {
        int rows = device_rows(lane->device, 2 * seats);

        if (rows != last)
            st = warm_step(lane, m, seats, 2, why);
        last = rows;
    }
    for (int seats = lane->batch.seat_count; seats >= 1 && !st; seats--) {
        int rows = device_rows(lane->device, seats);

        if (rows != last && rows % 2)
            st = warm_step(lane, m, seats, 1, why);
        last = rows;
    }
    return st ? st : warm_decode(lane, m, why);
}

/* The first step of a size makes the device's plans and touches its memory; nobody should wait for
   that. On a CPU one row and no decode: what these would add is under a second once, and a big
   model would be ready seconds later for it. */
static enum status warm_up(struct lane *lane, const struct lane_options *o, int m, struct why *why)
{
    int size = model_info(lane->models[m])->size_default;

    if (o->size_max > 0 && o->size_max < size)
        return ST_OK;
    if (lane->device->accelerator == ACCELERATOR_CPU)
        return warm_step(lane, m, 1, 1, why);
    return warm_gpu(lane, m, why);
}

enum status lane_open(struct lane *lane, const struct lane_options *options, struct why *why)
{
    enum status st = device_open(&lane->device, options->device, why);

    if (!st)
        st = load_models(lane, options, why);
    if (!st)
        st = size_memory(lane, options, why);
    for (int m = 0; m < options->model_count && !st; m++)
        st = warm_up(lane, options, m, why);
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
