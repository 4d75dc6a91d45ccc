/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lt.h - linear layers by cuBLASLt: bias and the residual inside the product.
 *
 * Rows here are columns there: y[M, N] = x[M, K] w[N, K]^T row by row is, column by column,
 * D(N x M) = A^T B with A = w (K x N) and B = x (K x M), so nothing is ever transposed, and fp8
 * could follow ("TN" is the only form it has).
 *
 * How a layer is computed (an algorithm: tile, stages, cluster) is chosen once per N, K and types
 * by timing what the heuristic offers, and then kept for every number of rows: a picture must not
 * depend on how many others it is computed with. Sums split over K are not offered for the same
 * reason.
 */
#ifndef KERNELS_CUDA_LT_H
#define KERNELS_CUDA_LT_H

#include "kernels/cuda/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

MUST_USE enum status lt_open(struct lt **out, struct device *d, struct why *why);
void lt_close(struct lt **lt, struct device *d);

/* The slots. What cuBLASLt does not take (a shift per image, an activation, rows that are not
   aligned to 16 bytes) goes to linear_tiled. */
void lt_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
               const struct epilogue *e);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_LT_H */
