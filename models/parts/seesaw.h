/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seesaw.h - memory for a chain of tensors of which only two live at a time.
 *
 * An arena frees from the top, but along a chain of layers it is the older tensor that dies. So
 * tensors are put at the two ends of one block in turn: a new one takes the end that the last but
 * one had, and overwrites it. The block must hold the largest neighbouring pair.
 */
#ifndef MODELS_PARTS_SEESAW_H
#define MODELS_PARTS_SEESAW_H

#include "kernels/tensor.h"

struct seesaw {
    char *base; /* NULL while measuring */
    size_t size;
    size_t last; /* bytes of the tensor at the end that was used last */
    bool high;   /* was it the high end? */
};

/* What one tensor of `count` elements takes of the block. */
size_t seesaw_bytes(int64_t count, enum dtype dtype);

void seesaw_init(struct seesaw *s, struct arena *a, size_t size);

/* A dense tensor at the other end; the one before the last is gone. */
struct tensor seesaw_put(struct seesaw *s, enum dtype dtype, const int64_t dim[4]);

#endif /* MODELS_PARTS_SEESAW_H */
