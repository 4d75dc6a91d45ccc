/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_float.h - the cells of attention_body.h as single floats: nothing is packed.
 */
#ifndef KERNELS_SIMD_ATTENTION_FLOAT_H
#define KERNELS_SIMD_ATTENTION_FLOAT_H

#include "kernels/simd/simd.h"

enum { CELL = 1 };

static inline vf cell_dot(vf sum, vf a, vf b)
{
    return vf_fma(a, b, sum);
}

/* 2^x for x <= 0 within 2 ulp; below 2^-126 it stops at 2^-126, which weighs nothing beside the
   largest score's 1. The sum with a big number rounds x, and its low bits are the exponent. */
static inline vf cell_exp2(vf x)
{
    vf n, f, p;

    x = vf_max(vf_set(-126), x);
    n = vf_round(x);
    f = x - n;
    p = vf_set(1.326697039e-3f);
    p = vf_fma(p, f, vf_set(9.675459746e-3f));
    p = vf_fma(p, f, vf_set(5.550742616e-2f));
    p = vf_fma(p, f, vf_set(2.402212175e-1f));
    p = vf_fma(p, f, vf_set(6.931469492e-1f));
    p = vf_fma(p, f, vf_set(1.000000071f));
    return vf_scale(p, n);
}

static inline void cell_queries(float *q, int64_t width, int64_t pitch)
{
    (void)q;
    (void)width;
    (void)pitch;
}

static inline void cell_weights(float *p, int64_t keys, int64_t pitch)
{
    (void)p;
    (void)keys;
    (void)pitch;
}

static inline struct cells cell_keys(float *packed, const float *row, int64_t stride, int64_t count,
                                     int64_t width)
{
    (void)packed;
    (void)count;
    (void)width;
    return (struct cells){row, stride};
}

static inline struct cells cell_values(float *packed, const float *row, int64_t stride,
                                       int64_t count, int64_t width)
{
    return cell_keys(packed, row, stride, count, width);
}

#endif /* KERNELS_SIMD_ATTENTION_FLOAT_H */
