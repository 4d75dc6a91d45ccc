/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0 of the norms: one block for each group of an image or row of channels, statistics in
 * double and in two passes, so that a large mean costs nothing.
 */
#include "kernels/cuda/act.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

enum { THREADS = 256 };

/* Rows [first, first + rows) and columns [from, from + columns), which share their statistics. */
struct span {
    int64_t first, rows, from, columns;
};

static __device__ double sum_block(double mine)
{
    __shared__ double part[THREADS];
    double sum = 0;

    __syncthreads();
    part[threadIdx.x] = mine;
    __syncthreads();
    for (int i = 0; i < THREADS; i++)
        sum += part[i];
    return sum;
}

static __device__ double moment(struct number_rows x, struct span s, double mean, int power)
{
    double sum = 0;

    for (int64_t i = threadIdx.x; i < s.rows * s.columns; i += THREADS) {
        double off = (double)number_load(x, s.first + i / s.columns, s.from + i % s.columns) - mean;

        sum += power == 1 ? off : off * off;
    }
    return sum_block(sum) / (double)(s.rows * s.columns);
}

static __global__ void norm(struct number_rows y, struct number_rows x, const float *gamma,
                            const float *beta, struct span s, float epsilon, enum act act)
{
    double mean, scale;

    s.first = blockIdx.x * s.rows;
    s.from = blockIdx.y * s.columns;
    mean = moment(x, s, 0, 1);
    scale = 1 / sqrt(moment(x, s, mean, 2) + (double)epsilon);
    for (int64_t i = threadIdx.x; i < s.rows * s.columns; i += THREADS) {
        int64_t row = s.first + i / s.columns, c = s.from + i % s.columns;
        double z = ((double)number_load(x, row, c) - mean) * scale;

        number_store(y, row, c, act_apply((float)(z * gamma[c] + beta[c]), act));
    }
}

void norm_group_naive(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                      struct tensor beta, int groups, float epsilon, enum act act)
{
    struct span s = {0, x.dim[1] * x.dim[2], 0, x.dim[3] / groups};
    struct launch_shape shape = {dim3((unsigned)x.dim[0], (unsigned)groups), dim3(THREADS)};

    shape_norm_group(y, x, gamma, beta, groups);
    launch(d, "norm_group_naive", shape, norm, number_rows_of(y), number_rows_of(x),
           (const float *)gamma.data, (const float *)beta.data, s, epsilon, act);
}

void norm_layer_naive(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                      struct tensor beta, float epsilon)
{
    struct span s = {0, 1, 0, x.dim[3]};
    struct launch_shape shape = {dim3((unsigned)tensor_rows(x)), dim3(THREADS)};

    shape_norm_layer(y, x, gamma, beta);
    launch(d, "norm_layer_naive", shape, norm, number_rows_of(y), number_rows_of(x),
           (const float *)gamma.data, (const float *)beta.data, s, epsilon, ACT_NONE);
}
