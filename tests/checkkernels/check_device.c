/* SPDX-License-Identifier: Apache-2.0 */
/* What a filling owns: its device, its form of a weight, numbers on their way. */
#include "tests/checkkernels/draw.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A linear layer on device d from packing to freeing. */
static void once(struct check *c, struct device *d, struct twin *y, struct twin *x)
{
    struct weight weight = *check_weight(c);
    struct why why = {""};

    weight.packed = NULL;
    if (d->ops.weight_pack(d, &weight, &why)) {
        report_failure(c, "weight_pack says: %s", why.text);
        return;
    }
    d->ops.linear(d, y->t, x->t, &weight, NULL);
    d->ops.weight_free(d, &weight);
}

static struct twin *draw_linear(struct check *c, struct twin **x)
{
    int64_t b = draw_size(c, 1, 4), m = draw_size(c, 1, 33), k = draw_size(c, 1, 129);
    int64_t n = draw_size(c, 1, 129);
    struct twin *w, *y;

    *x = draw_input(c, (struct ask){.name = "x", .dim = {b, 1, m, k}, .summed = true});
    w = draw_shared(c, (struct ask){.name = "w",
                                    .dim = {1, 1, n, k},
                                    .dtype = draw_dtype(c),
                                    .host = true,
                                    .scale = 1 / sqrtf((float)k)});
    y = draw_output(c, (struct ask){.name = "y", .dim = {b, 1, m, n}});
    check_weight_is(c, w, draw_absent(c, "bias"), 1, NULL);
    return y;
}

/* A second device beside the first, from open to close, for every run. */
void check_open(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct twin *x, *y = draw_linear(c, &x);

        while (check_next_run(c)) {
            struct device second = *c->device;
            struct why why = {""};
            second.backend = NULL;
            if (second.ops.open(&second, &why)) {
                report_failure(c, "open says: %s", why.text);
                continue;
            }
            once(c, &second, y, x);
            second.ops.close(&second);
        }
    }
}

void check_weight_pack(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct twin *x, *y = draw_linear(c, &x);

        while (check_next_run(c))
            once(c, c->device, y, x);
    }
}

static struct ask draw_dense(struct check *c, const char *name)
{
    int64_t b = draw_size(c, 1, 4), h = draw_size(c, 1, 9), w = draw_size(c, 1, 33);

    return (struct ask){
        .name = name, .dim = {b, h, w, draw_size(c, 1, 129)}, .dtype = draw_dtype(c)};
}

/* One side of a transfer lies on the host; on a CPU both do. */
void check_upload(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct ask ask = draw_dense(c, "host");
        struct twin *host, *y;

        ask.host = true;
        host = draw_input(c, ask);
        ask.name = "y";
        ask.host = false;
        y = draw_output(c, ask);
        while (check_next_run(c))
            c->device->ops.upload(c->device, y->t, host->t.data);
    }
}

void check_download(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct ask ask = draw_dense(c, "x");
        struct twin *x = draw_input(c, ask), *host;

        ask.name = "host";
        ask.host = true;
        host = draw_output(c, ask);
        while (check_next_run(c))
            c->device->ops.download(c->device, host->t.data, x->t);
    }
}

/* Numbers go into fresh memory of the device and come back. */
void check_memory(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct ask ask = draw_dense(c, "host");
        struct twin *host, *back;

        ask.host = true;
        host = draw_input(c, ask);
        ask.name = "back";
        back = draw_output(c, ask);
        while (check_next_run(c)) {
            struct device *d = c->device;
            struct tensor there = host->t;

            there.data = d->ops.memory_take(d, tensor_bytes(there));
            if (!there.data || (uintptr_t)there.data % ARENA_ALIGN) {
                report_failure(c, "memory_take gives no memory, or it is not aligned");
                continue;
            }
            d->ops.enter(d);
            d->ops.upload(d, there, host->t.data);
            d->ops.sync(d);
            d->ops.download(d, back->t.data, there);
            d->ops.memory_give(d, there.data, tensor_bytes(there));
        }
    }
}

