/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group norms over channels-last numbers.
 *
 * `slab` reads its numbers once: a slice of an image's channels, whole groups, stays in shared
 * memory between the two passes. Rung 2 (sm_90) spreads a slice over the blocks of a cluster, which
 * tell each other their statistics there; rung 1 (sm_80) has slices that one block can hold. Bytes:
 * 2 B H W C numbers. FLOPs: 12 B H W C and the activation's, so the roof is the memory's.
 *
 * Larger pictures take three kernels: `sums` makes the statistics of each chunk of pixels, `scales`
 * turns those of an image into three numbers for each channel, `apply` reads x again from its end,
 * the part that is still in L2. Bytes: 3 B H W C numbers, less what L2 kept.
 *
 * Statistics: a block sums x - k and (x - k)^2 of each channel in f32, k the middle one of three
 * of the channel's numbers in the block, so that neither a large mean nor a stray pixel costs
 * digits; a warp for each group makes mean and squares of them in double, and again of the parts of
 * an image.
 *
 * How an image is cut depends on its own size alone, and sums are added in one order: an image of a
 * batch is bit for bit the image alone.
 *
 * Requires 16-byte addresses, channels in multiples of 8 up to 4096, x and y of one type;
 * everything else goes to rung 0.
 */
#include "kernels/cuda/act.h"
#include "kernels/cuda/isa.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/slots.h"
#include "kernels/cuda/unit.h"
#include "kernels/shape.h"

enum {
    THREADS = 256,          /* of a block, about */
    BLOCK_MAX = 512,        /* of a block, at most */
    FLIGHT = 2,             /* loads of a thread that wait together */
    CHANNELS_MAX = 4096,    /* BLOCK_MAX units */
    CHUNK_BYTES = 32 << 10, /* of an image, for each block of `sums` */
    CHUNKS_MAX = 512,
    APPLY_PIXELS = 4 * FLIGHT, /* of a thread */
    CLUSTER_MAX = 16,
    ROW_BYTES = 64, /* of a slice side by side, at least: two sectors */
    SECTOR = 32,
    SLAB_WANTED = 24 << 10, /* bytes: several blocks share a multiprocessor and hide each other */
    SLAB_MAX = 96 << 10,    /* of shared memory: every chip since sm_80 has as much */
    IMAGES_MAX = 65535,     /* of a grid's y and z */
};

/* What norm_group is asked. */
struct group {
    int64_t pixels; /* of an image */
    int channels, group_channels;
    float epsilon;
    enum act act;
};

/* Of one group, in a part of an image or in all of it. */
struct moments {
    double mean, squares; /* the sum of the squares about the mean */
};

/* --- where threads stand -------------------------------------------------------------------- */

/* A thread keeps to 8 channels and takes every lanes-th pixel; threads past the last lane rest. */
struct place {
    int unit, lane, lanes;
};

static __device__ __forceinline__ struct place place_of_thread(int channels)
{
    int units = channels / UNIT;
    struct place p = {(int)threadIdx.x % units, (int)threadIdx.x / units, (int)blockDim.x / units};

    return p;
}

static int lanes_for(int channels)
{
    int units = channels / UNIT;

    return units < THREADS ? THREADS / units : 1;
}

/* Whole warps, and no more of them than have lanes. */
static dim3 block_for(int channels)
{
    return dim3((unsigned)(channels / UNIT * lanes_for(channels) + 31) / 32 * 32);
}

/* --- statistics ----------------------------------------------------------------------------- */

/* Shared memory of a block with some channels: k, the sums of x - k, those of (x - k)^2, what apply
   needs, and all lanes' sums on their way. */
struct board {
    float *k, *first, *second; /* [channels] */
    float *scale;              /* [3][channels] */
    float *lanes;              /* [lanes][2 * UNIT][channels / UNIT] */
};

static __host__ __device__ __forceinline__ size_t board_floats(int channels, int lanes)
{
    return (size_t)channels * (size_t)(6 + 2 * lanes);
}

