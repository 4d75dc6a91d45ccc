/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transformer.h - Transformer2DModel over the pixels of a picture: self-attention, attention to the
 * prompt, and a gated feed-forward layer, `depth` times over.
 */
#ifndef MODELS_PARTS_TRANSFORMER_H
#define MODELS_PARTS_TRANSFORMER_H

#include "models/params.h"

struct transformer_shape {
    int channels, heads, depth;
    int context_width;
    int groups;
};

struct transformer;

/* NULL after a failure, which is in p->status. */
struct transformer *transformer_open(struct params *p, struct transformer_shape shape,
                                     const char *name);
void transformer_close(struct transformer **t); /* before or after its params */

/* y and x are [B, H, W, channels], apart; context is [B, 1, T, context_width]. */
void transformer_forward(const struct transformer *t, struct device *d, struct tensor y,
                         struct tensor x, struct tensor context);

#endif /* MODELS_PARTS_TRANSFORMER_H */
