/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_fp16.h - stands in for CUDA's: the conversions, rounded to nearest even as there. */
#ifndef CUDA_ON_CPU_FP16_H
#define CUDA_ON_CPU_FP16_H

#include "kernels/half.h"

struct alignas(2) __half {
    uint16_t bits;
};

struct alignas(4) __half2 {
    __half x, y;
};

static inline __half __float2half(float x)
{
    return {float_to_half(x)};
}

static inline float __half2float(__half x)
{
    return half_to_float(x.bits);
}

static inline __half2 __floats2half2_rn(float x, float y)
{
    return {__float2half(x), __float2half(y)};
}

#endif /* CUDA_ON_CPU_FP16_H */
