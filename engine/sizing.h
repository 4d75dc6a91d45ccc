/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sizing.h - how much memory a device must give, and how pictures are decoded when it has less.
 *
 * The biggest turn there can be is walked through on an arena that only counts, then that much is
 * taken. If it is not there, the model that needs most decodes in tiles (vae.h): in those that its
 * autoencoder was made for, then in halves of them, as long as a tile still shows something. That
 * is decided here, once, before the first picture: by the models, the largest size and the memory
 * that is free, never by a request or by load.
 */
#ifndef ENGINE_SIZING_H
#define ENGINE_SIZING_H

#include "models/model.h"

struct sizing {
    struct device *device;
    struct model *const *models;
    int model_count;
    int tile; /* latents along a tile for every model that can; 0: whole, or as memory allows */
    bool never_less; /* memory that is short now will not be: ST_FULL before anything is in tiles */
    void (*carve)(void *context); /* what stays carved; called again for each try, and at the end */
    enum status (*rehearse)(void *context, int model, struct why *why);
    void *context;
};

/* ST_FULL: not even in tiles. */
MUST_USE enum status sizing_take(const struct sizing *s, struct why *why);

/* "sd15 decodes in tiles of 64 latents" for each model that does, with ", " in front of each. */
void sizing_describe(struct model *const *models, int model_count, char *text, size_t bytes);

#endif /* ENGINE_SIZING_H */
