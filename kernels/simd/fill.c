/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/simd.h"

void ops_fill_simd(struct ops *ops, unsigned caps)
{
    if (!(caps & CAP_AVX2))
        return;
    ops->name = "avx2";
    move_fill(ops);
    pointwise_avx2(ops);
    norm_avx2(ops);
    attention_avx2(ops);
    if (!(caps & CAP_AVX512))
        return;
    ops->name = "avx512";
    pointwise_avx512(ops);
    norm_avx512(ops);
    attention_avx512(ops);
    if (caps & CAP_BF16)
        attention_bf16(ops);
}
