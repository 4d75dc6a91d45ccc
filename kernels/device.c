/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/device.h"

#include "kernels/cores.h"
#include "kernels/cuda.h"

#include <assert.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A device with what its caller need not see. */
struct held {
    struct device device; /* first: a pointer to the one is a pointer to the other */
    unsigned caps;        /* what its fillings were given */
    char *block;          /* of the arena; NULL before the first measuring */
    size_t block_bytes;
};

static struct held *held_of(struct device *d)
{
    return (struct held *)d;
}

static void block_free(struct held *h)
{
    struct device *d = &h->device;

    if (h->block)
        d->ops.memory_give(d, h->block, h->block_bytes);
    h->block = NULL;
    h->block_bytes = 0;
}

static enum status block_take(struct held *h, size_t bytes, struct why *why)
{
    struct device *d = &h->device;

    block_free(h);
    h->block = d->ops.memory_take(d, bytes);
    if (!h->block)
        return why_fail(why, ST_FULL,
                        "no %zu MiB of memory for activations; serve smaller "
                        "pictures or fewer at a time",
                        bytes >> 20);
    h->block_bytes = bytes;
    return ST_OK;
}

static enum status fill_cuda(struct held *h, struct device_options options, struct why *why)
{
    enum status st = cuda_probe(options.index, &h->caps, why);
    struct device *d = &h->device;

    if (st)
        return st;
    if (options.precision == PRECISION_MIXED)
        return why_fail(why, ST_UNSUPPORTED, "a GPU computes in bf16, f16 or f32, not in mixed");
    h->caps &= ~options.caps_off;
    if (options.precision == PRECISION_FP8 && !(h->caps & CAP_FP8))
        return why_fail(why, ST_UNSUPPORTED,
                        "fp8 needs a GPU of compute capability 8.9 (Ada, Hopper) or later");
    d->narrow_weights = options.narrow_weights ? options.narrow_weights : 1 << 20;
    d->narrow_rows = options.narrow_rows ? options.narrow_rows : 128;
    d->precision = options.precision ? options.precision : PRECISION_BF16;
    d->dtype = d->precision == PRECISION_F32   ? DTYPE_F32
               : d->precision == PRECISION_F16 ? DTYPE_F16
                                               : DTYPE_BF16;
    ops_fill_cuda(&h->device.ops, h->caps);
    return ST_OK;
}

static enum status fill(struct held *h, struct device_options options, struct why *why)
{
    struct device *d = &h->device;

    if (options.accelerator == ACCELERATOR_CUDA)
        return fill_cuda(h, options, why);
    if (options.precision > PRECISION_MIXED)
        return why_fail(why, ST_UNSUPPORTED,
                        "a CPU computes in f32 or mixed, not in bf16, f16 or fp8");
    d->dtype = DTYPE_F32;
    d->precision = options.precision ? options.precision : PRECISION_F32;
    ops_fill_reference(&d->ops);
    if (options.reference)
        return ST_OK;
    h->caps = ops_caps() & ~options.caps_off;
    ops_fill_simd(&d->ops, h->caps);
    ops_fill_onednn(&d->ops, h->caps);
    return ST_OK;
}

enum status device_open(struct device **out, struct device_options options, struct why *why)
{
    struct held *h = calloc(1, sizeof(*h));
    struct device *d;
    enum status st;

    *out = NULL;
    if (!h)
        return why_fail(why, ST_FULL, "no memory for a device");
    d = &h->device;
    d->accelerator = options.accelerator;
    d->index = options.index;
    d->plans = options.plans;
    d->threads = options.threads > 0 ? options.threads : cores_usable();
    arena_init(&d->arena, "activations");
    omp_set_num_threads(d->threads); /* for this thread, and for the oneDNN that it will call */
    st = fill(h, options, why);
    if (!st) {
        ops_assert_full(&d->ops);
        st = d->ops.open(d, why);
    }
    if (st) {
        free(h);
        return st;
    }
    *out = d;
    return ST_OK;
}

static bool is_measuring(const struct device *d)
{
    return d->parked.name;
}

void device_close(struct device **d)
{
    struct device *closing = *d;

    if (!closing)
        return;
    if (is_measuring(closing))
        closing->ops = closing->parked;
    block_free(held_of(closing));
    closing->ops.close(closing);
    free(held_of(closing));
    *d = NULL;
}

void device_measure_begin(struct device *d)
{
    assert(!is_measuring(d));
    assert(d->arena.used == 0 && "something is still carved");
    d->parked = d->ops;
    ops_fill_measure(&d->ops);
    arena_init(&d->arena, d->arena.name);
}

enum status device_measure_end(struct device *d, struct why *why)
{
    struct held *h = held_of(d);
    size_t peak = d->arena.peak;

    assert(is_measuring(d));
    d->ops = d->parked;
    memset(&d->parked, 0, sizeof(d->parked));
    arena_init(&d->arena, d->arena.name);
    if (!h->block || peak > h->block_bytes) {
        enum status st;

        d->ops.repeat_forget(d, NULL); /* the addresses change */
        st = block_take(h, peak ? peak : ARENA_ALIGN, why);
        if (st)
            return st;
    }
    d->arena.base = h->block;
    d->arena.size = h->block_bytes;
    d->arena.peak = peak;
    return ST_OK;
}

/* The steps keep what is computed for nobody below a third of the work. */
int device_rows(const struct device *d, int rows)
{
    static const int prepared[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

    if (d->accelerator == ACCELERATOR_CPU)
        return rows;
    for (size_t i = 0; i < sizeof(prepared) / sizeof(prepared[0]); i++)
        if (prepared[i] >= rows)
            return prepared[i];
    return rows;
}

void device_enter(struct device *d)
{
    d->ops.enter(d);
}

void device_calibrate_begin(struct device *d)
{
    d->ops.calibrate(d, true);
}

enum status device_calibrate_end(struct device *d)
{
    d->ops.calibrate(d, false);
    return device_sync(d);
}

enum status device_prepare(struct device *d)
{
    d->ops.prepare(d);
    return device_sync(d);
}

enum status device_sync(struct device *d)
{
    d->ops.sync(d);
    return d->broken ? ST_DEVICE : ST_OK;
}

void device_describe(const struct device *d, char *text, size_t bytes)
{
    unsigned caps = ((const struct held *)d)->caps;
    const char *isa = caps & CAP_AVX512 ? "avx512" : caps & CAP_AVX2 ? "avx2" : "plain C";

    if (d->accelerator == ACCELERATOR_CUDA) {
        cuda_describe(d, text, bytes);
        return;
    }
    snprintf(text, bytes, "cpu: %s%s%s%s, %d thread%s, %s", isa, caps & CAP_BF16 ? " bf16" : "",
             caps & CAP_ONEDNN ? ", oneDNN" : "", caps & CAP_WINOGRAD ? " with Winograd" : "",
             d->threads, d->threads == 1 ? "" : "s",
             d->precision == PRECISION_MIXED ? "mixed" : "float32");
}
