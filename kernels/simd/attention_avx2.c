/* SPDX-License-Identifier: Apache-2.0 */
/* The words first, then what is said with them. */
/* clang-format off */
#include "kernels/simd/vector_avx2.h"
#include "kernels/simd/attention_float.h"
#include "kernels/simd/attention_body.h"
/* clang-format on */

static void attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                      struct tensor v, int heads, float scale, bool causal)
{
    struct attention a = {
        .y = y, .q = q, .k = k, .v = v, .heads = heads, .scale = scale, .causal = causal};

    if (!attention_run(d, &a))
        simd_plain().attention(d, y, q, k, v, heads, scale, causal);
}

void attention_avx2(struct ops *ops)
{
    ops->attention = attention;
}
