/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act.h - activations in kernels, in f32.
 *
 * `act_apply` is good to the last places of f32. Numbers that are rounded to 16 bits right after
 * may take the short forms, whose errors of 2^-17 vanish in that rounding (2^-12 of f16): the
 * precise ones cost a thread more time than memory takes to bring its numbers.
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

/* x / (1 + exp(-s x)), by the chip's exp2 and reciprocal. */
static __device__ __forceinline__ float act_gate_short(float x, float s)
{
    return __fdividef(x, 1.0f + __expf(-s * x));
}

/* x Phi(x). With z = |x| / sqrt(2) and t = 1 / (1 + 0.44 z), erfc(z) / 2 = t p(t) exp(-z z); p is
   fitted to the least relative error over z >= 0, which is 5.2e-6. Phi of a negative x is that,
   so small values keep their digits. */
static __device__ __forceinline__ float act_gelu_short(float x)
{
    float z = fabsf(x) * 0.70710678f, t = __fdividef(1.0f, 1.0f + 0.44f * z), tail;

    tail = -0.0730494818f;
    tail = tail * t + 0.1753168894f;
    tail = tail * t + 0.0203755151f;
    tail = tail * t + 0.1317881496f;
    tail = tail * t + 0.1212859681f;
    tail = tail * t + 0.1242804015f;
    tail *= t * __expf(-z * z);
    return x * (x < 0 ? tail : 1.0f - tail);
}

/* (1 + tanh(u)) / 2 is the sigmoid of 2 u. */
static __device__ __forceinline__ float act_gelu_tanh_short(float x)
{
    float u = 1.59576912160573071f * (x + 0.044715f * x * x * x);

    return __fdividef(x, 1.0f + __expf(-u));
}

template <int COUNT, typename F> static __device__ __forceinline__ void act_each(float *v, F f)
{
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        v[i] = f(v[i]);
}

/* COUNT numbers that become T next. One switch for all of them. */
template <typename T, int COUNT>
static __device__ __forceinline__ void act_apply_to(float *v, enum act act)
{
    constexpr bool is_short = sizeof(T) == 2;

    switch (act) {
    case ACT_NONE:
        return;
    case ACT_RELU:
        return act_each<COUNT>(v, [](float x) { return act_apply(x, ACT_RELU); });
    case ACT_RELU6:
        return act_each<COUNT>(v, [](float x) { return act_apply(x, ACT_RELU6); });
    case ACT_SILU:
        return act_each<COUNT>(
            v, [](float x) { return is_short ? act_gate_short(x, 1.0f) : act_silu(x); });
    case ACT_GELU:
        return act_each<COUNT>(v,
                               [](float x) { return is_short ? act_gelu_short(x) : act_gelu(x); });
    case ACT_GELU_TANH:
        return act_each<COUNT>(
            v, [](float x) { return is_short ? act_gelu_tanh_short(x) : act_gelu_tanh(x); });
    case ACT_GELU_QUICK:
        return act_each<COUNT>(v, [](float x) {
            return is_short ? act_gate_short(x, 1.702f) : act_apply(x, ACT_GELU_QUICK);
        });
    case ACT_TANH:
        return act_each<COUNT>(v, [](float x) { return tanhf(x); });
    }
}

#endif /* KERNELS_CUDA_ACT_H */