/* What a repeated pass works on. */
struct pass {
    struct device *d;
    struct tensor y, x;
};

static void twice(void *context)
{
    const struct pass *p = context;

    p->d->ops.affine(p->d, p->y, p->x, 2, 1);
    p->d->ops.activate(p->d, p->y, p->y, ACT_SILU);
}

/* Four times the same pass: what a device remembers must read the numbers that are there now. The
   first is the rehearsal, and before the last one it is told to forget. */
void check_repeat(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct ask ask = {.name = "x",
                          .dim = {draw_size(c, 1, 4), 1, draw_size(c, 1, 33), draw_size(c, 1, 65)}};
        struct twin *x = draw_input(c, ask), *y;

        ask.name = "y";
        y = draw_output(c, ask);
        while (check_next_run(c)) {
            struct device *d = c->device;
            struct pass p = {d, y->t, x->t};
            struct repeat_key key = {c, (int)x->t.dim[0], 0, 0};

            for (int i = 0; i < 4; i++) {
                if (i == 1)
                    d->ops.prepare(d);
                if (i == 3)
                    d->ops.repeat_forget(d, c);
                d->ops.affine(d, y->t, x->t, 0, 7); /* what was there before is gone */
                d->ops.repeat(d, key, twice, &p);
            }
            d->ops.repeat_forget(d, c);
        }
    }
}

/* Looking changes nothing, neither while nor after it is done. What is kept narrow by it has a test
   of its own (tests/cuda_on_cpu/test_narrow.c). */
void check_calibrate(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct ask ask = {.name = "x", .dim = {draw_size(c, 1, 5), 1, 1, draw_size(c, 1, 300)}};
        struct twin *x = draw_input(c, ask), *y;

        ask.name = "y";
        y = draw_output(c, ask);
        while (check_next_run(c)) {
            struct device *d = c->device;

            d->ops.calibrate(d, true);
            d->ops.affine(d, y->t, x->t, 3, 1);
            d->ops.calibrate(d, false);
            d->ops.affine(d, y->t, y->t, 2, 0);
        }
    }
}

/* Bytes are shown as whole numbers, so that every one of them is judged. */
void check_download_pixels(struct check *c)
{
    while (check_next_case(c, 0)) {
        int64_t h = draw_size(c, 1, 33), w = draw_size(c, 1, 65), count = h * w * 3;
        struct twin *x =
            draw_input(c, (struct ask){.name = "x", .dim = {1, h, w, 3}, .typed = true});
        struct twin *y = draw_output(
            c,
            (struct ask){.name = "y", .dim = {1, 1, 1, count}, .dtype = DTYPE_I32, .host = true});
        uint8_t *bytes = malloc((size_t)count);

        assert(bytes && "no memory for a check");
        while (check_next_run(c)) {
            c->device->ops.download_pixels(c->device, bytes, x->t);
            for (int64_t i = 0; i < count; i++)
                ((int32_t *)y->t.data)[i] = bytes[i];
        }
        free(bytes);
    }
}

void check_noise(struct check *c)
{
    while (check_next_case(c, 0)) {
        struct twin *y = draw_output(
            c,
            (struct ask){.name = "y",
                         .dim = {1, draw_size(c, 1, 65), draw_size(c, 1, 65), draw_size(c, 1, 5)},
                         .typed = true});
        uint64_t seed = (uint64_t)draw_below(c, 1 << 30) << 33 | (uint64_t)draw_below(c, 1 << 30);
        uint32_t stream = (uint32_t)draw_below(c, 1000);

        check_note(c, "seed %llu, stream %u", (unsigned long long)seed, stream);
        while (check_next_run(c))
            c->device->ops.noise(c->device, y->t, seed, stream);
    }
}
