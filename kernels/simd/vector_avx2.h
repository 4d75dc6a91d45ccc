/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector_avx2.h - eight floats at a time: the same words as vector_avx512.h, which explains them.
 */
#ifndef KERNELS_SIMD_VECTOR_AVX2_H
#define KERNELS_SIMD_VECTOR_AVX2_H

#include <immintrin.h>
#include <stdint.h>

typedef __m256 vf;
typedef __m256 vm; /* all bits of a lane */

enum {
    VF_LANES = 8,
    VF_ROWS = 4, /* rows of a register tile: 4 x 3 sums, 3 operands, 1 broadcast of 16 registers */
};

static inline vf vf_set(float a)
{
    return _mm256_set1_ps(a);
}

static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}

static inline __m256i vf_first(int64_t n)
{
    static const int32_t edge[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

    return _mm256_loadu_si256((const __m256i *)(edge + 8 - n));
}

/* The first n lanes, 1 <= n < VF_LANES, and zeros. */
static inline vf vf_load_part(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, vf_first(n));
}

static inline void vf_store_part(float *p, vf a, int64_t n)
{
    _mm256_maskstore_ps(p, vf_first(n), a);
}

/* a * b + c and c - a * b, rounded once. */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf vf_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

/* The magnitude of a with the sign of b. */
static inline vf vf_sign(vf a, vf b)
{
    return _mm256_or_ps(vf_abs(a), _mm256_and_ps(_mm256_set1_ps(-0.0f), b));
}

/* To the nearest whole number, ties to even. */
static inline vf vf_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* a * 2^n for whole n, |n| <= 252, in two halves so that denormals and infinity come out right. */
static inline vf vf_scale(vf a, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(whole, 1);
    __m256i rest = _mm256_sub_epi32(whole, half);
    __m256i bias = _mm256_set1_epi32(127);
    vf first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    vf second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));

    return a * first * second;
}

/* The same for n <= 0 however far below; may stop at 2^-126 instead of going on to zero. */
static inline vf vf_scale_down(vf a, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(vf_max(vf_set(-126), n));

    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(whole, 23)));
}

/* To the next whole number above. */
static inline vf vf_ceil(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

static inline vm vf_less(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static inline int vf_any(vm mask)
{
    return _mm256_movemask_ps(mask) != 0;
}

/* yes where the mask is set, no elsewhere. */
static inline vf vf_pick(vm mask, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, mask);
}

/* 0, 1, 2, ... */
static inline vf vf_index(void)
{
    return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
}

static inline float vf_sum(vf a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float vf_top(vf a)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/* The 16-bit floats, VF_LANES of them. f16 rounds to nearest even, as half.h does. */
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline void vf_store_f16(uint16_t *p, vf a)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

static inline vf vf_load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));

    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline void vf_store_bf16(uint16_t *p, vf a)
{
    __m256i bits = _mm256_castps_si256(a);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i even = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    __m256i wide = _mm256_srli_epi32(_mm256_blendv_epi8(even, quiet, nan), 16);
    __m256i pairs = _mm256_packus_epi32(wide, wide);

    pairs = _mm256_permute4x64_epi64(pairs, 0x08);
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(pairs));
}

#endif /* KERNELS_SIMD_VECTOR_AVX2_H */
