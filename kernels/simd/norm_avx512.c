/* SPDX-License-Identifier: Apache-2.0 */
/* The words first, then what is said with them. */
/* clang-format off */
#include "kernels/simd/vector_avx512.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/norm_body.h"
/* clang-format on */

void norm_avx512(struct ops *ops)
{
    norm_fill(ops);
}