static __device__ __forceinline__ struct board board_at(float *at, int channels)
{
    struct board b = {at, at + channels, at + 2 * channels, at + 3 * channels, at + 6 * channels};

    return b;
}

static __device__ __forceinline__ double sum_warp(double v)
{
#pragma unroll
    for (int bits = 16; bits; bits /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, bits);
    return v;
}

/* This thread's 8 channels, of pixels first, first + step, ... below end of x. */
template <typename T>
static __device__ __forceinline__ void sum_pixels(float *s1, float *s2, const float *k, const T *x,
                                                  int64_t stride, int first, int end, int step)
{
    int64_t hop = step * stride;
    struct unit<T> u[FLIGHT];
    float v[UNIT];

    x += first * stride;
    for (int p = first; p < end; p += FLIGHT * step, x += FLIGHT * hop) {
#pragma unroll
        for (int i = 0; i < FLIGHT; i++)
            if (p + i * step < end)
                unit_fetch(&u[i], x + i * hop);
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
            if (p + i * step >= end)
                continue;
            unit_get(v, u[i]);
#pragma unroll
            for (int j = 0; j < UNIT; j++) {
                float off = v[j] - k[j];

                s1[j] += off;
                s2[j] += off * off;
            }
        }
    }
}

/* About the mean of 8 channels: the middle one of three numbers, so that no stray one counts. */
template <typename T>
static __device__ __forceinline__ void pivot(float *k, const T *x, int64_t stride, int pixels)
{
    float v[UNIT], w[UNIT];

    unit_load(k, x);
    unit_load(v, x + pixels / 3 * stride);
    unit_load(w, x + (int64_t)pixels * 2 / 3 * stride);
#pragma unroll
    for (int j = 0; j < UNIT; j++)
        k[j] = fmaxf(fminf(k[j], v[j]), fminf(fmaxf(k[j], v[j]), w[j]));
}

/* The block's sums about its pivots, of `channels` channels of x and that many pixels. */
template <typename T>
static __device__ __forceinline__ void sum_block(const struct board &b, const T *x, int64_t stride,
                                                 int channels, int pixels)
{
    struct place p = place_of_thread(channels);
    float k[UNIT] = {0}, s1[UNIT] = {0}, s2[UNIT] = {0};
    int units = channels / UNIT;

    if (p.lane < p.lanes && pixels > 0) {
        pivot(k, x + p.unit * UNIT, stride, pixels);
        sum_pixels(s1, s2, k, x + p.unit * UNIT, stride, p.lane, pixels, p.lanes);
    }
#pragma unroll
    for (int j = 0; j < UNIT && p.lane < p.lanes; j++) {
        if (p.lane == 0)
            b.k[p.unit * UNIT + j] = k[j];
        b.lanes[(p.lane * 2 * UNIT + j) * units + p.unit] = s1[j];
        b.lanes[(p.lane * 2 * UNIT + UNIT + j) * units + p.unit] = s2[j];
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < 2 * channels; i += (int)blockDim.x) {
        int j = i / units, c = i % units * UNIT + j % UNIT;
        double sum = 0;

        for (int lane = 0; lane < p.lanes; lane++)
            sum += (double)b.lanes[lane * 2 * channels + i];
        (j < UNIT ? b.first : b.second)[c] = (float)sum;
    }
    __syncthreads();
}

/* A warp makes the moments of channels [from, from + count) from their sums over n pixels. */
static __device__ struct moments moments_of_sums(const struct board &b, int from, int count,
                                                 int64_t n)
{
    struct moments m = {0, 0};
    double all = 0, squares = 0;
    int lane = (int)threadIdx.x % 32;

    if (n == 0)
        return m;
    for (int c = from + lane; c < from + count; c += 32)
        all += (double)n * (double)b.k[c] + (double)b.first[c];
    m.mean = sum_warp(all) / ((double)n * count);
    for (int c = from + lane; c < from + count; c += 32) {
        double off = m.mean - (double)b.k[c];

        squares += (double)b.second[c] - 2 * off * (double)b.first[c] + (double)n * off * off;
    }
    squares = sum_warp(squares);
    m.squares = squares > 0 ? squares : 0;
    return m;
}

