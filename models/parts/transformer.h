/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transformer.h - Transformer2DModel over the pixels of a picture: self-attention, attention to the
 * prompt, and a gated feed-forward layer, `depth` times over.
 *
 * What attention to the prompt multiplies the prompt with does not change from step to step, so
 * keys and values are made once for a prompt and then read: side by side in one tensor, key and
 * value of each layer, every transformer in its own columns.
 */
#ifndef MODELS_PARTS_TRANSFORMER_H
#define MODELS_PARTS_TRANSFORMER_H

#include "models/params.h"

struct transformer_shape {
    int channels, heads, depth;
    int context_width;
    int groups;
    int prompt_at; /* first of its columns in the prompt's keys and values */
};

/* Columns of keys and values that a transformer of this shape takes. */
int transformer_prompt_width(struct transformer_shape shape);

struct transformer;

/* NULL after a failure, which is in p->status. */
struct transformer *transformer_open(struct params *p, struct transformer_shape shape,
                                     const char *name);
void transformer_close(struct transformer **t); /* before or after its params */

/* Its columns of prompt[B, 1, T, all columns] from context[B, 1, T, context_width]. */
void transformer_read_prompt(const struct transformer *t, struct device *d, struct tensor prompt,
                             struct tensor context);

/* y and x are [B, H, W, channels], apart; prompt as above. */
void transformer_forward(const struct transformer *t, struct device *d, struct tensor y,
                         struct tensor x, struct tensor prompt);

#endif /* MODELS_PARTS_TRANSFORMER_H */
