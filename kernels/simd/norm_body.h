/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm_body.h - group and layer normalisation for any vector header.
 *
 * Channels lie across the lanes. An image's rows are cut into spans, and these into blocks that
 * stay in the L2 cache: a block is read once from memory for its sum and once from the cache for
 * the squares about its own mean. Sums are taken of x - shift, where shift is a number of the
 * group, so a large offset with a small spread costs no digits. Blocks, then spans, are merged in
 * double precision and in order. Where the cuts lie depends on the shape of one image alone.
 *
 * Bytes: x once for the statistics, x and y once to apply them. The mean is kept as the float
 * nearest to it, which x is taken from exactly, and a rest that goes into beta.
 */
#ifndef KERNELS_SIMD_NORM_BODY_H
#define KERNELS_SIMD_NORM_BODY_H

#include "kernels/shape.h"
#include "kernels/simd/simd.h"

#include <math.h>

enum {
    NORM_CHANNELS = 4096, /* most channels: three rows of them lie on the stack */
    NORM_MOMENTS = 4096,  /* most spans * groups at a time */
    NORM_SPANS = 64,      /* most spans of an image */
    NORM_SPAN_ROWS = 16,  /* fewest rows of a span */
    NORM_BLOCK = 65536,   /* most numbers of a block: a quarter of L2 */
};

/* Of a set of numbers: how many, their mean, the sum of squares about it. */
struct moments {
    double count, mean, squares;
};

/* One call, as all its tasks see it. */
struct norm {
    struct tensor y, x;
    const float *gamma, *beta;
    int64_t groups, width; /* channels of a group */
    int64_t rows, spans;   /* of an image */
    double epsilon;
    enum act act;
};

static void moments_merge(struct moments *m, struct moments more)
{
    double count = m->count + more.count, apart = more.mean - m->mean;

    m->mean += apart * (more.count / count);
    m->squares += more.squares + apart * apart * (m->count * more.count / count);
    m->count = count;
}

static inline vf norm_more(vf sum, vf x, const bool squares)
{
    if (squares)
        return vf_fma(x, x, sum);
    return sum + x;
}

/* sum[c] = the sum over rows of x - shift[c], or of its square. */
static inline __attribute__((always_inline)) void norm_sum(float *sum, const float *x, int64_t rows,
                                                           int64_t channels, const float *shift,
                                                           const bool squares)
{
    int64_t c = 0;

    for (; c + 2 * VF_LANES <= channels; c += 2 * VF_LANES) {
        vf s0 = vf_load(shift + c), s1 = vf_load(shift + c + VF_LANES);
        vf sum0 = vf_set(0), sum1 = vf_set(0);
        for (int64_t r = 0; r < rows; r++) {
            vf x0 = vf_load(x + r * channels + c) - s0;
            vf x1 = vf_load(x + r * channels + c + VF_LANES) - s1;
            sum0 = norm_more(sum0, x0, squares);
            sum1 = norm_more(sum1, x1, squares);
        }
        vf_store(sum + c, sum0);
        vf_store(sum + c + VF_LANES, sum1);
    }
    for (; c < channels; c += VF_LANES) {
        vf s0 = vf_load_first(shift + c, channels - c), sum0 = vf_set(0);
        for (int64_t r = 0; r < rows; r++) {
            vf x0 = vf_load_first(x + r * channels + c, channels - c) - s0;
            sum0 = norm_more(sum0, x0, squares);
        }
        vf_store_first(sum + c, sum0, channels - c);
    }
}

/* Merge one block of rows into the moments of every group. */
static void norm_block(const struct norm *n, struct moments *m, const float *x, int64_t rows)
{
    float shift[NORM_CHANNELS], sum[NORM_CHANNELS];
    double mean[NORM_CHANNELS], count = (double)(rows * n->width);

    for (int64_t c = 0; c < n->x.dim[3]; c++)
        shift[c] = x[c / n->width * n->width];
    norm_sum(sum, x, rows, n->x.dim[3], shift, false);
    for (int64_t g = 0; g < n->groups; g++) {
        double total = 0;
        for (int64_t c = g * n->width; c < (g + 1) * n->width; c++)
            total += (double)sum[c];
        mean[g] = (double)shift[g * n->width] + total / count;
        for (int64_t c = g * n->width; c < (g + 1) * n->width; c++)
            shift[c] = (float)mean[g];
    }
    norm_sum(sum, x, rows, n->x.dim[3], shift, true);
    for (int64_t g = 0; g < n->groups; g++) {
        double rest = mean[g] - (double)shift[g * n->width], total = -rest * rest * count;
        for (int64_t c = g * n->width; c < (g + 1) * n->width; c++)
            total += (double)sum[c];
        moments_merge(&m[g], (struct moments){count, mean[g], simd_positive(total)});
    }
}

