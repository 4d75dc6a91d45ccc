/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/copy.h"

#include "kernels/half.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

enum { PIECE = 1 << 14 }; /* numbers that a thread takes at a time */

void copy_widen(float *to, struct tensor t, int64_t from, int64_t count)
{
    const uint16_t *half = (const uint16_t *)t.data + from;

    assert(dtype_is_float(t.dtype));
    if (t.dtype == DTYPE_F32)
        memcpy(to, (const float *)t.data + from, (size_t)count * sizeof(float));
    else if (t.dtype == DTYPE_F16)
        for (int64_t i = 0; i < count; i++)
            to[i] = half_to_float(half[i]);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = bf16_to_float(half[i]);
}

/* Rows that a piece is made of. */
static int64_t rows_at_once(struct tensor t)
{
    return t.dim[3] < PIECE ? PIECE / t.dim[3] : 1;
}

/* Row `row` of a tensor to row `to_row` of dense ones. */
static void copy_row(char *to, enum dtype dtype, int64_t to_row, struct tensor from, int64_t row)
{
    const int64_t columns = from.dim[3];

    to += (size_t)(to_row * columns) * dtype_bytes(dtype);
    if (dtype == DTYPE_BF16)
        copy_narrow_bf16((uint16_t *)(void *)to, tensor_row(from, row), columns);
    else
        memcpy(to, tensor_row(from, row), (size_t)columns * sizeof(float));
}

void copy_rows_to(void *to, enum dtype dtype, struct tensor from)
{
    const int64_t rows = tensor_rows(from), step = rows_at_once(from);

#pragma omp parallel for if (rows > step && !omp_in_parallel()) schedule(dynamic)
    for (int64_t first = 0; first < rows; first += step)
        for (int64_t row = first; row < rows && row < first + step; row++)
            copy_row(to, dtype, row, from, row);
}

void copy_doubled(void *to, enum dtype dtype, struct tensor image, int64_t height, int64_t width)
{
#pragma omp parallel for if (height * width > rows_at_once(image)) schedule(dynamic, 4)
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < width; j++)
            copy_row(to, dtype, i * width + j, image, i / 2 * image.dim[2] + j / 2);
}

void copy_rows_from(struct tensor to, const float *from)
{
    const int64_t rows = tensor_rows(to), step = rows_at_once(to);

#pragma omp parallel for if (rows > step && !omp_in_parallel()) schedule(dynamic)
    for (int64_t first = 0; first < rows; first += step)
        for (int64_t row = first; row < rows && row < first + step; row++)
            memcpy(tensor_row(to, row), from + row * to.dim[3], (size_t)to.dim[3] * sizeof(float));
}
