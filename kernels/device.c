/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/device.h"

#include "kernels/cores.h"

#include <assert.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

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
    if (h->block)
        munmap(h->block, h->block_bytes);
    h->block = NULL;
    h->block_bytes = 0;
}

/* Fresh pages cost nothing until they are touched, so a block measured for the biggest run only
   takes the memory that real runs use. */
static enum status block_take(struct held *h, size_t bytes, struct why *why)
{
    size_t rounded = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    char *block;

    block_free(h);
    if (rounded < bytes)
        return why_fail(why, ST_FULL, "activations want %zu bytes, more than there are", bytes);
    block = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return why_fail(why, ST_FULL, "no %zu MiB of memory for activations", rounded >> 20);
    madvise(block, rounded, MADV_HUGEPAGE); /* a wish: nothing is lost where it is not granted */
    h->block = block;
    h->block_bytes = rounded;
    return ST_OK;
}

static void fill(struct held *h, struct device_options options)
{
    struct device *d = &h->device;

    ops_fill_reference(&d->ops);
    if (options.reference)
        return;
    h->caps = ops_caps() & ~options.caps_off;
    ops_fill_simd(&d->ops, h->caps);
    ops_fill_onednn(&d->ops, h->caps);
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
    d->dtype = DTYPE_F32;
    d->precision = options.precision;
    d->threads = options.threads > 0 ? options.threads : cores_usable();
    arena_init(&d->arena, "activations");
    omp_set_num_threads(d->threads); /* for this thread, and for the oneDNN that it will call */
    fill(h, options);
    ops_assert_full(&d->ops);
    st = d->ops.open(d, why);
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
    closing->ops.close(closing);
    block_free(held_of(closing));
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
        enum status st = block_take(h, peak ? peak : ARENA_ALIGN, why);
        if (st)
            return st;
    }
    d->arena.base = h->block;
    d->arena.size = h->block_bytes;
    d->arena.peak = peak;
    return ST_OK;
}

enum status device_sync(struct device *d)
{
    return d->broken ? ST_DEVICE : ST_OK; /* a CPU has always finished already */
}

void device_describe(const struct device *d, char *text, size_t bytes)
{
    unsigned caps = ((const struct held *)d)->caps;
    const char *isa = caps & CAP_AVX512 ? "avx512" : caps & CAP_AVX2 ? "avx2" : "plain C";

    snprintf(text, bytes, "cpu: %s%s%s%s, %d thread%s, %s", isa, caps & CAP_BF16 ? " bf16" : "",
             caps & CAP_ONEDNN ? ", oneDNN" : "", caps & CAP_WINOGRAD ? " with Winograd" : "",
             d->threads, d->threads == 1 ? "" : "s",
             d->precision == PRECISION_MIXED ? "mixed" : "float32");
}
