/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/options.h"

#include "engine/batch.h"
#include "models/vae.h"

#define SEATS_DEFAULT  4
#define QUEUE_DEFAULT  64
#define FINISH_DEFAULT 2

enum status options_check(struct engine_options *o, struct why *why)
{
    if (!o->devices.count)
        o->devices = (struct devices){.count = 1};
    if (!o->seats_max)
        o->seats_max = SEATS_DEFAULT;
    if (!o->queue_max)
        o->queue_max = QUEUE_DEFAULT;
    if (!o->finish_threads)
        o->finish_threads = FINISH_DEFAULT;
    if (o->model_count < 1 || o->model_count > ENGINE_MODELS_MAX)
        return why_fail(why, ST_INVALID, "between 1 and %d models can be served, not %d",
                        ENGINE_MODELS_MAX, o->model_count);
    if (o->seats_max < 1 || o->seats_max > BATCH_SEATS_MAX)
        return why_fail(why, ST_INVALID, "seats must be 1 to %d, not %d", BATCH_SEATS_MAX,
                        o->seats_max);
    if (o->vae_tile < 0 || o->vae_tile % VAE_TILE_STEP)
        return why_fail(why, ST_INVALID, "a tile must be a multiple of %d latents, not %d",
                        VAE_TILE_STEP, o->vae_tile);
    if (o->queue_max < 1 || o->finish_threads < 1 || o->finish_threads > OPTIONS_FINISH_MAX)
        return why_fail(why, ST_INVALID, "the queue needs 1 place and 1 to %d finish threads",
                        OPTIONS_FINISH_MAX);
    return ST_OK;
}
