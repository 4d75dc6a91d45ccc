/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/backend.h"
#include "kernels/onednn/copy.h"
#include "kernels/shape.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

/*
 * How the rows of one image are cut. Where there are enough of them, a thread takes a block at a
 * time and runs a primitive of one thread on it: what must be converted is converted in its own
 * cache, nobody waits for a thread that was pushed off its core, and 128 rows are enough for full
 * speed (Zen 4: 117 and 232 GFLOP/s per core in f32 and bf16, the peaks). The few rows of a text or
 * of the smallest pictures go whole to a primitive that shares out the outputs.
 */
enum { ROWS_PER_BLOCK = 128 };

struct cut {
    int64_t block, blocks, tail; /* rows of all blocks but the last; how many; rows of the last */
    bool solo;
};

static struct cut cut_rows(int64_t rows, int threads)
{
    int64_t share = (rows + threads - 1) / threads;
    int64_t parts = (share + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
    struct cut cut = {.block = rows, .blocks = 1, .tail = rows};

    if (share < ROWS_PER_BLOCK)
        return cut;
    cut.solo = true;
    cut.block = (share + parts - 1) / parts;
    cut.blocks = (rows + cut.block - 1) / cut.block;
    cut.tail = rows - (cut.blocks - 1) * cut.block;
    return cut;
}

/* One call: plans for a block and for the last block, and where things lie in the scratch. */
struct product {
    struct device *d;
    const struct plan *plan, *tail_plan;
    dnnl_memory_t weight;
    struct tensor y, x, add;
    struct cut cut;
    char *bias, *desks;
    size_t bias_bytes;                       /* of one image */
    size_t desk_y, desk_scratch, desk_bytes; /* offsets in a desk, which begins with x */
    bool copy_x, copy_y;
    bool gate; /* y is half as wide as the product: a block is gated while it is in the cache */
};

static bool is_plain(struct tensor t)
{
    return tensor_is_dense(t) || tensor_rows(t) == 1;
}

/* Rows [from, from + count) of an image. */
static struct tensor rows_of(struct tensor t, int64_t image, int64_t from, int64_t count)
{
    t.data = tensor_row(t, image * t.dim[1] * t.dim[2] + from);
    t.dim[0] = t.dim[1] = 1;
    t.dim[2] = count;
    return t;
}

/* What stands on a desk, to its rows of y. */
static void put_block(const struct product *p, struct tensor y, const float *desk)
{
    struct tensor wide = y;

    if (!p->gate) {
        copy_rows_from(y, desk);
        return;
    }
    wide.data = (void *)(uintptr_t)desk;
    wide.dim[3] = wide.stride = 2 * y.dim[3];
    p->d->ops.geglu(p->d, y, wide);
}

/* One block. Strided rows and bf16 inputs go through the desk. */
static void run_block(const struct product *p, int64_t index, char *desk)
{
    const int64_t image = index / p->cut.blocks, part = index % p->cut.blocks;
    const bool last = part == p->cut.blocks - 1;
    const int64_t from = part * p->cut.block, count = last ? p->cut.tail : p->cut.block;
    const struct plan *plan = last ? p->tail_plan : p->plan;
    struct tensor y = rows_of(p->y, image, from, count), x = rows_of(p->x, image, from, count);
    struct plan_pointers at = {.x = p->copy_x ? desk : x.data,
                               .y = p->copy_y ? (void *)(desk + p->desk_y) : y.data,
                               .b = (const void *)(p->bias + (size_t)image * p->bias_bytes),
                               .scratchpad = desk + p->desk_scratch};

    if (p->copy_x)
        copy_rows_to(desk, plan->key.dtype, x);
    if (p->add.data && (p->copy_y || p->add.data != p->y.data))
        copy_rows_to(at.y, DTYPE_F32, rows_of(p->add, image, from, count));
    plan_run(p->d, plan, p->weight, at);
    if (p->copy_y)
        put_block(p, y, at.y);
}

static void run_blocks(const struct product *p)
{
    const int64_t count = p->y.dim[0] * p->cut.blocks;

    if (!p->cut.solo) {
        for (int64_t i = 0; i < count; i++)
            run_block(p, i, p->desks);
        return;
    }
#pragma omp parallel for schedule(dynamic) num_threads(p->d->threads)
    for (int64_t i = 0; i < count; i++)
        run_block(p, i, p->desks + (size_t)omp_get_thread_num() * p->desk_bytes);
}

/* Scratch: the bias of each image, then a desk for each thread that works alone. */
static bool product_place(struct product *p)
{
    const struct plan_key *k = &p->plan->key;
    const size_t desks = p->cut.solo ? (size_t)p->d->threads : 1;
    size_t pad = p->plan->scratchpad_bytes, bias;

    if (p->tail_plan->scratchpad_bytes > pad)
        pad = p->tail_plan->scratchpad_bytes;
    p->copy_x = k->dtype != DTYPE_F32 || !is_plain(p->x);
    p->copy_y = p->gate || !is_plain(p->y);
    p->bias_bytes = scratch_round((size_t)k->n * sizeof(float));
    if (p->copy_x)
        p->desk_y = scratch_round((size_t)(k->m * k->k) * dtype_bytes(k->dtype));
    p->desk_scratch = p->desk_y;
    if (p->copy_y)
        p->desk_scratch += scratch_round((size_t)(k->m * k->n) * sizeof(float));
    p->desk_bytes = p->desk_scratch + scratch_round(pad);
    bias = (size_t)p->y.dim[0] * p->bias_bytes;
    p->bias = scratch_need(p->d, bias + desks * p->desk_bytes);
    p->desks = p->bias ? p->bias + bias : NULL;
    return p->bias;
}

/* The weight is n x k; linear layers and 1x1 convolutions alike. */
static void product(struct product p, const struct weight *w, const struct epilogue *e, int64_t n,
                    int64_t k)
{
    const struct epilogue none = {0};
    struct plan_key key;

    e = e ? e : &none;
    p.add = e->add;
    p.cut = cut_rows(p.y.dim[1] * p.y.dim[2], p.d->threads);
    omp_set_num_threads(p.d->threads);
    memset(&key, 0, sizeof(key));
    key.role = ROLE_MATRIX;
    key.dtype = backend_dtype(p.d->backend, ROLE_MATRIX, n, k);
    key.act = e->act;
    key.sum = e->add.data != NULL;
    key.solo = p.cut.solo;
    key.n = n;
    key.k = k;
    key.m = p.cut.tail;
    p.tail_plan = plan_find(p.d, &key);
    key.m = p.cut.block;
    p.plan = plan_find(p.d, &key);
    p.weight = p.tail_plan ? weight_for_plan(p.d, w, p.plan) : NULL;
    if (!p.weight || !product_place(&p))
        return;
    assert(dnnl_memory_desc_equal(&p.plan->weights, &p.tail_plan->weights));
    for (int64_t b = 0; b < p.y.dim[0]; b++)
        epilogue_bias((float *)(void *)(p.bias + (size_t)b * p.bias_bytes), w, e, b, n);
    run_blocks(&p);
}

void onednn_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e)
{
    shape_linear(y, x, w, e);
    assert(y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32);
    product((struct product){.d = d, .y = y, .x = x}, w, e, w->w.dim[2], w->w.dim[3]);
}

void onednn_linear_geglu(struct device *d, struct tensor y, struct tensor x, const struct weight *w)
{
    shape_linear_geglu(y, x, w);
    assert(y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32);
    product((struct product){.d = d, .y = y, .x = x, .gate = true}, w, NULL, w->w.dim[2],
            w->w.dim[3]);
}

void onednn_conv_matrix(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                        const struct epilogue *e)
{
    product((struct product){.d = d, .y = y, .x = x}, w, e, w->w.dim[0], w->w.dim[1]);
}
