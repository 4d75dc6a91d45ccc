/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act.h - activations in kernels, in f32.
 */
#ifndef KERNELS_CUDA_ACT_H
#define KERNELS_CUDA_ACT_H

#include "kernels/ops.h"

#include <cuda_runtime.h>

/* x sigmoid(x): the quotient is right at both ends, where exp is 0 or infinite. */
static __device__ __forceinline__ float act_silu(float x)
{
    return x / (1.0f + expf(-x));
}

/* x Phi(x); erfc keeps its digits where 1 + erf would lose them. */
static __device__ __forceinline__ float act_gelu(float x)
{
    return 0.5f * x * erfcf(-x * 0.70710678118654752f);
}

/* sqrt(2 / pi) = 0.79788456 */
static __device__ __forceinline__ float act_gelu_tanh(float x)
{
    return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
}

static __device__ __forceinline__ float act_apply(float x, enum act act)
{
    switch (act) {
    case ACT_RELU:
        return x > 0 ? x : x * 0; /* a NaN stays a NaN */
    case ACT_RELU6:
        return x > 6 ? 6 : x > 0 ? x : x * 0;
    case ACT_SILU:
        return act_silu(x);
    case ACT_GELU:
        return act_gelu(x);
    case ACT_GELU_TANH:
        return act_gelu_tanh(x);
    case ACT_GELU_QUICK:
        return x / (1.0f + expf(-1.702f * x));
    case ACT_TANH:
        return tanhf(x);
    case ACT_NONE:
        break;
    }
    return x;
}

#endif /* KERNELS_CUDA_ACT_H */
