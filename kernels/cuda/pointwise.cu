/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ops that only pass numbers by, 8 of them a thread, 16 bytes at a load.
 *
 * rung 1 (sm_80): as many bytes as there must be: each input read once, y written once. No FLOPs to
 * speak of, so the roof is the memory's: 2 to 3 bytes moved for each byte of y (predicted: 85 % of
 * what a copy reaches, from 64x64x320 up; smaller tensors wait for their launch).
 *
 * Requires 16-byte addresses and strides, and columns in multiples of 8; the launchers hand
 * everything else to rung 0.
 */
#include "kernels/cuda/act.h"
#include "kernels/cuda/gather.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/slots.h"
#include "kernels/cuda/unit.h"
#include "kernels/shape.h"

enum { THREADS = 256 };

static __device__ __forceinline__ int64_t unit_of_thread(void)
{
    return (int64_t)blockIdx.x * THREADS + threadIdx.x;
}

static struct launch_shape one_unit_each(int64_t units)
{
    struct launch_shape s = {dim3(launch_blocks(units, THREADS)), dim3(THREADS)};

    return s;
}

/* Rows that can be cut into units: the columns, where each row begins, and where the first does. */
static bool is_cut(struct tensor t)
{
    return (uintptr_t)t.data % 16 == 0 && t.dim[3] % UNIT == 0 &&
           (size_t)t.stride * dtype_bytes(t.dtype) % 16 == 0;
}

/* Dense tensors of one type are one row. It is cut where an image ends, too: how an image is
   computed does not depend on its batch. */
static bool is_flat(struct tensor y, struct tensor x)
{
    return x.dtype == y.dtype && (uintptr_t)x.data % 16 == 0 && (uintptr_t)y.data % 16 == 0 &&
           y.dim[1] * y.dim[2] * y.dim[3] % UNIT == 0;
}

template <typename T> static __global__ void activate(T *y, const T *x, int64_t units, enum act act)
{
    int64_t i = unit_of_thread();
    float v[UNIT];

    if (i >= units)
        return;
    unit_load(v, x + i * UNIT);
    act_apply_to<T, UNIT>(v, act);
    unit_store(y + i * UNIT, v);
}

void activate_packed(struct device *d, struct tensor y, struct tensor x, enum act act)
{
    int64_t units = tensor_count(y) / UNIT;

    shape_pointwise(y, x);
    if (!is_flat(y, x)) {
        activate_naive(d, y, x, act);
        return;
    }
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(d, "activate", one_unit_each(units), activate<T>, (T *)y.data, (const T *)x.data,
               units, act);
    });
}

template <typename T> static __global__ void add(T *y, const T *x, const T *z, int64_t units)
{
    int64_t i = unit_of_thread();
    float v[UNIT], w[UNIT];

    if (i >= units)
        return;
    unit_load(v, x + i * UNIT);
    unit_load(w, z + i * UNIT);
#pragma unroll
    for (int j = 0; j < UNIT; j++)
        v[j] += w[j];
    unit_store(y + i * UNIT, v);
}

void add_packed(struct device *d, struct tensor y, struct tensor x, struct tensor z)
{
    int64_t units = tensor_count(y) / UNIT;

    shape_pointwise(y, x);
    shape_pointwise(y, z);
    if (!is_flat(y, x) || !is_flat(y, z)) {
        add_naive(d, y, x, z);
        return;
    }
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(d, "add", one_unit_each(units), add<T>, (T *)y.data, (const T *)x.data,
               (const T *)z.data, units);
    });
}

/* A row of x is values, then as many gates. */
template <typename T>
static __global__ void geglu(T *y, const T *x, int64_t units, int64_t row_units)
{
    int64_t i = unit_of_thread();
    const T *from = x + (i + i / row_units * row_units) * UNIT;
    float value[UNIT], gate[UNIT];

    if (i >= units)
        return;
    unit_load(value, from);
    unit_load(gate, from + row_units * UNIT);
    act_apply_to<T, UNIT>(gate, ACT_GELU);
#pragma unroll
    for (int j = 0; j < UNIT; j++)
        value[j] *= gate[j];
    unit_store(y + i * UNIT, value);
}

void geglu_packed(struct device *d, struct tensor y, struct tensor x)
{
    int64_t row_units = y.dim[3] / UNIT, units = tensor_rows(y) * row_units;

    shape_geglu(y, x);
    if (x.dtype != y.dtype || !is_cut(y) || !is_cut(x)) {
        geglu_naive(d, y, x);
        return;
    }
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(d, "geglu", one_unit_each(units), geglu<T>, (T *)y.data, (const T *)x.data, units,
               row_units);
    });
}

