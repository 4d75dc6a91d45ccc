/* SPDX-License-Identifier: Apache-2.0 */
/*
 * softmax(scale q k^T) v without the T x S matrix.
 *
 * rung 1 (sm_80): 64 queries of one head a block. Keys and values pass by in tiles, the next tile
 * on its way while this one is used; a warp has 16 queries, keeps their running maximum and sum
 * ("online softmax": Milakov and Gimelshein, 2018; FlashAttention: Dao et al., 2022), and turns
 * scores into the left side of the second product while they are in registers. Heads wider than 160
 * (the autoencoder's single one of 512) are shared by two warps, which keep which of the columns of
 * y each and both compute the scores: 1.5 times the FLOPs, but y stays in registers. FLOPs: 4 T S D
 * a head; bytes: K and V once for each 64 queries, mostly out of L2. Predicted, not measured: which
 * of the matrix units' peak on sm_80, a quarter on sm_90 at D = 64; there cuDNN comes first.
 *
 * A query's keys are summed tile by tile from the first: bit for bit the same in any batch.
 *
 * Requires the device's 16-bit type, heads of 8 n <= 512 numbers, rows at multiples of 16 bytes;
 * everything else goes to rung 0.
 */
#include "kernels/cuda/isa.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <assert.h>

enum {
    QUERIES = 64, /* of a block */
    STAGES = 2,
    CHUNK = 8, /* numbers of 16 bytes */
};

/* Heads of up to WIDTH numbers, KEYS of them at a time, PARTS warps to a query. */
template <int WIDTH_, int KEYS_, int PARTS_> struct form {
    enum {
        WIDTH = WIDTH_,
        KEYS = KEYS_,
        PITCH = WIDTH_ + 8, /* of a row in shared memory: an odd number of 16 bytes */
        THREADS = QUERIES / 16 * PARTS_ * 32,
        PART = WIDTH_ / PARTS_, /* columns of y of a warp */
        TILE = 2 * KEYS_ * PITCH,
        BYTES = (QUERIES * PITCH + STAGES * TILE) * 2,
        GROUPS = QUERIES / 16,
    };
};

/* One head of one image; strides are numbers from row to row. */
struct head {
    const void *q, *k, *v;
    void *y;
    int64_t q_stride, k_stride, v_stride, y_stride;
    int queries, keys, width;
    float scale; /* times log2(e): exponentials are powers of two */
    bool causal;
};

/* --- loading -------------------------------------------------------------------------------- */

/* Rows [first, first + count) of a head into shared memory; what is not there is zero. */
template <typename T, typename F>
static __device__ __forceinline__ void load_rows(T *to, const T *from, int64_t stride, int first,
                                                 int count, int rows, int width)
{
    enum { ROW_CHUNKS = F::WIDTH / CHUNK };

    for (int i = (int)threadIdx.x; i < count * ROW_CHUNKS; i += F::THREADS) {
        int row = i / ROW_CHUNKS, column = i % ROW_CHUNKS * CHUNK;
        bool valid = first + row < rows && column < width;

        copy_async_16(to + row * F::PITCH + column,
                      from + (valid ? (first + row) * stride + column : 0), valid);
    }
}

template <typename T, typename F>
static __device__ __forceinline__ void load_tile(T *tile, const struct head &h, int first)
{
    if (first < h.keys) {
        load_rows<T, F>(tile, (const T *)h.k, h.k_stride, first, F::KEYS, h.keys, h.width);
        load_rows<T, F>(tile + F::KEYS * F::PITCH, (const T *)h.v, h.v_stride, first, F::KEYS,
                        h.keys, h.width);
    }
    copy_async_commit();
}

/* --- one tile of keys ----------------------------------------------------------------------- */

/* What a warp carries from tile to tile, for rows i / 4 and i / 4 + 8 of lane i. */
template <typename F> struct running {
    float y[F::PART / 8][4];
    float most[2], sum[2];
};

template <typename T, typename F>
static __device__ __forceinline__ void score(float s[F::KEYS / 8][4], const T *q, const T *k)
{
    int lane = (int)threadIdx.x % 32, matrix = lane / 8, line = lane % 8;

    q += (matrix % 2 * 8 + line) * F::PITCH + matrix / 2 * 8;
    k += (matrix / 2 * 8 + line) * F::PITCH + matrix % 2 * 8;
#pragma unroll
    for (int c = 0; c < F::WIDTH; c += 16) {
        uint32_t a[4], b[4];

        matrix_load_x4(a, q + c);
#pragma unroll
        for (int n = 0; n < F::KEYS / 16; n++) {
            matrix_load_x4(b, k + n * 16 * F::PITCH + c);
            mma_16816<T>(s[2 * n], a, b);
            mma_16816<T>(s[2 * n + 1], a, b + 2);
        }
    }
}