/* First row of a span within its image. */
static int64_t norm_cut(const struct norm *n, int64_t span)
{
    return n->rows * span / n->spans;
}

/* The moments of all groups over one span of one image. */
static void norm_span(const struct norm *n, struct moments *m, int64_t image, int64_t span)
{
    int64_t block = simd_min(simd_max(NORM_BLOCK / n->x.dim[3], 1), 128);
    int64_t from = norm_cut(n, span), to = norm_cut(n, span + 1);

    for (int64_t g = 0; g < n->groups; g++)
        m[g] = (struct moments){0};
    for (int64_t row = from; row < to; row += block)
        norm_block(n, m, tensor_row(n->x, image * n->rows + row), simd_min(block, to - row));
}

/* What every channel of an image is normalised with: (x - near) * gain + base. */
struct norm_channels {
    float near[NORM_CHANNELS], gain[NORM_CHANNELS], base[NORM_CHANNELS];
};

static void norm_spread(const struct norm *n, struct norm_channels *p, const struct moments *m)
{
    for (int64_t g = 0, c = 0; g < n->groups; g++) {
        double scale = 1 / sqrt(m[g].squares / m[g].count + n->epsilon);
        float near = (float)m[g].mean;
        double rest = m[g].mean - (double)near;
        for (; c < (g + 1) * n->width; c++) {
            p->near[c] = near;
            p->gain[c] = (float)(scale * (double)n->gamma[c]);
            p->base[c] = (float)((double)n->beta[c] - rest * scale * (double)n->gamma[c]);
        }
    }
}

static inline __attribute__((always_inline)) void norm_apply(const struct norm_channels *p,
                                                             float *y, const float *x,
                                                             int64_t channels, const enum act act)
{
    int64_t c = 0;

    for (; c + VF_LANES <= channels; c += VF_LANES) {
        vf value = vf_load(x + c) - vf_load(p->near + c);
        value = vf_fma(value, vf_load(p->gain + c), vf_load(p->base + c));
        vf_store(y + c, vf_act(value, act));
    }
    if (c < channels) {
        int64_t left = channels - c;
        vf value = vf_load_first(x + c, left) - vf_load_first(p->near + c, left);
        value = vf_fma(value, vf_load_first(p->gain + c, left), vf_load_first(p->base + c, left));
        vf_store_first(y + c, vf_act(value, act), left);
    }
}

static void norm_apply_span(const struct norm *n, const struct moments *m, int64_t image,
                            int64_t span)
{
    struct norm_channels p;
    int64_t from = image * n->rows + norm_cut(n, span);
    int64_t to = image * n->rows + norm_cut(n, span + 1);

    norm_spread(n, &p, m);
    for (int64_t row = from; row < to; row++) {
        float *y = tensor_row(n->y, row);
        const float *x = tensor_row(n->x, row);
        if (n->act == ACT_SILU)
            norm_apply(&p, y, x, n->x.dim[3], ACT_SILU);
        else if (n->act == ACT_NONE)
            norm_apply(&p, y, x, n->x.dim[3], ACT_NONE);
        else
            norm_apply(&p, y, x, n->x.dim[3], n->act);
    }
}

/* Images [from, from + images), whose moments fit into m[images][spans][groups]. */
static void norm_images(const struct norm *n, struct moments *m, int64_t from, int64_t images,
                        int threads)
{
    const int64_t spans = images * n->spans, groups = images * n->groups;

#pragma omp parallel num_threads(threads) if (simd_worth(images * n->rows * n->x.dim[3]))
    {
#pragma omp for
        for (int64_t i = 0; i < spans; i++)
            norm_span(n, m + i * n->groups, from + i / n->spans, i % n->spans);
#pragma omp for
        for (int64_t i = 0; i < groups; i++) {
            struct moments *first = m + i / n->groups * n->spans * n->groups + i % n->groups;
            for (int64_t span = 1; span < n->spans; span++)
                moments_merge(first, first[span * n->groups]);
        }
#pragma omp for
        for (int64_t i = 0; i < spans; i++)
            norm_apply_span(n, m + i / n->spans * n->spans * n->groups, from + i / n->spans,
                            i % n->spans);
    }
}

