/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear layers in eight bits, on the emulated GPU: what they cost in accuracy, that neighbours do
 * not matter, and that whoever was not calibrated stays as exact as before.
 */
#include "base/rng.h"
#include "kernels/device.h"
#include "kernels/half.h"
#include "tests/cuda_on_cpu/control.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 2, ROWS = 128, INPUTS = 64, OUTPUTS = 48 };
enum { NUMBERS_X = IMAGES * ROWS * INPUTS, NUMBERS_Y = IMAGES * ROWS * OUTPUTS };

/* A layer on a device, and its input and output there. */
struct bench {
    struct device *d;
    struct weight w;
    float numbers[OUTPUTS * INPUTS], bias[OUTPUTS];
    struct tensor x, y, add;
    float x_host[NUMBERS_X], y_host[NUMBERS_Y];
};

/* What one device found to be fastest, the next one takes: which candidate wins a race must not
   decide a comparison of two devices. */
static char folder[] = "/tmp/test_narrow_XXXXXX", plans[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(plans, sizeof(plans), "%s/plans.tsv", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    remove(plans);
    return remove(folder);
}

static struct tensor on_device(struct device *d, int64_t rows, int64_t columns)
{
    size_t bytes = (size_t)(IMAGES * rows * columns) * 2;

    return tensor_view(d->ops.memory_take(d, bytes), DTYPE_BF16, IMAGES, 1, rows, columns);
}

static void give(struct device *d, struct tensor t)
{
    d->ops.memory_give(d, t.data, tensor_bytes(t));
}

/* x times `size`, to the device, and as it is there. */
static void put_x(struct bench *b, float size)
{
    static uint16_t bits[NUMBERS_X];

    rng_normal(b->x_host, NUMBERS_X, 7, 0);
    for (int i = 0; i < NUMBERS_X; i++) {
        bits[i] = float_to_bf16(size * b->x_host[i]);
        b->x_host[i] = bf16_to_float(bits[i]);
    }
    b->d->ops.upload(b->d, b->x, bits);
}

static void run(struct bench *b, const struct epilogue *e)
{
    static uint16_t bits[NUMBERS_Y];

    b->d->ops.linear(b->d, b->y, b->x, &b->w, e);
    b->d->ops.download(b->d, bits, b->y);
    for (int i = 0; i < NUMBERS_Y; i++)
        b->y_host[i] = bf16_to_float(bits[i]);
}

static void open(struct bench *b, enum precision precision)
{
    const struct device_options options = {.accelerator = ACCELERATOR_CUDA,
                                           .precision = precision,
                                           .plans = plans,
                                           .narrow_weights = OUTPUTS * INPUTS};
    struct why why = {""};

    memset(b, 0, sizeof(*b));
    assert_int_equal(device_open(&b->d, options, &why), ST_OK);
    rng_normal(b->numbers, OUTPUTS * INPUTS, 1, 0);
    rng_normal(b->bias, OUTPUTS, 2, 0);
    b->w = (struct weight){.w = tensor_view(b->numbers, DTYPE_F32, 1, 1, OUTPUTS, INPUTS),
                           .b = tensor_view(b->bias, DTYPE_F32, 1, 1, 1, OUTPUTS),
                           .stride = 1};
    assert_int_equal(b->d->ops.weight_pack(b->d, &b->w, &why), ST_OK);
    b->x = on_device(b->d, ROWS, INPUTS);
    b->y = on_device(b->d, ROWS, OUTPUTS);
    put_x(b, 1);
}

static void close(struct bench *b)
{
    assert_int_equal(device_sync(b->d), ST_OK);
    assert_int_equal(device_prepare(b->d), ST_OK); /* keeps what was found */
    give(b->d, b->x);
    give(b->d, b->y);
    b->d->ops.weight_free(b->d, &b->w);
    device_close(&b->d);
    assert_int_equal(control_count().live, 0);
}

static void calibrate(struct bench *b)
{
    device_calibrate_begin(b->d);
    run(b, NULL);
    assert_int_equal(device_calibrate_end(b->d), ST_OK);
}

/* Squared error of y over its squared size, against a sum in double. */
static double error_of(const struct bench *b, float add_factor)
{
    double difference = 0, size = 0;

    for (int row = 0; row < IMAGES * ROWS; row++)
        for (int n = 0; n < OUTPUTS; n++) {
            double sum = (double)b->bias[n], got = (double)b->y_host[row * OUTPUTS + n];

            for (int k = 0; k < INPUTS; k++)
                sum += (double)b->x_host[row * INPUTS + k] * (double)b->numbers[n * INPUTS + k];
            sum += (double)add_factor * sum;
            difference += (got - sum) * (got - sum);
            size += sum * sum;
        }
    return difference / size;
}

/* Goal: the error is that of rounding both operands to three bits behind the leading one, which is
   a mean square of 2^-6 / 24 each, 1.3e-3 together. */
static void a_narrow_layer_is_as_exact_as_eight_bits_allow(void **state)
{
    static struct bench b;
    double narrow, wide;
    (void)state;

    open(&b, PRECISION_FP8);
    run(&b, NULL);
    wide = error_of(&b, 0);
    calibrate(&b);
    assert_true(error_of(&b, 0) == wide); /* still bf16 while it is looked at */
    run(&b, NULL);
    narrow = error_of(&b, 0);
    close(&b);

    if (!(wide < 1e-5) || !(narrow > 5e-4 && narrow < 2e-3))
        fail_msg("bf16 %g, fp8 %g", wide, narrow);
}

/* Goal: what was not calibrated computes bit for bit as a device of bf16. */
static void a_layer_that_calibration_never_met_stays_wide(void **state)
{
    static struct bench a, b;
    (void)state;

    open(&a, PRECISION_BF16);
    run(&a, NULL);
    close(&a);
    open(&b, PRECISION_FP8);
    device_calibrate_begin(b.d);
    assert_int_equal(device_calibrate_end(b.d), ST_OK);
    run(&b, NULL);
    close(&b);

    assert_memory_equal(a.y_host, b.y_host, sizeof(a.y_host));
}

/* Goal: an image alone is bit for bit that image in a batch, and few rows are not narrowed. */
static void neighbours_do_not_matter(void **state)
{
    static struct bench b;
    static float both[NUMBERS_Y];
    struct tensor x, y;
    (void)state;

    open(&b, PRECISION_FP8);
    calibrate(&b);
    run(&b, NULL);
    memcpy(both, b.y_host, sizeof(both));
    x = b.x;
    y = b.y;
    b.x = tensor_slice(x, 1, 1);
    b.y = tensor_slice(y, 1, 1);
    b.d->ops.linear(b.d, b.y, b.x, &b.w, NULL);
    b.x = x;
    b.y = y;
    {
        static uint16_t bits[NUMBERS_Y];

        b.d->ops.download(b.d, bits, b.y);
        for (int i = 0; i < NUMBERS_Y; i++)
            assert_true(bf16_to_float(bits[i]) == both[i]);
    }
    close(&b);
}

/* Goal: numbers beyond all that was seen are cut, not lost: y stays finite, and close where at most
   twice as much comes. */
static void what_is_larger_than_ever_seen_is_cut(void **state)
{
    static struct bench b;
    (void)state;

    open(&b, PRECISION_FP8);
    calibrate(&b);
    put_x(&b, 2);
    run(&b, NULL);
    assert_true(error_of(&b, 0) < 2e-3);
    put_x(&b, 1000);
    run(&b, NULL);
    for (int i = 0; i < NUMBERS_Y; i++)
        assert_true(isfinite(b.y_host[i]));
    close(&b);
}

/* Goal: a residual is added in its own precision. */
static void a_residual_is_added_as_it_is(void **state)
{
    static struct bench b;
    (void)state;

    open(&b, PRECISION_FP8);
    run(&b, NULL); /* y is the layer in bf16 */
    calibrate(&b);
    run(&b, &(struct epilogue){.add = b.y});
    assert_true(error_of(&b, 1) < 1e-3);
    close(&b);
}

static void an_older_gpu_is_told_what_it_lacks(void **state)
{
    const struct device_options options = {.accelerator = ACCELERATOR_CUDA,
                                           .precision = PRECISION_FP8};
    struct device *d = NULL;
    struct why why = {""};
    (void)state;

    control_now()->major = 8;
    control_now()->minor = 6;
    assert_int_equal(device_open(&d, options, &why), ST_UNSUPPORTED);
    assert_non_null(strstr(why.text, "8.9"));
    control_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_narrow_layer_is_as_exact_as_eight_bits_allow),
        cmocka_unit_test(a_layer_that_calibration_never_met_stays_wide),
        cmocka_unit_test(neighbours_do_not_matter),
        cmocka_unit_test(what_is_larger_than_ever_seen_is_cut),
        cmocka_unit_test(a_residual_is_added_as_it_is),
        cmocka_unit_test(an_older_gpu_is_told_what_it_lacks),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
