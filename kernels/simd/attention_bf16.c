/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_bf16.c - attention's products in bf16 pairs, twice the rate of float32.
 *
 * A cell holds two bf16 numbers that are neighbours along the summed dimension: d and d + 1 for
 * the scores, keys i and i + 1 for the weighted sum. Sums, the softmax and its running top stay in
 * float32. A block of keys and values is packed once per chunk of queries.
 */
#include "kernels/simd/simd.h"
#include "kernels/simd/vector_avx512.h"

enum { CELL = 2 };

static inline vf cell_dot(vf sum, vf a, vf b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(a),
                            (__m512bh)_mm512_castps_si512(b));
}

/* 2^(x - top) to 8e-5, an eighth of a bf16 step; attention_float.h says how. */
static inline vf cell_exp2(vf x, vf top)
{
    vf n = vf_round(x), f = x - n, p;

    p = vf_set(5.508868381e-2f);
    p = vf_fma(p, f, vf_set(2.426040515e-1f));
    p = vf_fma(p, f, vf_set(6.932762417e-1f));
    p = vf_fma(p, f, vf_set(9.999289404e-1f));
    return vf_scale_down(p, n - top);
}

/* Lane i becomes the pair (low[i], high[i]). */
static inline vf cell_pair(vf low, vf high)
{
    static const uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);

    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_loadu_si512(order), both));
}

/* Rows 2 i and 2 i + 1 become row i; a row without a partner is paired with zeros. */
static inline void cell_queries(float *cells, const float *q, int64_t width, int64_t pitch,
                                float scale)
{
    for (int64_t d = 0; d < width; d += 2, q += 2 * pitch, cells += pitch)
        for (int64_t j = 0; j < pitch; j += VF_LANES) {
            vf high = d + 1 < width ? vf_load(q + pitch + j) : vf_set(0);
            vf low = vf_load(q + j) * vf_set(scale);
            vf_store(cells + j, cell_pair(low, high * vf_set(scale)));
        }
}

static inline vf cell_join(const vf weight[CELL])
{
    return cell_pair(weight[0], weight[1]);
}

static inline struct cells cell_keys(float *packed, const float *row, int64_t stride, int64_t count,
                                     int64_t width)
{
    struct cells k = {packed, (width + 1) / 2, count};

    for (int64_t i = 0; i < count; i++, row += stride, packed += k.stride)
        for (int64_t d = 0; d < width; d += 2 * VF_LANES) {
            __mmask32 in = (__mmask32)((1ull << simd_min(width - d, 32)) - 1);
            vf low = _mm512_maskz_loadu_ps((vm)in, row + d);
            vf high = _mm512_maskz_loadu_ps((vm)(in >> 16), row + d + 16);
            __mmask16 out = (__mmask16)((1u << simd_min((width - d + 1) / 2, 16)) - 1);
            _mm512_mask_storeu_epi32(packed + d / 2, out, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        }
    return k;
}

static inline struct cells cell_values(float *packed, const float *row, int64_t stride,
                                       int64_t count, int64_t width)
{
    struct cells v = {packed, width, (count + 1) / 2};

    for (int64_t i = 0; i < count; i += 2, row += 2 * stride, packed += width)
        for (int64_t d = 0; d < width; d += VF_LANES) {
            vm in = (vm)((1u << simd_min(width - d, 16)) - 1);
            vf low = _mm512_maskz_loadu_ps(in, row + d);
            vf high = vf_set(0);
            if (i + 1 < count)
                high = _mm512_maskz_loadu_ps(in, row + stride + d);
            _mm512_mask_storeu_ps(packed + d, in, cell_pair(low, high));
        }
    return v;
}

#include "kernels/simd/attention_body.h"

static void attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                      struct tensor v, int heads, float scale, bool causal)
{
    struct attention a = {
        .y = y, .q = q, .k = k, .v = v, .heads = heads, .scale = scale, .causal = causal};
    struct ops exact = {0};

    /* A wide head leaves little room for queries beside its packed keys, and is the autoencoder's:
       float32 is as fast there, and better. */
    if (d->precision == PRECISION_MIXED && q.dim[3] / heads <= 256 && attention_run(d, &a))
        return;
    attention_avx512(&exact);
    exact.attention(d, y, q, k, v, heads, scale, causal);
}

void attention_bf16(struct ops *ops)
{
    ops->attention = attention;
}
