/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the encoder wrote, read back; and everything that is no such file.
 */
#include "codec/decode.h"
#include "codec/encode.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes png_of(int width, int height, struct image *image)
{
    const struct encode_options options = {.format = FORMAT_PNG};
    struct bytes file;

    assert_int_equal(image_open(image, width, height), ST_OK);
    for (size_t i = 0; i < image_bytes(image); i++)
        image->rgb[i] = (uint8_t)((i * 2654435761u) >> 11);
    assert_int_equal(encode_image(&file, image, options), ST_OK);
    return file;
}

static void a_png_of_ours_comes_back_exactly(void **state)
{
    static const int sides[][2] = {{1, 1}, {1, 300}, {300, 1}, {64, 48}, {513, 257}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        struct image image, back;
        struct bytes file = png_of(sides[i][0], sides[i][1], &image);

        assert_int_equal(decode_png(&back, file.data, file.count, NULL), ST_OK);
        assert_int_equal(back.width, image.width);
        assert_int_equal(back.height, image.height);
        assert_memory_equal(back.rgb, image.rgb, image_bytes(&image));
        image_close(&back);
        image_close(&image);
        bytes_close(&file);
    }
}

/* Goal: a file that was cut anywhere is refused with a sentence, and nothing is left behind. */
static void a_png_that_was_cut_is_refused(void **state)
{
    struct image image, back;
    struct bytes file = png_of(24, 16, &image);
    (void)state;

    for (size_t count = 0; count + 12 < file.count; count++) { /* the last 12 are IEND */
        struct why why = {""};

        if (decode_png(&back, file.data, count, &why) != ST_INVALID || back.rgb || !why.text[0])
            fail_msg("a file of %zu bytes, cut to %zu, was read", file.count, count);
    }
    image_close(&image);
    bytes_close(&file);
}

/* Goal: what a header claims is checked before memory is taken for it.
   Method: the width in the IHDR, and its checksum as libpng wants it, of a file that has nothing
   else. */
static void a_size_that_no_picture_has_is_refused(void **state)
{
    static const uint8_t huge[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0,    0,
                                   13,   'I', 'H', 'D', 'R',  0,    0,    0x40, 0x01, 0,    0,
                                   0,    1,   8,   2,   0,    0,    0,    0x46, 0x3f, 0x4a, 0x31};
    struct image back;
    struct why why = {""};
    (void)state;

    assert_int_equal(decode_png(&back, huge, sizeof(huge), &why), ST_INVALID);
    assert_null(back.rgb);
    assert_true(strlen(why.text) > 0);
}

static void every_failed_allocation_is_survived(void **state)
{
    struct image image, back;
    struct bytes file = png_of(33, 17, &image);
    (void)state;

    for (int nth = 1;; nth++) {
        enum status st;

        fault_arm(nth);
        st = decode_png(&back, file.data, file.count, NULL);
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            image_close(&back);
            break;
        }
        assert_int_not_equal(st, ST_OK);
        assert_null(back.rgb);
        assert_int_equal(fault_live(), 0);
    }
    image_close(&image);
    bytes_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_of_ours_comes_back_exactly),
        cmocka_unit_test(a_png_that_was_cut_is_refused),
        cmocka_unit_test(a_size_that_no_picture_has_is_refused),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };

    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
