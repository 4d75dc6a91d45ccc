/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/winograd.h"

#include "kernels/onednn/copy.h"

#include <assert.h>
#include <omp.h>

/*
 * How the work is cut. A task is TILES_PER_TASK tiles by one block of output channels. It runs over
 * the input channels in slices of DEPTH; the slice's filter elements (U) and the task's sums (M)
 * stay in the second-level cache of its thread:
 *
 *     U 36 x 64 x 32 x 4 = 288 KiB        M 36 x 64 x 32 x 4 = 288 KiB
 *
 * A large picture has tiles enough for every thread: each takes its own, brings them to their
 * elements (V) and does all their tasks, alone, without waiting for anybody. A small one is shared:
 * all threads fill one V, which fits into the third-level cache, and then share its tasks.
 *
 * Work is dealt out as threads come free, so a thread that is pushed off its core costs its own
 * task and not everybody's time. No sum depends on the dealing.
 */
enum {
    TILES_PER_TASK = 64,
    TASKS_PER_THREAD = 4, /* from here on, threads work alone */
    DEPTH = WINOGRAD_DEPTH,
    CHUNK_BYTES = 16 << 20,
    LINE = 16, /* floats in a cache line */
};

/* Numbers that are worked out once per call. */
struct layout {
    int64_t channels, outputs, blocks; /* C, N, ceil(N / block) */
    int64_t high, wide;                /* tiles of one image */
    int64_t tiles, chunk;              /* of all images; in one V */
    bool alone;                        /* every thread has a V of its own */
    size_t v_plane, u_plane, m_plane;  /* floats from element to element */
    size_t v_slice;                    /* floats from one slice of channels to the next */
    size_t v_count, desk_count;        /* floats of a V, of a desk */
    float *zeros;                      /* a pixel outside the picture */
    float *v, *desks;                  /* the shared V; U, M and perhaps V of each thread */
};

/* Rows whose distance is a power of two would fall upon each other in a cache: an odd number of
   lines keeps them apart. */
