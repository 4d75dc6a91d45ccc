/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sizing.h"

#include "models/vae.h"

#include <assert.h>
#include <stdio.h>

/* Halves are not made of less: what a tile shows would be a scrap, and every scrap is normalised by
   itself. */
#define TILE_HALVED_MIN 64

/* *largest is the model without which the least would be needed. */
static enum status try(const struct sizing *s, int *largest, struct why *why)
{
    struct device *d = s->device;
    enum status st = ST_OK, end;

    *largest = 0;
    device_measure_begin(d);
    s->carve(s->context);
    for (int m = 0; m < s->model_count && !st; m++) {
        size_t before = d->arena.peak;

        st = s->rehearse(s->context, m, why);
        if (d->arena.peak > before)
            *largest = m;
    }
    end = device_measure_end(d, st ? NULL : why);
    return st ? st : end;
}

/* One step less memory for decoding; false when there is none. */
static bool lower(struct model *m)
{
    const struct model_info *info = model_info(m);

    if (!info->tile_own || (info->tile && info->tile < TILE_HALVED_MIN))
        return false;
    model_set_tile(m, info->tile ? info->tile / 2 / VAE_TILE_STEP * VAE_TILE_STEP : info->tile_own);
    return true;
}

enum status sizing_take(const struct sizing *s, struct why *why)
{
    enum status st;
    int largest;

    for (int m = 0; m < s->model_count; m++)
        model_set_tile(s->models[m], s->tile);
    do
        st = try(s, &largest, why);
    while (st == ST_FULL && !s->tile && !s->never_less && lower(s->models[largest]));
    if (!st)
        s->carve(s->context);
    return st;
}

void sizing_describe(struct model *const *models, int model_count, char *text, size_t bytes)
{
    size_t used = 0;

    assert(bytes > 0);
    text[0] = '\0';
    for (int m = 0; m < model_count && used < bytes; m++) {
        const struct model_info *info = model_info(models[m]);

        if (info->tile)
            used += (size_t)snprintf(text + used, bytes - used,
                                     ", %s decodes in tiles of %d latents", info->name, info->tile);
    }
}
