/* SPDX-License-Identifier: Apache-2.0 */
/* Products of rows. A tile of rows meets a panel of 16 outputs, TILE_DEPTH inputs at a time: the
   panel is transposed once per tile, so the inner loop runs over outputs that lie side by side. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

/* Pairs like n[2] are where something begins and how long it is.

   Inputs [k, k + depth) of outputs [n, n + cols); outputs that are not there weigh nothing. */
static void panel_load(struct panel *p, struct tensor w, const int64_t n[2], const int64_t k[2])
{
    double line[TILE_DEPTH];

    for (int64_t j = 0; j < TILE_COLS; j++) {
        if (j < n[1])
            reference_load(line, w, n[0] + j, k[0], k[1]);
        for (int64_t i = 0; i < k[1]; i++)
            p->at[i][j] = j < n[1] ? line[i] : 0;
    }
}

/* sum = rows [m, m + rows) of x times `cols` outputs of w. */
static void tile(double sum[TILE_ROWS][TILE_COLS], struct tensor x, const int64_t m[2],
                 struct tensor w, const int64_t n[2])
{
    struct panel panel;
    double line[TILE_DEPTH];

    for (int64_t i = 0; i < m[1]; i++)
        for (int j = 0; j < TILE_COLS; j++)
            sum[i][j] = 0;
    for (int64_t k = 0; k < x.dim[3]; k += TILE_DEPTH) {
        int64_t depth = reference_least(TILE_DEPTH, x.dim[3] - k);
        panel_load(&panel, w, n, (const int64_t[2]){k, depth});
        for (int64_t i = 0; i < m[1]; i++) {
            reference_load(line, x, m[0] + i, k, depth);
            reference_dot(sum[i], line, &panel, depth);
        }
    }
}

void reference_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                      const struct epilogue *e)
{
    int64_t rows = tensor_rows(y), cols = y.dim[3];

    shape_linear(y, x, w, e);
#pragma omp parallel for collapse(2) num_threads(d->threads)
    for (int64_t m = 0; m < rows; m += TILE_ROWS) {
        for (int64_t n = 0; n < cols; n += TILE_COLS) {
            double sum[TILE_ROWS][TILE_COLS];
            int64_t tile_m[2] = {m, reference_least(TILE_ROWS, rows - m)};
            int64_t tile_n[2] = {n, reference_least(TILE_COLS, cols - n)};

            tile(sum, x, tile_m, w->w, tile_n);
            for (int64_t i = 0; i < tile_m[1]; i++)
                reference_finish(y, m + i, n, tile_n[1], w, e, sum[i]);
        }
    }
}

/* Adds the layer's bias to sums of outputs [n, n + count). */
static void add_bias(double *sum, const struct weight *w, int64_t n, int64_t count)
{
    double bias[TILE_COLS];

    if (!w->b.data)
        return;
    reference_load(bias, w->b, 0, n, count);
    for (int64_t j = 0; j < count; j++)
        sum[j] += bias[j];
}

void reference_linear_geglu(struct device *d, struct tensor y, struct tensor x,
                            const struct weight *w)
{
    int64_t rows = tensor_rows(y), cols = y.dim[3];

    shape_linear_geglu(y, x, w);
#pragma omp parallel for collapse(2) num_threads(d->threads)
    for (int64_t m = 0; m < rows; m += TILE_ROWS) {
        for (int64_t n = 0; n < cols; n += TILE_COLS) {
            double value[TILE_ROWS][TILE_COLS], gate[TILE_ROWS][TILE_COLS];
            int64_t tile_m[2] = {m, reference_least(TILE_ROWS, rows - m)};
            int64_t count = reference_least(TILE_COLS, cols - n);

            tile(value, x, tile_m, w->w, (const int64_t[2]){n, count});
            tile(gate, x, tile_m, w->w, (const int64_t[2]){cols + n, count});
            for (int64_t i = 0; i < tile_m[1]; i++) {
                add_bias(value[i], w, n, count);
                add_bias(gate[i], w, cols + n, count);
                for (int64_t j = 0; j < count; j++)
                    value[i][j] *= reference_gelu(gate[i][j]);
                reference_store(y, m + i, n, count, value[i]);
            }
        }
    }
}
