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

static void move_resize_nearest(struct device *d, struct tensor y, struct tensor x)
{
    size_t bytes = (size_t)x.dim[3] * dtype_bytes(x.dtype);
    int64_t lines = y.dim[0] * y.dim[1];

    shape_resize_nearest(y, x);
    if (x.dtype != y.dtype) {
        simd_plain().resize_nearest(d, y, x);
        return;
    }
#pragma omp parallel for num_threads(d->threads) if (simd_worth(tensor_count(y)))
    for (int64_t line = 0; line < lines; line++) {
        int64_t from = line % y.dim[1] * x.dim[1] / y.dim[1] + line / y.dim[1] * x.dim[1];
        for (int64_t i = 0; i < y.dim[2]; i++)
            memcpy(tensor_row(y, line * y.dim[2] + i),
                   tensor_row(x, from * x.dim[2] + i * x.dim[2] / y.dim[2]), bytes);
    }
}

void move_fill(struct ops *ops)
{
    ops->concat = move_concat;
    ops->resize_nearest = move_resize_nearest;
}
