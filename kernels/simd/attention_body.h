/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_body.h - softmax(scale q k^T) v without the T x S matrix, for any vector header.
 *
 * Everything is kept transposed: queries lie across the lanes, so that the largest score, the sum
 * and the rescaling are plain vertical arithmetic and nothing is ever summed across a vector. One
 * task is one head of one image and a chunk of a few tiles of queries; a tile is up to three
 * vectors wide. The task walks over the keys in blocks, and for each block and tile:
 *
 *     score    p[key][query]  = 2^(sum over d of k[key][d] * q[d][query] - top)
 *     weigh    o[d][query]    = o * fix + sum over keys of v[key][d] * p[key][query]
 *
 * Both products are outer products in registers, VF_ROWS x 3 sums against one broadcast, so no
 * head size is padded. q carries scale * log2 e, hence powers of two. Weights of a block and the
 * tile's q lie in the L1 cache; k and v of a block serve all tiles of the chunk.
 *
 * top is a whole number near the largest score so far: powers of two scale exactly, so it need not
 * be the largest itself, and scores become weights while they are still in registers. It starts at
 * the first key's score. Only when a block holds a score more than ATTENTION_SLACK above it, top
 * is raised and the block scored again.
 *
 * FLOPs: 4 T S d per head. Bytes from beyond L2: about 8 S d per chunk of queries.
 *
 * The including file says what a cell is, the 32 bits that a product is made of: one float, or two
 * bf16 numbers that are neighbours along the summed dimension. It defines before the include
 *
 *     CELL                      numbers in a cell, 1 or 2
 *     cell_dot(sum, a, b)       sum + a * b, over the numbers of each cell
 *     cell_exp2(x, top)         2^(x - top) for a whole top, as exact as the cells deserve
 *     cell_queries(...)         q of a tile, scaled, from rows of floats to rows of cells
 *     cell_join(w)              weights of CELL neighbouring keys as one row of cells
 *     cell_keys(...)            a block of k as rows of cells, one row per key
 *     cell_values(...)          a block of v as rows of cells, one row per CELL keys
 */
#ifndef KERNELS_SIMD_ATTENTION_BODY_H
#define KERNELS_SIMD_ATTENTION_BODY_H

#include "kernels/shape.h"
#include "kernels/simd/simd.h"

#include <string.h>

enum {
    ATTENTION_SCRATCH = 64 * 1024, /* floats on a thread's stack: a quarter of L2 */
    ATTENTION_TILES = 8,           /* most tiles of a chunk */
    ATTENTION_FEW = 3,             /* tiles of a chunk that are worth narrower ones */
    ATTENTION_KEYS = 128,          /* most keys of a block */
};

#define ATTENTION_LOW   (-1e30f) /* below every score, and no infinity to subtract from itself */
#define ATTENTION_SLACK 16.0f    /* how many powers of two a weight may be above 1 */

/* One call, as all its tasks see it. */
struct attention {
    struct tensor y, q, k, v;
    int heads;
    float scale;
    bool causal;
    int64_t width;  /* of a head */
    int64_t tiles;  /* of a chunk */
    int64_t across; /* vectors of a tile, 1 to 3 */
    int64_t keys;   /* of a block */
    int64_t chunks; /* of an image's queries */
};

/* Up to three vectors of queries on their way. All rows are across * VF_LANES long. */
struct tile {
    int64_t first; /* query */
    int64_t count; /* of queries, the last lanes may be idle */
    float *q;      /* [width / CELL] rows of cells */
    float *o;      /* [width] rows */
    float *top;    /* one row: what scores are taken relative to */
    float *most;   /* one row: the largest score of the block */
    float *sum;    /* one row: of all weights */
    float *fresh;  /* one row: of the weights of the block */
};

/* Keys [from, from + count) with their values. */
struct block {
    struct cells k, v;
    int64_t from, count;
};

/* Scratch memory of one task. */
struct bench {
    struct tile tile[ATTENTION_TILES];
    float *p;     /* [keys / CELL] rows of cells */
    float *k, *v; /* packed cells of a block, unused when a cell is a float */
};

