/* SPDX-License-Identifier: Apache-2.0 */
#include "base/image.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <string.h>

static void an_opened_image_is_black(void **state)
{
    struct image image;
    (void)state;

    assert_int_equal(image_open(&image, 7, 5), ST_OK);

    assert_int_equal(image_bytes(&image), 7 * 5 * 3);
    for (size_t i = 0; i < image_bytes(&image); i++)
        assert_int_equal(image.rgb[i], 0);
    image_close(&image);
}

static void closing_twice_and_closing_nothing_are_fine(void **state)
{
    struct image image = {0};
    (void)state;

    image_close(&image);
    assert_int_equal(image_open(&image, 1, 1), ST_OK);
    image_close(&image);
    image_close(&image);
    assert_null(image.rgb);
    assert_int_equal(image_bytes(&image), 0);
}

static void an_image_that_memory_cannot_hold_is_refused(void **state)
{
    struct image image = {.width = 3};
    (void)state;

    fault_arm(1);
    enum status st = image_open(&image, 7, 5);
    fault_disarm();

    assert_int_equal(st, ST_FULL);
    assert_null(image.rgb);
    assert_int_equal(image.width, 0);
}

/* The slow and plain way of saying it; rint rounds half to even, as numpy does. */
static int expected(float x)
{
    float unit = x * 0.5f + 0.5f;

    if (!(unit > 0.0f))
        return 0;
    return (int)rintf((unit < 1.0f ? unit : 1.0f) * 255.0f);
}

/* Goal: every value rounds to the nearest, at any place in a row.
   Method: an odd picture full of a fine ramp from -1.5 to 1.5, against the plain way. */
static void floats_become_the_nearest_of_256_steps(void **state)
{
    static float values[101 * 33 * 3];
    const size_t count = sizeof(values) / sizeof(values[0]);
    struct image image;
    (void)state;
    assert_int_equal(image_open(&image, 101, 33), ST_OK);
    for (size_t i = 0; i < count; i++)
        values[i] = -1.5f + 3.0f * (float)i / (float)(count - 1);

    image_from_float(&image, values);

    for (size_t i = 0; i < count; i++)
        if (image.rgb[i] != expected(values[i]))
            fail_msg("%.9g became %d, not %d", (double)values[i], image.rgb[i],
                     expected(values[i]));
    image_close(&image);
}

static void every_step_comes_back_to_itself(void **state)
{
    float values[256 * 3];
    struct image image;
    (void)state;
    assert_int_equal(image_open(&image, 256, 1), ST_OK);
    for (int i = 0; i < 256 * 3; i++)
        values[i] = (float)(i / 3) / 127.5f - 1.0f;

    image_from_float(&image, values);

    for (int i = 0; i < 256 * 3; i++)
        assert_int_equal(image.rgb[i], i / 3);
    image_close(&image);
}

static void what_is_no_number_is_black_and_infinities_clamp(void **state)
{
    const float values[] = {NAN, -NAN, INFINITY, -INFINITY, 1e30f, -1e30f, -0.0f, 1e-40f, 1.0f};
    const uint8_t want[] = {0, 0, 255, 0, 255, 0, 128, 128, 255};
    struct image image;
    (void)state;
    assert_int_equal(image_open(&image, 3, 1), ST_OK);

    image_from_float(&image, values);

    assert_memory_equal(image.rgb, want, sizeof(want));
    image_close(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opened_image_is_black),
        cmocka_unit_test(closing_twice_and_closing_nothing_are_fine),
        cmocka_unit_test(an_image_that_memory_cannot_hold_is_refused),
        cmocka_unit_test(floats_become_the_nearest_of_256_steps),
        cmocka_unit_test(every_step_comes_back_to_itself),
        cmocka_unit_test(what_is_no_number_is_black_and_infinities_clamp),
    };

    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