/* Pixels in part i of an image that is cut into parts of `each`. */
static __device__ __forceinline__ int64_t part_pixels(int64_t pixels, int64_t each, int64_t i)
{
    int64_t left = pixels - i * each;

    return left < 0 ? 0 : left < each ? left : each;
}

/* A warp makes the moments of an image's group from those of its parts, part(i). */
template <typename F>
static __device__ struct moments moments_of_parts(F part, int count, int64_t each,
                                                  const struct group &g)
{
    double all = 0, squares = 0;
    struct moments m;
    int lane = (int)threadIdx.x % 32;

    for (int i = lane; i < count; i += 32)
        all += (double)part_pixels(g.pixels, each, i) * part(i).mean;
    m.mean = sum_warp(all) / (double)g.pixels;
    for (int i = lane; i < count; i += 32) {
        struct moments one = part(i);
        double n = (double)part_pixels(g.pixels, each, i) * g.group_channels;

        squares += one.squares + n * (one.mean - m.mean) * (one.mean - m.mean);
    }
    m.squares = sum_warp(squares);
    return m;
}

/* A warp writes what `apply_unit` needs for channels [from, from + group_channels):
   y = act((x - m) a + b). m is the mean as far as f32 has it, its rest is in b. */
static __device__ void scale_group(float *scale, int channels, int from, struct moments m,
                                   const float *gamma, const float *beta, const struct group &g)
{
    double cells = (double)g.pixels * g.group_channels;
    float s = 1 / sqrtf((float)(m.squares / cells) + g.epsilon);
    float mean = (float)m.mean, rest = (float)(m.mean - (double)mean);

    for (int c = from + (int)threadIdx.x % 32; c < from + g.group_channels; c += 32) {
        float a = gamma[c] * s;

        scale[c] = mean;
        scale[channels + c] = a;
        scale[2 * channels + c] = beta[c] - rest * a;
    }
}

/* --- applying ------------------------------------------------------------------------------- */

struct unit_scale {
    float m[UNIT], a[UNIT], b[UNIT];
};

static __device__ __forceinline__ void scale_load(struct unit_scale *s, const float *scale,
                                                  int channels, int unit)
{
    unit_load(s->m, scale + unit * UNIT);
    unit_load(s->a, scale + channels + unit * UNIT);
    unit_load(s->b, scale + 2 * channels + unit * UNIT);
}

template <typename T>
static __device__ __forceinline__ void apply_unit(T *y, const struct unit<T> &u,
                                                  const struct unit_scale &s, enum act act)
{
    float v[UNIT];

    unit_get(v, u);
#pragma unroll
    for (int j = 0; j < UNIT; j++)
        v[j] = (v[j] - s.m[j]) * s.a[j] + s.b[j];
    act_apply_to<T, UNIT>(v, act);
    unit_store(y, v);
}

/* --- three kernels -------------------------------------------------------------------------- */