/* Scale, and hide keys past the last and, if causal, past the query. */
template <typename F>
static __device__ __forceinline__ void mask(float s[F::KEYS / 8][4], const struct head &h,
                                            int query, int first)
{
    int lane = (int)threadIdx.x % 32;

#pragma unroll
    for (int n = 0; n < F::KEYS / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int key = first + n * 8 + lane % 4 * 2 + i % 2, row = query + lane / 4 + i / 2 * 8;
            bool hidden = key >= h.keys || (h.causal && key > row);

            s[n][i] = hidden ? -INFINITY : s[n][i] * h.scale;
        }
}

/* Over the four lanes that share a row. */
static __device__ __forceinline__ float row_max(float v)
{
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
    return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}

/* Scores become weights under the maximum so far; what was summed under an older one shrinks. The
   first tile has a key for every query, so the maximum is finite. */
template <typename F>
static __device__ __forceinline__ void soften(float s[F::KEYS / 8][4], struct running<F> *r)
{
#pragma unroll
    for (int which = 0; which < 2; which++) {
        float most = r->most[which], shrink, sum = 0;

#pragma unroll
        for (int n = 0; n < F::KEYS / 8; n++)
            most = fmaxf(most, fmaxf(s[n][2 * which], s[n][2 * which + 1]));
        most = row_max(most);
        shrink = exp2f(r->most[which] - most);
        r->most[which] = most;
#pragma unroll
        for (int n = 0; n < F::KEYS / 8; n++)
#pragma unroll
            for (int i = 2 * which; i < 2 * which + 2; i++) {
                s[n][i] = exp2f(s[n][i] - most);
                sum += s[n][i];
            }
        r->sum[which] = r->sum[which] * shrink + sum;
#pragma unroll
        for (int n = 0; n < F::PART / 8; n++) {
            r->y[n][2 * which] *= shrink;
            r->y[n][2 * which + 1] *= shrink;
        }
    }
}

static __device__ __forceinline__ uint32_t pair_of(float low, float high, __nv_bfloat16)
{
    __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    uint32_t bits;

    memcpy(&bits, &both, sizeof(bits));
    return bits;
}

static __device__ __forceinline__ uint32_t pair_of(float low, float high, __half)
{
    __half2 both = __floats2half2_rn(low, high);
    uint32_t bits;

    memcpy(&bits, &both, sizeof(bits));
    return bits;
}

/* y += weights v, for the warp's columns. What a lane holds of two 16 x 8 products is what it has
   to hold of one 16 x 16 left side. */
template <typename T, typename F>
static __device__ __forceinline__ void weigh(struct running<F> *r, float s[F::KEYS / 8][4],
                                             const T *v)
{
    int lane = (int)threadIdx.x % 32, matrix = lane / 8, line = lane % 8;

    v += (matrix % 2 * 8 + line) * F::PITCH + matrix / 2 * 8;
#pragma unroll
    for (int k = 0; k < F::KEYS / 16; k++) {
        uint32_t a[4], b[4];

#pragma unroll
        for (int i = 0; i < 4; i++)
            a[i] = pair_of(s[2 * k + i / 2][i % 2 * 2], s[2 * k + i / 2][i % 2 * 2 + 1], T());
#pragma unroll
        for (int n = 0; n < F::PART / 16; n++) {
            matrix_load_x4_trans(b, v + k * 16 * F::PITCH + n * 16);
            mma_16816<T>(r->y[2 * n], a, b);
            mma_16816<T>(r->y[2 * n + 1], a, b + 2);
        }
    }
}

/* --- all of them ---------------------------------------------------------------------------- */

template <typename T, typename F>
static __device__ __forceinline__ void store(const struct head &h, struct running<F> *r, int query,
                                             int column)
{
    int lane = (int)threadIdx.x % 32;

#pragma unroll
    for (int which = 0; which < 2; which++) {
        int row = query + lane / 4 + which * 8;
        float sum = r->sum[which];
        T *y = (T *)h.y + row * h.y_stride;

        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
#pragma unroll
        for (int n = 0; n < F::PART / 8; n++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int c = column + n * 8 + lane % 4 * 2 + i;

                if (row < h.queries && c < h.width)
                    number_put(y + c, r->y[n][2 * which + i] / sum);
            }
    }
}

