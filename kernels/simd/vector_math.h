/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector_math.h - exp and its family over the words of a vector header, which is included first.
 *
 * Polynomials are minimax fits over the reduced range; errors stand at each function, in units of
 * the last place of the result. NaN goes in, NaN comes out.
 */
#ifndef KERNELS_SIMD_VECTOR_MATH_H
#define KERNELS_SIMD_VECTOR_MATH_H

#include "kernels/ops.h"

/* A full vector, or its first lanes where fewer numbers are left. */
static inline vf vf_load_first(const float *p, int64_t left)
{
    return left >= VF_LANES ? vf_load(p) : vf_load_part(p, left);
}

static inline void vf_store_first(float *p, vf a, int64_t left)
{
    if (left >= VF_LANES)
        vf_store(p, a);
    else
        vf_store_part(p, a, left);
}

#define VF_LOG2E 1.44269504088896341f

/* e^x within 1 ulp; 0 far below, infinity far above. */
static inline vf vf_exp(vf x)
{
    vf n, r, p;

    x = vf_min(vf_set(89.0f), vf_max(vf_set(-105.0f), x));
    n = vf_round(x * vf_set(VF_LOG2E));
    r = vf_fnma(n, vf_set(0x1.62e4p-1f), x); /* ln 2 in two parts: the first is exact times n */
    r = vf_fnma(n, vf_set(0x1.7f7d1cp-20f), r);
    p = vf_set(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    return vf_scale(vf_fma(p, r * r, r) + vf_set(1), n);
}

/* 1 / (1 + e^-x) within 3 ulp: never divides by something huge, so the left tail keeps its digits.
 */
static inline vf vf_sigmoid(vf x)
{
    vf e = vf_exp(vf_set(0) - vf_abs(x));

    return vf_pick(vf_less(x, vf_set(0)), e, vf_set(1)) / (vf_set(1) + e);
}

/* tanh within 3 ulp: an odd polynomial near zero, where 1 - 2 / (e^2x + 1) would cancel. */
static inline vf vf_tanh(vf x)
{
    vf a = vf_abs(x), u = x * x, near, far;

    near = vf_set(2.29584126e-3f);
    near = vf_fma(near, u, vf_set(-8.346980492e-3f));
    near = vf_fma(near, u, vf_set(2.176996092e-2f));
    near = vf_fma(near, u, vf_set(-5.395940591e-2f));
    near = vf_fma(near, u, vf_set(1.333330428e-1f));
    near = vf_fma(near, u, vf_set(-3.333333318e-1f));
    near = vf_fma(near * u, x, x);
    far = vf_set(1) - vf_set(2) / (vf_exp(a + a) + vf_set(1));
    return vf_pick(vf_less(a, vf_set(0.625f)), near, vf_sign(far, x));
}

/* x Phi(x) = x erfc(-x / sqrt 2) / 2, within 4 ulp for |x| < 1 and 7 ulp on to the left tail. With
   z = |x| / sqrt 2 and u = z / (3 + z), erfc(z) / 2 = Q(u) e^(-z^2): Q is smooth, u is exact where
   z is small, and what rounding loses of the square goes back into the exponent. */
static inline vf vf_gelu(vf x)
{
    vf a = vf_min(vf_set(14.5f), vf_abs(x));
    vf u = a / (vf_set(4.24264069f) + a);
    vf square = a * a, lost, half;

    lost = vf_fma(a, a, vf_set(0) - square);
    half = vf_set(2.909532434e-2f);
    half = vf_fma(half, u, vf_set(-1.376318997e-1f));
    half = vf_fma(half, u, vf_set(2.159408801e-1f));
    half = vf_fma(half, u, vf_set(-1.577886146e-2f));
    half = vf_fma(half, u, vf_set(-2.565096589e-1f));
    half = vf_fma(half, u, vf_set(-1.947953141e-1f));
    half = vf_fma(half, u, vf_set(1.592974916f));
    half = vf_fma(half, u, vf_set(-2.848165938f));
    half = vf_fma(half, u, vf_set(2.807441366f));
    half = vf_fma(half, u, vf_set(-1.692568975f));
    half = vf_fma(half, u, vf_set(0.5f));
    half = half * vf_exp(vf_set(-0.5f) * square);
    half = vf_fma(half, vf_set(-0.5f) * lost, half);
    return x * vf_pick(vf_less(x, vf_set(0)), half, vf_set(1) - half);
}

/* x (1 + tanh u) / 2 is x sigmoid(2 u), which does not cancel. */
static inline vf vf_gelu_tanh(vf x)
{
    vf u = x * vf_fma(x * x, vf_set(2 * 0.7978845608f * 0.044715f), vf_set(2 * 0.7978845608f));

    return x * vf_sigmoid(u);
}

static inline __attribute__((always_inline)) vf vf_act(vf x, enum act act)
{
    switch (act) {
    case ACT_NONE:
        return x;
    case ACT_RELU:
        return vf_max(vf_set(0), x);
    case ACT_RELU6:
        return vf_min(vf_set(6), vf_max(vf_set(0), x));
    case ACT_SILU:
        return x * vf_sigmoid(x);
    case ACT_GELU:
        return vf_gelu(x);
    case ACT_GELU_TANH:
        return vf_gelu_tanh(x);
    case ACT_GELU_QUICK:
        return x * vf_sigmoid(x * vf_set(1.702f));
    case ACT_TANH:
        return vf_tanh(x);
    }
    return x;
}

#endif /* KERNELS_SIMD_VECTOR_MATH_H */