/* Block (chunk, image): out[image][group][chunk]. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK_MAX)
    sums(struct moments *out, const T *x, struct group g, int64_t chunk_pixels)
{
    struct board b = board_at(shared_dynamic<float>(), g.channels);
    int64_t first = blockIdx.x * chunk_pixels;
    int pixels = (int)part_pixels(g.pixels, chunk_pixels, blockIdx.x);
    int groups = g.channels / g.group_channels, warp = (int)threadIdx.x / 32;

    sum_block(b, x + (blockIdx.y * g.pixels + first) * g.channels, g.channels, g.channels, pixels);
    for (int i = warp; i < groups; i += (int)blockDim.x / 32) {
        struct moments m = moments_of_sums(b, i * g.group_channels, g.group_channels, pixels);

        if (threadIdx.x % 32 == 0)
            out[((int64_t)blockIdx.y * groups + i) * gridDim.x + blockIdx.x] = m;
    }
}

/* Block (group, image), one warp: scale[image][3][channels]. */
static __global__ void scales(float *scale, const struct moments *in, int chunks,
                              int64_t chunk_pixels, const float *gamma, const float *beta,
                              struct group g)
{
    const struct moments *part = in + ((int64_t)blockIdx.y * gridDim.x + blockIdx.x) * chunks;
    struct moments m = moments_of_parts([&](int i) { return part[i]; }, chunks, chunk_pixels, g);

    scale_group(scale + (int64_t)blockIdx.y * 3 * g.channels, g.channels,
                (int)blockIdx.x * g.group_channels, m, gamma, beta, g);
}

/* Block (some pixels, image), both from the end. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK_MAX)
    apply(T *y, const T *x, const float *scale, struct group g)
{
    struct place p = place_of_thread(g.channels);
    int64_t image = gridDim.y - 1 - blockIdx.y, block = gridDim.x - 1 - blockIdx.x;
    int64_t first = block * p.lanes * APPLY_PIXELS + p.lane;
    int64_t at = image * g.pixels * g.channels + p.unit * UNIT;
    struct unit_scale s;
    struct unit<T> u[FLIGHT];

    if (p.lane >= p.lanes)
        return;
    scale_load(&s, scale + image * 3 * g.channels, g.channels, p.unit);
    for (int done = 0; done < APPLY_PIXELS; done += FLIGHT) {
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
            int64_t pixel = first + (done + i) * p.lanes;

            if (pixel < g.pixels)
                unit_fetch(&u[i], x + at + pixel * g.channels);
        }
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
            int64_t pixel = first + (done + i) * p.lanes;

            if (pixel < g.pixels)
                apply_unit(y + at + pixel * g.channels, u[i], s, g.act);
        }
    }
}

static int64_t chunk_pixels_for(const struct group *g, size_t number_bytes)
{
    int64_t chunks = g->pixels * g->channels * (int64_t)number_bytes / CHUNK_BYTES;

    chunks = chunks < 1 ? 1 : chunks > CHUNKS_MAX ? (int64_t)CHUNKS_MAX : chunks;
    return (g->pixels + chunks - 1) / chunks;
}

template <typename T>
static void run_chunks(struct device *d, T *y, const T *x, int images, const float *gamma,
                       const float *beta, const struct group *g)
{
    int64_t each = chunk_pixels_for(g, sizeof(T));
    unsigned chunks = launch_blocks(g->pixels, each);
    unsigned groups = (unsigned)(g->channels / g->group_channels);
    int lanes = lanes_for(g->channels);
    size_t parts = (size_t)images * chunks * groups;
    struct moments *part = (struct moments *)backend_scratch(
        d, parts * sizeof(*part) + (size_t)images * 3 * (size_t)g->channels * sizeof(float));
    float *scale = (float *)(part + parts);
    struct launch_shape s = {dim3(chunks, (unsigned)images), block_for(g->channels),
                             (unsigned)(board_floats(g->channels, lanes) * sizeof(float))};

    if (!part)
        return;
    launch(d, "norm_group sums", s, sums<T>, part, x, *g, each);
    s.shared = 0;
    launch(d, "norm_group scales", {dim3(groups, (unsigned)images), dim3(32)}, scales, scale, part,
           (int)chunks, each, gamma, beta, *g);
    s.grid = dim3(launch_blocks(g->pixels, lanes * APPLY_PIXELS), (unsigned)images);
    launch(d, "norm_group apply", s, apply<T>, y, x, scale, *g);
}

/* --- one kernel ----------------------------------------------------------------------------- */

