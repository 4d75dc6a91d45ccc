/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions with one filter per channel, as classifiers have them.
 *
 * rung 1 (sm_80): a thread makes 8 channels of one pixel, 16 bytes at a load; neighbours share
 * cells through L1. Bytes: x and y once each; FLOPs: 2 cells for each number of y. Predicted: 70 %
 * of a copy's bandwidth for 3x3.
 *
 * Requires 16-byte rows and channels in multiples of 8, of the device's type; everything else goes
 * to rung 0.
 */
#include "kernels/cuda/ending.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

enum { THREADS = 256, UNIT = 8 };

struct window {
    int x_height, x_width, y_height, y_width, kernel_height, kernel_width, stride, top, left;
};

template <typename T>
static __device__ __forceinline__ void add_cell(float *sum, const T *x, const T *w, int cells)
{
    float v[UNIT];

#pragma unroll
    for (int i = 0; i < UNIT; i += number_pack<T>::COUNT)
        number_pack_load(v + i, x + i);
#pragma unroll
    for (int i = 0; i < UNIT; i++)
        sum[i] += v[i] * number_get(w[i * cells]);
}

template <typename T>
static __global__ void depthwise(struct number_rows y, const T *x, const T *w, struct ending end,
                                 struct window win, int64_t units, int row_units)
{
    int64_t unit = (int64_t)blockIdx.x * THREADS + threadIdx.x, row = unit / row_units;
    int column = (int)(row % win.y_width) * win.stride - win.left;
    int line = (int)(row / win.y_width % win.y_height) * win.stride - win.top;
    int cells = win.kernel_height * win.kernel_width;
    int64_t c = unit % row_units * UNIT, image = row / win.y_width / win.y_height;
    float sum[UNIT] = {0};

    if (unit >= units)
        return;
    for (int cell = 0; cell < cells; cell++) {
        int i = line + cell / win.kernel_width, j = column + cell % win.kernel_width;

        if (i >= 0 && i < win.x_height && j >= 0 && j < win.x_width)
            add_cell(sum, x + ((image * win.x_height + i) * win.x_width + j) * row_units * UNIT + c,
                     w + c * cells + cell, cells);
    }
    for (int i = 0; i < UNIT; i++)
        ending_finish(y, row, c + i, sum[i], end);
}

void depthwise_packed(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                      const struct epilogue *e)
{
    struct window win = {(int)x.dim[1], (int)x.dim[2],    (int)y.dim[1],
                         (int)y.dim[2], (int)w->w.dim[2], (int)w->w.dim[3],
                         w->stride,     w->pad[0],        w->pad[1]};
    int row_units = (int)(x.dim[3] / UNIT);
    int64_t units = tensor_rows(y) * row_units;
    struct launch_shape s = {dim3(launch_blocks(units, THREADS)), dim3(THREADS)};

    shape_conv_depthwise(y, x, w, e);
    if (x.dtype != d->dtype || (uintptr_t)x.data % 16 || !tensor_is_dense(x) || x.dim[3] % UNIT) {
        depthwise_naive(d, y, x, w, e);
        return;
    }
    number_pick(d->dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(d, "conv_depthwise", s, depthwise<T>, number_rows_of(y), (const T *)x.data,
               (const T *)w->packed->w, ending_of(y, w, e), win, units, row_units);
    });
}
