/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector_avx512.h - sixteen floats at a time: the words that the shared bodies are written in.
 *
 * The bodies (*_body.h) name no instruction set; a .c file per set includes one of the vector
 * headers, then the body, and CMake compiles that file alone for that set. Both vector headers say
 * the same words:
 *
 *     vf   VF_LANES floats        vm   a choice per lane
 *
 * Everything works lane by lane, so a number's result does not depend on the lane that it lies in.
 * vf_max and vf_min hand back their second argument when either is a NaN: put the number second
 * and the bound first, and a NaN stays one.
 */
#ifndef KERNELS_SIMD_VECTOR_AVX512_H
#define KERNELS_SIMD_VECTOR_AVX512_H

#include <immintrin.h>
#include <stdint.h>

typedef __m512 vf;
typedef __mmask16 vm;

enum {
    VF_LANES = 16,
    VF_ROWS = 8, /* rows of a register tile: 8 x 3 sums, 3 operands, 1 broadcast of 32 registers */
};

static inline vf vf_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

/* The first n lanes, 1 <= n < VF_LANES, and zeros. */
static inline vf vf_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps((vm)((1u << n) - 1), p);
}

static inline void vf_store_part(float *p, vf a, int64_t n)
{
    _mm512_mask_storeu_ps(p, (vm)((1u << n) - 1), a);
}

/* a * b + c and c - a * b, rounded once. */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf vf_abs(vf a)
{
    return _mm512_abs_ps(a);
}

/* The magnitude of a with the sign of b. */
static inline vf vf_sign(vf a, vf b)
{
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
        _mm512_castps_si512(a), _mm512_castps_si512(b), _mm512_set1_epi32(0x7fffffff), 0xe4));
}

/* To the nearest whole number, ties to even. */
static inline vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* a * 2^n for whole n, rounded once, down to denormals and zero. */
static inline vf vf_scale(vf a, vf n)
{
    return _mm512_scalef_ps(a, n);
}

/* The same for n <= 0 however far below; may stop at 2^-126 instead of going on to zero. */
static inline vf vf_scale_down(vf a, vf n)
{
    return _mm512_scalef_ps(a, n);
}

/* To the next whole number above. */
static inline vf vf_ceil(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

static inline vm vf_less(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline int vf_any(vm mask)
{
    return mask != 0;
}

/* yes where the mask is set, no elsewhere. */
static inline vf vf_pick(vm mask, vf yes, vf no)
{
    return _mm512_mask_blend_ps(mask, no, yes);
}

/* 0, 1, 2, ... */
static inline vf vf_index(void)
{
    return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

static inline float vf_sum(vf a)
{
    return _mm512_reduce_add_ps(a);
}

static inline float vf_top(vf a)
{
    return _mm512_reduce_max_ps(a);
}

/* The 16-bit floats, VF_LANES of them. f16 rounds to nearest even, as half.h does. */
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline void vf_store_f16(uint16_t *p, vf a)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

static inline vf vf_load_bf16(const uint16_t *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));

    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline void vf_store_bf16(uint16_t *p, vf a)
{
    __m512i bits = _mm512_castps_si512(a);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i even = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    vm nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);

    even = _mm512_mask_mov_epi32(even, nan, quiet);
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(even, 16)));
}

#endif /* KERNELS_SIMD_VECTOR_AVX512_H */
