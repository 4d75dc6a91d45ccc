/* SPDX-License-Identifier: Apache-2.0 */
/*
 * winograd_body.h - the inner loops of winograd.h, over the words that the including file says:
 *
 *     vec           LANES floats; the operators of C work on it
 *     ROWS          rows of sums that fit into the registers beside their operands
 *     vec_set, vec_load, vec_store, vec_fma (a * b + c, rounded once), vec_max, vec_min
 */
#ifndef KERNELS_ONEDNN_WINOGRAD_BODY_H
#define KERNELS_ONEDNN_WINOGRAD_BODY_H

#include "kernels/onednn/winograd.h"

#include <string.h>

#define A  0.6875f /* the points; these and their squares are exact */
#define B  1.5f
#define A2 (A * A)
#define B2 (B * B)

/* Six inputs in a line to their six elements. */
static inline void winograd_in(vec *restrict v, const vec *restrict x, int step)
{
    vec even, odd;

    v[0] = vec_fma(vec_set(A2 * B2), x[0], vec_fma(vec_set(-(A2 + B2)), x[2 * step], x[4 * step]));
    even = vec_fma(vec_set(-B2), x[2 * step], x[4 * step]);
    odd = vec_set(A) * vec_fma(vec_set(-B2), x[step], x[3 * step]);
    v[1] = even + odd;
    v[2] = even - odd;
    even = vec_fma(vec_set(-A2), x[2 * step], x[4 * step]);
    odd = vec_set(B) * vec_fma(vec_set(-A2), x[step], x[3 * step]);
    v[3] = even + odd;
    v[4] = even - odd;
    v[5] =
        vec_fma(vec_set(A2 * B2), x[step], vec_fma(vec_set(-(A2 + B2)), x[3 * step], x[5 * step]));
}

/* Three taps in a line to their six elements. */
static inline void winograd_taps(vec *restrict u, const vec *restrict g, int step)
{
    const float na = 1 / (2 * A2 * (A2 - B2)), nb = 1 / (2 * B2 * (B2 - A2));
    vec even, odd;

    u[0] = vec_set(1 / (A2 * B2)) * g[0];
    even = vec_fma(vec_set(na), g[0], vec_set(na * A2) * g[2 * step]);
    odd = vec_set(na * A) * g[step];
    u[1] = even + odd;
    u[2] = even - odd;
    even = vec_fma(vec_set(nb), g[0], vec_set(nb * B2) * g[2 * step]);
    odd = vec_set(nb * B) * g[step];
    u[3] = even + odd;
    u[4] = even - odd;
    u[5] = g[2 * step];
}

/* Six sums in a line to four outputs. */
static inline void winograd_out(vec *restrict y, const vec *restrict m, int step)
{
    vec s1 = m[step] + m[2 * step], d1 = m[step] - m[2 * step];
    vec s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];

    y[0] = m[0] + s1 + s2;
    y[1] = vec_fma(vec_set(A), d1, vec_set(B) * d2);
    y[2] = vec_fma(vec_set(A2), s1, vec_set(B2) * s2);
    y[3] = vec_fma(vec_set(A2 * A), d1, vec_fma(vec_set(B2 * B), d2, m[5 * step]));
}

static void winograd_input(float *v, size_t plane, const float *const pixels[WINOGRAD_ELEMENTS],
                           int64_t channels)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        vec x[6], t[6][6], out[6];

#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++)
                x[j] = vec_load(pixels[6 * i + j] + c);
            winograd_in(t[i], x, 1);
        }
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            winograd_in(out, &t[0][j], 6);
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++)
                vec_store(v + (size_t)(6 * i + j) * plane + c, out[i]);
        }
    }
}

static void winograd_filter(float *u, size_t plane, const float *g, int64_t depth, int vectors)
{
    for (int64_t k = 0; k < depth; k++)
        for (int half = 0; half < vectors; half++) {
            const float *from = g + k * WINOGRAD_TAPS * 2 * LANES + half * LANES;
            float *to = u + k * 2 * LANES + half * LANES;
            vec x[3], t[3][6], out[6];

#pragma GCC unroll 3
            for (int i = 0; i < 3; i++) {
#pragma GCC unroll 3
                for (int j = 0; j < 3; j++)
                    x[j] = vec_load(from + (3 * i + j) * 2 * LANES);
                winograd_taps(t[i], x, 1);
            }
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) {
                winograd_taps(out, &t[0][j], 6);
#pragma GCC unroll 6
                for (int i = 0; i < 6; i++)
                    vec_store(to + (size_t)(6 * i + j) * plane, out[i]);
            }
        }
}