/* How an image is cut: channels of a slice, and of its pixels a block's share. */
struct slice {
    int channels, pixels, blocks;
};

/* Dynamic shared memory of a block: moments of its groups, a board, the numbers. */
static __host__ __device__ __forceinline__ size_t slab_head(const struct group &g,
                                                            const struct slice &s, int lanes)
{
    size_t bytes = (size_t)(s.channels / g.group_channels) * sizeof(struct moments);

    return bytes + board_floats(s.channels, lanes) * sizeof(float);
}

/* All of a block's numbers into shared memory, every load in flight at once. */
template <typename T>
static __device__ void slab_fill(T *numbers, const T *x, int64_t stride, int channels, int pixels)
{
    struct place p = place_of_thread(channels);

    for (int i = p.lane; i < pixels && p.lane < p.lanes; i += p.lanes)
#pragma unroll
        for (int j = 0; j < UNIT; j += number_pack<T>::COUNT)
            copy_async_16(numbers + i * channels + p.unit * UNIT + j,
                          x + i * stride + p.unit * UNIT + j, true);
    copy_async_commit();
    copy_async_wait<0>();
    __syncthreads();
}

/* From the block's sums to the scales of all of the slice's channels. */
static __device__ void slab_scales(struct moments *mine, const struct board &b,
                                   const struct slice &s, int pixels, const float *gamma,
                                   const float *beta, const struct group &g)
{
    int groups = s.channels / g.group_channels, warps = (int)blockDim.x / 32;
    int warp = (int)threadIdx.x / 32;

    for (int i = warp; i < groups; i += warps) {
        struct moments m = moments_of_sums(b, i * g.group_channels, g.group_channels, pixels);

        if (threadIdx.x % 32 == 0)
            mine[i] = m;
    }
    cluster_sync();
    for (int i = warp; i < groups; i += warps) {
        struct moments m = moments_of_parts(
            [&](int rank) { return cluster_map(mine, (unsigned)rank)[i]; }, s.blocks, s.pixels, g);

        scale_group(b.scale, s.channels, i * g.group_channels, m, gamma, beta, g);
    }
    __syncthreads();
}

/* Block (rank, slice, image). */
template <typename T>
static __global__ void __launch_bounds__(BLOCK_MAX)
    slab(T *y, const T *x, const float *gamma, const float *beta, struct group g, struct slice s)
{
    struct moments *mine = shared_dynamic<struct moments>();
    struct place p = place_of_thread(s.channels);
    struct board b = board_at((float *)(mine + s.channels / g.group_channels), s.channels);
    T *numbers = (T *)((unsigned char *)mine + slab_head(g, s, p.lanes));
    int from = (int)blockIdx.y * s.channels, rank = (int)cluster_rank();
    int pixels = (int)part_pixels(g.pixels, s.pixels, rank);
    int64_t at = (blockIdx.z * g.pixels + (int64_t)rank * s.pixels) * g.channels + from;
    struct unit_scale scale;
    struct unit<T> u;

    slab_fill(numbers, x + at, g.channels, s.channels, pixels);
    sum_block(b, numbers, s.channels, s.channels, pixels);
    slab_scales(mine, b, s, pixels, gamma + from, beta + from, g);
    if (p.lane < p.lanes)
        scale_load(&scale, b.scale, s.channels, p.unit);
    for (int i = p.lane; i < pixels && p.lane < p.lanes; i += p.lanes) {
        unit_fetch(&u, numbers + i * s.channels + p.unit * UNIT);
        apply_unit(y + at + (int64_t)i * g.channels + p.unit * UNIT, u, scale, g.act);
    }
    cluster_sync(); /* nobody leaves while others read its moments */
}

/* The fewest blocks, up to `most`, with which a slice's parts are as small as wanted, or at least
   fit. */
