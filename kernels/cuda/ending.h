/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ending.h - what a linear layer or convolution does to its sum before it is written.
 */
#ifndef KERNELS_CUDA_ENDING_H
#define KERNELS_CUDA_ENDING_H

#include "kernels/cuda/act.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/number.h"

/* An epilogue as a kernel's argument. */
struct ending {
    const float *bias;             /* NULL: none */
    struct number_rows shift, add; /* shift has a row for each image */
    int64_t image_rows;            /* rows of y of an image */
    enum act act;
};

static inline struct ending ending_of(struct tensor y, const struct weight *w,
                                      const struct epilogue *e)
{
    struct ending end = {};

    end.bias = w->packed->b;
    end.image_rows = y.dim[1] * y.dim[2];
    if (e) {
        end.shift = number_rows_of(e->shift);
        end.add = number_rows_of(e->add);
        end.act = e->act;
    }
    return end;
}

/* sum + bias + shift + add in S, float or double; then act, then the one rounding. */
template <typename S>
static __device__ __forceinline__ void ending_finish(struct number_rows y, int64_t row, int64_t n,
                                                     S sum, const struct ending &end)
{
    if (end.bias)
        sum += end.bias[n];
    if (end.shift.data)
        sum += number_load(end.shift, row / end.image_rows, n);
    if (end.add.data)
        sum += number_load(end.add, row, n);
    number_store(y, row, n, act_apply((float)sum, end.act));
}

#endif /* KERNELS_CUDA_ENDING_H */
