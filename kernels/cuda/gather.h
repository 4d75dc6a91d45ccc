/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.h - a list of pictures as a kernel's argument, so that one launch brings all of them.
 */
#ifndef KERNELS_CUDA_GATHER_H
#define KERNELS_CUDA_GATHER_H

#include "kernels/ops.h"

enum { GATHERED_MAX = 64 }; /* of one launch: the most rows that a step is prepared for */

struct gathering {
    const void *x[GATHERED_MAX];
    float scale[GATHERED_MAX];
    enum dtype dtype; /* of all x */
    int count;
    int64_t numbers; /* of an image */
    int64_t at;      /* in y, of the first */
};

/* Those from image `first` of y on, as many as one launch takes. */
static inline struct gathering gathering_of(struct tensor y, const struct scaled *images,
                                            int64_t first)
{
    struct gathering g = {};
    int64_t left = y.dim[0] - first;

    g.count = left < GATHERED_MAX ? (int)left : (int)GATHERED_MAX;
    g.numbers = y.dim[1] * y.dim[2] * y.dim[3];
    g.at = first * g.numbers;
    g.dtype = images[first].x.dtype;
    for (int i = 0; i < g.count; i++) {
        g.x[i] = images[first + i].x.data;
        g.scale[i] = images[first + i].scale;
    }
    return g;
}

#endif /* KERNELS_CUDA_GATHER_H */
