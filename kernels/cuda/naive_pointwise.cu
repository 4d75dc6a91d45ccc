/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of everything that makes one number from a few: one thread for each, any mixture of types.
 * Bytes moved: each input read once, y written once; a few FLOPs for each number.
 */
#include "kernels/cuda/act.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum { THREADS = 256, IMAGES_MAX = 64 /* of one launch of mix */ };

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

struct mixture {
    struct number_rows x[4];
    float coef[IMAGES_MAX][4];
};

/* In this order, each product and each sum rounded: the samplers' arithmetic is the same on every
   device. */
static __global__ void mix(struct number_rows y, struct mixture m, int64_t first_row, int64_t rows,
                           int64_t columns, int64_t image_rows)
{
    int64_t row, c;
    float sum = 0;
    bool begun = false;

    if (!number_of_thread(rows, columns, &row, &c))
        return;
    for (int i = 0; i < 4; i++) {
        float coef = m.coef[row / image_rows][i], term;

        if (coef == 0)
            continue;
        term = __fmul_rn(coef, number_load(m.x[i], first_row + row, c));
        sum = begun ? __fadd_rn(sum, term) : term;
        begun = true;
    }
    number_store(y, first_row + row, c, sum);
}

void mix_naive(struct device *d, struct tensor y, const struct tensor x[4], const float (*coef)[4])
{
    int64_t image_rows = y.dim[1] * y.dim[2];

    for (int64_t first = 0; first < y.dim[0]; first += IMAGES_MAX) {
        int64_t images = y.dim[0] - first < IMAGES_MAX ? y.dim[0] - first : (int64_t)IMAGES_MAX;
        struct tensor some = tensor_slice(y, first, images);
        struct mixture m = {};

        for (int i = 0; i < 4; i++) {
            m.x[i] = number_rows_of(x[i]);
            for (int64_t b = 0; b < images; b++) {
                m.coef[b][i] = coef[first + b][i];
                if (m.coef[b][i] != 0)
                    shape_pointwise(y, x[i]);
            }
        }
        launch(d, "mix", one_each(some), mix, number_rows_of(y), m, first * image_rows,
               images * image_rows, y.dim[3], image_rows);
    }
}
