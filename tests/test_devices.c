/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda.h"
#include "kernels/devices.h"
#include "tests/unit.h"

#include <string.h>

static const struct device_options like = {.threads = 3};

static void devices_find_takes_the_cpu_when_told(void **state)
{
    struct devices d;
    struct why why = {""};
    (void)state;

    assert_int_equal(devices_find(&d, "cpu", like, &why), ST_OK);

    assert_int_equal(d.count, 1);
    assert_int_equal(d.device[0].accelerator, ACCELERATOR_CPU);
    assert_int_equal(d.device[0].threads, 3);
}

/* Whatever this machine has, auto finds something to compute on. */
static void devices_find_auto_takes_every_gpu_or_else_the_cpu(void **state)
{
    struct devices d;
    struct why why = {""};
    int gpus = cuda_count(&why);
    (void)state;

    assert_int_equal(devices_find(&d, "auto", like, &why), ST_OK);

    assert_true(d.count >= 1);
    if (!gpus)
        assert_int_equal(d.device[0].accelerator, ACCELERATOR_CPU);
}

/* bf16 only for some operands is something that only a CPU does. */
static void devices_find_auto_keeps_mixed_on_the_cpu(void **state)
{
    struct device_options mixed = {.precision = PRECISION_MIXED};
    struct devices d;
    struct why why = {""};
    (void)state;

    assert_int_equal(devices_find(&d, "auto", mixed, &why), ST_OK);

    assert_int_equal(d.count, 1);
    assert_int_equal(d.device[0].accelerator, ACCELERATOR_CPU);
}

static void devices_find_refuses_other_words(void **state)
{
    static const char *const bad[] = {"gpu",      "cuda:",     "cuda:x",  "cuda:0,", "cuda:,0",
                                      "cuda:0,0", "cuda:0 ,1", "cuda:-1", "CPU",     ""};
    struct devices d;
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct why why = {""};
        enum status st = devices_find(&d, bad[i], like, &why);

        /* Without a GPU the first number is refused before the second is read. */
        if (st != ST_INVALID && !(st == ST_UNSUPPORTED && !strncmp(bad[i], "cuda:0", 6)))
            fail_msg("'%s' came to status %d", bad[i], (int)st);
        assert_true(why.text[0]);
    }
}

static void devices_find_says_why_a_gpu_cannot_be_used(void **state)
{
    struct devices d;
    struct why why = {""};
    (void)state;

    assert_int_equal(devices_find(&d, "cuda:65535", like, &why), ST_UNSUPPORTED);

    assert_true(strlen(why.text) > 10);
}

static void a_cpu_refuses_the_precisions_of_a_gpu(void **state)
{
    struct device_options options = {.precision = PRECISION_BF16};
    struct device *d = NULL;
    struct why why = {""};
    (void)state;

    assert_int_equal(device_open(&d, options, &why), ST_UNSUPPORTED);

    assert_null(d);
    assert_non_null(strstr(why.text, "mixed"));
}

static void every_precision_has_a_name_that_reads_back(void **state)
{
    (void)state;
    for (int i = PRECISION_AUTO; i <= PRECISION_F16; i++) {
        enum precision back;
        struct why why = {""};

        assert_int_equal(devices_precision(&back, devices_precision_name((enum precision)i), &why),
                         ST_OK);
        assert_int_equal(back, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_find_takes_the_cpu_when_told),
        cmocka_unit_test(devices_find_auto_takes_every_gpu_or_else_the_cpu),
        cmocka_unit_test(devices_find_auto_keeps_mixed_on_the_cpu),
        cmocka_unit_test(devices_find_refuses_other_words),
        cmocka_unit_test(devices_find_says_why_a_gpu_cannot_be_used),
        cmocka_unit_test(a_cpu_refuses_the_precisions_of_a_gpu),
        cmocka_unit_test(every_precision_has_a_name_that_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
