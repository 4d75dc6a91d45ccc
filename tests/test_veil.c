/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is shown of a picture that is kept back.
 */
#include "server/veil.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define MARK "R-7F3A 2026-11-30 21:40Z"

/* Fine stripes: what a blur has to take away. */
static void stripes(struct image *image, int width, int height)
{
    assert_int_equal(image_open(image, width, height), ST_OK);
    for (int i = 0; i < width * height; i++) {
        image->rgb[3 * i] = i % width % 2 ? 255 : 0;
        image->rgb[3 * i + 1] = 100;
        image->rgb[3 * i + 2] = 30;
    }
}

static int differing(const struct image *a, const struct image *b)
{
    int count = 0;

    for (int i = 0; i < a->width * a->height; i++)
        count += memcmp(a->rgb + 3 * i, b->rgb + 3 * i, 3) != 0;
    return count;
}

static void a_blur_leaves_nothing_of_what_is_fine(void **state)
{
    struct image image, marked;
    (void)state;

    stripes(&image, 200, 120);
    stripes(&marked, 200, 120);
    veil_draw(&image, VEIL_BLUR, " ");
    for (int i = 0; i < 200 * 120; i++)
        assert_in_range(image.rgb[3 * i], 120, 135);
    veil_draw(&marked, VEIL_BLUR, MARK);
    assert_in_range(differing(&image, &marked), 200, 200 * 120 / 4);
    image_close(&image);
    image_close(&marked);
}

static void grey_has_no_colour(void **state)
{
    struct image image;
    (void)state;

    stripes(&image, 64, 64);
    veil_draw(&image, VEIL_GREY, MARK);
    for (int i = 0; i < 64 * 64; i++) {
        assert_int_equal(image.rgb[3 * i], image.rgb[3 * i + 1]);
        assert_int_equal(image.rgb[3 * i], image.rgb[3 * i + 2]);
    }
    image_close(&image);
}

/* Goal: who looks is to be read in any part. Method: letters change pixels, on black, on white and
   in between, and another name changes others. */
static void a_mark_is_seen_on_any_ground_and_says_who(void **state)
{
    (void)state;
    for (int ground = 0; ground <= 255; ground += 85) {
        struct image plain, one, other;

        assert_int_equal(image_open(&plain, 160, 160), ST_OK);
        assert_int_equal(image_open(&one, 160, 160), ST_OK);
        assert_int_equal(image_open(&other, 160, 160), ST_OK);
        memset(plain.rgb, ground, image_bytes(&plain));
        memset(one.rgb, ground, image_bytes(&one));
        memset(other.rgb, ground, image_bytes(&other));
        veil_draw(&one, VEIL_FULL, MARK);
        veil_draw(&other, VEIL_FULL, "R-0000 2026-11-30 21:40Z");
        if (differing(&plain, &one) < 500 || differing(&one, &other) < 50)
            fail_msg("on %d: %d and %d pixels", ground, differing(&plain, &one),
                     differing(&one, &other));
        image_close(&plain);
        image_close(&one);
        image_close(&other);
    }
}

static void the_smallest_and_the_thinnest_pictures_are_drawn(void **state)
{
    static const int sizes[][2] = {{1, 1}, {1, 400}, {400, 1}, {2, 3}, {19, 21}};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int v = 0; v < VEIL_COUNT; v++) {
            struct image image;

            stripes(&image, sizes[i][0], sizes[i][1]);
            veil_draw(&image, (enum veil)v, MARK);
            image_close(&image);
        }
    }
}

static void a_preview_is_smooth_and_keeps_its_corners(void **state)
{
    static const uint8_t grid[12] = {0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255};
    struct image image;
    (void)state;

    assert_int_equal(veil_spread(&image, grid, 2, 192), ST_OK);
    assert_memory_equal(image.rgb, grid, 3);
    assert_memory_equal(image.rgb + 3 * 191, grid + 3, 3);
    for (int x = 1; x < 192; x++)
        assert_in_range(image.rgb[3 * x] - image.rgb[3 * x - 3], 0, 4);
    image_close(&image);
}

static void veils_are_found_by_name(void **state)
{
    (void)state;
    for (int v = 0; v < VEIL_COUNT; v++)
        assert_int_equal(veil_find(veil_name((enum veil)v)), v);
    assert_true(veil_find("none") < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blur_leaves_nothing_of_what_is_fine),
        cmocka_unit_test(grey_has_no_colour),
        cmocka_unit_test(a_mark_is_seen_on_any_ground_and_says_who),
        cmocka_unit_test(the_smallest_and_the_thinnest_pictures_are_drawn),
        cmocka_unit_test(a_preview_is_smooth_and_keeps_its_corners),
        cmocka_unit_test(veils_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
