/* SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

typedef __m512 vec;

enum {
    LANES = 16,
    ROWS = 12, /* 24 sums, 2 operands and the broadcast, of 32 registers */
};

static inline vec vec_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vec_store(float *p, vec a)
{
    _mm512_storeu_ps(p, a);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}

#include "kernels/onednn/winograd_body.h"

const struct winograd_kernel winograd_avx512 = {
    .block = 2 * LANES,
    .input = winograd_input,
    .filter = winograd_filter,
    .multiply = winograd_multiply,
    .output = winograd_output,
};