/* This block's head: blockIdx.y counts heads of images. */
template <typename T> static __device__ __forceinline__ void head_find(struct head *h, int heads)
{
    int64_t image = blockIdx.y / (unsigned)heads,
            column = blockIdx.y % (unsigned)heads * (unsigned)h->width;

    h->q = (const T *)h->q + image * h->queries * h->q_stride + column;
    h->k = (const T *)h->k + image * h->keys * h->k_stride + column;
    h->v = (const T *)h->v + image * h->keys * h->v_stride + column;
    h->y = (T *)h->y + image * h->queries * h->y_stride + column;
}

/* Block (queries, head of image). */
template <typename T, typename F>
static __global__ void __launch_bounds__(F::THREADS) attend(struct head h, int heads)
{
    T *q = shared_dynamic<T>(), *tiles = q + QUERIES * F::PITCH;
    int warp = (int)threadIdx.x / 32, first_query = (int)blockIdx.x * QUERIES;
    int group = warp % F::GROUPS * 16, column = warp / F::GROUPS * F::PART, keys;
    struct running<F> r = {
        {}, {-INFINITY, -INFINITY},
        {
            0, 0
        }
    };

    head_find<T>(&h, heads);
    keys = h.causal && first_query + QUERIES < h.keys ? first_query + QUERIES : h.keys;
    load_rows<T, F>(q, (const T *)h.q, h.q_stride, first_query, QUERIES, h.queries, h.width);
    load_tile<T, F>(tiles, h, 0);
    for (int first = 0, i = 0; first < keys; first += F::KEYS, i++) {
        const T *tile = tiles + i % STAGES * F::TILE;
        float s[F::KEYS / 8][4] = {};

        load_tile<T, F>(tiles + (i + 1) % STAGES * F::TILE, h, first + F::KEYS);
        copy_async_wait<1>();
        __syncthreads();
        score<T, F>(s, q + group * F::PITCH, tile);
        mask<F>(s, h, first_query + group, first);
        soften<F>(s, &r);
        weigh<T, F>(&r, s, tile + F::KEYS * F::PITCH + column);
        __syncthreads(); /* the tile is read by all before it is overwritten */
    }
    store<T, F>(h, &r, first_query + group, column);
}

template <typename T, typename F>
static void launch_form(struct device *d, const struct head &h, int images, int heads)
{
    struct launch_shape s = {dim3(launch_blocks(h.queries, QUERIES), (unsigned)(images * heads)),
                             dim3(F::THREADS), (unsigned)F::BYTES};

    launch(d, "attention", s, attend<T, F>, h, heads);
}

template <typename T> static void run(struct device *d, const struct head &h, int images, int heads)
{
    if (h.width <= 32)
        launch_form<T, form<32, 64, 1>>(d, h, images, heads);
    else if (h.width <= 48)
        launch_form<T, form<48, 64, 1>>(d, h, images, heads);
    else if (h.width <= 64)
        launch_form<T, form<64, 64, 1>>(d, h, images, heads);
    else if (h.width <= 80)
        launch_form<T, form<80, 64, 1>>(d, h, images, heads);
    else if (h.width <= 128)
        launch_form<T, form<128, 64, 1>>(d, h, images, heads);
    else if (h.width <= 160)
        launch_form<T, form<160, 64, 1>>(d, h, images, heads);
    else
        launch_form<T, form<512, 32, 2>>(d, h, images, heads);
}

static bool takes(const struct device *d, struct tensor t)
{
    return t.dtype == d->dtype && (uintptr_t)t.data % 16 == 0 && t.stride % CHUNK == 0;
}

void attention_tiled(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                     struct tensor v, int heads, float scale, bool causal)
{
    struct head h = {q.data,
                     k.data,
                     v.data,
                     y.data,
                     q.stride,
                     k.stride,
                     v.stride,
                     y.stride,
                     (int)q.dim[2],
                     (int)k.dim[2],
                     (int)q.dim[3] / heads,
                     scale * 1.44269504088896341f,
                     causal};

    shape_attention(y, q, k, v, heads);
    if (d->dtype == DTYPE_F32 || !takes(d, q) || !takes(d, k) || !takes(d, v) ||
        y.dtype != d->dtype || h.width % CHUNK || h.width > 512 || q.dim[0] * heads > 65535) {
        attention_naive(d, y, q, k, v, heads, scale, causal);
        return;
    }
    if (d->dtype == DTYPE_F16)
        run<__half>(d, h, (int)q.dim[0], heads);
    else
        run<__nv_bfloat16>(d, h, (int)q.dim[0], heads);
}
