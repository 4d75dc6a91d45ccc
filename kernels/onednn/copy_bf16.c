/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/copy.h"

#include <immintrin.h>

void copy_narrow_bf16(uint16_t *to, const float *from, int64_t count)
{
    for (int64_t i = 0; i < count; i += 16) {
        int64_t left = count - i;
        __mmask16 mask = (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
        __m256bh narrow = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from + i));

        _mm256_mask_storeu_epi16(to + i, mask, (__m256i)narrow);
    }
}