static size_t odd_lines(size_t floats)
{
    size_t lines = (floats + LINE - 1) / LINE;

    return (lines | 1) * LINE;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct layout layout_of(const struct winograd_job *job)
{
    const int64_t block = job->kernel->block;
    struct layout l = {.channels = job->x.dim[3], .outputs = job->y.dim[3]};
    size_t tile_bytes = (size_t)ceil_div(l.channels, DEPTH) * DEPTH * WINOGRAD_ELEMENTS * 4;

    l.blocks = ceil_div(l.outputs, block);
    l.high = ceil_div(job->y.dim[1], WINOGRAD_OUT);
    l.wide = ceil_div(job->y.dim[2], WINOGRAD_OUT);
    l.tiles = job->y.dim[0] * l.high * l.wide;
    l.alone = l.tiles >= (int64_t)job->threads * TASKS_PER_THREAD * TILES_PER_TASK;
    l.chunk = ceil_div((int64_t)(CHUNK_BYTES / tile_bytes), TILES_PER_TASK) * TILES_PER_TASK;
    l.chunk = l.alone ? TILES_PER_TASK : smaller(l.tiles, l.chunk);
    l.v_plane = odd_lines((size_t)(l.chunk * DEPTH));
    l.v_slice = WINOGRAD_ELEMENTS * l.v_plane;
    l.v_count = (size_t)ceil_div(l.channels, DEPTH) * l.v_slice;
    l.u_plane = odd_lines((size_t)(DEPTH * block));
    l.m_plane = odd_lines((size_t)(TILES_PER_TASK * block));
    l.desk_count = WINOGRAD_ELEMENTS * (l.u_plane + l.m_plane) + (l.alone ? l.v_count : 0);
    return l;
}

static void layout_place(struct layout *l, float *scratch)
{
    l->zeros = scratch;
    l->v = l->zeros + odd_lines((size_t)l->channels);
    l->desks = l->v + (l->alone ? 0 : l->v_count);
    for (int64_t c = 0; c < l->channels; c++)
        l->zeros[c] = 0;
}

size_t winograd_scratch_bytes(const struct winograd_job *job)
{
    struct layout l = layout_of(job);
    size_t shared = odd_lines((size_t)l.channels) + (l.alone ? 0 : l.v_count);

    return (shared + (size_t)job->threads * l.desk_count) * sizeof(float);
}

bool winograd_suits(const struct weight *w)
{
    return w->w.dim[2] == 3 && w->w.dim[3] == 3 && w->stride == 1 && w->w.dim[1] % LINE == 0;
}

size_t winograd_packed_count(const struct winograd_kernel *k, const struct weight *w)
{
    int64_t blocks = ceil_div(w->w.dim[0], k->block);

    return (size_t)(blocks * k->block * w->w.dim[1] * WINOGRAD_TAPS);
}

/* [N, C, 3, 3] to [blocks][C][9][block], zeros after the last output. */
void winograd_pack(const struct winograd_kernel *k, const struct weight *w, float *packed)
{
    const int64_t outputs = w->w.dim[0], inner = w->w.dim[1] * WINOGRAD_TAPS, block = k->block;
    const int64_t blocks = ceil_div(outputs, block);

#pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t from = 0; from < inner; from += LINE * WINOGRAD_TAPS)
            for (int64_t lane = 0; lane < block; lane++) {
                float line[LINE * WINOGRAD_TAPS] = {0};
                float *to = packed + (b * inner + from) * block + lane;

                if (b * block + lane < outputs)
                    copy_widen(line, w->w, (b * block + lane) * inner + from, LINE * WINOGRAD_TAPS);
                for (int i = 0; i < LINE * WINOGRAD_TAPS; i++)
                    to[i * block] = line[i];
            }
}

/* Tile `tile` of the list of all images' tiles. */
struct place {
    int64_t image, row, col; /* of its first output */
};

static struct place place_of(const struct layout *l, int64_t tile)
{
    int64_t of_image = l->high * l->wide, in_image = tile % of_image;

    return (struct place){.image = tile / of_image,
                          .row = in_image / l->wide * WINOGRAD_OUT,
                          .col = in_image % l->wide * WINOGRAD_OUT};
}

/* The 6x6 pixels under a tile, those outside the picture being zeros, to V. */
static void transform_input(const struct winograd_job *job, const struct layout *l, int64_t tile,
                            float *v)
{
    const int64_t height = job->height, width = job->width;
    const float *pixels[WINOGRAD_ELEMENTS];
    struct place p = place_of(l, tile);
    const float *image =
        (const float *)job->x.data + p.image * job->x.dim[1] * job->x.dim[2] * job->x.stride;

    for (int i = 0; i < WINOGRAD_ELEMENTS; i++) {
        int64_t row = p.row - job->pad[0] + i / WINOGRAD_IN;
        int64_t col = p.col - job->pad[1] + i % WINOGRAD_IN;
        bool inside = row >= 0 && row < height && col >= 0 && col < width;

        int64_t pixel = (row >> job->up) * job->x.dim[2] + (col >> job->up);

        pixels[i] = inside ? image + pixel * job->x.stride : l->zeros;
    }
    for (int64_t from = 0; from < l->channels; from += DEPTH, v += l->v_slice) {
        job->kernel->input(v, l->v_plane, pixels, smaller(DEPTH, l->channels - from));
        for (int i = 0; i < WINOGRAD_ELEMENTS; i++)
            pixels[i] += DEPTH;
    }
}

/* 36 sums to the outputs of a tile. */
static void transform_output(const struct winograd_job *job, const struct layout *l, int64_t tile,
                             int64_t block, const float *m)
{
    const int64_t height = job->y.dim[1], width = job->y.dim[2];
    const int64_t channel = block * job->kernel->block;
    struct place p = place_of(l, tile);
    int64_t pixel = (p.image * height + p.row) * width + p.col;
    struct winograd_tile t = {
        .m = m,
        .plane = l->m_plane,
        .y = (float *)job->y.data + pixel * job->y.stride + channel,
        .y_row = width * job->y.stride,
        .y_pixel = job->y.stride,
        .bias = job->bias + p.image * l->blocks * job->kernel->block + channel,
        .rows = (int)smaller(WINOGRAD_OUT, height - p.row),
        .cols = (int)smaller(WINOGRAD_OUT, width - p.col),
        .channels = (int)smaller(job->kernel->block, l->outputs - channel),
        .act = job->act,
    };

    if (job->add.data) {
        t.add = (const float *)job->add.data + pixel * job->add.stride + channel;
        t.add_row = width * job->add.stride;
        t.add_pixel = job->add.stride;
    }
    job->kernel->output(&t);
}

/* Where a task stands: V holds the elements of the tiles from `base` on. */
struct place_of_work {
    const float *v;
    float *desk;
    int64_t base;
};

/* Tiles [first, first + count) of a V, one block of outputs. */
static void task(const struct winograd_job *job, const struct layout *l, struct place_of_work at,
                 int64_t first, int64_t count, int64_t block)
{
    const struct winograd_kernel *k = job->kernel;
    const float *g = job->packed + block * l->channels * WINOGRAD_TAPS * k->block;
    const float *v = at.v + first * DEPTH;
    float *u = at.desk, *m = u + WINOGRAD_ELEMENTS * l->u_plane;
    struct winograd_product p = {.rows = count, .vectors = 2};

    if (l->outputs - block * k->block <= k->block / 2)
        p.vectors = 1;
    for (int64_t from = 0; from < l->channels; from += DEPTH, v += l->v_slice) {
        p.depth = smaller(DEPTH, l->channels - from);
        p.first = from == 0;
        k->filter(u, l->u_plane, g, p.depth, p.vectors);
        g += p.depth * WINOGRAD_TAPS * k->block;
        for (size_t e = 0; e < WINOGRAD_ELEMENTS; e++) {
            p.m = m + e * l->m_plane;
            p.v = v + e * l->v_plane;
            p.u = u + e * l->u_plane;
            p.next_v = p.v + l->v_plane;
            p.next_g = g + (int64_t)e * p.depth * WINOGRAD_TAPS * k->block / WINOGRAD_ELEMENTS;
            k->multiply(&p);
        }
    }
    for (int64_t t = 0; t < count; t++)
        transform_output(job, l, at.base + first + t, block, m + t * k->block);
}

static float *desk_of_thread(const struct layout *l)
{
    return l->desks + (size_t)omp_get_thread_num() * l->desk_count;
}

/* Every thread takes tiles of its own and does everything for them. */
static void run_alone(const struct winograd_job *job, const struct layout *l)
{
#pragma omp parallel for schedule(dynamic) num_threads(job->threads)
    for (int64_t base = 0; base < l->tiles; base += TILES_PER_TASK) {
        int64_t count = smaller(TILES_PER_TASK, l->tiles - base);
        float *desk = desk_of_thread(l), *v = desk + l->desk_count - l->v_count;

        for (int64_t t = 0; t < count; t++)
            transform_input(job, l, base + t, v + t * DEPTH);
        for (int64_t block = 0; block < l->blocks; block++)
            task(job, l, (struct place_of_work){v, desk, base}, 0, count, block);
    }
}

/* All threads fill one V, then share its tasks. */
static void run_together(const struct winograd_job *job, const struct layout *l)
{
#pragma omp parallel num_threads(job->threads)
    for (int64_t base = 0; base < l->tiles; base += l->chunk) {
        struct place_of_work at = {l->v, desk_of_thread(l), base};
        int64_t chunk = smaller(l->chunk, l->tiles - base);
        int64_t parts = ceil_div(chunk, TILES_PER_TASK);

#pragma omp for schedule(dynamic, 4)
        for (int64_t t = 0; t < chunk; t++)
            transform_input(job, l, base + t, l->v + t * DEPTH);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < parts * l->blocks; i++) {
            int64_t first = i / l->blocks * TILES_PER_TASK;

            task(job, l, at, first, smaller(TILES_PER_TASK, chunk - first), i % l->blocks);
        }
    }
}

void winograd_run(const struct winograd_job *job, void *scratch)
{
    struct layout l = layout_of(job);

    layout_place(&l, scratch);
    if (l.alone)
        run_alone(job, &l);
    else
        run_together(job, &l);
}
