/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products on the matrix units: convolutions as products of rows that are gathered while they are
 * loaded (implicit GEMM), and linear layers, which are convolutions of one cell.
 *
 * rung 1 (sm_80): a block makes a tile of y, [rows, outputs], from slices of 32 inputs that
 * asynchronous copies bring into shared memory three slices ahead; a warp multiplies with
 * mma.m16n8k16 and keeps its part of the tile in registers. FLOPs: 2 rows N K; bytes: rows K of x
 * once for each 128 outputs and N K of w once for each 128 rows, mostly out of L2. Rows of shared
 * memory are 80 bytes apart, which puts the 8 rows of an ldmatrix into different banks. Predicted,
 * not measured: 55 to 65 % of the matrix units' peak on sm_80 and half of that on sm_90, whose own
 * instructions this does not use; there cuDNN and cuBLASLt come first.
 *
 * Every output is summed over K in steps of 16 and in one order, whatever the tile: an image of a
 * batch is bit for bit the image alone.
 *
 * Requires x of the device's 16-bit type, inputs in multiples of 8, and rows of x at multiples of
 * 16 bytes; everything else goes to rung 0.
 */
#include "kernels/cuda/ending.h"
#include "kernels/cuda/isa.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum {
    DEPTH = 32,             /* inputs of a slice */
    PITCH = DEPTH + 8,      /* numbers from row to row in shared memory */
    CHUNK = 8,              /* numbers of 16 bytes */
    CHUNKS = DEPTH / CHUNK, /* of a row of a slice */
    STAGES = 3,
    FEW_BLOCKS = 128, /* with fewer large tiles than this, small ones use the GPU better */
};

/* Where rows come from. A linear layer is one image, one line high. */
struct source {
    const void *x;
    int64_t stride; /* numbers from pixel to pixel */
    int64_t rows;   /* of y */
    int x_height, x_width, y_height, y_width;
    int height, width; /* of x as it is convolved */
    int kernel_height, kernel_width, step, top, left;
    int up;       /* 1: every pixel of x counts four times */
    int channels; /* of x: inputs of a cell */
};

/* A tile: BM rows and BN outputs of a block, its warps side by side. */
template <int BM_, int BN_, int WARPS_M_, int WARPS_N_> struct tile {
    enum {
        BM = BM_,
        BN = BN_,
        WARPS_N = WARPS_N_,
        THREADS = 32 * WARPS_M_ * WARPS_N_,
        WM = BM_ / WARPS_M_, /* rows of a warp */
        WN = BN_ / WARPS_N_,
        STAGE = (BM_ + BN_) * PITCH, /* numbers of a slice in shared memory */
        BYTES = STAGES * STAGE * 2,
        ROWS = BM_ * CHUNKS / THREADS,    /* chunks of x that a thread copies */
        OUTPUTS = BN_ * CHUNKS / THREADS, /* chunks of w */
    };
};

/* --- loading -------------------------------------------------------------------------------- */

/* A thread's place in K: always the same chunk of a slice, at cell (i, j) and channel `channel`. */
struct place {
    int i, j, channel;
};

static __device__ __forceinline__ void place_settle(struct place *p, const struct source &s)
{
    while (p->channel >= s.channels) {
        p->channel -= s.channels;
        if (++p->j == s.kernel_width) {
            p->j = 0;
            p->i++;
        }
    }
}

/* A row of y: its image in x and the window's corner, or no row at all. */
struct corner {
    int64_t image; /* first pixel of it; below 0: past the last row */
    int line, column;
};

static __device__ __forceinline__ struct corner corner_of(const struct source &s, int64_t row)
{
    int64_t line = row / s.y_width;
    struct corner c;

    c.image = row < s.rows ? line / s.y_height * s.x_height * s.x_width : -1;
    c.line = (int)(line % s.y_height) * s.step - s.top;
    c.column = (int)(row % s.y_width) * s.step - s.left;
    return c;
}

/* One chunk of x; zeros outside the picture, past the last row and past the last cell. */
template <typename T>
static __device__ __forceinline__ void copy_x(T *to, const struct source &s, struct corner c,
                                              const struct place &p)
{
    int line = c.line + p.i, column = c.column + p.j;
    bool valid = c.image >= 0 && p.i < s.kernel_height && line >= 0 && line < s.height &&
                 column >= 0 && column < s.width;
    int64_t pixel = valid ? c.image + (int64_t)(line >> s.up) * s.x_width + (column >> s.up) : 0;

    copy_async_16(to, (const T *)s.x + pixel * s.stride + (valid ? p.channel : 0), valid);
}

/* What one thread copies of every slice. */
template <typename L> struct loader {
    struct corner corner[L::ROWS];
    struct place place;
    int64_t first_output;
    int chunk, k; /* the chunk's first input */
};

