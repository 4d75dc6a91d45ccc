/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of 16 bits to e4m3. Bytes moved: 2 read and 1 written for each number; rows must lie at
 * multiples of 16 bytes and hold multiples of 16 numbers.
 */
#include "kernels/cuda/graphs.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/narrow.h"
#include "kernels/cuda/slots.h"
#include "kernels/cuda/unit.h"

#include <cuda_fp8.h>

#include <stdlib.h>

enum { THREADS = 256, LOOKERS = 1024 };

#define LARGEST 448.0f /* the largest e4m3 */
#define ROOM    2.0f   /* above what calibration saw; e4m3 reaches 2^17 down from there */

/* --- looking --------------------------------------------------------------------------------- */

/* One block: the largest absolute value of x, or what *largest is already. */
static __global__ void look(float *largest, const __nv_bfloat16 *x, int64_t stride, int64_t rows,
                            int64_t columns)
{
    __shared__ float part[LOOKERS];
    int64_t units = columns / UNIT;
    float mine = 0;

    for (int64_t i = threadIdx.x; i < rows * units; i += LOOKERS) {
        float numbers[UNIT];

        unit_load(numbers, x + i / units * stride + i % units * UNIT);
        for (int j = 0; j < UNIT; j++)
            mine = fmaxf(mine, fabsf(numbers[j]));
    }
    part[threadIdx.x] = mine;
    for (int half = LOOKERS / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half)
            part[threadIdx.x] = fmaxf(part[threadIdx.x], part[threadIdx.x + half]);
    }
    if (threadIdx.x == 0)
        *largest = fmaxf(*largest, part[0]);
}

static void look_at(struct device *d, float *largest, struct tensor x)
{
    launch(d, "narrow_look", {dim3(1), dim3(LOOKERS)}, look, largest, (const __nv_bfloat16 *)x.data,
           x.stride, tensor_rows(x), x.dim[3]);
}

/* --- narrowing ------------------------------------------------------------------------------- */

static __device__ __forceinline__ uint32_t four(const float *x, float factor)
{
    uint32_t bits = 0;

#pragma unroll
    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)__nv_cvt_float_to_fp8(x[i] * factor, __NV_SATFINITE, __NV_E4M3) << 8 * i;
    return bits;
}

static __global__ void narrow_each(uint2 *y, const __nv_bfloat16 *x, const float *scale,
                                   int64_t stride, int64_t units, int64_t row_units)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    float numbers[UNIT], factor = 1 / *scale;

    if (i >= units)
        return;
    unit_load(numbers, x + i / row_units * stride + i % row_units * UNIT);
    y[i] = make_uint2(four(numbers, factor), four(numbers + 4, factor));
}

static void narrow_to(struct device *d, void *y, struct tensor x, const float *scale)
{
    int64_t units = tensor_count(x) / UNIT;

    launch(d, "narrow", {dim3(launch_blocks(units, THREADS)), dim3(THREADS)}, narrow_each,
           (uint2 *)y, (const __nv_bfloat16 *)x.data, scale, x.stride, units, x.dim[3] / UNIT);
}

/* --- layers ---------------------------------------------------------------------------------- */

bool narrow_suits(const struct device *d, const struct weight *w)
{
    return d->precision == PRECISION_FP8 && d->backend->lt && w->w.dim[0] == 1 &&
           w->w.dim[1] == 1 && w->w.dim[2] % 16 == 0 && w->w.dim[3] % 16 == 0 &&
           tensor_count(w->w) >= d->narrow_weights;
}

static struct tensor scale_view(const struct narrow *n, int first, int count)
{
    return tensor_view(n->scales + first, DTYPE_F32, 1, 1, 1, count);
}

/* From the largest number to the unit that makes it the largest e4m3. */
static float unit_of(float largest)
{
    return largest > 0 ? largest / LARGEST : 1;
}

struct narrow *narrow_take(struct device *d, const struct weight *w, const void *numbers)
{
    struct tensor all =
        tensor_view((void *)(uintptr_t)numbers, DTYPE_BF16, 1, 1, w->w.dim[2], w->w.dim[3]);
    struct narrow *n = (struct narrow *)calloc(1, sizeof(*n));
    float scales[NARROW_SCALES] = {1, 1, 0};

    if (!n)
        return NULL;
    n->count = tensor_count(all);
    n->w = memory_take_cuda(d, (size_t)n->count);
    n->scales = (float *)memory_take_cuda(d, sizeof(scales));
    n->next = d->backend->narrows;
    d->backend->narrows = n;
    if (!n->w || !n->scales) {
        narrow_give(d, n);
        return NULL;
    }
    memory_upload(d, scale_view(n, 0, NARROW_SCALES), scales);
    look_at(d, n->scales + NARROW_LARGEST, all);
    memory_download(d, scales, scale_view(n, 0, NARROW_SCALES));
    scales[NARROW_SCALE_W] = unit_of(scales[NARROW_LARGEST]);
    scales[NARROW_LARGEST] = 0;
    memory_upload(d, scale_view(n, 0, NARROW_SCALES), scales);
    narrow_to(d, n->w, all, n->scales + NARROW_SCALE_W);
    return n;
}

void narrow_give(struct device *d, struct narrow *n)
{
    struct narrow **at = &d->backend->narrows;

    if (!n)
        return;
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    memory_give_cuda(d, n->w, (size_t)n->count);
    memory_give_cuda(d, n->scales, NARROW_SCALES * sizeof(float));
    free(n);
}

static void settle(struct device *d, struct narrow *n)
{
    float scales[NARROW_SCALES] = {0};

    memory_download(d, scales, scale_view(n, 0, NARROW_SCALES));
    n->settled = !d->broken && scales[NARROW_LARGEST] > 0;
    scales[NARROW_SCALE_X] = ROOM * unit_of(scales[NARROW_LARGEST]);
    memory_upload(d, scale_view(n, 0, NARROW_SCALES), scales);
}

/* What was captured before computes as it did then. */
void narrow_calibrate(struct device *d, bool begin)
{
    struct backend *b = d->backend;

    b->calibrating = begin && d->precision == PRECISION_FP8;
    for (struct narrow *n = b->narrows; n; n = n->next)
        if (begin)
            n->settled = false;
        else
            settle(d, n);
    graphs_forget(d, NULL);
}

static bool is_long(const struct device *d, struct tensor x)
{
    return x.dim[1] * x.dim[2] >= d->narrow_rows && x.dtype == DTYPE_BF16 && x.stride % UNIT == 0 &&
           (uintptr_t)x.data % 16 == 0;
}

void narrow_watch(struct device *d, struct narrow *n, struct tensor x)
{
    if (is_long(d, x))
        look_at(d, n->scales + NARROW_LARGEST, x);
}

bool narrow_takes(const struct device *d, const struct narrow *n, struct tensor x)
{
    return !d->backend->calibrating && n->settled && is_long(d, x);
}

const void *narrow_rows(struct device *d, const struct narrow *n, struct tensor x)
{
    void *rows = backend_rows(d, (size_t)tensor_count(x));

    if (rows)
        narrow_to(d, rows, x, n->scales + NARROW_SCALE_X);
    return rows;
}
