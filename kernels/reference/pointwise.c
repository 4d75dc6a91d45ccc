/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that look at one number, or one number of each input, at a time. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

#include <assert.h>
#include <string.h>

void reference_activate(struct device *d, struct tensor y, struct tensor x, enum act act)
{
    int64_t rows = tensor_rows(x);

    shape_pointwise(y, x);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        double piece[PIECE];
        for (int64_t at = 0; at < x.dim[3]; at += PIECE) {
            int64_t count = reference_least(PIECE, x.dim[3] - at);
            reference_load(piece, x, row, at, count);
            for (int64_t i = 0; i < count; i++)
                piece[i] = reference_act(piece[i], act);
            reference_store(y, row, at, count, piece);
        }
    }
}

void reference_geglu(struct device *d, struct tensor y, struct tensor x)
{
    int64_t rows = tensor_rows(y), cols = y.dim[3];

    shape_geglu(y, x);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        double piece[PIECE], gate[PIECE];
        for (int64_t at = 0; at < cols; at += PIECE) {
            int64_t count = reference_least(PIECE, cols - at);
            reference_load(piece, x, row, at, count);
            reference_load(gate, x, row, cols + at, count);
            for (int64_t i = 0; i < count; i++)
                piece[i] *= reference_gelu(gate[i]);
            reference_store(y, row, at, count, piece);
        }
    }
}

void reference_add(struct device *d, struct tensor y, struct tensor x, struct tensor z)
{
    int64_t rows = tensor_rows(y);

    shape_pointwise(y, x);
    shape_pointwise(y, z);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        double piece[PIECE], other[PIECE];
        for (int64_t at = 0; at < y.dim[3]; at += PIECE) {
            int64_t count = reference_least(PIECE, y.dim[3] - at);
            reference_load(piece, x, row, at, count);
            reference_load(other, z, row, at, count);
            for (int64_t i = 0; i < count; i++)
                piece[i] += other[i];
            reference_store(y, row, at, count, piece);
        }
    }
}

void reference_affine(struct device *d, struct tensor y, struct tensor x, float scale, float shift)
{
    int64_t rows = tensor_rows(y);

    shape_pointwise(y, x);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        double piece[PIECE];
        for (int64_t at = 0; at < y.dim[3]; at += PIECE) {
            int64_t count = reference_least(PIECE, y.dim[3] - at);
            reference_load(piece, x, row, at, count);
            for (int64_t i = 0; i < count; i++)
                piece[i] = (double)scale * piece[i] + (double)shift;
            reference_store(y, row, at, count, piece);
        }
    }
}

/* One piece of one row. The one place where the reference rounds on its way: each product and each
   sum is a float32, because the samplers' arithmetic is defined so. */
static void mix_piece(struct tensor y, const struct tensor x[4], const float coef[4], int64_t row,
                      const int64_t at[2])
{
    double piece[PIECE], sum[PIECE];
    bool first = true;

    memset(sum, 0, sizeof(sum));
    for (int k = 0; k < 4; k++) {
        if (coef[k] == 0)
            continue;
        reference_load(piece, x[k], row, at[0], at[1]);
        for (int64_t i = 0; i < at[1]; i++) {
            float product = coef[k] * (float)piece[i];
            float total = (float)sum[i] + product;
            sum[i] = (double)(first ? product : total);
        }
        first = false;
    }
    reference_store(y, row, at[0], at[1], sum);
}

void reference_mix(struct device *d, struct tensor y, const struct tensor x[4],
                   const float (*coef)[4])
{
    int64_t rows = tensor_rows(y), image_rows = y.dim[1] * y.dim[2];

    for (int64_t b = 0; b < y.dim[0]; b++)
        for (int k = 0; k < 4; k++)
            if (coef[b][k] != 0)
                shape_pointwise(y, x[k]);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++)
        for (int64_t at = 0; at < y.dim[3]; at += PIECE)
            mix_piece(y, x, coef[row / image_rows], row,
                      (const int64_t[2]){at, reference_least(PIECE, y.dim[3] - at)});
}

static void convert_row(struct tensor y, struct tensor x, int64_t row)
{
    double piece[PIECE];

    if (y.dtype == x.dtype) { /* bit for bit, whatever the bits mean */
        memcpy(tensor_row(y, row), tensor_row(x, row), (size_t)y.dim[3] * dtype_bytes(y.dtype));
        return;
    }
    for (int64_t at = 0; at < y.dim[3]; at += PIECE) {
        int64_t count = reference_least(PIECE, y.dim[3] - at);
        reference_load(piece, x, row, at, count);
        reference_store(y, row, at, count, piece);
    }
}

void reference_convert(struct device *d, struct tensor y, struct tensor x)
{
    int64_t rows = tensor_rows(y);

    shape_convert(y, x);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++)
        convert_row(y, x, row);
}

void reference_concat(struct device *d, struct tensor y, struct tensor x1, struct tensor x2)
{
    shape_concat(y, x1, x2);
    reference_convert(d, tensor_columns(y, 0, x1.dim[3]), x1);
    reference_convert(d, tensor_columns(y, x1.dim[3], x2.dim[3]), x2);
}
