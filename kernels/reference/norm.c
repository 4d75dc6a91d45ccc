/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation in two passes: the mean, then the mean square of what is left, then y. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

#include <math.h>

/* Columns [from, from + count) of rows [row, row + rows): what shares one mean. */
struct block {
    int64_t row, rows, from, count;
};

/* The sum over the block of (x - shift)^power. */
static double block_sum(struct tensor x, struct block b, double shift, int power)
{
    double piece[PIECE], sum = 0;

    for (int64_t row = b.row; row < b.row + b.rows; row++) {
        for (int64_t at = 0; at < b.count; at += PIECE) {
            int64_t count = reference_least(PIECE, b.count - at);
            reference_load(piece, x, row, b.from + at, count);
            for (int64_t i = 0; i < count; i++) {
                double left = piece[i] - shift;
                sum += power == 2 ? left * left : left;
            }
        }
    }
    return sum;
}

static void block_norm(struct tensor y, struct tensor x, struct tensor gamma, struct tensor beta,
                       struct block b, float epsilon, enum act act)
{
    double cells = (double)(b.rows * b.count);
    double mean = block_sum(x, b, 0, 1) / cells;
    double scale = 1 / sqrt(block_sum(x, b, mean, 2) / cells + (double)epsilon);
    double piece[PIECE];
    const float *g = gamma.data, *shift = beta.data;

    for (int64_t row = b.row; row < b.row + b.rows; row++) {
        for (int64_t at = b.from; at < b.from + b.count; at += PIECE) {
            int64_t count = reference_least(PIECE, b.from + b.count - at);
            reference_load(piece, x, row, at, count);
            for (int64_t i = 0; i < count; i++) {
                double z = (piece[i] - mean) * scale * (double)g[at + i] + (double)shift[at + i];
                piece[i] = reference_act(z, act);
            }
            reference_store(y, row, at, count, piece);
        }
    }
}

void reference_norm_group(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                          struct tensor beta, int groups, float epsilon, enum act act)
{
    int64_t rows = x.dim[1] * x.dim[2], count = x.dim[3] / groups;

    shape_norm_group(y, x, gamma, beta, groups);
#pragma omp parallel for collapse(2) num_threads(d->threads)
    for (int64_t image = 0; image < x.dim[0]; image++)
        for (int64_t group = 0; group < groups; group++) {
            struct block b = {image * rows, rows, group * count, count};
            block_norm(y, x, gamma, beta, b, epsilon, act);
        }
}

void reference_norm_layer(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                          struct tensor beta, float epsilon)
{
    int64_t rows = tensor_rows(x);

    shape_norm_layer(y, x, gamma, beta);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        struct block b = {row, 1, 0, x.dim[3]};
        block_norm(y, x, gamma, beta, b, epsilon, ACT_NONE);
    }
}
