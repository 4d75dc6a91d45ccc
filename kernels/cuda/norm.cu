/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Norms over channels-last numbers.
 *
 * norm_group, rung 1 (sm_80): three kernels. `sums` reads x once: a thread keeps 8 channels over
 * many pixels and sums x - k and (x - k)^2, k the channel's first number of the image, so that a
 * large mean costs no digits; `scales` turns the sums of an image into a mean and a scale for each
 * channel; `apply` reads x again and writes y. Bytes: 2 x + 1 y, the second x mostly out of L2.
 *
 * norm_group, rung 2 (sm_90): one kernel. The blocks of a cluster hold a slice of an image's
 * channels in shared memory between the two passes and tell each other their sums there. Bytes: 1 x
 * + 1 y. Predicted, not measured: 85 % of what a copy reaches from 64x64x320 up.
 *
 * norm_layer, rung 1: a warp a row, the row in registers. Bytes: 1 x + 1 y.
 *
 * How an image is cut depends on its own size alone, and sums are added in one order: an image of a
 * batch is bit for bit the image alone.
 *
 * Requires 16-byte addresses, channels in multiples of 8 (norm_layer: up to 2560; norm_group: up to
 * 8192), x and y of one type; everything else goes to the rung below.
 */
#include "kernels/cuda/act.h"
#include "kernels/cuda/isa.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

enum {
    UNIT = 8,             /* channels of a thread */
    THREADS = 256,        /* about, of a block */
    CHUNKS_MAX = 64,      /* that an image's pixels are cut into */
    CHUNK_PIXELS = 64,    /* at least */
    APPLY_PIXELS = 4,     /* of a thread */
    CLUSTER = 8,          /* blocks that share a slice */
    SLICE = 64,           /* channels of a slice at least: 128 bytes side by side */
    SLAB_MAX = 200 << 10, /* bytes of a block's part of a slice */
    WARP_UNITS = 10,      /* of a lane of norm_layer */
};

template <typename T> static __device__ __forceinline__ void unit_load(float *out, const T *from)
{
#pragma unroll
    for (int i = 0; i < UNIT; i += number_pack<T>::COUNT)
        number_pack_load(out + i, from + i);
}

template <typename T> static __device__ __forceinline__ void unit_store(T *to, const float *in)
{
#pragma unroll
    for (int i = 0; i < UNIT; i += number_pack<T>::COUNT)
        number_pack_store(to + i, in + i);
}

/* What norm_group is asked. */
struct group {
    int64_t pixels; /* of an image */
    int channels, group_channels;
    float epsilon;
    enum act act;
};

/* --- statistics ----------------------------------------------------------------------------- */

/* A channel's sums of x - k and of (x - k)^2. */
struct channel_sums {
    float first, second;
};

/* Mean and 1 / deviation of one group from its channels' sums over n pixels each: the mean of all
   first, then every channel's squares about it. In double: these are few numbers. */
static __device__ void group_moments(const struct channel_sums *sums, const float *k, int count,
                                     int64_t n, float epsilon, double *mean, float *scale)
{
    double all = 0, squares = 0, m;

    for (int c = 0; c < count; c++)
        all += (double)n * (double)k[c] + (double)sums[c].first;
    m = all / ((double)n * count);
    for (int c = 0; c < count; c++) {
        double off = m - (double)k[c];

        squares += (double)sums[c].second - 2 * off * (double)sums[c].first + (double)n * off * off;
    }
    squares = squares > 0 ? squares : 0;
    *mean = m;
    *scale = (float)(1 / sqrt(squares / ((double)n * count) + (double)epsilon));
}

/* y = act(((x - k) - off) a + b): the mean in two pieces, the first of which x is close to, so that
   no digit is lost where it is large. */
static __device__ float4 channel_scale(float k, double mean, float scale, float gamma, float beta)
{
    return make_float4(k, (float)(mean - (double)k), gamma * scale, beta);
}

static __device__ __forceinline__ float channel_apply(float x, float4 s, enum act act)
{
    return act_apply(((x - s.x) - s.y) * s.z + s.w, act);
}

