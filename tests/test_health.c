/* SPDX-License-Identifier: Apache-2.0 */
/* Run with the library of tests/fake_nvml.c in the place of the driver's. */
#include "kernels/health.h"
#include "tests/unit.h"

static void health_read_tells_what_a_gpu_tells(void **state)
{
    struct health_gpu gpus[HEALTH_GPUS_MAX];
    struct health *h = health_open();
    (void)state;

    assert_non_null(h);
    assert_int_equal(health_read(h, gpus), 2);

    assert_string_equal(gpus[0].pci, "00000000:0A:00.0");
    assert_true(gpus[0].temperature_celsius == 61 && gpus[0].power_watts == 312.5);
    assert_true(gpus[0].memory_used_bytes == 20.0 * (1 << 30));
    assert_true(gpus[0].memory_total_bytes == 80.0 * (1 << 30));
    assert_true(gpus[0].ecc_corrected == 7 && gpus[0].ecc_uncorrected == 2);
    assert_true(gpus[0].slowed == 1);
    health_close(&h);
    assert_null(h);
}

static void health_read_says_unknown_for_what_a_gpu_keeps_to_itself(void **state)
{
    struct health_gpu gpus[HEALTH_GPUS_MAX];
    struct health *h = health_open();
    (void)state;

    assert_int_equal(health_read(h, gpus), 2);

    assert_string_equal(gpus[1].pci, "00000000:81:00.0");
    assert_true(gpus[1].temperature_celsius == HEALTH_UNKNOWN);
    assert_true(gpus[1].power_watts == HEALTH_UNKNOWN && gpus[1].slowed == HEALTH_UNKNOWN);
    assert_true(gpus[1].memory_used_bytes == HEALTH_UNKNOWN);
    assert_true(gpus[1].ecc_corrected == HEALTH_UNKNOWN);
    health_close(&h);
}

static void nothing_is_read_without_a_library(void **state)
{
    struct health_gpu gpus[HEALTH_GPUS_MAX];
    struct health *none = NULL;
    (void)state;

    assert_int_equal(health_read(none, gpus), 0);
    health_close(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_read_tells_what_a_gpu_tells),
        cmocka_unit_test(health_read_says_unknown_for_what_a_gpu_keeps_to_itself),
        cmocka_unit_test(nothing_is_read_without_a_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
