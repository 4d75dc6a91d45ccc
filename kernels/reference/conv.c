/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, summed over the window row by row, then over the channels. Cells outside the
   picture are zero, so they are skipped. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

/* A picture as a window sees it. */
struct view {
    struct tensor x;
    int64_t height, width; /* twice those of x where it is doubled, perhaps less the last line */
    int shift;             /* 1: doubled */
};

static struct view view_of(struct tensor x)
{
    return (struct view){x, x.dim[1], x.dim[2], 0};
}

/* The row of x under cell (i, j) of the window of output position `p`, or -1 outside. */
static int64_t source_row(struct tensor y, const struct view *v, const struct weight *w, int64_t p,
                          const int64_t cell[2])
{
    int64_t column = p % y.dim[2], line = p / y.dim[2] % y.dim[1];
    int64_t image = p / (y.dim[1] * y.dim[2]);
    int64_t from_line = line * w->stride - w->pad[0] + cell[0];
    int64_t from_column = column * w->stride - w->pad[1] + cell[1];

    if (from_line < 0 || from_line >= v->height || from_column < 0 || from_column >= v->width)
        return -1;
    return (image * v->x.dim[1] + (from_line >> v->shift)) * v->x.dim[2] +
           (from_column >> v->shift);
}

/* Channels [c, c + depth) of one cell, for outputs [n, n + cols). */
static void panel_load(struct panel *panel, struct tensor w, const int64_t n[2], const int64_t c[2],
                       const int64_t cell[2])
{
    for (int64_t k = 0; k < c[1]; k++) {
        for (int64_t j = 0; j < TILE_COLS; j++) {
            int64_t row = ((n[0] + j) * w.dim[1] + c[0] + k) * w.dim[2] + cell[0];
            panel->at[k][j] = 0;
            if (j < n[1])
                reference_load(&panel->at[k][j], w, row, cell[1], 1);
        }
    }
}

static void cell_add(double sum[TILE_ROWS][TILE_COLS], struct tensor x, const int64_t *source,
                     int64_t positions, const struct panel *panel, const int64_t c[2])
{
    double line[TILE_DEPTH];

    for (int64_t i = 0; i < positions; i++) {
        if (source[i] < 0)
            continue;
        reference_load(line, x, source[i], c[0], c[1]);
        reference_dot(sum[i], line, panel, c[1]);
    }
}

/* Sums for positions [p, p + positions) of y and outputs [n, n + cols). */
static void tile(double sum[TILE_ROWS][TILE_COLS], struct tensor y, const struct view *v,
                 const struct weight *w, const int64_t p[2], const int64_t n[2])
{
    int64_t cells = w->w.dim[2] * w->w.dim[3];
    struct panel panel;

    for (int64_t i = 0; i < p[1]; i++)
        for (int j = 0; j < TILE_COLS; j++)
            sum[i][j] = 0;
    for (int64_t cell = 0; cell < cells; cell++) {
        int64_t at[2] = {cell / w->w.dim[3], cell % w->w.dim[3]};
        int64_t source[TILE_ROWS];
        for (int64_t i = 0; i < p[1]; i++)
            source[i] = source_row(y, v, w, p[0] + i, at);
        for (int64_t c = 0; c < v->x.dim[3]; c += TILE_DEPTH) {
            int64_t channels[2] = {c, reference_least(TILE_DEPTH, v->x.dim[3] - c)};
            panel_load(&panel, w->w, n, channels, at);
            cell_add(sum, v->x, source, p[1], &panel, channels);
        }
    }
}

static void convolve(struct device *d, struct tensor y, const struct view *v,
                     const struct weight *w, const struct epilogue *e)
{
    int64_t positions = tensor_rows(y), outputs = y.dim[3];

#pragma omp parallel for collapse(2) num_threads(d->threads)
    for (int64_t p = 0; p < positions; p += TILE_ROWS) {
        for (int64_t n = 0; n < outputs; n += TILE_COLS) {
            double sum[TILE_ROWS][TILE_COLS];
            int64_t tile_p[2] = {p, reference_least(TILE_ROWS, positions - p)};
            int64_t tile_n[2] = {n, reference_least(TILE_COLS, outputs - n)};

            tile(sum, y, v, w, tile_p, tile_n);
            for (int64_t i = 0; i < tile_p[1]; i++)
                reference_finish(y, p + i, n, tile_n[1], w, e, sum[i]);
        }
    }
}

void reference_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e)
{
    struct view v = view_of(x);

    shape_conv(y, x, w, e);
    convolve(d, y, &v, w, e);
}

void reference_conv_up(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                       const struct epilogue *e)
{
    struct tensor big = shape_doubled(y, x, w);
    struct view v = {x, big.dim[1], big.dim[2], 1};

    shape_conv_up(y, x, w, e);
    convolve(d, y, &v, w, e);
}

/* One filter per channel: sum[j] for channels [c, c + count) of output position p. */
static void depthwise_sum(double sum[TILE_COLS], struct tensor y, struct tensor x,
                          const struct weight *w, int64_t p, const int64_t c[2])
{
    int64_t cells = w->w.dim[2] * w->w.dim[3];
    const struct view v = view_of(x);
    double line[TILE_COLS], filter;

    for (int j = 0; j < TILE_COLS; j++)
        sum[j] = 0;
    for (int64_t cell = 0; cell < cells; cell++) {
        int64_t at[2] = {cell / w->w.dim[3], cell % w->w.dim[3]};
        int64_t source = source_row(y, &v, w, p, at);
        if (source < 0)
            continue;
        reference_load(line, x, source, c[0], c[1]);
        for (int64_t j = 0; j < c[1]; j++) {
            reference_load(&filter, w->w, (c[0] + j) * w->w.dim[2] + at[0], at[1], 1);
            sum[j] += filter * line[j];
        }
    }
}

void reference_conv_depthwise(struct device *d, struct tensor y, struct tensor x,
                              const struct weight *w, const struct epilogue *e)
{
    int64_t positions = tensor_rows(y);

    shape_conv_depthwise(y, x, w, e);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t p = 0; p < positions; p++) {
        for (int64_t c = 0; c < y.dim[3]; c += TILE_COLS) {
            double sum[TILE_COLS];
            int64_t channels[2] = {c, reference_least(TILE_COLS, y.dim[3] - c)};

            depthwise_sum(sum, y, x, w, p, channels);
            reference_finish(y, p, c, channels[1], w, e, sum);
        }
    }
}
