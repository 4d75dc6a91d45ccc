/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Norms of each row by itself.
 *
 * rung 1 (sm_80): a row lies in the registers of 8, 16 or 32 lanes of a warp, between its one load
 * and its one store, and the next row is on its way meanwhile. gamma and beta lie in shared memory,
 * wherever they begin in the model's file. Bytes: 2 rows C numbers and 8 C for each block. FLOPs:
 * 9 rows C, so the roof is the memory's.
 *
 * The mean is taken twice, the second time of what the first one left: its rounding costs nothing,
 * however far the numbers lie from zero.
 *
 * Requires 16-byte addresses, C in multiples of 8 up to 2560, x and y of one type; everything else
 * goes to rung 0.
 */
#include "kernels/cuda/isa.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/slots.h"
#include "kernels/cuda/unit.h"
#include "kernels/shape.h"

enum {
    THREADS = 256,
    UNITS = 5,       /* of a lane: 320, 640, 1280 channels are 8, 16, 32 lanes */
    UNITS_WIDE = 10, /* beyond 1280 channels */
    BLOCKS = 2,      /* of a multiprocessor; 1 where rows are wide */
};

/* What norm_layer is asked, and how many lanes share a row. */
struct layer {
    int64_t rows;
    int channels, lanes;
    float epsilon;
};

static __device__ __forceinline__ float sum_lanes(float v, int lanes)
{
    for (int bits = lanes / 2; bits; bits /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, bits);
    return v;
}

/* Lane i has units i, i + lanes, ...; units past the end and rows past the end are zeros. */
template <typename T, int N>
static __device__ __forceinline__ void row_fetch(struct unit<T> *u, const T *x, int64_t row,
                                                 const struct layer &l)
{
    int first = (int)threadIdx.x % l.lanes, units = l.channels / UNIT;

#pragma unroll
    for (int i = 0; i < N; i++) {
        u[i] = {};
        if (first + i * l.lanes < units && row < l.rows)
            unit_fetch(&u[i], x + row * l.channels + (first + i * l.lanes) * UNIT);
    }
}

/* v becomes (v - mean) / deviation, of the `count` numbers that are there. */
template <int N>
static __device__ __forceinline__ void row_norm(float (*v)[UNIT], const struct layer &l)
{
    int left = l.channels / UNIT - (int)threadIdx.x % l.lanes;
    float sum = 0, squares = 0, mean, rest, scale, count = (float)l.channels;

#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
        for (int j = 0; j < UNIT; j++)
            sum += v[i][j];
    mean = sum_lanes(sum, l.lanes) / count;
    sum = 0;
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
        for (int j = 0; j < UNIT; j++) {
            v[i][j] = i * l.lanes < left ? v[i][j] - mean : 0;
            sum += v[i][j];
            squares += v[i][j] * v[i][j];
        }
    rest = sum_lanes(sum, l.lanes) / count;
    squares = sum_lanes(squares, l.lanes) / count - rest * rest;
    scale = 1 / sqrtf((squares > 0 ? squares : 0) + l.epsilon);
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
        for (int j = 0; j < UNIT; j++)
            v[i][j] = (v[i][j] - rest) * scale;
}

template <typename T, int N>
static __device__ __forceinline__ void row_store(T *y, float (*v)[UNIT], int64_t row,
                                                 const float *gamma, const struct layer &l)
{
    int first = (int)threadIdx.x % l.lanes, units = l.channels / UNIT;
    float g[UNIT], b[UNIT];

#pragma unroll
    for (int i = 0; i < N; i++) {
        int at = (first + i * l.lanes) * UNIT;

        if (first + i * l.lanes >= units || row >= l.rows)
            continue;
        unit_load(g, gamma + at);
        unit_load(b, gamma + l.channels + at);
#pragma unroll
        for (int j = 0; j < UNIT; j++)
            v[i][j] = v[i][j] * g[j] + b[j];
        unit_store(y + row * l.channels + at, v[i]);
    }
}

/* All lanes of a warp stay until the last of its rows is done: they add up together. */
template <typename T, int N>
static __global__ void __launch_bounds__(THREADS, N > UNITS ? 1 : BLOCKS)
    norm_rows(T *y, const T *x, const float *gamma, const float *beta, struct layer l)
{
    float *both = shared_dynamic<float>(), v[N][UNIT];
    int64_t rows = THREADS / l.lanes, row = blockIdx.x * rows + threadIdx.x / l.lanes;
    int64_t warp_row = blockIdx.x * rows + threadIdx.x / 32 * (32 / l.lanes);
    struct unit<T> u[N];

    row_fetch<T, N>(u, x, row, l);
    for (int c = (int)threadIdx.x; c < l.channels; c += THREADS) {
        both[c] = gamma[c];
        both[l.channels + c] = beta[c];
    }
    __syncthreads();
    for (; warp_row < l.rows; warp_row += gridDim.x * rows, row += gridDim.x * rows) {
#pragma unroll
        for (int i = 0; i < N; i++)
            unit_get(v[i], u[i]);
        row_fetch<T, N>(u, x, row + gridDim.x * rows, l);
        row_norm<N>(v, l);
        row_store<T, N>(y, v, row, both, l);
    }
}

template <typename T, int N>
static void run_rows(struct device *d, T *y, const T *x, const float *gamma, const float *beta,
                     const struct layer *l)
{
    int64_t most = (N > UNITS ? 1 : BLOCKS) * (int64_t)d->backend->properties.multiProcessorCount;
    int64_t blocks = launch_blocks(l->rows, THREADS / l->lanes);
    struct launch_shape s = {dim3((unsigned)(blocks < most ? blocks : most)), dim3(THREADS),
                             (unsigned)(2 * (size_t)l->channels * sizeof(float))};

    launch(d, "norm_layer", s, norm_rows<T, N>, y, x, gamma, beta, *l);
}

void norm_layer_packed(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, float epsilon)
{
    struct layer l = {tensor_rows(x), (int)x.dim[3], 8, epsilon};
    const float *scale = (const float *)gamma.data, *shift = (const float *)beta.data;

    shape_norm_layer(y, x, gamma, beta);
    if (x.dtype != y.dtype || (uintptr_t)x.data % 16 || (uintptr_t)y.data % 16 || x.dim[3] % UNIT ||
        x.dim[3] > 32 * UNITS_WIDE * UNIT) {
        norm_layer_naive(d, y, x, gamma, beta, epsilon);
        return;
    }
    while (l.lanes < 32 && l.channels > l.lanes * UNITS * UNIT)
        l.lanes *= 2;
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (l.channels <= 32 * UNITS * UNIT)
            run_rows<T, UNITS>(d, (T *)y.data, (const T *)x.data, scale, shift, &l);
        else
            run_rows<T, UNITS_WIDE>(d, (T *)y.data, (const T *)x.data, scale, shift, &l);
    });
}
