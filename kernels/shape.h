/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.h - what every op asks of the shapes it is called with, written once.
 *
 * Each function asserts the contract of the slot of the same name in ops.h. The measuring filling
 * calls them, so a model whose shapes do not fit fails while it is measured, before it runs; the
 * fillings may call them as well. Only dimensions and strides are looked at, never a number.
 */
#ifndef KERNELS_SHAPE_H
#define KERNELS_SHAPE_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

void shape_pixels(struct tensor x); /* download_pixels */
void shape_noise(struct tensor y);
void shape_linear(struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e);
void shape_linear_geglu(struct tensor y, struct tensor x, const struct weight *w);
void shape_conv(struct tensor y, struct tensor x, const struct weight *w, const struct epilogue *e);
void shape_conv_up(struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e);
/* x as conv_up convolves it: its size, over the data of the smaller picture. */
struct tensor shape_doubled(struct tensor y, struct tensor x, const struct weight *w);
void shape_conv_depthwise(struct tensor y, struct tensor x, const struct weight *w,
                          const struct epilogue *e);
void shape_norm_group(struct tensor y, struct tensor x, struct tensor gamma, struct tensor beta,
                      int groups);
void shape_norm_layer(struct tensor y, struct tensor x, struct tensor gamma, struct tensor beta);
void shape_attention(struct tensor y, struct tensor q, struct tensor k, struct tensor v, int heads);
void shape_pointwise(struct tensor y, struct tensor x); /* activate, add, affine */
void shape_gather(struct tensor y, const struct scaled *images);
void shape_advance(const struct advance *a);
void shape_geglu(struct tensor y, struct tensor x);
void shape_convert(struct tensor y, struct tensor x);
void shape_concat(struct tensor y, struct tensor x1, struct tensor x2);
void shape_blend(struct tensor y, struct tensor x, struct tensor z);
void shape_pool(struct tensor y, struct tensor x, int kernel, int stride, const int pad[4]);
void shape_embed_tokens(struct tensor y, struct tensor ids, struct tensor table,
                        struct tensor position);
void shape_embed_time(struct tensor y, struct tensor t);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_SHAPE_H */
