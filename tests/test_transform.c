/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "tests/fault.h"
#include "tests/unit.h"
#include "watermark/transform.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>

/* Against the sum itself, for lengths of all kinds: powers of four, and twice that. */
static void test_run(void **state)
{
    (void)state;
    for (int side = 4; side <= 256; side *= 2) {
        size_t count = (size_t)side * TRANSFORM_LANES;
        float *re = malloc(count * sizeof(float)), *im = malloc(count * sizeof(float));
        float *old = malloc(2 * count * sizeof(float));
        struct transform *t;

        rng_normal(old, 2 * count, 3, (uint32_t)side);
        for (size_t i = 0; i < count; i++)
            re[i] = old[i], im[i] = old[count + i];
        assert_int_equal(transform_open(&t, side), ST_OK);
        transform_run(t, re, im);
        for (int lane = 0; lane < TRANSFORM_LANES; lane++)
            for (int k = 0; k < side; k++) {
                double complex sum = 0;
                int at = k * TRANSFORM_LANES + lane;

                for (int i = 0; i < side; i++) {
                    size_t from = (size_t)i * TRANSFORM_LANES + (size_t)lane;

                    sum += ((double)old[from] + I * (double)old[count + from]) *
                           cexp(-2 * M_PI * I * i * k / side);
                }
                assert_true(fabs(creal(sum) - (double)re[at]) < 1e-4);
                assert_true(fabs(cimag(sum) - (double)im[at]) < 1e-4);
            }
        transform_close(&t);
        free(re);
        free(im);
        free(old);
    }
}

static double complex at(const float *plane, int width, int height, const struct spectrum *s,
                         double fx, double fy)
{
    double complex sum = 0;

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            sum += (double)plane[y * width + x] *
                   cexp(-2 * M_PI * I * (fx * (x - s->cx) + fy * (y - s->cy)));
    return sum;
}

/* The exact spectrum is the sum over all pixels, between the points of its grid and in all
   quadrants, for odd sizes too. */
static void test_exact(void **state)
{
    static const int sizes[][2] = {{40, 40}, {97, 61}, {61, 98}, {100, 7}, {160, 33}};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int width = sizes[i][0], height = sizes[i][1], side = spectrum_side(width, height);
        float *plane = malloc((size_t)(width * height) * sizeof(float));
        struct spectrum s;

        rng_normal(plane, (size_t)(width * height), 4, (uint32_t)i);
        assert_int_equal(
            spectrum_open(&s, plane, width, height, side, side * 3 / 8, SPECTRUM_EXACT), ST_OK);
        for (int j = 0; j < 60; j++) {
            float fx = 0.33f * sinf((float)(j * 1.7)), fy = 0.33f * cosf((float)(j * j * 0.31));
            float got[2];
            double complex want = at(plane, width, height, &s, (double)fx, (double)fy);

            spectrum_at(got, &s, fx, fy);
            assert_true(fabs(creal(want) - (double)got[0]) < 1e-3 * sqrt(width * height));
            assert_true(fabs(cimag(want) - (double)got[1]) < 1e-3 * sqrt(width * height));
        }
        spectrum_close(&s);
        free(plane);
    }
}

static void test_outside(void **state)
{
    float plane[32 * 32] = {1}, got[2] = {7, 7};
    struct spectrum s;

    (void)state;
    assert_int_equal(spectrum_open(&s, plane, 32, 32, 64, 20, SPECTRUM_EXACT), ST_OK);
    spectrum_at(got, &s, 0.4f, 0);
    assert_true(got[0] == 0 && got[1] == 0);
    spectrum_at(got, &s, 0, -0.4f);
    assert_true(got[0] == 0 && got[1] == 0);
    spectrum_at(got, &s, 0.3f, -0.3f);
    assert_true(hypot((double)got[0], (double)got[1]) > 0.99);
    spectrum_close(&s);
}

/* A blur keeps the mean and a flat plane, and halves a wave by what the theory says, at every
   place, so that borders are mirrored well. */
static void test_blur(void **state)
{
    enum { WIDTH = 70, HEIGHT = 50 };
    static float in[HEIGHT][WIDTH], out[HEIGHT][WIDTH], scratch[HEIGHT][WIDTH];
    const double sigma = 2.5, fx = 4 * M_PI / WIDTH, fy = 3 * M_PI / HEIGHT;
    double passed = exp(-0.5 * sigma * sigma * (fx * fx + fy * fy));

    (void)state;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) /* even about each border: a mirror continues it */
            in[y][x] = (float)(5 + cos(fx * (x + 0.5)) * cos(fy * (y + 0.5)));
    transform_blur(out[0], in[0], scratch[0], WIDTH, HEIGHT, (float)sigma);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            assert_true(fabs((double)out[y][x] - 5 - passed * ((double)in[y][x] - 5)) < 5e-3);
}

/* The mirror of a plane smaller than the blur. */
static void test_blur_small(void **state)
{
    float in[3][2] = {{3, 3}, {3, 3}, {3, 3}}, out[3][2], scratch[3][2];

    (void)state;
    transform_blur(out[0], in[0], scratch[0], 2, 3, 4);
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 2; x++)
            assert_true(fabs((double)out[y][x] - 3) < 1e-5);
}

static void test_no_memory(void **state)
{
    static float plane[40 * 30];

    (void)state;
    for (int nth = 1;; nth++) {
        struct spectrum s;
        enum status st;

        fault_arm(nth);
        st = spectrum_open(&s, plane, 40, 30, 64, 20, SPECTRUM_SOFT);
        fault_disarm();
        if (!fault_fired()) {
            spectrum_close(&s);
            assert_int_equal(st, ST_OK);
            assert_true(nth > 8);
            break;
        }
        assert_int_equal(st, ST_FULL);
        assert_int_equal(fault_live(), 0);
        assert_null(s.re);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_outside),    cmocka_unit_test(test_blur),
        cmocka_unit_test(test_blur_small), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
