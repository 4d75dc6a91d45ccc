/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolution of a picture that was made twice as high and wide, without that picture. A 3x3
 * window over pixels that each stand there four times sees only 2x2 different ones, and which ones
 * depends on whether its line and its column are even. So the nine filters are summed into four for
 * each of the four kinds of outputs when weights are packed, one 2x2 convolution with 4N outputs
 * makes all kinds where any of them begins, and the kinds are put where they belong. FLOPs: 4/9 of
 * the 3x3 one's, and 1/H + 1/W more for the border. Bytes: y is read and written once more.
 *
 * A sum of filters is rounded to the device's type once, as each of them would have been.
 *
 * Requires 3x3, all pads 1, inputs and outputs in multiples of 8, 16-bit types, y exactly 2H x 2W,
 * nothing added but the bias; the rest goes to kernels that look at the smaller picture themselves.
 */
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum {
    KINDS = 4, /* 2 a + b: outputs in lines 2i + a and columns 2j + b */
    THREADS = 256,
};

/* --- filters --------------------------------------------------------------------------------- */

/* Lines (or columns) of the 3x3 filter that fall on line `cell` of the 2x2 one, for outputs of an
   even (0) or odd (1) line: 0 | 1 2 and 0 1 | 2. */
static __device__ __forceinline__ int first_under(int odd, int cell)
{
    return cell ? 1 + odd : 0;
}

static __device__ __forceinline__ int last_under(int odd, int cell)
{
    return cell ? 2 : odd;
}

/* [N, C, 3, 3] as [4, N, 2, 2, C]. */
static __global__ void sum_filters(struct number_rows to, struct number_rows from, int64_t outputs,
                                   int64_t channels)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    int64_t c = i % channels, cell = i / channels % KINDS, n = i / channels / KINDS % outputs;
    int kind = (int)(i / channels / KINDS / outputs);
    float sum = 0;

    if (kind >= KINDS)
        return;
    for (int line = first_under(kind / 2, (int)cell / 2);
         line <= last_under(kind / 2, (int)cell / 2); line++)
        for (int column = first_under(kind % 2, (int)cell % 2);
             column <= last_under(kind % 2, (int)cell % 2); column++)
            sum += number_load(from, 0, ((n * channels + c) * 3 + line) * 3 + column);
    number_store(to, 0, i, sum);
}

bool doubled_sums(const struct device *d, const struct weight *w)
{
    bool pads = w->pad[0] == 1 && w->pad[1] == 1 && w->pad[2] == 1 && w->pad[3] == 1;

    return w->up && pads && w->w.dim[2] == 3 && w->w.dim[3] == 3 && w->w.dim[0] % 8 == 0 &&
           w->w.dim[1] % 8 == 0 && d->dtype != DTYPE_F32;
}

void doubled_pack(struct device *d, struct tensor to, struct tensor raw, const struct weight *w)
{
    int64_t count = KINDS * KINDS * w->w.dim[0] * w->w.dim[1];

    launch(d, "weight_pack", {dim3(launch_blocks(count, THREADS)), dim3(THREADS)}, sum_filters,
           number_rows_of(to), number_rows_of(raw), w->w.dim[0], w->w.dim[1]);
}

/* --- pictures -------------------------------------------------------------------------------- */

/* Output (2i + a, 2j + b) stands in kinds at (i + a, j + b), between those of its kind. Sizes are
   those of y; a pixel is `packs` times 16 bytes. */
static __global__ void place(uint4 *y, const uint4 *kinds, int64_t count, int64_t packs,
                             int64_t height, int64_t width)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, pixel = i / packs, c = i % packs;
    int64_t column = pixel % width, line = pixel / width % height, image = pixel / width / height;
    int64_t row;

    if (i >= count)
        return;
    row = (image * (height / 2 + 1) + (line + 1) / 2) * (width / 2 + 1) + (column + 1) / 2;
    y[i] = kinds[(row * KINDS + line % 2 * 2 + column % 2) * packs + c];
}

static bool takes(struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e)
{
    return w->packed->up && y.dim[1] == 2 * x.dim[1] && y.dim[2] == 2 * x.dim[2] &&
           number_packs(y) && (!e || (!e->shift.data && !e->add.data));
}

void conv_up_summed(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e)
{
    struct tensor kinds =
        tensor_view(NULL, y.dtype, x.dim[0], x.dim[1] + 1, x.dim[2] + 1, KINDS * y.dim[3]);
    int64_t packs = (int64_t)dtype_bytes(y.dtype) * y.dim[3] / 16, count = tensor_rows(y) * packs;

    shape_conv_up(y, x, w, e);
    if (!takes(y, x, w, e)) {
        conv_up_tiled(d, y, x, w, e);
        return;
    }
    kinds.data = backend_scratch(d, tensor_bytes(kinds));
    if (!kinds.data)
        return;
    struct weight four = {};
    four.w = tensor_view(w->packed->up->w, d->dtype, kinds.dim[3], x.dim[3], 2, 2);
    four.stride = 1;
    four.pad[0] = four.pad[1] = four.pad[2] = four.pad[3] = 1;
    four.packed = w->packed->up;
    d->ops.conv(d, kinds, x, &four, e);
    launch(d, "conv_up", {dim3(launch_blocks(count, THREADS)), dim3(THREADS)}, place,
           (uint4 *)y.data, (const uint4 *)kinds.data, count, packs, y.dim[1], y.dim[2]);
}
