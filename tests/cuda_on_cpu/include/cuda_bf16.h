/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_bf16.h - stands in for CUDA's: the conversions, rounded to nearest even as there. */
#ifndef CUDA_ON_CPU_BF16_H
#define CUDA_ON_CPU_BF16_H

#include "kernels/half.h"

struct alignas(2) __nv_bfloat16 {
    uint16_t bits;
};

struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

static inline __nv_bfloat16 __float2bfloat16(float x)
{
    return {float_to_bf16(x)};
}

static inline float __bfloat162float(__nv_bfloat16 x)
{
    return bf16_to_float(x.bits);
}

static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y)
{
    return {__float2bfloat16(x), __float2bfloat16(y)};
}

#endif /* CUDA_ON_CPU_BF16_H */
