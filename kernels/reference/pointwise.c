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

/* By the device's own slots, so that fillings which have better ones need none of this. */
void reference_gather(struct device *d, struct tensor y, const struct scaled *images)
{
    shape_gather(y, images);
    for (int64_t b = 0; b < y.dim[0]; b++) {
        struct tensor image = tensor_slice(y, b, 1);

        if (images[b].scale == 1)
            d->ops.convert(d, image, images[b].x);
        else
            d->ops.affine(d, image, images[b].x, images[b].scale, 0);
    }
}

/* sum + factor * number i of t, each rounded; what has the factor 0 is not read. */
static float plus(float sum, float factor, struct tensor t, int64_t i)
{
    float product;

    if (factor == 0)
        return sum;
    product = factor * ((const float *)t.data)[i];
    return sum + product;
}

static void advance_number(const struct advance *a, int64_t i)
{
    float *x = a->x.data, *previous = a->previous.data, *output = a->output.data;
    float next, estimate;

    output[i] = ((const float *)a->rows[1].data)[i];
    if (a->rows[0].data)
        output[i] = plus(plus(0, a->guide[0], a->rows[0], i), a->guide[1], a->rows[1], i);
    next = plus(plus(0, a->next[0], a->x, i), a->next[1], a->output, i);
    next = plus(plus(next, a->next[2], a->previous, i), a->next[3], a->noise, i);
    estimate = plus(plus(0, a->estimate[0], a->x, i), a->estimate[1], a->output, i);
    x[i] = next;
    previous[i] = estimate;
}

void reference_advance(struct device *d, const struct advance *pictures, int count)
{
    for (int p = 0; p < count; p++) {
        int64_t numbers = tensor_count(pictures[p].x);

        shape_advance(&pictures[p]);
#pragma omp parallel for num_threads(d->threads) if (numbers > 1 << 14)
        for (int64_t i = 0; i < numbers; i++)
            advance_number(&pictures[p], i);
    }
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

/* One line, `share` of which is z's. Rounded on its way, as advance is: the same on every device.
 */
static void blend_line(float *y, const float *x, const float *z, int64_t count,
                       const float share[2])
{
    for (int64_t i = 0; i < count; i++) {
        float from = share[0] * x[i];
        float to = share[1] * z[i];
        y[i] = from + to;
    }
}

/* The two shares of place i of n. */
static void blend_shares(float share[2], int64_t i, int64_t n)
{
    share[0] = (float)((double)(n - i) / (double)n);
    share[1] = (float)((double)i / (double)n);
}

void reference_blend(struct device *d, struct tensor y, struct tensor x, struct tensor z,
                     enum fade fade)
{
    int64_t lines = tensor_rows(y), height = y.dim[1], width = y.dim[3] / 3;

    shape_blend(y, x, z);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t line = 0; line < lines; line++) {
        float *to = tensor_row(y, line), share[2];
        const float *from = tensor_row(x, line), *into = tensor_row(z, line);
        if (fade == FADE_DOWN) {
            blend_shares(share, line % height, height);
            blend_line(to, from, into, y.dim[3], share);
            continue;
        }
        for (int64_t i = 0; i < width; i++) {
            blend_shares(share, i, width);
            blend_line(to + 3 * i, from + 3 * i, into + 3 * i, 3, share);
        }
    }
}
