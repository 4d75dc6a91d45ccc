/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane.h - one device with all that lies on it: the models, and the seats for pictures.
 *
 * Every lane has its own copy of every model, so a picture can be made on any lane. One thread at a
 * time uses a lane; from the second one on it says lane_enter first.
 */
#ifndef ENGINE_LANE_H
#define ENGINE_LANE_H

#include "engine/batch.h"

struct lane_options {
    struct device_options device;
    const char *const *model_folder;
    int model_count;
    int batch_max; /* pictures of a step */
    int spare;     /* seats beside these */
    int size_max;  /* pixels, on top of each model's own limit; 0: the model's own */
    int vae_tile;  /* latents along a tile that pictures are decoded in; 0: as memory allows */
    bool beside;   /* whole, or ST_FULL (engine.h) */
};

struct lane {
    struct device *device;
    struct model *models[BATCH_MODELS_MAX];
    struct batch batch;
};

/* Load the models, size the memory, and make a first step of everything that is prepared before
   pictures come. On failure the lane is closed again. */
MUST_USE enum status lane_open(struct lane *lane, const struct lane_options *options,
                               struct why *why);
void lane_close(struct lane *lane);

/* The calling thread takes the lane over. */
void lane_enter(struct lane *lane);

#endif /* ENGINE_LANE_H */
