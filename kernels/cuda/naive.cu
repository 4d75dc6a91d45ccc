/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of the products and of what looks like them: one thread for each output, sums in double,
 * any mixture of types. Slow, short and right: it judges the other rungs at the sizes that plain C
 * on the host is too slow for, and takes what they do not.
 */
#include "kernels/cuda/ending.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum {
    THREADS = 256,
    QUERY_THREADS = 64, /* that share a query of attention */
    WIDTH_MAX = 1024,   /* of one head */
};

/* A weight as rows of all that belongs to one output. */
static struct number_rows weight_rows(const struct device *d, const struct weight *w,
                                      int64_t columns)
{
    struct number_rows rows = {w->packed->w, columns, d->dtype};

    return rows;
}

/* The thread's output (row, n) of y, row by row; false past the end. */
static __device__ bool output_of_thread(int64_t rows, int64_t columns, int64_t *row, int64_t *n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    *row = i / columns;
    *n = i % columns;
    return *row < rows;
}

static struct launch_shape one_each(struct tensor y)
{
    struct launch_shape s = {dim3(launch_blocks(tensor_count(y), THREADS)), dim3(THREADS)};

    return s;
}

/* --- linear --------------------------------------------------------------------------------- */

static __global__ void linear(struct number_rows y, struct number_rows x, struct number_rows w,
                              struct ending end, int64_t rows, int64_t outputs, int64_t inputs)
{
    int64_t row, n;
    double sum = 0;

    if (!output_of_thread(rows, outputs, &row, &n))
        return;
    for (int64_t k = 0; k < inputs; k++)
        sum += (double)number_load(x, row, k) * (double)number_load(w, n, k);
    ending_finish(y, row, n, sum, end);
}

void linear_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e)
{
    shape_linear(y, x, w, e);
    launch(d, "linear_naive", one_each(y), linear, number_rows_of(y), number_rows_of(x),
           weight_rows(d, w, x.dim[3]), ending_of(y, w, e), tensor_rows(y), y.dim[3], x.dim[3]);
}

static __global__ void linear_geglu(struct number_rows y, struct number_rows x,
                                    struct number_rows w, const float *bias, int64_t rows,
                                    int64_t outputs, int64_t inputs)
{
    int64_t row, n;
    double value = 0, gate = 0;

    if (!output_of_thread(rows, outputs, &row, &n))
        return;
    for (int64_t k = 0; k < inputs; k++) {
        double from = (double)number_load(x, row, k);

        value += from * (double)number_load(w, n, k);
        gate += from * (double)number_load(w, outputs + n, k);
    }
    if (bias) {
        value += (double)bias[n];
        gate += (double)bias[outputs + n];
    }
    number_store(y, row, n, (float)value * act_gelu((float)gate));
}

void linear_geglu_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w)
{
    shape_linear_geglu(y, x, w);
    launch(d, "linear_geglu_naive", one_each(y), linear_geglu, number_rows_of(y), number_rows_of(x),
           weight_rows(d, w, x.dim[3]), (const float *)w->packed->b, tensor_rows(y), y.dim[3],
           x.dim[3]);
}

/* --- convolutions --------------------------------------------------------------------------- */

/* Where a convolution looks. `up` 1: every pixel of x counts four times, and x is `height` high and
   `width` wide for it. */
struct window {
    int64_t x_height, x_width, height, width, y_height, y_width;
    int kernel_height, kernel_width, stride, top, left, up;
};

static struct window window_of(struct tensor y, struct tensor x, const struct weight *w, int up)
{
    struct tensor seen = up ? shape_doubled(y, x, w) : x;
    struct window win = {x.dim[1],  x.dim[2],  seen.dim[1],      seen.dim[2],
                         y.dim[1],  y.dim[2],  (int)w->w.dim[2], (int)w->w.dim[3],
                         w->stride, w->pad[0], w->pad[1],        up};

    return win;
}

/* The row of x under cell (i, j) of the window of row `row` of y, or -1 outside. */
static __device__ int64_t row_under(const struct window &w, int64_t row, int i, int j)
{
    int64_t column = row % w.y_width, line = row / w.y_width % w.y_height;
    int64_t image = row / w.y_width / w.y_height;
    int64_t from_line = line * w.stride - w.top + i, from_column = column * w.stride - w.left + j;

    if (from_line < 0 || from_line >= w.height || from_column < 0 || from_column >= w.width)
        return -1;
    return (image * w.x_height + (from_line >> w.up)) * w.x_width + (from_column >> w.up);
}

static __global__ void conv(struct number_rows y, struct number_rows x, struct number_rows w,
                            struct ending end, struct window win, int64_t rows, int64_t outputs,
                            int64_t inputs)
{
    int64_t row, n;
    double sum = 0;

    if (!output_of_thread(rows, outputs, &row, &n))
        return;
    for (int i = 0; i < win.kernel_height; i++) {
        for (int j = 0; j < win.kernel_width; j++) {
            int64_t from = row_under(win, row, i, j), at = (i * win.kernel_width + j) * inputs;

            for (int64_t k = 0; from >= 0 && k < inputs; k++)
                sum += (double)number_load(x, from, k) * (double)number_load(w, n, at + k);
        }
    }
    ending_finish(y, row, n, sum, end);
}

