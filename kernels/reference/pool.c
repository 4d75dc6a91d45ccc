/* SPDX-License-Identifier: Apache-2.0 */
/* The largest and the mean of the pixels in a window. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

#include <math.h>

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The part of one image that one output looks at, cut to the picture. */
struct window {
    int64_t image, top, bottom, left, right;
};

static void pool_piece(struct tensor x, struct window w, enum pool kind, const int64_t at[2],
                       double *result)
{
    double piece[PIECE], cells = (double)((w.bottom - w.top) * (w.right - w.left));

    for (int64_t i = 0; i < at[1]; i++)
        result[i] = kind == POOL_MAX ? -INFINITY : 0;
    for (int64_t line = w.top; line < w.bottom; line++) {
        for (int64_t column = w.left; column < w.right; column++) {
            reference_load(piece, x, (w.image * x.dim[1] + line) * x.dim[2] + column, at[0], at[1]);
            for (int64_t i = 0; i < at[1]; i++)
                result[i] = kind == POOL_MAX ? fmax(result[i], piece[i]) : result[i] + piece[i];
        }
    }
    for (int64_t i = 0; kind == POOL_MEAN && i < at[1]; i++)
        result[i] /= cells;
}

void reference_pool(struct device *d, struct tensor y, struct tensor x, enum pool kind, int kernel,
                    int stride, const int pad[4])
{
    int64_t rows = tensor_rows(y);

    shape_pool(y, x, kernel, stride, pad);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        int64_t image = row / (y.dim[1] * y.dim[2]);
        struct window w = {image, 0, x.dim[1], 0, x.dim[2]};
        double result[PIECE];

        if (kernel > 0) {
            int64_t top = row / y.dim[2] % y.dim[1] * stride - pad[0];
            int64_t left = row % y.dim[2] * stride - pad[1];
            w = (struct window){image, greatest(top, 0), reference_least(top + kernel, x.dim[1]),
                                greatest(left, 0), reference_least(left + kernel, x.dim[2])};
        }
        for (int64_t at = 0; at < y.dim[3]; at += PIECE) {
            int64_t piece[2] = {at, reference_least(PIECE, y.dim[3] - at)};
            pool_piece(x, w, kind, piece, result);
            reference_store(y, row, at, piece[1], result);
        }
    }
}
