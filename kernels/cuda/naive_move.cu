/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of what moves numbers, and of the small ops around the networks: one thread for each
 * number of y, any mixture of types.
 */
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum { THREADS = 256 };

static __device__ bool number_of_thread(int64_t rows, int64_t columns, int64_t *row, int64_t *c)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    *row = i / columns;
    *c = i % columns;
    return *row < rows;
}

static struct launch_shape one_each(struct tensor y)
{
    struct launch_shape s = {dim3(launch_blocks(tensor_count(y), THREADS)), dim3(THREADS)};

    return s;
}

static __global__ void convert(struct number_rows y, struct number_rows x, int64_t rows,
                               int64_t columns)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c, number_load(x, row, c));
}

void convert_naive(struct device *d, struct tensor y, struct tensor x)
{
    shape_convert(y, x);
    launch(d, "convert_naive", one_each(y), convert, number_rows_of(y), number_rows_of(x),
           tensor_rows(y), y.dim[3]);
}

static __global__ void concat(struct number_rows y, struct number_rows x1, struct number_rows x2,
                              int64_t rows, int64_t columns1, int64_t columns)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c,
                     c < columns1 ? number_load(x1, row, c) : number_load(x2, row, c - columns1));
}

void concat_naive(struct device *d, struct tensor y, struct tensor x1, struct tensor x2)
{
    shape_concat(y, x1, x2);
    launch(d, "concat_naive", one_each(y), concat, number_rows_of(y), number_rows_of(x1),
           number_rows_of(x2), tensor_rows(y), x1.dim[3], y.dim[3]);
}

/* i of n is z's: of all lines, or of all columns, each of which is three numbers. */
static __global__ void blend(struct number_rows y, struct number_rows x, struct number_rows z,
                             int64_t rows, int64_t columns, int64_t height, enum fade fade)
{
    int64_t row, c, i, n;
    float from, to;

    if (!number_of_thread(rows, columns, &row, &c))
        return;
    i = fade == FADE_DOWN ? row % height : c / 3;
    n = fade == FADE_DOWN ? height : columns / 3;
    from = __fmul_rn(__fdiv_rn((float)(n - i), (float)n), number_load(x, row, c));
    to = __fmul_rn(__fdiv_rn((float)i, (float)n), number_load(z, row, c));
    number_store(y, row, c, __fadd_rn(from, to));
}

void blend_naive(struct device *d, struct tensor y, struct tensor x, struct tensor z,
                 enum fade fade)
{
    shape_blend(y, x, z);
    launch(d, "blend_naive", one_each(y), blend, number_rows_of(y), number_rows_of(x),
           number_rows_of(z), tensor_rows(y), y.dim[3], y.dim[1], fade);
}

/* Heights and widths of a picture made from another. */
struct sizes {
    int64_t x_height, x_width, y_height, y_width;
};

static struct sizes sizes_of(struct tensor y, struct tensor x)
{
    struct sizes s = {x.dim[1], x.dim[2], y.dim[1], y.dim[2]};

    return s;
}

struct pooling {
    struct sizes size;
    int kernel_height, kernel_width, stride, top, left;
    enum pool kind;
};

static __global__ void pool(struct number_rows y, struct number_rows x, struct pooling p,
                            int64_t rows, int64_t columns)
{
    int64_t row, c, image;
    double sum = 0, largest = -INFINITY;
    int cells = 0;

    if (!number_of_thread(rows, columns, &row, &c))
        return;
    image = row / p.size.y_width / p.size.y_height;
    for (int i = 0; i < p.kernel_height; i++) {
        for (int j = 0; j < p.kernel_width; j++) {
            int64_t line = row / p.size.y_width % p.size.y_height * p.stride - p.top + i;
            int64_t column = row % p.size.y_width * p.stride - p.left + j;
            double value;

            if (line < 0 || line >= p.size.x_height || column < 0 || column >= p.size.x_width)
                continue;
            value = (double)number_load(
                x, (image * p.size.x_height + line) * p.size.x_width + column, c);
            sum += value;
            largest = fmax(largest, value);
            cells++;
        }
    }
    number_store(y, row, c, (float)(p.kind == POOL_MAX ? largest : sum / cells));
}

void pool_naive(struct device *d, struct tensor y, struct tensor x, enum pool kind, int kernel,
                int stride, const int pad[4])
{
    struct pooling p = {sizes_of(y, x), kernel, kernel, stride, pad[0], pad[1], kind};

    shape_pool(y, x, kernel, stride, pad);
    if (kernel == 0) {
        p.kernel_height = (int)x.dim[1];
        p.kernel_width = (int)x.dim[2];
        p.top = p.left = 0;
    }
    launch(d, "pool", one_each(y), pool, number_rows_of(y), number_rows_of(x), p, tensor_rows(y),
           y.dim[3]);
}

static __global__ void embed_tokens(struct number_rows y, const int32_t *ids,
                                    struct number_rows table, struct number_rows position,
                                    int64_t tokens, int64_t rows, int64_t columns)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c,
                     (float)((double)number_load(table, ids[row], c) +
                             (double)number_load(position, row % tokens, c)));
}

void embed_tokens_naive(struct device *d, struct tensor y, struct tensor ids, struct tensor table,
                        struct tensor position)
{
    shape_embed_tokens(y, ids, table, position);
    launch(d, "embed_tokens", one_each(y), embed_tokens, number_rows_of(y),
           (const int32_t *)ids.data, number_rows_of(table), number_rows_of(position), y.dim[2],
           tensor_rows(y), y.dim[3]);
}

/* Each step rounds to f32, exactly as the models were trained; `log_period` is the f32 next to
   log(10000). */
static __global__ void embed_time(struct number_rows y, const float *t, int64_t rows, int64_t waves,
                                  bool flip, float freq_shift)
{
    const float log_period = 9.21034037197618f;
    int64_t row, i;
    float exponent, angle;

    if (!number_of_thread(rows, waves, &row, &i))
        return;
    exponent = __fmul_rn(-log_period, (float)i) / ((float)waves - freq_shift);
    angle = __fmul_rn(t[row], (float)exp((double)exponent));
    number_store(y, row, flip ? waves + i : i, (float)sin((double)angle));
    number_store(y, row, flip ? i : waves + i, (float)cos((double)angle));
}

void embed_time_naive(struct device *d, struct tensor y, struct tensor t, bool flip,
                      float freq_shift)
{
    int64_t waves = y.dim[3] / 2, rows = y.dim[0];
    struct launch_shape s = {dim3(launch_blocks(rows * waves, THREADS)), dim3(THREADS)};

    shape_embed_time(y, t);
    launch(d, "embed_time", s, embed_time, number_rows_of(y), (const float *)t.data, rows, waves,
           flip, freq_shift);
}