/* This thread's 8 channels over pixels first, first + step, ... below end. */
template <typename T>
static __device__ __forceinline__ void sum_pixels(const T *x, const float *k, int64_t first,
                                                  int64_t end, int64_t step, int64_t stride,
                                                  float *s1, float *s2)
{
    float v[UNIT];

#pragma unroll
    for (int j = 0; j < UNIT; j++)
        s1[j] = s2[j] = 0;
    for (int64_t p = first; p < end; p += step) {
        unit_load(v, x + p * stride);
#pragma unroll
        for (int j = 0; j < UNIT; j++) {
            float off = v[j] - k[j];

            s1[j] += off;
            s2[j] += off * off;
        }
    }
}

/* The lanes of a block (threadIdx.y) add their sums, in order, into `to`. */
static __device__ void sum_lanes(struct channel_sums *to, const float *s1, const float *s2)
{
    for (unsigned lane = 0; lane < blockDim.y; lane++) {
        __syncthreads();
        if (threadIdx.y != lane)
            continue;
#pragma unroll
        for (int j = 0; j < UNIT; j++) {
            struct channel_sums *at = &to[threadIdx.x * UNIT + j];

            at->first = lane ? at->first + s1[j] : s1[j];
            at->second = lane ? at->second + s2[j] : s2[j];
        }
    }
    __syncthreads();
}

/* --- norm_group, rung 1 --------------------------------------------------------------------- */

/* Block (chunk, image): the sums of all channels over the chunk's pixels. */
template <typename T>
static __global__ void sums(struct channel_sums *out, const T *x, struct group g)
{
    struct channel_sums *all = shared_dynamic<struct channel_sums>();
    const T *image = x + (int64_t)blockIdx.y * g.pixels * g.channels + threadIdx.x * UNIT;
    int64_t chunk = (g.pixels + gridDim.x - 1) / gridDim.x, first = blockIdx.x * chunk;
    int64_t end = first + chunk < g.pixels ? first + chunk : g.pixels;
    float k[UNIT], s1[UNIT], s2[UNIT];

    unit_load(k, image);
    sum_pixels(image, k, first + threadIdx.y, end, blockDim.y, g.channels, s1, s2);
    sum_lanes(all, s1, s2);
    out += ((int64_t)blockIdx.y * gridDim.x + blockIdx.x) * g.channels;
    for (unsigned c = threadIdx.y * blockDim.x + threadIdx.x; c < (unsigned)g.channels;
         c += blockDim.x * blockDim.y)
        out[c] = all[c];
}

/* Block (group, image), a thread a channel. */
template <typename T>
static __global__ void scales(float4 *out, const struct channel_sums *in, int chunks, const T *x,
                              const float *gamma, const float *beta, struct group g)
{
    struct channel_sums *all = shared_dynamic<struct channel_sums>();
    float *k = (float *)(all + g.group_channels), scale;
    int first = (int)blockIdx.x * g.group_channels;
    double mean;

    for (int i = (int)threadIdx.x; i < g.group_channels; i += (int)blockDim.x) {
        struct channel_sums sum = {0, 0};

        for (int chunk = 0; chunk < chunks; chunk++) {
            struct channel_sums part =
                in[((int64_t)blockIdx.y * chunks + chunk) * g.channels + first + i];

            sum.first += part.first;
            sum.second += part.second;
        }
        all[i] = sum;
        k[i] = number_get(x[(int64_t)blockIdx.y * g.pixels * g.channels + first + i]);
    }
    __syncthreads();
    group_moments(all, k, g.group_channels, g.pixels, g.epsilon, &mean, &scale);
    for (int i = (int)threadIdx.x; i < g.group_channels; i += (int)blockDim.x)
        out[(int64_t)blockIdx.y * g.channels + first + i] =
            channel_scale(k[i], mean, scale, gamma[first + i], beta[first + i]);
}

