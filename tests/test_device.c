/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cores.h"
#include "kernels/device.h"
#include "tests/unit.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct device *open_reference(void)
{
    struct device_options options = {.threads = 2, .reference = true};
    struct device *d;

    assert_int_equal(device_open(&d, options, NULL), ST_OK);
    return d;
}

/* A forward pass in small: two activations, one on top of the other. */
static struct tensor forward(struct device *d)
{
    struct tensor x = tensor_carve(&d->arena, DTYPE_F32, 1, 4, 4, 64);
    struct tensor y = tensor_carve_like(&d->arena, x);

    if (x.data)
        memset(x.data, 0, tensor_bytes(x));
    d->ops.affine(d, y, x, 2, 3);
    return y;
}

static void what_was_measured_can_be_carved_and_run(void **state)
{
    struct device *d = open_reference();
    struct tensor y;
    (void)state;

    device_measure_begin(d);
    y = forward(d);
    assert_null(y.data);
    arena_rewind(&d->arena, 0);
    assert_int_equal(device_measure_end(d, NULL), ST_OK);

    assert_int_equal(d->arena.used, 0);
    assert_int_equal(d->arena.peak, 2 * 4 * 4 * 64 * sizeof(float));
    y = forward(d);
    assert_true(((float *)y.data)[0] == 3 && ((float *)y.data)[1023] == 3);
    assert_int_equal(device_sync(d), ST_OK);
    device_close(&d);
    assert_null(d);
}

static void measuring_does_not_compute(void **state)
{
    struct device *d = open_reference();
    float number = 7;
    struct tensor x = tensor_view(&number, DTYPE_F32, 1, 1, 1, 1);
    (void)state;

    device_measure_begin(d);
    d->ops.affine(d, x, x, 0, 1);
    assert_int_equal(device_measure_end(d, NULL), ST_OK);
    assert_true(number == 7);

    d->ops.affine(d, x, x, 0, 1);
    assert_true(number == 1);
    device_close(&d);
}

static void a_bigger_measure_replaces_the_block_and_a_smaller_keeps_it(void **state)
{
    struct device *d = open_reference();
    char *block;
    (void)state;

    device_measure_begin(d);
    arena_carve(&d->arena, 1000);
    assert_int_equal(device_measure_end(d, NULL), ST_OK);
    block = d->arena.base;
    assert_non_null(block);

    device_measure_begin(d);
    arena_carve(&d->arena, 10);
    assert_int_equal(device_measure_end(d, NULL), ST_OK);
    assert_ptr_equal(d->arena.base, block);

    device_measure_begin(d);
    arena_carve(&d->arena, (size_t)64 << 20);
    assert_int_equal(device_measure_end(d, NULL), ST_OK);
    assert_true(d->arena.size >= (size_t)64 << 20);
    memset(arena_carve(&d->arena, (size_t)64 << 20), 1, (size_t)64 << 20);
    device_close(&d);
}

/* Goal: a measure that no machine can satisfy is said, and the device can still be closed. */
static void more_memory_than_there_is_says_full(void **state)
{
    struct device *d = open_reference();
    struct why why = {""};
    (void)state;

    device_measure_begin(d);
    arena_carve(&d->arena, (size_t)1 << 60);
    assert_int_equal(device_measure_end(d, &why), ST_FULL);
    assert_true(why.text[0]);
    device_close(&d);
}

static void a_device_closes_in_the_middle_of_measuring(void **state)
{
    struct device *d = open_reference();
    (void)state;

    device_measure_begin(d);
    forward(d);
    device_close(&d);
    assert_null(d);
    device_close(&d);
}

static void a_broken_device_stays_broken(void **state)
{
    struct device *d = open_reference();
    (void)state;

    assert_int_equal(device_sync(d), ST_OK);
    d->broken = true;
    assert_int_equal(device_sync(d), ST_DEVICE);
    assert_int_equal(device_sync(d), ST_DEVICE);
    device_close(&d);
}

static void a_device_describes_itself(void **state)
{
    struct device_options all = {.threads = 1, .precision = PRECISION_MIXED};
    struct device *d = open_reference();
    char text[128];
    (void)state;

    device_describe(d, text, sizeof(text));
    assert_string_equal(text, "cpu: plain C, 2 threads, float32");
    device_close(&d);

    assert_int_equal(device_open(&d, all, NULL), ST_OK);
    device_describe(d, text, sizeof(text));
    assert_non_null(strstr(text, "1 thread,"));
    assert_non_null(strstr(text, "mixed"));
    assert_true(!strstr(text, "oneDNN") == !(ops_caps() & CAP_ONEDNN));
    assert_true(!strstr(text, "avx512") == !(ops_caps() & CAP_AVX512));
    device_close(&d);
}

static void a_description_is_cut_to_its_buffer(void **state)
{
    struct device *d = open_reference();
    char text[8];
    (void)state;

    device_describe(d, text, sizeof(text));
    assert_string_equal(text, "cpu: pl");
    device_close(&d);
}

/* Goal: capabilities taken away are not used.
   Method: with none left every slot is the one that plain C fills, weights included. */
static void without_capabilities_only_plain_c_is_left(void **state)
{
    struct device_options options = {.threads = 1, .caps_off = ~0u};
    struct ops plain;
    struct device *d;
    (void)state;

    assert_int_equal(device_open(&d, options, NULL), ST_OK);
    ops_fill_reference(&plain);
    assert_ptr_equal(d->ops.linear, plain.linear);
    assert_ptr_equal(d->ops.conv, plain.conv);
    assert_ptr_equal(d->ops.attention, plain.attention);
    device_close(&d);
}

/* Goal: what affinity takes away is not counted.
   Method: allow this thread one processor only, ask, and allow all again. */
static void threads_fit_the_processors_that_are_allowed(void **state)
{
    cpu_set_t all, one;
    size_t first = 0;
    int before = cores_usable(), during;
    (void)state;

    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    during = cores_usable();
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);

    assert_int_equal(during, 1);
    assert_true(before >= 1 && before <= CPU_COUNT(&all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_measured_can_be_carved_and_run),
        cmocka_unit_test(measuring_does_not_compute),
        cmocka_unit_test(a_bigger_measure_replaces_the_block_and_a_smaller_keeps_it),
        cmocka_unit_test(more_memory_than_there_is_says_full),
        cmocka_unit_test(a_device_closes_in_the_middle_of_measuring),
        cmocka_unit_test(a_broken_device_stays_broken),
        cmocka_unit_test(a_device_describes_itself),
        cmocka_unit_test(a_description_is_cut_to_its_buffer),
        cmocka_unit_test(without_capabilities_only_plain_c_is_left),
        cmocka_unit_test(threads_fit_the_processors_that_are_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
