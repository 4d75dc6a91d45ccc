/* SPDX-License-Identifier: Apache-2.0 */
/*
 * half.h - the two 16-bit floats, to and from float32, bit by bit.
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even, as the hardware does: values past
 * the largest become infinity, small ones become denormals, a NaN stays a (quiet) NaN.
 */
#ifndef KERNELS_HALF_H
#define KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint32_t half_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float half_value(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t magnitude = half & 0x7fff;

    if (magnitude > 0x7c00) /* NaN, made quiet */
        return half_value(sign | 0x7fc00000 | magnitude << 13);
    if (magnitude == 0x7c00)
        return half_value(sign | 0x7f800000);
    if (magnitude >= 0x0400) /* the exponent's bias goes from 15 to 127 */
        return half_value(sign | (magnitude + ((127 - 15) << 10)) << 13);
    return half_value(sign | half_bits((float)magnitude * 0x1p-24f));
}

static inline uint16_t float_to_half(float value)
{
    uint32_t bits = half_bits(value);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    uint32_t rounded;

    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520, half way past the largest, and all above */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { /* below 2^-14: adding 0.5 rounds to units of 2^-24 */
        rounded = half_bits(half_value(magnitude) + 0.5f) - half_bits(0.5f);
        return (uint16_t)(sign | rounded);
    }
    rounded = magnitude - ((127u - 15u) << 23);
    rounded += 0xfff + (rounded >> 13 & 1);
    return (uint16_t)(sign | rounded >> 13);
}

static inline float bf16_to_float(uint16_t half)
{
    return half_value((uint32_t)half << 16);
}

static inline uint16_t float_to_bf16(float value)
{
    uint32_t bits = half_bits(value);

    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    bits += 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_HALF_H */
