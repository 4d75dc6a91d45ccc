/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_fp8.h - stands in for CUDA's: float to e4m3 (1 sign, 4 exponent, 3 mantissa bits, bias 7, no
 * infinity, largest 448), rounded to nearest even, cut at the largest; and back.
 */
#ifndef CUDA_ON_CPU_FP8_H
#define CUDA_ON_CPU_FP8_H

#include <math.h>
#include <stdint.h>

typedef uint8_t __nv_fp8_storage_t;
typedef enum { __NV_SATFINITE = 1 } __nv_saturation_t;
typedef enum { __NV_E4M3 = 0 } __nv_fp8_interpretation_t;

static inline __nv_fp8_storage_t __nv_cvt_float_to_fp8(float x, __nv_saturation_t,
                                                       __nv_fp8_interpretation_t)
{
    uint8_t sign = signbit(x) ? 0x80 : 0;
    float size = fabsf(x), rounded;
    int exponent;

    if (size != size)
        return (uint8_t)(sign | 0x7f);
    frexpf(size, &exponent); /* size is below 2^exponent and at least half of it */
    if (exponent < -5)
        exponent = -5;                           /* below 2^-6 steps stay 2^-9 */
    rounded = rintf(ldexpf(size, 4 - exponent)); /* in steps of the last mantissa bit */
    if (ldexpf(rounded, exponent - 4) >= 448)
        return (uint8_t)(sign | 0x7e);
    if (rounded == 16) {
        rounded = 8;
        exponent++;
    }
    if (rounded < 8) /* no hidden bit: a subnormal, or 0 */
        return (uint8_t)(sign | (int)rounded);
    return (uint8_t)(sign | (exponent + 6) << 3 | ((int)rounded - 8));
}

static inline float cuda_on_cpu_e4m3(uint8_t bits)
{
    int exponent = bits >> 3 & 15, mantissa = bits & 7;
    float size =
        exponent ? ldexpf((float)(8 + mantissa), exponent - 10) : ldexpf((float)mantissa, -9);

    if ((bits & 0x7f) == 0x7f)
        return NAN;
    return bits & 0x80 ? -size : size;
}

#endif /* CUDA_ON_CPU_FP8_H */
