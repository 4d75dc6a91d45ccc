/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd.h - what the files of this room offer one another: one filler per file.
 *
 * Each filler writes its slots over the table and may be called only where the instruction set in
 * its name exists; ops_fill_simd sees to that. The slots take float32 and hand everything else to
 * plain C.
 */
#ifndef KERNELS_SIMD_SIMD_H
#define KERNELS_SIMD_SIMD_H

#include "kernels/device.h"

void move_fill(struct ops *ops); /* copies: memcpy knows the machine */

void pointwise_avx2(struct ops *ops);
void pointwise_avx512(struct ops *ops);
void norm_avx2(struct ops *ops);
void norm_avx512(struct ops *ops);
void attention_avx2(struct ops *ops);
void attention_avx512(struct ops *ops);
void attention_bf16(struct ops *ops); /* bf16 products where the device's precision is mixed */

/* Keys or values as attention_body.h multiplies them: row i starts at cell + i * stride. A cell is
   32 bits that may be two 16-bit numbers. */
struct cells {
    const float *cell;
    int64_t stride, count; /* count of rows */
};

/* The table of plain C, for the types and sizes that are not worth code of their own. */
static inline struct ops simd_plain(void)
{
    struct ops ops = {0};

    ops_fill_reference(&ops);
    return ops;
}

static inline int64_t simd_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t simd_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What rounding may have pushed below zero; a NaN stays one. */
static inline double simd_positive(double a)
{
    return a < 0 ? 0 : a;
}

/* Whether so many numbers pay for waking the other threads. */
static inline bool simd_worth(int64_t count)
{
    return count >= 32 * 1024;
}

#endif /* KERNELS_SIMD_SIMD_H */
