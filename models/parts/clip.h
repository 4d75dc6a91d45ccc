/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clip.h - the transformer that both of CLIP's towers are: layers of attention and feed-forward,
 * each normalised before it.
 */
#ifndef MODELS_PARTS_CLIP_H
#define MODELS_PARTS_CLIP_H

#include "models/params.h"
#include "models/parts/keys.h"

struct clip_layer;

struct clip {
    struct device *device;
    int width, inner, heads, layers;
    float epsilon; /* of every norm */
    enum act act;
    struct clip_layer *layer; /* owned */
};

/* What the sizes are when config.json does not say. */
struct clip_defaults {
    int width, inner, heads, layers;
};

/* Sizes and activation, checked; trouble is in c->status. */
void clip_read(struct clip *t, struct keys *c, struct clip_defaults defaults);

/* PREFIX + "encoder.layers.N...": trouble is in p->status. */
void clip_load(struct clip *t, struct params *p, const char *prefix);
void clip_close(struct clip *t);

/* Layers [from, to) over h[B, 1, T, width]; n, shaped like it, takes every norm. */
void clip_run(const struct clip *t, int from, int to, struct tensor h, struct tensor n,
              bool causal);

#endif /* MODELS_PARTS_CLIP_H */
