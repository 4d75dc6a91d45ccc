/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights are laid out by the GPU: the file's bytes go over as they are, and one kernel puts them
 * in the device's type and order. Bytes moved: the file's once over the bus, then read and written
 * once in the GPU's memory.
 */
#include "kernels/cuda/launch.h"
#include "kernels/cuda/narrow.h"
#include "kernels/cuda/number.h"
#include "kernels/cuda/slots.h"

#include <assert.h>
#include <stdlib.h>

enum { THREADS = 256 };

/* [N, C, KH, KW] as [N, KH, KW, C]; `cells` is KH * KW. */
static __global__ void arrange(struct number_rows to, struct number_rows from, int64_t count,
                               int channels, int cells)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i >= count)
        return;
    int64_t channel = i % channels, cell = i / channels % cells, output = i / channels / cells;
    number_store(to, 0, i, number_load(from, 0, (output * channels + channel) * cells + cell));
}

/* Numbers of the file, in a row. */
static struct tensor flat(struct tensor t, void *data, enum dtype dtype)
{
    return tensor_view(data, dtype, 1, 1, 1, tensor_count(t));
}

static void packed_give(struct device *d, struct packed *p)
{
    if (!p)
        return;
    memory_give_cuda(d, p->w, p->bytes);
    if (p->b_typed != p->b)
        memory_give_cuda(d, p->b_typed, p->bias_count * dtype_bytes(d->dtype));
    memory_give_cuda(d, p->b, p->bias_count * sizeof(float));
    free(p);
}

/* Memory for `count` numbers and the bias, `times` times over. NULL when there is not as much. */
static struct packed *packed_take(struct device *d, const struct weight *w, int64_t count,
                                  int times)
{
    struct packed *p = (struct packed *)calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->bytes = (size_t)count * dtype_bytes(d->dtype);
    p->w = memory_take_cuda(d, p->bytes);
    if (p->w && !w->b.data)
        return p;
    p->bias_count = (size_t)(w->b.data ? times * tensor_count(w->b) : 0);
    p->b = p->w ? (float *)memory_take_cuda(d, p->bias_count * sizeof(float)) : NULL;
    p->b_typed = p->b;
    if (p->b && d->dtype != DTYPE_F32)
        p->b_typed = memory_take_cuda(d, p->bias_count * dtype_bytes(d->dtype));
    if (p->b_typed)
        return p;
    packed_give(d, p);
    return NULL;
}

/* Numbers of the file on the device, in scratch memory; data NULL when the device broke. */
static struct tensor bring(struct device *d, struct tensor t)
{
    struct tensor raw = flat(t, backend_scratch(d, tensor_bytes(t)), t.dtype);

    if (raw.data)
        memory_upload(d, raw, t.data);
    return raw;
}

/* t, from the host, into `to` on the device; shape: channels and cells. */
static void put(struct device *d, struct tensor to, struct tensor t, const int64_t shape[2])
{
    struct tensor raw = bring(d, t);

    if (!raw.data)
        return;
    launch(d, "weight_pack", {dim3(launch_blocks(tensor_count(t), THREADS)), dim3(THREADS)},
           arrange, number_rows_of(to), number_rows_of(raw), tensor_count(t), (int)shape[0],
           (int)shape[1]);
}

static void put_bias(struct device *d, const struct packed *p, const struct weight *w, int times)
{
    const int64_t one[2] = {1, 1};
    size_t count = w->b.data ? (size_t)tensor_count(w->b) : 0;

    for (int i = 0; i < times && count; i++) {
        char *typed = (char *)p->b_typed + (size_t)i * count * dtype_bytes(d->dtype);

        put(d, flat(w->b, p->b + (size_t)i * count, DTYPE_F32), w->b, one);
        if (d->dtype != DTYPE_F32)
            put(d, flat(w->b, typed, d->dtype), w->b, one);
    }
}

/* What conv_up convolves with, if it is not w itself. False without memory. */
static bool pack_up(struct device *d, struct packed *p, const struct weight *w)
{
    int64_t count = 16 * w->w.dim[0] * w->w.dim[1];
    struct tensor raw;

    if (!doubled_sums(d, w))
        return true;
    p->up = packed_take(d, w, count, 4);
    if (!p->up)
        return false;
    raw = bring(d, w->w);
    if (raw.data)
        doubled_pack(d, tensor_view(p->up->w, d->dtype, 1, 1, 1, count), raw, w);
    put_bias(d, p->up, w, 4);
    return true;
}

enum status weight_pack_cuda(struct device *d, struct weight *w, struct why *why)
{
    bool linear = w->w.dim[0] == 1 && w->w.dim[1] == 1;
    const int64_t shape[2] = {linear ? w->w.dim[3] : w->w.dim[1],
                              linear ? 1 : w->w.dim[2] * w->w.dim[3]};
    size_t have = 0, all = 0;

    assert(!w->packed && w->w.data && tensor_is_dense(w->w));
    w->packed = packed_take(d, w, tensor_count(w->w), 1);
    if (w->packed && pack_up(d, w->packed, w)) {
        put(d, flat(w->w, w->packed->w, d->dtype), w->w, shape);
        put_bias(d, w->packed, w, 1);
        if (narrow_suits(d, w))
            w->packed->narrow = narrow_take(d, w, w->packed->w);
        if (!d->broken && (w->packed->narrow || !narrow_suits(d, w)))
            return ST_OK;
    }
    weight_free_cuda(d, w);
    if (d->broken)
        return why_fail(why, ST_DEVICE, "the GPU failed while weights were loaded");
    cudaMemGetInfo(&have, &all);
    return why_fail(why, ST_FULL,
                    "the GPU's memory is full: %zu of %zu MiB are left, and there are more weights",
                    have >> 20, all >> 20);
}

void weight_free_cuda(struct device *d, struct weight *w)
{
    struct packed *p = w->packed;

    w->packed = NULL;
    if (!p)
        return;
    packed_give(d, p->up);
    narrow_give(d, p->narrow);
    packed_give(d, p);
}
