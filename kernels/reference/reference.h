/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference.h - what the files of the judge share.
 *
 * The reference is written to be believed: numbers of any float type are read into doubles, every
 * sum is a sum of doubles in one fixed order, and a result is rounded once, when it is stored. It
 * keeps nothing between calls: a packed weight is the file's tensor, read again each time, so its
 * slots also work under fillings that pack for themselves.
 */
#ifndef KERNELS_REFERENCE_REFERENCE_H
#define KERNELS_REFERENCE_REFERENCE_H

#include "kernels/device.h"

enum {
    TILE_ROWS = 32,   /* positions that share a transposed piece of a weight */
    TILE_COLS = 16,   /* outputs computed side by side */
    TILE_DEPTH = 256, /* inputs summed before the next piece is read */
    PIECE = 512,      /* columns of a row that are in doubles at one time */
};

/* A piece of a weight with its outputs side by side. */
struct panel {
    double at[TILE_DEPTH][TILE_COLS];
};

static inline int64_t reference_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Columns [from, from + count) of a row. */
void reference_load(double *to, struct tensor t, int64_t row, int64_t from, int64_t count);
void reference_store(struct tensor t, int64_t row, int64_t from, int64_t count,
                     const double *values);

double reference_gelu(double x); /* x Phi(x) */
double reference_act(double x, enum act act);

/* sum[j] += x . column j of panel. */
void reference_dot(double sum[TILE_COLS], const double *x, const struct panel *panel,
                   int64_t depth);

/* What a linear layer or convolution adds to sums [from, from + count) of a row of y, then the
   one rounding. */
void reference_finish(struct tensor y, int64_t row, int64_t from, int64_t count,
                      const struct weight *w, const struct epilogue *e, double *sum);

void reference_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                      const struct epilogue *e);
void reference_linear_geglu(struct device *d, struct tensor y, struct tensor x,
                            const struct weight *w);
void reference_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e);
void reference_conv_up(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                       const struct epilogue *e);
void reference_conv_depthwise(struct device *d, struct tensor y, struct tensor x,
                              const struct weight *w, const struct epilogue *e);
void reference_norm_group(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                          struct tensor beta, int groups, float epsilon, enum act act);
void reference_norm_layer(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                          struct tensor beta, float epsilon);
void reference_attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                         struct tensor v, int heads, float scale, bool causal);
void reference_activate(struct device *d, struct tensor y, struct tensor x, enum act act);
void reference_geglu(struct device *d, struct tensor y, struct tensor x);
void reference_add(struct device *d, struct tensor y, struct tensor x, struct tensor z);
void reference_affine(struct device *d, struct tensor y, struct tensor x, float scale, float shift);
void reference_gather(struct device *d, struct tensor y, const struct scaled *images);
void reference_advance(struct device *d, const struct advance *pictures, int count);
void reference_convert(struct device *d, struct tensor y, struct tensor x);
void reference_concat(struct device *d, struct tensor y, struct tensor x1, struct tensor x2);
void reference_blend(struct device *d, struct tensor y, struct tensor x, struct tensor z,
                     enum fade fade);
void reference_pool(struct device *d, struct tensor y, struct tensor x, enum pool kind, int kernel,
                    int stride, const int pad[4]);
void reference_embed_tokens(struct device *d, struct tensor y, struct tensor ids,
                            struct tensor table, struct tensor position);
void reference_embed_time(struct device *d, struct tensor y, struct tensor t, bool flip,
                          float freq_shift);

#endif /* KERNELS_REFERENCE_REFERENCE_H */
