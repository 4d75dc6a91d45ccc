/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/backend.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    HUGE_PAGE = 2 << 20,
    CACHE_LINE = 64,
    GUEST_CACHE = 64, /* primitives that oneDNN remembers beside our plans */
};

void *memory_take(size_t bytes)
{
    const bool large = bytes >= 2 * HUGE_PAGE;
    void *data;

    if (posix_memalign(&data, large ? HUGE_PAGE : CACHE_LINE, scratch_round(bytes | 1)))
        return NULL;
    if (large) /* whole pages only: a last one would hold air */
        madvise(data, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return data;
}

void memory_give(void *data)
{
    free(data);
}

void *scratch_need(struct device *d, size_t bytes)
{
    struct backend *b = d->backend;

    if (bytes <= b->scratch_bytes && b->scratch)
        return b->scratch;
    memory_give(b->scratch);
    b->scratch_bytes = 0;
    b->scratch = memory_take(bytes);
    if (b->scratch)
        b->scratch_bytes = bytes;
    else
        device_break(d, "no memory for scratch", dnnl_out_of_memory);
    return b->scratch;
}

static void onednn_close(struct device *d)
{
    struct backend *b = d->backend;

    d->backend = NULL;
    if (!b)
        return;
    for (int i = 0; i < b->plan_count; i++)
        plan_free(&b->plans[i]);
    memory_give(b->scratch);
    for (int i = 0; b->streams && i < b->threads; i++)
        dnnl_stream_destroy(b->streams[i]);
    free(b->streams);
    dnnl_engine_destroy(b->engine);
    free(b);
}

static enum status open_with(struct device *d, struct why *why, unsigned caps)
{
    struct backend *b = calloc(1, sizeof(*b));
    dnnl_status_t st = dnnl_out_of_memory;

    d->backend = b;
    if (b)
        b->streams = calloc((size_t)d->threads, sizeof(*b->streams));
    if (b && b->streams) {
        b->threads = d->threads;
        st = dnnl_engine_create(&b->engine, dnnl_cpu, 0);
    }
    for (int i = 0; !st && i < d->threads; i++)
        st = dnnl_stream_create(&b->streams[i], b->engine, dnnl_stream_default_flags);
    if (!st)
        st = dnnl_set_primitive_cache_capacity(GUEST_CACHE);
    if (st) {
        onednn_close(d);
        return why_fail(why, st == dnnl_out_of_memory ? ST_FULL : ST_UNSUPPORTED,
                        "oneDNN does not start (status %d)", (int)st);
    }
    b->dtype = (caps & CAP_BF16) && d->precision == PRECISION_MIXED ? DTYPE_BF16 : DTYPE_F32;
    if ((caps & CAP_WINOGRAD) && (caps & CAP_AVX512))
        b->winograd = &winograd_avx512;
    else if ((caps & CAP_WINOGRAD) && (caps & CAP_AVX2))
        b->winograd = &winograd_avx2;
    return ST_OK;
}

/* The table's open is told no capabilities: there is one for each set that makes a difference. */

static enum status open_plain(struct device *d, struct why *why)
{
    return open_with(d, why, 0);
}

static enum status open_winograd_avx2(struct device *d, struct why *why)
{
    return open_with(d, why, CAP_WINOGRAD | CAP_AVX2);
}

static enum status open_winograd_avx512(struct device *d, struct why *why)
{
    return open_with(d, why, CAP_WINOGRAD | CAP_AVX512);
}

static enum status open_bf16(struct device *d, struct why *why)
{
    return open_with(d, why, CAP_BF16);
}

static enum status open_bf16_winograd(struct device *d, struct why *why)
{
    return open_with(d, why, CAP_BF16 | CAP_WINOGRAD | CAP_AVX512);
}

static enum status (*open_for(unsigned caps))(struct device *, struct why *)
{
    bool bf16 = (caps & CAP_BF16) && (caps & CAP_AVX512);

    if (!(caps & CAP_WINOGRAD) || !(caps & (CAP_AVX2 | CAP_AVX512)))
        return bf16 ? open_bf16 : open_plain;
    if (!(caps & CAP_AVX512))
        return open_winograd_avx2;
    return bf16 ? open_bf16_winograd : open_winograd_avx512;
}

void ops_fill_onednn(struct ops *ops, unsigned caps)
{
    if (!(caps & CAP_ONEDNN))
        return;
    ops->name = "onednn";
    ops->open = open_for(caps);
    ops->close = onednn_close;
    ops->weight_pack = weight_pack_onednn;
    ops->weight_free = weight_free_onednn;
    ops->linear = onednn_linear;
    ops->linear_geglu = onednn_linear_geglu;
    ops->conv = onednn_conv;
    ops->conv_up = onednn_conv_up;
    ops->conv_depthwise = onednn_conv_depthwise;
}
