/* SPDX-License-Identifier: Apache-2.0 */
/*
 * move.c - ops that only copy rows: the C library's memcpy already knows the machine.
 */
#include "kernels/shape.h"
#include "kernels/simd/simd.h"

#include <string.h>

static void move_concat(struct device *d, struct tensor y, struct tensor x1, struct tensor x2)
{
    size_t bytes1 = (size_t)x1.dim[3] * dtype_bytes(x1.dtype);
    size_t bytes2 = (size_t)x2.dim[3] * dtype_bytes(x2.dtype);
    int64_t rows = tensor_rows(y);

    shape_concat(y, x1, x2);
    if (x1.dtype != y.dtype || x2.dtype != y.dtype) {
        simd_plain().concat(d, y, x1, x2);
        return;
    }
#pragma omp parallel for num_threads(d->threads) if (simd_worth(tensor_count(y)))
    for (int64_t row = 0; row < rows; row++) {
        memcpy(tensor_row(y, row), tensor_row(x1, row), bytes1);
        memcpy((char *)tensor_row(y, row) + bytes1, tensor_row(x2, row), bytes2);
    }
}

void move_fill(struct ops *ops)
{
    ops->concat = move_concat;
}