/* Block (some pixels, image): a thread's 8 channels of APPLY_PIXELS pixels. */
template <typename T>
static __global__ void apply(T *y, const T *x, const float4 *scale, struct group g)
{
    int64_t first = ((int64_t)blockIdx.x * blockDim.y + threadIdx.y) * APPLY_PIXELS;
    int64_t image = (int64_t)blockIdx.y * g.pixels * g.channels + threadIdx.x * UNIT;
    float4 s[UNIT];
    float v[UNIT];

#pragma unroll
    for (int j = 0; j < UNIT; j++)
        s[j] = scale[(int64_t)blockIdx.y * g.channels + threadIdx.x * UNIT + j];
#pragma unroll
    for (int p = 0; p < APPLY_PIXELS; p++) {
        int64_t at = image + (first + p) * g.channels;

        if (first + p >= g.pixels)
            return;
        unit_load(v, x + at);
#pragma unroll
        for (int j = 0; j < UNIT; j++)
            v[j] = channel_apply(v[j], s[j], g.act);
        unit_store(y + at, v);
    }
}

static bool is_packed(struct tensor y, struct tensor x, int64_t channels_max)
{
    return x.dtype == y.dtype && (uintptr_t)x.data % 16 == 0 && (uintptr_t)y.data % 16 == 0 &&
           x.dim[3] % UNIT == 0 && x.dim[3] <= channels_max;
}

static struct group group_of(struct tensor x, int groups, float epsilon, enum act act)
{
    struct group g = {x.dim[1] * x.dim[2], (int)x.dim[3], (int)x.dim[3] / groups, epsilon, act};

    return g;
}

static int chunks_of(const struct group *g)
{
    int64_t chunks = g->pixels / CHUNK_PIXELS;

    return chunks < 1 ? 1 : chunks > CHUNKS_MAX ? CHUNKS_MAX : (int)chunks;
}

/* Threads for all units of some channels, and as many pixels beside each other as make a block. */
static dim3 block_of(int channels)
{
    unsigned units = (unsigned)channels / UNIT;

    return dim3(units, units >= THREADS ? 1 : THREADS / units);
}

template <typename T>
static void run_packed(struct device *d, T *y, const T *x, int images, const float *gamma,
                       const float *beta, const struct group *g)
{
    unsigned chunks = (unsigned)chunks_of(g), groups = (unsigned)(g->channels / g->group_channels);
    size_t parts = (size_t)images * chunks * (size_t)g->channels;
    size_t channels = (size_t)images * (size_t)g->channels;
    float4 *scale = (float4 *)backend_scratch(d, parts * sizeof(struct channel_sums) +
                                                     channels * sizeof(*scale));
    struct channel_sums *sum = (struct channel_sums *)(scale + channels);
    struct launch_shape s = {dim3(chunks, (unsigned)images), block_of(g->channels),
                             (unsigned)((size_t)g->channels * sizeof(*sum))};

    if (!scale)
        return;
    launch(d, "norm_group sums", s, sums<T>, sum, x, *g);
    s.grid = dim3(groups, (unsigned)images);
    s.block = dim3(g->group_channels <= 32 ? 32 : g->group_channels <= 256 ? 64 : 256);
    s.shared = (unsigned)((size_t)g->group_channels * (sizeof(*sum) + sizeof(float)));
    launch(d, "norm_group scales", s, scales<T>, scale, sum, (int)chunks, x, gamma, beta, *g);
    s.block = block_of(g->channels);
    s.grid = dim3(launch_blocks(g->pixels, (int64_t)s.block.y * APPLY_PIXELS), (unsigned)images);
    s.shared = 0;
    launch(d, "norm_group apply", s, apply<T>, y, x, scale, *g);
}

void norm_group_packed(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, int groups, float epsilon, enum act act)
{
    struct group g = group_of(x, groups, epsilon, act);

    shape_norm_group(y, x, gamma, beta, groups);
    if (!is_packed(y, x, 8192)) {
        norm_group_naive(d, y, x, gamma, beta, groups, epsilon, act);
        return;
    }
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        run_packed(d, (T *)y.data, (const T *)x.data, (int)x.dim[0], (const float *)gamma.data,
                   (const float *)beta.data, &g);
    });
}

/* --- norm_group, rung 2 --------------------------------------------------------------------- */

/* A slice of channels and a block's share of its pixels. */
struct slice {
    int channels, pixels;
};

/* Dynamic shared memory of a block, one part after the other. */
struct slab {
    struct channel_sums *mine, *all; /* [channels]: of this block; of the cluster */
    float4 *scale;                   /* [channels] */
    float *k;                        /* [channels] */
    unsigned char *numbers;          /* [pixels][channels] */
};

