/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/resize.h"
#include "tests/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct image make_image(int width, int height, uint32_t seed)
{
    struct image image;

    assert_int_equal(image_open(&image, width, height), ST_OK);
    for (size_t i = 0; i < image_bytes(&image); i++) {
        seed = seed * 1664525u + 1013904223u;
        image.rgb[i] = (uint8_t)(seed >> 24);
    }
    return image;
}

static double pixel(const struct image *image, int y, int x, int c)
{
    y = y < image->height ? y : image->height - 1;
    x = x < image->width ? x : image->width - 1;
    return (double)(float)(image->rgb[(y * image->width + x) * 3 + c] / 255.0);
}

/* TensorFlow.js's resizeBilinear with alignCorners, written down once more from its definition. */
static float expected(const struct image *image, int height, int width, const int at[3])
{
    double fy = height > 1 ? (double)(image->height - 1) / (height - 1) * at[0] : 0;
    double fx = width > 1 ? (double)(image->width - 1) / (width - 1) * at[1] : 0;
    int y0 = (int)floor(fy), x0 = (int)floor(fx), y1 = (int)ceil(fy), x1 = (int)ceil(fx), c = at[2];
    double top =
        pixel(image, y0, x0, c) + (pixel(image, y0, x1, c) - pixel(image, y0, x0, c)) * (fx - x0);
    double bottom =
        pixel(image, y1, x0, c) + (pixel(image, y1, x1, c) - pixel(image, y1, x0, c)) * (fx - x0);

    return (float)(top + (bottom - top) * (fy - y0));
}

static void bilinear_is_that_of_tensorflow_js(void **state)
{
    static const int sizes[][4] = {/* width, height, to width, to height */
                                   {10, 7, 5, 9}, {512, 512, 224, 224}, {3, 200, 224, 224},
                                   {1, 1, 4, 4},  {224, 100, 224, 224}, {100, 100, 1, 1}};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct image image = make_image(sizes[i][0], sizes[i][1], (uint32_t)i);
        int width = sizes[i][2], height = sizes[i][3];
        float *y = malloc((size_t)(width * height * 3) * sizeof(float)), *at = y;

        assert_non_null(y);
        resize_bilinear(y, height, width, &image);
        for (int row = 0; row < height; row++)
            for (int column = 0; column < width; column++)
                for (int c = 0; c < 3; c++, at++) {
                    float want = expected(&image, height, width, (int[]){row, column, c});
                    if (memcmp(at, &want, sizeof(want)) != 0)
                        fail_msg("case %zu at %d, %d: %.9g, not %.9g", i, column, row, (double)*at,
                                 (double)want);
                }
        free(y);
        image_close(&image);
    }
}

/* Goal: corners stay corners, which tells align_corners from every other bilinear. */
static void bilinear_keeps_the_corners(void **state)
{
    struct image image = make_image(17, 33, 5);
    float y[8 * 8 * 3];
    (void)state;

    resize_bilinear(y, 8, 8, &image);
    assert_true(y[0] == (float)(image.rgb[0] / 255.0));
    assert_true(y[7 * 3 + 2] == (float)(image.rgb[16 * 3 + 2] / 255.0));
    assert_true(y[63 * 3 + 1] == (float)(image.rgb[(17 * 33 - 1) * 3 + 1] / 255.0));
    image_close(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bilinear_is_that_of_tensorflow_js),
        cmocka_unit_test(bilinear_keeps_the_corners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
