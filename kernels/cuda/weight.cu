/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights are laid out by the GPU: the file's bytes go over as they are, and one kernel puts them
 * in the device's type and order. Bytes moved: the file's once over the bus, then read and written
 * once in the GPU's memory.
 */
#include "kernels/cuda/launch.h"
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

/* t, from the host, into `to` on the device, in the type of `to`. */
static void put(struct device *d, struct tensor to, struct tensor t, int channels, int cells)
{
    struct tensor raw = flat(t, backend_scratch(d, tensor_bytes(t)), t.dtype);

    if (!raw.data)
        return;
    memory_upload(d, raw, t.data);
    launch(d, "weight_pack", {dim3(launch_blocks(tensor_count(t), THREADS)), dim3(THREADS)},
           arrange, number_rows_of(to), number_rows_of(raw), tensor_count(t), channels, cells);
}

static bool take(struct device *d, struct packed *p, const struct weight *w)
{
    p->bytes = (size_t)tensor_count(w->w) * dtype_bytes(d->dtype);
    p->w = memory_take_cuda(d, p->bytes);
    if (!p->w || !w->b.data)
        return p->w;
    p->bias_count = (size_t)tensor_count(w->b);
    p->b = (float *)memory_take_cuda(d, p->bias_count * sizeof(float));
    p->b_typed = p->b;
    if (p->b && d->dtype != DTYPE_F32)
        p->b_typed = memory_take_cuda(d, p->bias_count * dtype_bytes(d->dtype));
    return p->b_typed;
}

enum status weight_pack_cuda(struct device *d, struct weight *w, struct why *why)
{
    struct packed *p = (struct packed *)calloc(1, sizeof(*p));
    bool linear = w->w.dim[0] == 1 && w->w.dim[1] == 1;
    int channels = (int)(linear ? w->w.dim[3] : w->w.dim[1]);
    int cells = (int)(linear ? 1 : w->w.dim[2] * w->w.dim[3]);
    size_t have = 0, all = 0;

    assert(!w->packed && w->w.data && tensor_is_dense(w->w));
    w->packed = p;
    if (p && take(d, p, w)) {
        put(d, flat(w->w, p->w, d->dtype), w->w, channels, cells);
        if (w->b.data)
            put(d, flat(w->b, p->b, DTYPE_F32), w->b, 1, 1);
        if (w->b.data && d->dtype != DTYPE_F32)
            put(d, flat(w->b, p->b_typed, d->dtype), w->b, 1, 1);
        if (!d->broken)
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
    memory_give_cuda(d, p->w, p->bytes);
    if (p->b_typed != p->b)
        memory_give_cuda(d, p->b_typed, p->bias_count * dtype_bytes(d->dtype));
    memory_give_cuda(d, p->b, p->bias_count * sizeof(float));
    free(p);
}
