/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/winograd.h"

#include "kernels/onednn/copy.h"

#include <assert.h>
#include <omp.h>

/*
 * How the work is cut. Tiles go through in chunks whose 36 elements (V, shared by all threads) fit
 * into the third-level cache. Of a chunk, a thread takes a task: TILES_PER_TASK tiles by one block
 * of output channels. It runs over the input channels in slices of DEPTH; the slice's filter
 * elements (U) and the task's sums (M) stay in its second-level cache:
 *
 *     U 36 x 64 x 32 x 4 = 288 KiB        M 36 x 64 x 32 x 4 = 288 KiB
 *
 * Tasks are dealt out as threads come free, so a thread that is pushed off its core costs its own
 * task and not everybody's time. No sum depends on the dealing.
 */
enum {
    TILES_PER_TASK = 64,
    DEPTH = WINOGRAD_DEPTH,
    CHUNK_BYTES = 16 << 20,
    LINE = 16, /* floats in a cache line */
};

/* Numbers that are worked out once per call. */
struct layout {
    int64_t channels, outputs, blocks; /* C, N, ceil(N / block) */
    int64_t high, wide;                /* tiles of one image */
    int64_t tiles, chunk;              /* of all images; in one go */
    size_t v_plane, u_plane, m_plane;  /* floats from element to element */
    size_t v_slice;                    /* floats from one slice of channels to the next */
    float *v, *zeros, *private;        /* private: U and M of each thread */
    size_t private_count;
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
    l.chunk = ceil_div((int64_t)(CHUNK_BYTES / tile_bytes), TILES_PER_TASK) * TILES_PER_TASK;
    l.chunk = smaller(l.tiles, l.chunk);
    l.v_plane = odd_lines((size_t)(l.chunk * DEPTH));
    l.v_slice = WINOGRAD_ELEMENTS * l.v_plane;
    l.u_plane = odd_lines((size_t)(DEPTH * block));
    l.m_plane = odd_lines((size_t)(TILES_PER_TASK * block));
    l.private_count = WINOGRAD_ELEMENTS * (l.u_plane + l.m_plane);
    return l;
}

static void layout_place(struct layout *l, void *scratch)
{
    l->v = scratch;
    l->zeros = l->v + (size_t)ceil_div(l->channels, DEPTH) * l->v_slice;
    l->private = l->zeros + odd_lines((size_t)l->channels);
}

size_t winograd_scratch_bytes(const struct winograd_job *job)
{
    struct layout l = layout_of(job);

    layout_place(&l, NULL);
    return (size_t)((char *)(l.private + (size_t)job->threads * l.private_count) - (char *)NULL);
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
    const int64_t height = job->x.dim[1], width = job->x.dim[2];
    const float *pixels[WINOGRAD_ELEMENTS];
    struct place p = place_of(l, tile);
    const float *image = (const float *)job->x.data + p.image * height * width * job->x.stride;

    for (int i = 0; i < WINOGRAD_ELEMENTS; i++) {
        int64_t row = p.row - job->pad[0] + i / WINOGRAD_IN;
        int64_t col = p.col - job->pad[1] + i % WINOGRAD_IN;
        bool inside = row >= 0 && row < height && col >= 0 && col < width;

        pixels[i] = inside ? image + (row * width + col) * job->x.stride : l->zeros;
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

/* Part `part` of 36 of the filter's next slice on its way to the second-level cache, so that the
   products hide the wait for memory. */
static void prefetch_part(const float *next, size_t floats, size_t part)
{
    size_t span = (floats / LINE + WINOGRAD_ELEMENTS - 1) / WINOGRAD_ELEMENTS * LINE;

    for (size_t i = part * span; i < floats && i < (part + 1) * span; i += LINE)
        __builtin_prefetch(next + i, 0, 2);
}

/* Tiles [first, first + count) of the chunk that begins at tile `base`, one block of outputs. */
static void task(const struct winograd_job *job, const struct layout *l, int64_t base,
                 int64_t first, int64_t count, int64_t block, float *u)
{
    const struct winograd_kernel *k = job->kernel;
    const float *g = job->packed + block * l->channels * WINOGRAD_TAPS * k->block;
    const float *v = l->v + first * DEPTH;
    float *m = u + WINOGRAD_ELEMENTS * l->u_plane;

    for (int64_t from = 0; from < l->channels; from += DEPTH, v += l->v_slice) {
        int64_t depth = smaller(DEPTH, l->channels - from);
        size_t slice = (size_t)(depth * WINOGRAD_TAPS * k->block);

        k->filter(u, l->u_plane, g, depth);
        g += slice;
        for (size_t e = 0; e < WINOGRAD_ELEMENTS; e++) {
            prefetch_part(g, slice, e);
            k->multiply(m + e * l->m_plane, v + e * l->v_plane, u + e * l->u_plane, count, depth,
                        from == 0);
        }
    }
    for (int64_t t = 0; t < count; t++)
        transform_output(job, l, base + first + t, block, m + t * k->block);
}

void winograd_run(const struct winograd_job *job, void *scratch)
{
    struct layout l = layout_of(job);

    layout_place(&l, scratch);
    for (int64_t c = 0; c < l.channels; c++)
        l.zeros[c] = 0;
#pragma omp parallel num_threads(job->threads)
    for (int64_t base = 0; base < l.tiles; base += l.chunk) {
        int64_t count = smaller(l.chunk, l.tiles - base);
        int64_t parts = ceil_div(count, TILES_PER_TASK);

#pragma omp for schedule(dynamic, 4)
        for (int64_t t = 0; t < count; t++)
            transform_input(job, &l, base + t, l.v + t * DEPTH);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < parts * l.blocks; i++) {
            int64_t first = i / l.blocks * TILES_PER_TASK;
            float *private = l.private + (size_t)omp_get_thread_num() * l.private_count;

            task(job, &l, base, first, smaller(TILES_PER_TASK, count - first), i % l.blocks,
                 private);
        }
    }
}
