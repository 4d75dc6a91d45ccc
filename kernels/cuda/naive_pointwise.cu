/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of everything that makes one number from a few: one thread for each, any mixture of types.
 * Bytes moved: each input read once, y written once; a few FLOPs for each number.
 */
#include "kernels/cuda/act.h"
#include "kernels/cuda/gather.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum { THREADS = 256, PICTURES_MAX = 32 /* of one launch of advance */ };

/* The thread's number (row, column) of y; false past the end. */
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

static __global__ void activate(struct number_rows y, struct number_rows x, int64_t rows,
                                int64_t columns, enum act act)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c, act_apply(number_load(x, row, c), act));
}

void activate_naive(struct device *d, struct tensor y, struct tensor x, enum act act)
{
    shape_pointwise(y, x);
    launch(d, "activate_naive", one_each(y), activate, number_rows_of(y), number_rows_of(x),
           tensor_rows(y), y.dim[3], act);
}

static __global__ void geglu(struct number_rows y, struct number_rows x, int64_t rows,
                             int64_t columns)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c,
                     number_load(x, row, c) * act_gelu(number_load(x, row, columns + c)));
}

void geglu_naive(struct device *d, struct tensor y, struct tensor x)
{
    shape_geglu(y, x);
    launch(d, "geglu_naive", one_each(y), geglu, number_rows_of(y), number_rows_of(x),
           tensor_rows(y), y.dim[3]);
}

static __global__ void add(struct number_rows y, struct number_rows x, struct number_rows z,
                           int64_t rows, int64_t columns)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c, number_load(x, row, c) + number_load(z, row, c));
}

void add_naive(struct device *d, struct tensor y, struct tensor x, struct tensor z)
{
    shape_pointwise(y, x);
    shape_pointwise(y, z);
    launch(d, "add_naive", one_each(y), add, number_rows_of(y), number_rows_of(x),
           number_rows_of(z), tensor_rows(y), y.dim[3]);
}

/* In double, rounded once, as the reference does. */
static __global__ void affine(struct number_rows y, struct number_rows x, int64_t rows,
                              int64_t columns, float scale, float shift)
{
    int64_t row, c;

    if (number_of_thread(rows, columns, &row, &c))
        number_store(y, row, c,
                     (float)((double)scale * (double)number_load(x, row, c) + (double)shift));
}

void affine_naive(struct device *d, struct tensor y, struct tensor x, float scale, float shift)
{
    shape_pointwise(y, x);
    launch(d, "affine_naive", one_each(y), affine, number_rows_of(y), number_rows_of(x),
           tensor_rows(y), y.dim[3], scale, shift);
}

/* Block (numbers, image). */
static __global__ void gather(struct number_rows y, const struct gathering g)
{
    struct number_rows x = {(void *)g.x[blockIdx.y], 0, g.dtype};
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < g.numbers)
        number_store(y, 0, g.at + blockIdx.y * g.numbers + i,
                     g.scale[blockIdx.y] * number_load(x, 0, i));
}

void gather_naive(struct device *d, struct tensor y, const struct scaled *images)
{
    shape_gather(y, images);
    for (int64_t first = 0; first < y.dim[0]; first += GATHERED_MAX) {
        struct gathering g = gathering_of(y, images, first);

        launch(d, "gather_naive",
               {dim3(launch_blocks(g.numbers, THREADS), (unsigned)g.count), dim3(THREADS)}, gather,
               number_rows_of(y), g);
    }
}

/* A struct advance as a kernel's argument: 4 KiB is all that a kernel's arguments may take. */
struct motion {
    float *x, *previous, *output;
    const float *row0, *row1, *noise;
    int64_t numbers;
    float guide[2], estimate[2], next[4];
};

struct motions {
    struct motion of[PICTURES_MAX];
};

static_assert(sizeof(struct motions) <= 4096 - 64, "a kernel's arguments");

static struct motion motion_of(const struct advance *a)
{
    struct motion m = {};

    shape_advance(a);
    m.x = (float *)a->x.data;
    m.previous = (float *)a->previous.data;
    m.output = (float *)a->output.data;
    m.row0 = (const float *)a->rows[0].data;
    m.row1 = (const float *)a->rows[1].data;
    m.noise = (const float *)a->noise.data;
    m.numbers = tensor_count(a->x);
    for (int i = 0; i < 2; i++) {
        m.guide[i] = a->guide[i];
        m.estimate[i] = a->estimate[i];
    }
    for (int i = 0; i < 4; i++)
        m.next[i] = a->next[i];
    return m;
}

static __device__ __forceinline__ float plus(float sum, float factor, const float *t, int64_t i)
{
    return factor == 0 ? sum : __fadd_rn(sum, __fmul_rn(factor, t[i]));
}

/* Every product and every sum rounded: the samplers' arithmetic is the same on every device. Block
   (numbers, picture). */
static __global__ void advance_each(const struct motions all)
{
    const struct motion &m = all.of[blockIdx.y];
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    float next, estimate;

    if (i >= m.numbers)
        return;
    m.output[i] = m.row0 ? plus(plus(0, m.guide[0], m.row0, i), m.guide[1], m.row1, i) : m.row1[i];
    next = plus(plus(0, m.next[0], m.x, i), m.next[1], m.output, i);
    next = plus(plus(next, m.next[2], m.previous, i), m.next[3], m.noise, i);
    estimate = plus(plus(0, m.estimate[0], m.x, i), m.estimate[1], m.output, i);
    m.x[i] = next;
    m.previous[i] = estimate;
}

void advance_all(struct device *d, const struct advance *pictures, int count)
{
    for (int first = 0; first < count; first += PICTURES_MAX) {
        int some = count - first < PICTURES_MAX ? count - first : (int)PICTURES_MAX;
        int64_t most = 0;
        struct motions all = {};

        for (int i = 0; i < some; i++) {
            all.of[i] = motion_of(&pictures[first + i]);
            most = all.of[i].numbers > most ? all.of[i].numbers : most;
        }
        launch(d, "advance", {dim3(launch_blocks(most, THREADS), (unsigned)some), dim3(THREADS)},
               advance_each, all);
    }
}