/* sum[i] = k[i] . q for VF_ROWS keys. Rows past the last repeat it. */
static inline __attribute__((always_inline)) void attention_products(vf sum[VF_ROWS][3],
                                                                     const float *q, struct cells k,
                                                                     int64_t depth,
                                                                     const int across)
{
    const float *row[VF_ROWS];

    for (int i = 0; i < VF_ROWS; i++) {
        row[i] = k.cell + simd_min(i, k.count - 1) * k.stride;
        for (int j = 0; j < across; j++)
            sum[i][j] = vf_set(0);
    }
    for (int64_t d = 0; d < depth; d++, q += across * VF_LANES) {
        vf lane[3];
        for (int j = 0; j < across; j++)
            lane[j] = vf_load(q + j * VF_LANES);
#pragma GCC unroll 8
        for (int i = 0; i < VF_ROWS; i++) {
            vf key = vf_set(row[i][d]);
            for (int j = 0; j < across; j++)
                sum[i][j] = cell_dot(sum[i][j], key, lane[j]);
        }
    }
}

/* Weights of VF_ROWS keys, the first of k. If `careful`, keys past the last or that a query may not
   see yet weigh nothing; `seen` is the number of these keys that the tile's first query sees, and
   each further query sees one more. */
static inline __attribute__((always_inline)) void
attention_score_rows(struct tile *t, float *p, struct cells k, int64_t seen, int64_t depth,
                     const bool careful, const int across)
{
    vf score[VF_ROWS][3], top[3], most[3], fresh[3];

    attention_products(score, t->q, k, depth, across);
    for (int j = 0; j < across; j++) {
        top[j] = vf_load(t->top + j * VF_LANES);
        most[j] = vf_load(t->most + j * VF_LANES);
        fresh[j] = vf_load(t->fresh + j * VF_LANES);
    }
#pragma GCC unroll 8
    for (int i = 0; i < VF_ROWS; i += CELL)
        for (int j = 0; j < across; j++) {
            vf weight[CELL];
            for (int c = 0; c < CELL; c++) {
                vf s = score[i + c][j];
                if (careful) {
                    vf last = vf_set((float)(i + c < k.count ? i + c + 1 - seen : 1 << 24));
                    vf query = vf_index() + vf_set((float)(j * VF_LANES));
                    s = vf_pick(vf_less(query, last), vf_set(ATTENTION_LOW), s);
                }
                most[j] = vf_max(most[j], s);
                weight[c] = cell_exp2(s, top[j]);
                fresh[j] = fresh[j] + weight[c];
            }
            vf_store(p + (i / CELL * across + j) * VF_LANES, cell_join(weight));
        }
    for (int j = 0; j < across; j++) {
        vf_store(t->most + j * VF_LANES, most[j]);
        vf_store(t->fresh + j * VF_LANES, fresh[j]);
    }
}

/* Weights of a block. */
static inline __attribute__((always_inline)) void attention_score(const struct attention *a,
                                                                  struct tile *t, float *p,
                                                                  const struct block *b,
                                                                  const int across)
{
    int64_t depth = (a->width + CELL - 1) / CELL;

    for (int j = 0; j < across; j++) {
        vf_store(t->most + j * VF_LANES, vf_set(ATTENTION_LOW));
        vf_store(t->fresh + j * VF_LANES, vf_set(0));
    }
    for (int64_t i = 0; i < b->count; i += VF_ROWS, p += VF_ROWS / CELL * across * VF_LANES) {
        struct cells k = {b->k.cell + i * b->k.stride, b->k.stride, b->count - i};
        int64_t seen = a->causal ? t->first + 1 - b->from - i : VF_ROWS;
        if (k.count < VF_ROWS || seen < VF_ROWS)
            attention_score_rows(t, p, k, seen, depth, true, across);
        else
            attention_score_rows(t, p, k, seen, depth, false, across);
    }
}

/* Raise top where the block just scored went too far above it; fix becomes what earlier sums must
   be multiplied by. False when nothing had to be raised. */