/* `rows` x `vectors` sums in registers, from row `from` on. Both are constants after inlining. */
static inline __attribute__((always_inline)) void
multiply_rows(const struct winograd_product *p, int64_t from, const int rows, const int vectors)
{
    const float *v = p->v + from * WINOGRAD_DEPTH, *next_v = p->next_v + from * WINOGRAD_DEPTH;
    float *m = p->m + from * 2 * LANES;
    vec sum[ROWS][2];

#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < vectors; i++)
            sum[r][i] = p->first ? vec_set(0) : vec_load(m + (2 * r + i) * LANES);
    for (int64_t k = 0; k < p->depth; k++) {
        vec u0 = vec_load(p->u + k * 2 * LANES), u1 = u0;

        if (vectors > 1)
            u1 = vec_load(p->u + k * 2 * LANES + LANES);
        __builtin_prefetch(next_v + k * rows, 0, 2);
        __builtin_prefetch(p->next_g + k / 2 * 16, 0, 2);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            vec x = vec_set(v[r * WINOGRAD_DEPTH + k]);
            sum[r][0] = vec_fma(x, u0, sum[r][0]);
            if (vectors > 1)
                sum[r][1] = vec_fma(x, u1, sum[r][1]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < vectors; i++)
            vec_store(m + (2 * r + i) * LANES, sum[r][i]);
}

static void winograd_multiply(const struct winograd_product *p)
{
    const int64_t rows = p->rows;
    int64_t r = 0;

    if (p->vectors == 1) {
        for (; rows - r >= ROWS; r += ROWS)
            multiply_rows(p, r, ROWS, 1);
        for (; r < rows; r++)
            multiply_rows(p, r, 1, 1);
        return;
    }
    for (; rows - r >= ROWS; r += ROWS)
        multiply_rows(p, r, ROWS, 2);
    for (; rows - r >= 4; r += 4)
        multiply_rows(p, r, 4, 2);
    for (; r < rows; r++)
        multiply_rows(p, r, 1, 2);
}

/* The first n floats, 1 <= n <= LANES, the rest zero. */
static inline vec load_part(const float *p, int n)
{
    float whole[LANES] = {0};

    if (n == LANES)
        return vec_load(p);
    memcpy(whole, p, (size_t)n * sizeof(*p));
    return vec_load(whole);
}

static inline void store_part(float *p, vec x, int n)
{
    float whole[LANES];

    if (n == LANES) {
        vec_store(p, x);
        return;
    }
    vec_store(whole, x);
    memcpy(p, whole, (size_t)n * sizeof(*p));
}

/* One vector of channels of a tile: 36 sums to 4x4 outputs, and the epilogue. */
static void output_vector(const struct winograd_tile *tile, int from, int lanes)
{
    vec bias = vec_load(tile->bias + from), low, high, x[6], t[6][4], out[4];

    low = vec_set(tile->act == ACT_NONE ? -__builtin_inff() : 0);
    high = vec_set(tile->act == ACT_RELU6 ? 6 : __builtin_inff());
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) {
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++)
            x[j] = vec_load(tile->m + (size_t)(6 * i + j) * tile->plane + from);
        winograd_out(t[i], x, 1);
    }
    for (int j = 0; j < tile->cols; j++) {
        winograd_out(out, &t[0][j], 4);
        for (int i = 0; i < tile->rows; i++) {
            vec sum = out[i] + bias;

            if (tile->add)
                sum = sum +
                      load_part(tile->add + i * tile->add_row + j * tile->add_pixel + from, lanes);
            sum = vec_min(high, vec_max(low, sum)); /* bounds first: a NaN stays one */
            store_part(tile->y + i * tile->y_row + j * tile->y_pixel + from, sum, lanes);
        }
    }
}

static void winograd_output(const struct winograd_tile *tile)
{
    int second = tile->channels - LANES;

    output_vector(tile, 0, second >= 0 ? LANES : tile->channels);
    if (second > 0)
        output_vector(tile, LANES, second);
}

#undef A
#undef B
#undef A2
#undef B2

#endif /* KERNELS_ONEDNN_WINOGRAD_BODY_H */
