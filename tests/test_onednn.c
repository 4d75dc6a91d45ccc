/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What checkkernels does not see of the CPU filling: memory. Right numbers are its business.
 */
#include "kernels/device.h"
#include "tests/unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* There when a sanitizer is linked: then memory is not what the program alone takes. */
void __asan_init(void) __attribute__((weak));
void __tsan_init(void) __attribute__((weak));

static struct device *open_device(void)
{
    struct device *d;

    if (!(ops_caps() & CAP_ONEDNN) || __asan_init || __tsan_init)
        exit(77);
    assert_int_equal(device_open(&d, (struct device_options){.threads = 2}, NULL), ST_OK);
    return d;
}

static struct tensor zeros(int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    float *data = calloc((size_t)(d0 * d1 * d2 * d3), sizeof(*data));

    assert_non_null(data);
    return tensor_view(data, DTYPE_F32, d0, d1, d2, d3);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* Address space for `spare` more bytes than are in use now. */
static void limit_memory(size_t spare)
{
    struct rlimit limit;
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &pages), 1);
    fclose(f);
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = (rlim_t)pages * 4096 + spare;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

static void unlimit_memory(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

/* Goal: a weight that finds no memory is refused in words, leaks nothing, and can be packed later.
   Method: a limit on address space below the 64 MiB that it needs. */
static void check_full(struct tensor w, int pad)
{
    struct weight weight = {.w = w, .stride = 1, .pad = {pad, pad, pad, pad}};
    struct device *d = open_device();
    struct why why = {""};
    size_t before;

    assert_int_equal(d->ops.weight_pack(d, &weight, NULL), ST_OK); /* the guest takes its own */
    d->ops.weight_free(d, &weight);
    before = heap_bytes();
    limit_memory((size_t)16 << 20);
    assert_int_equal(d->ops.weight_pack(d, &weight, &why), ST_FULL);
    unlimit_memory();

    assert_non_null(strstr(why.text, "no memory"));
    assert_null(weight.packed);
    assert_true(heap_bytes() <= before + 65536);
    assert_int_equal(d->ops.weight_pack(d, &weight, NULL), ST_OK);
    assert_int_equal(device_sync(d), ST_OK);
    d->ops.weight_free(d, &weight);
    device_close(&d);
    free(w.data);
}

static void a_matrix_without_memory_says_full(void **state)
{
    (void)state;
    check_full(zeros(1, 1, 4096, 4096), 0);
}

static void a_convolution_without_memory_says_full(void **state)
{
    (void)state;
    check_full(zeros(1365, 1360, 3, 3), 1);
}

static void a_widened_weight_without_memory_says_full(void **state)
{
    struct tensor w = zeros(1, 1, 4096, 2048);
    (void)state;

    w.dtype = DTYPE_BF16;
    w.dim[3] = w.stride = 4096;
    check_full(w, 0);
}

/* A linear layer, a strided and a 3x3 convolution, forward for a picture of any height. */
struct layers {
    struct weight linear, strided, winograd;
};

static void forward(struct device *d, struct layers *l, int64_t height)
{
    struct tensor x = zeros(1, height, 8, 32), y = zeros(1, height, 8, 32);
    struct tensor half = zeros(1, (height + 1) / 2, 4, 32);

    d->ops.linear(d, tensor_tokens(y), tensor_tokens(x), &l->linear, NULL);
    d->ops.conv(d, half, x, &l->strided, NULL);
    d->ops.conv(d, y, x, &l->winograd, NULL);
    free(x.data);
    free(y.data);
    free(half.data);
}

static void layers_open(struct device *d, struct layers *l)
{
    *l = (struct layers){
        .linear = {.w = zeros(1, 1, 32, 32), .stride = 1},
        .strided = {.w = zeros(32, 32, 3, 3), .stride = 2, .pad = {1, 1, 1, 1}},
        .winograd = {.w = zeros(32, 32, 3, 3), .stride = 1, .pad = {1, 1, 1, 1}},
    };
    assert_int_equal(d->ops.weight_pack(d, &l->linear, NULL), ST_OK);
    assert_int_equal(d->ops.weight_pack(d, &l->strided, NULL), ST_OK);
    assert_int_equal(d->ops.weight_pack(d, &l->winograd, NULL), ST_OK);
}

static void layers_close(struct device *d, struct layers *l)
{
    d->ops.weight_free(d, &l->linear);
    d->ops.weight_free(d, &l->strided);
    d->ops.weight_free(d, &l->winograd);
    free(l->linear.w.data);
    free(l->strided.w.data);
    free(l->winograd.w.data);
}

/* Goal: pictures of ever new sizes do not fill the memory with plans.
   Method: more sizes than there are places for plans, twice; the second round takes nothing. */
static void sizes_come_and_go_without_growth(void **state)
{
    enum { SIZES = 150, MIB = 1 << 20 };
    struct device *d = open_device();
    struct layers l;
    size_t first;
    (void)state;

    layers_open(d, &l);
    for (int64_t height = 1; height < SIZES; height++)
        forward(d, &l, height);
    first = heap_bytes();
    for (int64_t height = 1; height < SIZES; height++)
        forward(d, &l, height);

    assert_int_equal(device_sync(d), ST_OK);
    assert_true(heap_bytes() <= first + MIB);
    layers_close(d, &l);
    device_close(&d);
}

/* Goal: what a device held, it gives back. */
static void closing_gives_everything_back(void **state)
{
    struct device *d = open_device();
    struct layers l;
    size_t before;
    (void)state;

    layers_open(d, &l);
    forward(d, &l, 64);
    layers_close(d, &l);
    device_close(&d);
    before = heap_bytes();
    for (int i = 0; i < 5; i++) {
        d = open_device();
        layers_open(d, &l);
        forward(d, &l, 64);
        layers_close(d, &l);
        device_close(&d);
    }

    assert_true(heap_bytes() <= before + 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_matrix_without_memory_says_full),
        cmocka_unit_test(a_convolution_without_memory_says_full),
        cmocka_unit_test(a_widened_weight_without_memory_says_full),
        cmocka_unit_test(sizes_come_and_go_without_growth),
        cmocka_unit_test(closing_gives_everything_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