static bool blocks_for(struct slice *s, const struct group *g, size_t number_bytes, int most)
{
    for (s->blocks = 1; s->blocks <= most; s->blocks *= 2) {
        int64_t each = (g->pixels + s->blocks - 1) / s->blocks;
        int64_t bytes = each * s->channels * (int64_t)number_bytes;

        if (bytes > SLAB_MAX || (bytes > SLAB_WANTED && s->blocks < most))
            continue;
        s->pixels = (int)each;
        return (int64_t)slab_head(*g, *s, lanes_for(s->channels)) + bytes <= SLAB_MAX;
    }
    return false;
}

/* The narrowest slice of whole groups and whole units with rows of whole sectors, or else of whole
   packs, that fits. */
static bool slice_for(struct slice *s, const struct group *g, size_t number_bytes, int most)
{
    for (size_t whole = SECTOR; whole >= 16; whole /= 2) {
        for (s->channels = g->group_channels; s->channels <= g->channels;
             s->channels += g->group_channels) {
            size_t row = (size_t)s->channels * number_bytes;

            if (s->channels % UNIT == 0 && g->channels % s->channels == 0 && row % whole == 0 &&
                (row >= ROW_BYTES || s->channels == g->channels) &&
                blocks_for(s, g, number_bytes, most))
                return true;
        }
    }
    return false;
}

template <typename T>
static void run_slab(struct device *d, T *y, const T *x, int images, const float *gamma,
                     const float *beta, const struct group *g, const struct slice *slice)
{
    struct launch_shape s;
    size_t numbers = (size_t)slice->pixels * (size_t)slice->channels * sizeof(T);

    s.grid =
        dim3((unsigned)slice->blocks, (unsigned)(g->channels / slice->channels), (unsigned)images);
    s.block = block_for(slice->channels);
    s.shared = (unsigned)(slab_head(*g, *slice, lanes_for(slice->channels)) + numbers);
    s.cluster = (unsigned)slice->blocks;
    launch(d, "norm_group", s, slab<T>, y, x, gamma, beta, *g, *slice);
}

/* --- the slots ------------------------------------------------------------------------------ */

static void norm_group(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, const struct group *g, int cluster_max)
{
    const float *scale = (const float *)gamma.data, *shift = (const float *)beta.data;
    int images = (int)x.dim[0];
    struct slice slice;
    bool fits = slice_for(&slice, g, dtype_bytes(x.dtype), cluster_max);

    number_pick(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (fits)
            run_slab(d, (T *)y.data, (const T *)x.data, images, scale, shift, g, &slice);
        else
            run_chunks(d, (T *)y.data, (const T *)x.data, images, scale, shift, g);
    });
}

static bool is_packed(struct tensor y, struct tensor x)
{
    return x.dtype == y.dtype && (uintptr_t)x.data % 16 == 0 && (uintptr_t)y.data % 16 == 0 &&
           x.dim[3] % UNIT == 0 && x.dim[3] <= CHANNELS_MAX && x.dim[0] <= IMAGES_MAX;
}

static struct group group_of(struct tensor x, int groups, float epsilon, enum act act)
{
    struct group g = {x.dim[1] * x.dim[2], (int)x.dim[3], (int)x.dim[3] / groups, epsilon, act};

    return g;
}

void norm_group_packed(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, int groups, float epsilon, enum act act)
{
    struct group g = group_of(x, groups, epsilon, act);

    shape_norm_group(y, x, gamma, beta, groups);
    if (is_packed(y, x))
        norm_group(d, y, x, gamma, beta, &g, 1);
    else
        norm_group_naive(d, y, x, gamma, beta, groups, epsilon, act);
}

void norm_group_cluster(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                        struct tensor beta, int groups, float epsilon, enum act act)
{
    struct group g = group_of(x, groups, epsilon, act);

    shape_norm_group(y, x, gamma, beta, groups);
    if (is_packed(y, x))
        norm_group(d, y, x, gamma, beta, &g, CLUSTER_MAX);
    else
        norm_group_naive(d, y, x, gamma, beta, groups, epsilon, act);
}