template <typename T, typename L>
static __device__ __forceinline__ void load_slice(struct loader<L> *l, T *stage,
                                                  const struct source &s, const T *w,
                                                  int64_t outputs, int inputs)
{
    int row = (int)threadIdx.x / CHUNKS, at = l->chunk * CHUNK;

#pragma unroll
    for (int i = 0; i < L::ROWS; i++)
        copy_x(stage + (row + i * L::THREADS / CHUNKS) * PITCH + at, s, l->corner[i], l->place);
    stage += L::BM * PITCH;
#pragma unroll
    for (int i = 0; i < L::OUTPUTS; i++) {
        int64_t n = l->first_output + row + i * L::THREADS / CHUNKS;
        bool valid = n < outputs && l->k < inputs;

        copy_async_16(stage + (row + i * L::THREADS / CHUNKS) * PITCH + at,
                      w + (valid ? n * inputs + l->k : 0), valid);
    }
    copy_async_commit();
    l->k += DEPTH;
    l->place.channel += DEPTH;
    place_settle(&l->place, s);
}

/* --- multiplying ---------------------------------------------------------------------------- */

/* sum += the warp's rows and outputs of one slice. */
template <typename T, typename L>
static __device__ __forceinline__ void multiply(float sum[L::WM / 16][L::WN / 8][4], const T *stage,
                                                int warp_row, int warp_output)
{
    int lane = (int)threadIdx.x % 32, matrix = lane / 8, line = lane % 8;
    const T *x = stage + (warp_row + matrix % 2 * 8 + line) * PITCH + matrix / 2 * 8;
    const T *w = stage + (L::BM + warp_output + matrix / 2 * 8 + line) * PITCH + matrix % 2 * 8;

#pragma unroll
    for (int k = 0; k < DEPTH; k += 16) {
        uint32_t a[L::WM / 16][4], b[L::WN / 16][4];

#pragma unroll
        for (int m = 0; m < L::WM / 16; m++)
            matrix_load_x4(a[m], x + m * 16 * PITCH + k);
#pragma unroll
        for (int n = 0; n < L::WN / 16; n++)
            matrix_load_x4(b[n], w + n * 16 * PITCH + k);
#pragma unroll
        for (int m = 0; m < L::WM / 16; m++)
#pragma unroll
            for (int n = 0; n < L::WN / 8; n++)
                mma_16816<T>(sum[m][n], a[m], b[n / 2] + n % 2 * 2);
    }
}

/* Lane i holds columns 2 (i % 4) and the next of rows i / 4 and i / 4 + 8 of every 16 x 8. */
template <typename L>
static __device__ __forceinline__ void
store(struct number_rows y, float sum[L::WM / 16][L::WN / 8][4], const struct ending &end,
      int64_t rows, int64_t outputs, int64_t first_row, int64_t first_output)
{
    int lane = (int)threadIdx.x % 32;

#pragma unroll
    for (int m = 0; m < L::WM / 16; m++)
#pragma unroll
        for (int n = 0; n < L::WN / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int64_t row = first_row + m * 16 + lane / 4 + i / 2 * 8;
                int64_t output = first_output + n * 8 + lane % 4 * 2 + i % 2;

                if (row < rows && output < outputs)
                    ending_finish(y, row, output, sum[m][n][i], end);
            }
}

/* Block (outputs, rows). */
template <typename T, typename L>
static __global__ void __launch_bounds__(L::THREADS)
    tiled(struct number_rows y, struct source s, const T *w, struct ending end, int64_t outputs,
          int inputs)
{
    T *stages = shared_dynamic<T>();
    int slices = (inputs + DEPTH - 1) / DEPTH, warp = (int)threadIdx.x / 32;
    int warp_row = warp / L::WARPS_N * L::WM, warp_output = warp % L::WARPS_N * L::WN;
    int64_t first_row = (int64_t)blockIdx.y * L::BM;
    float sum[L::WM / 16][L::WN / 8][4] = {};
    struct loader<L> l;

    l.first_output = (int64_t)blockIdx.x * L::BN;
    l.chunk = (int)threadIdx.x % CHUNKS;
    l.k = l.chunk * CHUNK;
    l.place = {0, 0, l.k};
    place_settle(&l.place, s);
#pragma unroll
    for (int i = 0; i < L::ROWS; i++)
        l.corner[i] = corner_of(s, first_row + (int)threadIdx.x / CHUNKS + i * L::THREADS / CHUNKS);
    for (int i = 0; i < STAGES - 1; i++)
        load_slice(&l, stages + i * L::STAGE, s, w, outputs, inputs);
    for (int i = 0; i < slices; i++) {
        copy_async_wait<STAGES - 2>();
        __syncthreads(); /* the slice is here for all, and the one before is read by all */
        load_slice(&l, stages + (i + STAGES - 1) % STAGES * L::STAGE, s, w, outputs, inputs);
        multiply<T, L>(sum, stages + i % STAGES * L::STAGE, warp_row, warp_output);
    }
    store<L>(y, sum, end, s.rows, outputs, first_row + warp_row, l.first_output + warp_output);
}