static void norm_group(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, int groups, float epsilon, enum act act)
{
    struct moments m[NORM_MOMENTS];
    struct norm n = {.y = y, .x = x, .gamma = gamma.data, .beta = beta.data, .groups = groups};
    int64_t together;

    shape_norm_group(y, x, gamma, beta, groups);
    if (y.dtype != DTYPE_F32 || x.dtype != DTYPE_F32 || x.dim[3] > NORM_CHANNELS) {
        simd_plain().norm_group(d, y, x, gamma, beta, groups, epsilon, act);
        return;
    }
    n.width = x.dim[3] / groups;
    n.rows = x.dim[1] * x.dim[2];
    n.spans = simd_max(simd_min(n.rows / NORM_SPAN_ROWS, NORM_SPANS), 1);
    n.spans = simd_min(n.spans, NORM_MOMENTS / groups);
    n.epsilon = (double)epsilon;
    n.act = act;
    together = NORM_MOMENTS / (n.spans * groups);
    for (int64_t image = 0; image < x.dim[0]; image += together)
        norm_images(&n, m, image, simd_min(together, x.dim[0] - image), d->threads);
}

/* The sum over a row of x - shift, or of its square. */
static inline __attribute__((always_inline)) float norm_row_sum(const float *x, int64_t count,
                                                                float shift, const bool squares)
{
    int64_t c = 0;
    vf sum = vf_set(0), more = vf_set(0);

    for (; c + 2 * VF_LANES <= count; c += 2 * VF_LANES) {
        vf x0 = vf_load(x + c) - vf_set(shift), x1 = vf_load(x + c + VF_LANES) - vf_set(shift);
        sum = norm_more(sum, x0, squares);
        more = norm_more(more, x1, squares);
    }
    for (; c + VF_LANES <= count; c += VF_LANES) {
        vf x0 = vf_load(x + c) - vf_set(shift);
        sum = norm_more(sum, x0, squares);
    }
    float total = vf_sum(sum + more);
    for (; c < count; c++)
        total += squares ? (x[c] - shift) * (x[c] - shift) : x[c] - shift;
    return total;
}

static void norm_row(const struct norm *n, float *y, const float *x)
{
    const int64_t count = n->x.dim[3];
    double mean = (double)x[0] + (double)norm_row_sum(x, count, x[0], false) / (double)count;
    float near = (float)mean;
    double rest = mean - (double)near;
    double squares = (double)norm_row_sum(x, count, near, true) / (double)count - rest * rest;
    double scale = 1 / sqrt(simd_positive(squares) + n->epsilon);
    vf gain = vf_set((float)scale), base = vf_set((float)(-rest * scale));

    for (int64_t c = 0; c < count; c += VF_LANES) {
        vf value = vf_fma(vf_load_first(x + c, count - c) - vf_set(near), gain, base);
        value = vf_fma(value, vf_load_first(n->gamma + c, count - c),
                       vf_load_first(n->beta + c, count - c));
        vf_store_first(y + c, value, count - c);
    }
}

static void norm_layer(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, float epsilon)
{
    struct norm n = {.y = y, .x = x, .gamma = gamma.data, .beta = beta.data};
    int64_t rows = tensor_rows(x);

    shape_norm_layer(y, x, gamma, beta);
    if (y.dtype != DTYPE_F32 || x.dtype != DTYPE_F32) {
        simd_plain().norm_layer(d, y, x, gamma, beta, epsilon);
        return;
    }
    n.epsilon = (double)epsilon;
#pragma omp parallel for num_threads(d->threads) if (simd_worth(tensor_count(x)))
    for (int64_t row = 0; row < rows; row++)
        norm_row(&n, tensor_row(y, row), tensor_row(x, row));
}

static void norm_fill(struct ops *ops)
{
    ops->norm_group = norm_group;
    ops->norm_layer = norm_layer;
}

#endif /* KERNELS_SIMD_NORM_BODY_H */