static void conv_launch(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                        const struct epilogue *e, int up)
{
    int64_t cells = w->w.dim[2] * w->w.dim[3];

    launch(d, "conv_naive", one_each(y), conv, number_rows_of(y), number_rows_of(x),
           weight_rows(d, w, cells * x.dim[3]), ending_of(y, w, e), window_of(y, x, w, up),
           tensor_rows(y), y.dim[3], x.dim[3]);
}

void conv_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                const struct epilogue *e)
{
    shape_conv(y, x, w, e);
    conv_launch(d, y, x, w, e, 0);
}

void conv_up_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e)
{
    shape_conv_up(y, x, w, e);
    conv_launch(d, y, x, w, e, 1);
}

static __global__ void depthwise(struct number_rows y, struct number_rows x, struct number_rows w,
                                 struct ending end, struct window win, int64_t rows,
                                 int64_t channels)
{
    int64_t row, c;
    double sum = 0;

    if (!output_of_thread(rows, channels, &row, &c))
        return;
    for (int i = 0; i < win.kernel_height; i++) {
        for (int j = 0; j < win.kernel_width; j++) {
            int64_t from = row_under(win, row, i, j);

            if (from >= 0)
                sum += (double)number_load(x, from, c) *
                       (double)number_load(w, c, i * win.kernel_width + j);
        }
    }
    ending_finish(y, row, c, sum, end);
}

void depthwise_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                     const struct epilogue *e)
{
    shape_conv_depthwise(y, x, w, e);
    launch(d, "depthwise_naive", one_each(y), depthwise, number_rows_of(y), number_rows_of(x),
           weight_rows(d, w, w->w.dim[2] * w->w.dim[3]), ending_of(y, w, e), window_of(y, x, w, 0),
           tensor_rows(y), y.dim[3]);
}

/* --- attention ------------------------------------------------------------------------------ */

/* Of one query of one head: rows of q, k and v begin at these columns. */
struct query {
    int64_t row, first_key, keys, column;
    int width;
    float scale;
};

static __device__ double score(struct number_rows q, struct number_rows k, const struct query &a,
                               int64_t key)
{
    double sum = 0;

    for (int i = 0; i < a.width; i++)
        sum += (double)number_load(q, a.row, a.column + i) *
               (double)number_load(k, a.first_key + key, a.column + i);
    return sum * (double)a.scale;
}

/* Up to QUERY_THREADS keys' share of column i. */
static __device__ double weighted(struct number_rows v, const double *weight, const struct query &a,
                                  int64_t from, int i)
{
    double sum = 0;

    for (int64_t s = 0; s < QUERY_THREADS && from + s < a.keys; s++)
        sum += weight[s] * (double)number_load(v, a.first_key + from + s, a.column + i);
    return sum;
}

/* A block of threads, each some columns of one query of one head: first the largest score, then the
   sum of the weights, then the weighted values; scores are computed anew each time. */
static __global__ void attention(struct number_rows y, struct number_rows q, struct number_rows k,
                                 struct number_rows v, struct query a, int64_t queries, bool causal)
{
    __shared__ double part[QUERY_THREADS];
    int64_t token = blockIdx.x % queries, image = blockIdx.x / queries;
    int thread = (int)threadIdx.x;
    double largest = -INFINITY, sum = 0, value[WIDTH_MAX / QUERY_THREADS] = {0};

    a.row = blockIdx.x;
    a.first_key = image * a.keys;
    a.column = (int64_t)blockIdx.y * a.width;
    if (causal && a.keys > token + 1)
        a.keys = token + 1;
    for (int64_t s = thread; s < a.keys; s += QUERY_THREADS)
        largest = fmax(largest, score(q, k, a, s));
    part[thread] = largest;
    __syncthreads();
    for (int i = 0; i < QUERY_THREADS; i++)
        largest = fmax(largest, part[i]);
    __syncthreads();
    for (int64_t s = thread; s < a.keys; s += QUERY_THREADS)
        sum += exp(score(q, k, a, s) - largest);
    part[thread] = sum;
    __syncthreads();
    sum = 0;
    for (int i = 0; i < QUERY_THREADS; i++)
        sum += part[i];
    for (int64_t from = 0; from < a.keys; from += QUERY_THREADS) {
        __syncthreads();
        if (from + thread < a.keys)
            part[thread] = exp(score(q, k, a, from + thread) - largest) / sum;
        __syncthreads();
        for (int c = 0; c < WIDTH_MAX / QUERY_THREADS; c++)
            if (c * QUERY_THREADS + thread < a.width)
                value[c] += weighted(v, part, a, from, c * QUERY_THREADS + thread);
    }
    for (int c = 0; c < WIDTH_MAX / QUERY_THREADS; c++)
        if (c * QUERY_THREADS + thread < a.width)
            number_store(y, a.row, a.column + c * QUERY_THREADS + thread, (float)value[c]);
}

void attention_naive(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                     struct tensor v, int heads, float scale, bool causal)
{
    struct query a = {0, 0, k.dim[2], 0, (int)(q.dim[3] / heads), scale};
    struct launch_shape s = {dim3((unsigned)tensor_rows(q), (unsigned)heads), dim3(QUERY_THREADS)};

    shape_attention(y, q, k, v, heads);
    assert(a.width <= WIDTH_MAX);
    launch(d, "attention_naive", s, attention, number_rows_of(y), number_rows_of(q),
           number_rows_of(k), number_rows_of(v), a, q.dim[2], causal);
}