/* --- launching ------------------------------------------------------------------------------ */

typedef tile<128, 128, 2, 4> large_tile;
typedef tile<64, 64, 2, 2> small_tile;

template <typename T, typename L>
static void launch_tile(struct device *d, const char *name, struct tensor y, const struct source &s,
                        const struct weight *w, const struct epilogue *e, int inputs)
{
    struct launch_shape shape = {dim3(launch_blocks(y.dim[3], L::BN), launch_blocks(s.rows, L::BM)),
                                 dim3(L::THREADS), (unsigned)L::BYTES};

    launch(d, name, shape, tiled<T, L>, number_rows_of(y), s, (const T *)w->packed->w,
           ending_of(y, w, e), y.dim[3], inputs);
}

template <typename T>
static void run(struct device *d, const char *name, struct tensor y, const struct source &s,
                const struct weight *w, const struct epilogue *e, int inputs)
{
    int64_t blocks =
        (int64_t)launch_blocks(s.rows, large_tile::BM) * launch_blocks(y.dim[3], large_tile::BN);

    if (blocks < FEW_BLOCKS)
        launch_tile<T, small_tile>(d, name, y, s, w, e, inputs);
    else
        launch_tile<T, large_tile>(d, name, y, s, w, e, inputs);
}

/* Blocks are counted in 16 bits along rows. */
static bool takes(const struct device *d, struct tensor x, int64_t rows, int64_t inputs)
{
    return d->dtype != DTYPE_F32 && x.dtype == d->dtype && x.dim[3] % CHUNK == 0 &&
           (uintptr_t)x.data % 16 == 0 && x.stride % CHUNK == 0 && inputs < 1 << 30 &&
           rows < (int64_t)65535 * small_tile::BM;
}

static void pick(struct device *d, const char *name, struct tensor y, const struct source &s,
                 const struct weight *w, const struct epilogue *e)
{
    int inputs = s.kernel_height * s.kernel_width * s.channels;

    if (d->dtype == DTYPE_F16)
        run<__half>(d, name, y, s, w, e, inputs);
    else
        run<__nv_bfloat16>(d, name, y, s, w, e, inputs);
}

void linear_tiled(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e)
{
    struct source s = {};

    shape_linear(y, x, w, e);
    if (!takes(d, x, tensor_rows(x), x.dim[3])) {
        linear_naive(d, y, x, w, e);
        return;
    }
    s.x = x.data;
    s.stride = x.stride;
    s.rows = tensor_rows(x);
    s.x_height = s.height = s.y_height = s.kernel_height = s.kernel_width = s.step = 1;
    s.x_width = s.width = s.y_width = (int)s.rows;
    s.channels = (int)x.dim[3];
    pick(d, "linear", y, s, w, e);
}

static struct source source_of(struct tensor y, struct tensor x, const struct weight *w, int up)
{
    struct tensor seen = up ? shape_doubled(y, x, w) : x;
    struct source s = {};

    s.x = x.data;
    s.stride = x.stride;
    s.rows = tensor_rows(y);
    s.x_height = (int)x.dim[1];
    s.x_width = (int)x.dim[2];
    s.height = (int)seen.dim[1];
    s.width = (int)seen.dim[2];
    s.y_height = (int)y.dim[1];
    s.y_width = (int)y.dim[2];
    s.kernel_height = (int)w->w.dim[2];
    s.kernel_width = (int)w->w.dim[3];
    s.step = w->stride;
    s.top = w->pad[0];
    s.left = w->pad[1];
    s.up = up;
    s.channels = (int)x.dim[3];
    return s;
}

void conv_tiled(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                const struct epilogue *e)
{
    int64_t inputs = w->w.dim[2] * w->w.dim[3] * x.dim[3];

    shape_conv(y, x, w, e);
    if (!takes(d, x, tensor_rows(y), inputs)) {
        conv_naive(d, y, x, w, e);
        return;
    }
    pick(d, "conv", y, source_of(y, x, w, 0), w, e);
}

void conv_up_tiled(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e)
{
    int64_t inputs = w->w.dim[2] * w->w.dim[3] * x.dim[3];

    shape_conv_up(y, x, w, e);
    if (!takes(d, x, tensor_rows(y), inputs)) {
        conv_up_naive(d, y, x, w, e);
        return;
    }
    pick(d, "conv_up", y, source_of(y, x, w, 1), w, e);
}