static __host__ __device__ __forceinline__ size_t slab_head(int channels)
{
    size_t bytes =
        (size_t)channels * (2 * sizeof(struct channel_sums) + sizeof(float4) + sizeof(float));

    return (bytes + 15) & ~(size_t)15;
}

static __device__ struct slab slab_of(int channels)
{
    unsigned char *at = shared_dynamic<unsigned char>();
    struct slab s;

    s.mine = (struct channel_sums *)at;
    s.all = s.mine + channels;
    s.scale = (float4 *)(s.all + channels);
    s.k = (float *)(s.scale + channels);
    s.numbers = at + slab_head(channels);
    return s;
}

/* Every block adds the blocks' sums, in the order of their ranks. */
static __device__ void sum_cluster(const struct slab *s, int channels)
{
    int thread = (int)(threadIdx.y * blockDim.x + threadIdx.x);

    cluster_sync();
    for (int c = thread; c < channels; c += (int)(blockDim.x * blockDim.y)) {
        struct channel_sums sum = {0, 0};

        for (unsigned rank = 0; rank < cluster_size(); rank++) {
            const struct channel_sums *other = cluster_map(s->mine, rank) + c;

            sum.first += other->first;
            sum.second += other->second;
        }
        s->all[c] = sum;
    }
    cluster_sync(); /* nobody leaves, or sums anew, while others read */
}

static __device__ void scale_slice(const struct slab *s, const struct group &g, int channels,
                                   const float *gamma, const float *beta)
{
    int thread = (int)(threadIdx.y * blockDim.x + threadIdx.x);

    for (int c = thread; c < channels; c += (int)(blockDim.x * blockDim.y)) {
        int first = c / g.group_channels * g.group_channels;
        double mean;
        float scale;

        group_moments(s->all + first, s->k + first, g.group_channels, g.pixels, g.epsilon, &mean,
                      &scale);
        s->scale[c] = channel_scale(s->k[c], mean, scale, gamma[c], beta[c]);
    }
    __syncthreads();
}

/* Block (rank, slice of channels, image). */
template <typename T>
static __global__ void norm_cluster(T *y, const T *x, const float *gamma, const float *beta,
                                    struct group g, struct slice slice)
{
    struct slab s = slab_of(slice.channels);
    int64_t first = (int64_t)cluster_rank() * slice.pixels, left = g.pixels - first;
    int pixels = left < 0 ? 0 : left < slice.pixels ? (int)left : slice.pixels;
    int column = (int)threadIdx.x * UNIT, from = (int)blockIdx.y * slice.channels;
    int64_t image = (int64_t)blockIdx.z * g.pixels * g.channels + from + column;
    T *numbers = (T *)s.numbers + column;
    float k[UNIT], s1[UNIT], s2[UNIT], v[UNIT];

    unit_load(k, x + image);
    for (int p = (int)threadIdx.y; p < pixels; p += (int)blockDim.y) {
        unit_load(v, x + image + (first + p) * g.channels);
        unit_store(numbers + p * slice.channels, v);
    }
    if (threadIdx.y == 0)
        for (int j = 0; j < UNIT; j++)
            s.k[column + j] = k[j];
    sum_pixels(numbers, k, threadIdx.y, pixels, blockDim.y, slice.channels, s1, s2);
    sum_lanes(s.mine, s1, s2);
    sum_cluster(&s, slice.channels);
    scale_slice(&s, g, slice.channels, gamma + from, beta + from);
    for (int p = (int)threadIdx.y; p < pixels; p += (int)blockDim.y) {
        unit_load(v, numbers + p * slice.channels);
#pragma unroll
        for (int j = 0; j < UNIT; j++)
            v[j] = channel_apply(v[j], s.scale[column + j], g.act);
        unit_store(y + image + (first + p) * g.channels, v);
    }
}

/* The narrowest slice of whole groups and whole units that has SLICE channels, or all of them; a
   block's share of it must fit. */
