/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.h - numbers on their way in and out of primitives: other types, other strides.
 */
#ifndef KERNELS_ONEDNN_COPY_H
#define KERNELS_ONEDNN_COPY_H

#include "kernels/tensor.h"

/* to[i] = element from + i of the dense tensor t of any float type, as f32, 0 <= i < count. */
void copy_widen(float *to, struct tensor t, int64_t from, int64_t count);

/* The rows of a (strided) f32 tensor, close together, as f32 or bf16; by all threads, or by
   the one that calls when it is one of many. */
void copy_rows_to(void *to, enum dtype dtype, struct tensor from);
/* One image of a dense f32 picture, made `height` high and `width` wide: every pixel four times. */
void copy_doubled(void *to, enum dtype dtype, struct tensor image, int64_t height, int64_t width);
/* The other way round, f32. */
void copy_rows_from(struct tensor to, const float *from);

/* f32 to bf16, to nearest, ties to even, by the instruction of AVX512-BF16. */
void copy_narrow_bf16(uint16_t *to, const float *from, int64_t count);

#endif /* KERNELS_ONEDNN_COPY_H */
