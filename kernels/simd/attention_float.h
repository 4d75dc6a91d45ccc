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

/* 2^(x - top) for a whole top that no x is far above, within 2 ulp. The whole part of x is taken
   off before top is, so the fraction is exact. */
static inline vf cell_exp2(vf x, vf top)
{
    vf n = vf_round(x), f = x - n, p;

    p = vf_set(1.326697039e-3f);
    p = vf_fma(p, f, vf_set(9.675459746e-3f));
    p = vf_fma(p, f, vf_set(5.550742616e-2f));
    p = vf_fma(p, f, vf_set(2.402212175e-1f));
    p = vf_fma(p, f, vf_set(6.931469492e-1f));
    p = vf_fma(p, f, vf_set(1.000000071f));
    return vf_scale_down(p, n - top);
}

static inline void cell_queries(float *cells, const float *q, int64_t width, int64_t pitch,
                                float scale)
{
    for (int64_t i = 0; i < width * pitch; i += VF_LANES)
        vf_store(cells + i, vf_load(q + i) * vf_set(scale));
}

static inline vf cell_join(const vf weight[CELL])
{
    return weight[0];
}

static inline struct cells cell_keys(float *packed, const float *row, int64_t stride, int64_t count,
                                     int64_t width)
{
    (void)packed;
    (void)width;
    return (struct cells){row, stride, count};
}

static inline struct cells cell_values(float *packed, const float *row, int64_t stride,
                                       int64_t count, int64_t width)
{
    return cell_keys(packed, row, stride, count, width);
}

#endif /* KERNELS_SIMD_ATTENTION_FLOAT_H */