static bool slice_for(struct slice *out, const struct group *g, size_t number_bytes)
{
    for (int channels = g->group_channels; channels <= g->channels; channels += g->group_channels) {
        if (channels % UNIT || g->channels % channels ||
            (channels < SLICE && channels < g->channels))
            continue;
        out->channels = channels;
        out->pixels = (int)((g->pixels + CLUSTER - 1) / CLUSTER);
        return g->pixels < 1 << 24 && channels <= 1024 * UNIT &&
               slab_head(channels) + (size_t)out->pixels * (size_t)channels * number_bytes <=
                   SLAB_MAX;
    }
    return false;
}

void norm_group_cluster(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                        struct tensor beta, int groups, float epsilon, enum act act)
{
    struct group g = group_of(x, groups, epsilon, act);
    struct slice slice;
    struct launch_shape s;

    shape_norm_group(y, x, gamma, beta, groups);
    if (!is_packed(y, x, 8192) || !slice_for(&slice, &g, dtype_bytes(x.dtype)) ||
        x.dim[0] > 65535) {
        norm_group_packed(d, y, x, gamma, beta, groups, epsilon, act);
        return;
    }
    s.grid = dim3(CLUSTER, (unsigned)(g.channels / slice.channels), (unsigned)x.dim[0]);
    s.block = block_of(slice.channels);
    s.shared = (unsigned)(slab_head(slice.channels) +
                          (size_t)slice.pixels * (size_t)slice.channels * dtype_bytes(x.dtype));
    s.cluster = CLUSTER;
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(d, "norm_group", s, norm_cluster<T>, (T *)y.data, (const T *)x.data,
               (const float *)gamma.data, (const float *)beta.data, g, slice);
    });
}

/* --- norm_layer ----------------------------------------------------------------------------- */

static __device__ __forceinline__ float sum_warp(float v)
{
#pragma unroll
    for (int bits = 16; bits; bits /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, bits);
    return v;
}

/* A warp a row; lane i has units i, i + 32, ... Everything less the row's first number, so that a
   large mean costs no digits. */
template <typename T>
static __global__ void norm_rows(T *y, const T *x, const float *gamma, const float *beta,
                                 int64_t rows, int channels, float epsilon)
{
    int64_t row = (int64_t)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    int lane = (int)threadIdx.x % 32, units = channels / UNIT;
    float v[WARP_UNITS][UNIT], sum = 0, mean, scale, k;

    if (row >= rows) /* a whole warp */
        return;
    k = number_get(x[row * channels]);
#pragma unroll
    for (int i = 0; i < WARP_UNITS; i++) {
        if (lane + 32 * i >= units)
            continue;
        unit_load(v[i], x + row * channels + (lane + 32 * i) * UNIT);
        for (int j = 0; j < UNIT; j++) {
            v[i][j] -= k;
            sum += v[i][j];
        }
    }
    mean = sum_warp(sum) / (float)channels;
    sum = 0;
#pragma unroll
    for (int i = 0; i < WARP_UNITS; i++)
        for (int j = 0; j < UNIT && lane + 32 * i < units; j++)
            sum += (v[i][j] - mean) * (v[i][j] - mean);
    scale = 1 / sqrtf(sum_warp(sum) / (float)channels + epsilon);
#pragma unroll
    for (int i = 0; i < WARP_UNITS; i++) {
        int at = (lane + 32 * i) * UNIT;

        if (lane + 32 * i >= units)
            continue;
        for (int j = 0; j < UNIT; j++)
            v[i][j] = (v[i][j] - mean) * scale * gamma[at + j] + beta[at + j];
        unit_store(y + row * channels + at, v[i]);
    }
}

void norm_layer_packed(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, float epsilon)
{
    int64_t rows = tensor_rows(x);
    struct launch_shape s = {dim3(launch_blocks(rows, THREADS / 32)), dim3(THREADS)};

    shape_norm_layer(y, x, gamma, beta);
    if (!is_packed(y, x, 32 * WARP_UNITS * UNIT)) {
        norm_layer_naive(d, y, x, gamma, beta, epsilon);
        return;
    }
    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(d, "norm_layer", s, norm_rows<T>, (T *)y.data, (const T *)x.data,
               (const float *)gamma.data, (const float *)beta.data, rows, (int)x.dim[3], epsilon);
    });
}