/* Block (units, image). */
template <typename Y, typename X>
static __global__ void gather(Y *y, const struct gathering g, int64_t units)
{
    const X *x = (const X *)g.x[blockIdx.y];
    int64_t i = unit_of_thread();
    float v[UNIT];

    if (i >= units)
        return;
    unit_load(v, x + i * UNIT);
#pragma unroll
    for (int j = 0; j < UNIT; j++)
        v[j] *= g.scale[blockIdx.y];
    unit_store(y + g.at + (blockIdx.y * units + i) * UNIT, v);
}

static bool is_gathered(struct tensor y, const struct gathering &g)
{
    bool cut = (uintptr_t)y.data % 16 == 0 && g.numbers % UNIT == 0;

    for (int i = 0; i < g.count; i++)
        cut = cut && (uintptr_t)g.x[i] % 16 == 0;
    return cut;
}

static void gather_some(struct device *d, struct tensor y, const struct gathering &g)
{
    int64_t units = g.numbers / UNIT;
    struct launch_shape shape = one_unit_each(units);

    shape.grid.y = (unsigned)g.count;
    number_pick(y.dtype, [&](auto y_zero) {
        using Y = decltype(y_zero);
        number_pick(g.dtype, [&](auto x_zero) {
            using X = decltype(x_zero);
            launch(d, "gather", shape, gather<Y, X>, (Y *)y.data, g, units);
        });
    });
}

/* The same in units, unless an image cannot be cut into them. */
void gather_packed(struct device *d, struct tensor y, const struct scaled *images)
{
    shape_gather(y, images);
    for (int64_t first = 0; first < y.dim[0]; first += GATHERED_MAX) {
        struct gathering g = gathering_of(y, images, first);

        if (!is_gathered(y, g)) {
            gather_naive(d, y, images);
            return;
        }
        gather_some(d, y, g);
    }
}

template <typename Y, typename X>
static __global__ void convert(Y *y, const X *x, int64_t units, int64_t row_units, int64_t y_stride,
                               int64_t x_stride)
{
    int64_t i = unit_of_thread(), row = i / row_units, column = i % row_units * UNIT;
    float v[UNIT];

    if (i >= units)
        return;
    unit_load(v, x + row * x_stride + column);
    unit_store(y + row * y_stride + column, v);
}

void convert_packed(struct device *d, struct tensor y, struct tensor x)
{
    int64_t row_units = y.dim[3] / UNIT, units = tensor_rows(y) * row_units;

    shape_convert(y, x);
    if (!is_cut(y) || !is_cut(x)) {
        convert_naive(d, y, x);
        return;
    }
    number_pick(y.dtype, [&](auto y_zero) {
        using Y = decltype(y_zero);
        number_pick(x.dtype, [&](auto x_zero) {
            using X = decltype(x_zero);
            launch(d, "convert", one_unit_each(units), convert<Y, X>, (Y *)y.data,
                   (const X *)x.data, units, row_units, y.stride, x.stride);
        });
    });
}

/* Packs of 16 bytes, whatever they hold: rows of y are a row of x1, then one of x2. */
static __global__ void concat(uint4 *y, const uint4 *x1, const uint4 *x2, int64_t packs,
                              int64_t packs1, int64_t packs2)
{
    int64_t i = unit_of_thread(), row = i / (packs1 + packs2), c = i % (packs1 + packs2);

    if (i < packs)
        y[i] = c < packs1 ? x1[row * packs1 + c] : x2[row * packs2 + c - packs1];
}

static bool is_whole(struct tensor t)
{
    return (uintptr_t)t.data % 16 == 0 && (size_t)t.dim[3] * dtype_bytes(t.dtype) % 16 == 0;
}

static int64_t row_packs(struct tensor t)
{
    return (int64_t)((size_t)t.dim[3] * dtype_bytes(t.dtype) / 16);
}

void concat_packed(struct device *d, struct tensor y, struct tensor x1, struct tensor x2)
{
    int64_t packs = tensor_rows(y) * row_packs(y);

    shape_concat(y, x1, x2);
    if (x1.dtype != y.dtype || x2.dtype != y.dtype || !is_whole(y) || !is_whole(x1) ||
        !is_whole(x2)) {
        concat_naive(d, y, x1, x2);
        return;
    }
    launch(d, "concat", one_unit_each(packs), concat, (uint4 *)y.data, (const uint4 *)x1.data,
           (const uint4 *)x2.data, packs, row_packs(x1), row_packs(x2));
}