static inline __attribute__((always_inline)) bool attention_raise(struct tile *t, vf fix[3],
                                                                  const int across)
{
    bool raised = false;

    for (int j = 0; j < across; j++) {
        vf top = vf_load(t->top + j * VF_LANES), most = vf_load(t->most + j * VF_LANES);
        vm high = vf_less(top + vf_set(ATTENTION_SLACK), most);
        vf next = vf_pick(high, vf_ceil(most), top);
        fix[j] = vf_set(1);
        if (!vf_any(high))
            continue;
        fix[j] = vf_scale_down(fix[j], top - next);
        vf_store(t->top + j * VF_LANES, next);
        raised = true;
    }
    return raised;
}

/* rows x across sums in registers: o = o * fix + v^T p. */
static inline __attribute__((always_inline)) void
attention_weigh_rows(float *o, const float *p, struct cells v, const vf fix[3], const int rows,
                     const int across)
{
    vf sum[VF_ROWS][3];

    for (int i = 0; i < rows; i++)
        for (int j = 0; j < across; j++)
            sum[i][j] = vf_load(o + (i * across + j) * VF_LANES) * fix[j];
    for (int64_t key = 0; key < v.count; key++, p += across * VF_LANES, v.cell += v.stride) {
        vf lane[3];
        for (int j = 0; j < across; j++)
            lane[j] = vf_load(p + j * VF_LANES);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            vf value = vf_set(v.cell[i]);
            for (int j = 0; j < across; j++)
                sum[i][j] = cell_dot(sum[i][j], value, lane[j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < across; j++)
            vf_store(o + (i * across + j) * VF_LANES, sum[i][j]);
}

/* One block for one tile. */
static inline __attribute__((always_inline)) void attention_block(const struct attention *a,
                                                                  struct tile *t, float *p,
                                                                  const struct block *b,
                                                                  const int across)
{
    const int64_t pitch = across * VF_LANES;
    struct cells v = b->v;
    int64_t d = 0;
    vf fix[3];

    attention_score(a, t, p, b, across);
    if (attention_raise(t, fix, across))
        attention_score(a, t, p, b, across);
    for (int j = 0; j < across; j++) {
        vf sum = vf_load(t->sum + j * VF_LANES);
        vf_store(t->sum + j * VF_LANES, vf_fma(sum, fix[j], vf_load(t->fresh + j * VF_LANES)));
    }
    for (; d + VF_ROWS <= a->width; d += VF_ROWS, v.cell += VF_ROWS)
        attention_weigh_rows(t->o + d * pitch, p, v, fix, VF_ROWS, across);
    for (; d < a->width; d++, v.cell++)
        attention_weigh_rows(t->o + d * pitch, p, v, fix, 1, across);
}

/* dst[c][r] = src[r][c]. */
static void attention_turn(float *dst, int64_t dst_stride, const float *src, int64_t src_stride,
                           int64_t rows, int64_t columns)
{
    int64_t r = 0;

    for (; r + 4 <= rows; r += 4, src += 4 * src_stride) {
        int64_t c = 0;
        for (; c + 4 <= columns; c += 4) {
            __m128 a0 = _mm_loadu_ps(src + c), a1 = _mm_loadu_ps(src + src_stride + c);
            __m128 a2 = _mm_loadu_ps(src + 2 * src_stride + c);
            __m128 a3 = _mm_loadu_ps(src + 3 * src_stride + c);
            _MM_TRANSPOSE4_PS(a0, a1, a2, a3);
            _mm_storeu_ps(dst + c * dst_stride + r, a0);
            _mm_storeu_ps(dst + (c + 1) * dst_stride + r, a1);
            _mm_storeu_ps(dst + (c + 2) * dst_stride + r, a2);
            _mm_storeu_ps(dst + (c + 3) * dst_stride + r, a3);
        }
        for (; c < columns; c++)
            for (int64_t i = 0; i < 4; i++)
                dst[c * dst_stride + r + i] = src[i * src_stride + c];
    }
    for (; r < rows; r++, src += src_stride)
        for (int64_t c = 0; c < columns; c++)
            dst[c * dst_stride + r] = src[c];
}

static int64_t attention_pitch(const struct tile *t)
{
    return (t->count + VF_LANES - 1) / VF_LANES * VF_LANES;
}

/* The score of the first key, which every query sees, rounded up: where top starts. The queries
   are still floats, where o will be. */
static void attention_prime(const struct attention *a, struct tile *t, const float *k, float scale)
{
    int64_t pitch = attention_pitch(t);

    for (int64_t i = 0; i < pitch; i += VF_LANES) {
        vf sum = vf_set(0);
        for (int64_t d = 0; d < a->width; d++)
            sum = vf_fma(vf_set(k[d]), vf_load(t->o + d * pitch + i), sum);
        vf_store(t->top + i, vf_ceil(sum * vf_set(scale)));
        vf_store(t->sum + i, vf_set(0));
    }
}

/* Queries of one head into a tile, times what the scores are scaled by; idle lanes are zero. They
   pass through o, which is clean afterwards. */
static void attention_begin(const struct attention *a, struct tile *t, const float *q,
                            const float *k)
{
    int64_t pitch = attention_pitch(t);
    float scale = a->scale * 1.44269504088896341f;

    if (t->count < pitch)
        memset(t->o, 0, (size_t)(a->width * pitch) * sizeof(float));
    attention_turn(t->o, pitch, q + t->first * a->q.stride, a->q.stride, t->count, a->width);
    attention_prime(a, t, k, scale);
    cell_queries(t->q, t->o, a->width, pitch, scale);
    memset(t->o, 0, (size_t)(a->width * pitch) * sizeof(float));
}

/* A tile's finished sums into rows of y. */
static void attention_end(const struct attention *a, struct tile *t, float *y)
{
    int64_t pitch = attention_pitch(t);

    for (int64_t i = 0; i < pitch; i += VF_LANES) {
        vf share = vf_set(1) / vf_load(t->sum + i);
        for (int64_t d = 0; d < a->width; d++) {
            float *at = t->o + d * pitch + i;
            vf_store(at, vf_load(at) * share);
        }
    }
    attention_turn(y, a->y.stride, t->o, pitch, a->width, t->count);
}

/* Lay the tiles of one chunk, its first query at `first`, over the scratch memory. */
static void attention_lay(const struct attention *a, struct bench *s, float *scratch, int64_t first)
{
    const int64_t pitch = a->across * VF_LANES;

    s->p = scratch;
    scratch += a->keys / CELL * pitch;
    for (int64_t i = 0; i < a->tiles; i++) {
        struct tile *t = &s->tile[i];
        t->first = simd_min(first + i * pitch, a->q.dim[2]);
        t->count = simd_min(pitch, a->q.dim[2] - t->first);
        t->top = scratch;
        t->most = t->top + pitch;
        t->sum = t->most + pitch;
        t->fresh = t->sum + pitch;
        t->q = t->fresh + pitch;
        t->o = t->q + (a->width + CELL - 1) / CELL * pitch;
        scratch = t->o + a->width * pitch;
    }
    s->k = scratch;
    s->v = s->k + a->keys * ((a->width + 1) / 2);
}

/* One block of keys for all tiles. */
static void attention_step(const struct attention *a, struct bench *s, struct block *b,
                           const float *key, const float *value)
{
    b->k = cell_keys(s->k, key + b->from * a->k.stride, a->k.stride, b->count, a->width);
    b->v = cell_values(s->v, value + b->from * a->v.stride, a->v.stride, b->count, a->width);
    for (int64_t i = 0; i < a->tiles; i++) {
        struct tile *t = &s->tile[i];
        if (a->causal && b->from > t->first + t->count - 1)
            continue;
        if (t->count > 2 * VF_LANES)
            attention_block(a, t, s->p, b, 3);
        else if (t->count > VF_LANES)
            attention_block(a, t, s->p, b, 2);
        else if (t->count > 0)
            attention_block(a, t, s->p, b, 1);
    }
}

static const float *attention_head(struct tensor t, int64_t image, int64_t column)
{
    return (const float *)tensor_row(t, image * t.dim[2]) + column;
}

static void attention_task(const struct attention *a, int64_t task)
{
    _Alignas(64) float scratch[ATTENTION_SCRATCH];
    int64_t head = task / a->chunks, image = head / a->heads;
    int64_t first = task % a->chunks * a->tiles * a->across * VF_LANES;
    int64_t last = simd_min(first + a->tiles * a->across * VF_LANES, a->q.dim[2]) - 1;
    int64_t column = head % a->heads * a->width;
    int64_t seen = a->causal ? simd_min(last + 1, a->k.dim[2]) : a->k.dim[2];
    const float *q = attention_head(a->q, image, column);
    const float *k = attention_head(a->k, image, column);
    const float *v = attention_head(a->v, image, column);
    struct bench s;

    attention_lay(a, &s, scratch, first);
    for (int64_t i = 0; i < a->tiles; i++)
        if (s.tile[i].count > 0)
            attention_begin(a, &s.tile[i], q, k);
    for (int64_t from = 0; from < seen; from += a->keys) {
        struct block b = {.from = from, .count = simd_min(a->keys, seen - from)};
        attention_step(a, &s, &b, k, v);
    }
    for (int64_t i = 0; i < a->tiles; i++)
        if (s.tile[i].count > 0) {
            float *y = (float *)tensor_row(a->y, image * a->y.dim[2] + s.tile[i].first);
            attention_end(a, &s.tile[i], y + column);
        }
}

/* How many tiles fit into the scratch memory beside a block of keys. */
static int64_t attention_fits(const struct attention *a)
{
    int64_t pitch = a->across * VF_LANES;
    int64_t packed = CELL == 1 ? 0 : a->keys * (a->width + 1) + a->width;
    int64_t left = ATTENTION_SCRATCH - a->keys / CELL * pitch - packed;

    return left < 0 ? 0 : left / (pitch * ((a->width + CELL - 1) / CELL + a->width + 4));
}

/* The widest tile and the longest block of which ATTENTION_FEW tiles fit, or as many as there can
   be: a block of keys that only one tile uses is a block that waits for memory. False when the
   scratch memory is too small for any. The length of a block, which results hang on, is chosen by
   the width of a head alone. */
static bool attention_choose(struct attention *a)
{
    for (int64_t least = ATTENTION_FEW; least >= 1; least--)
        for (a->across = 3; a->across >= 1; a->across--)
            for (a->keys = ATTENTION_KEYS; a->keys >= 32; a->keys /= 2)
                if (attention_fits(a) >= least)
                    return true;
    return false;
}

/* Cut the queries into chunks, enough of them to keep the threads busy. */
static void attention_cut(struct attention *a, int threads)
{
    int64_t pitch = a->across * VF_LANES, heads = a->q.dim[0] * a->heads;
    int64_t wanted = (a->q.dim[2] + pitch - 1) / pitch;

    a->tiles = simd_min(simd_min(attention_fits(a), ATTENTION_TILES), wanted);
    while (a->tiles > 1 && heads * (wanted / a->tiles) < 4 * threads)
        a->tiles--;
    a->chunks = (wanted + a->tiles - 1) / a->tiles;
}

static bool attention_takes(struct tensor t)
{
    return t.dtype == DTYPE_F32;
}

/* False when this is a call for plain C. */
static bool attention_run(struct device *d, struct attention *a)
{
    int64_t tasks;

    shape_attention(a->y, a->q, a->k, a->v, a->heads);
    a->width = a->q.dim[3] / a->heads;
    if (!attention_takes(a->y) || !attention_takes(a->q) || !attention_takes(a->k) ||
        !attention_takes(a->v) || !attention_choose(a))
        return false;
    attention_cut(a, d->threads);
    tasks = a->q.dim[0] * a->heads * a->chunks;
#pragma omp parallel for schedule(dynamic) num_threads(d->threads)
    for (int64_t task = 0; task < tasks; task++)
        attention_task(a, task);
    return true;
}

#endif /* KERNELS_SIMD_ATTENTION_BODY_H */
