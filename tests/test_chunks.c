/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/chunks.h"
#include "codec/decode.h"
#include "tests/fault.h"
#include "tests/unit.h"
#include "watermark/jumbf.h"

#include <stdlib.h>
#include <string.h>

static const char *const ends[] = {"png", "webp", "jpg"};
static const size_t sizes[] = {1, 2, 3, 1000, 65473, 65474, 65475, 200001};
#define SIZES (sizeof(sizes) / sizeof(*sizes))

static void make_picture(struct bytes *out, enum format format, int quality)
{
    struct image image;

    assert_int_equal(image_open(&image, 40, 24), ST_OK);
    for (size_t i = 0; i < image_bytes(&image); i++)
        image.rgb[i] = (uint8_t)(i * 5 + i / 120);
    assert_int_equal(
        encode_image(out, &image, (struct encode_options){.format = format, .quality = quality}),
        ST_OK);
    image_close(&image);
}

/* A store with so many bytes in it. */
static void make_store(struct cbor_out *out, size_t inside)
{
    size_t box = jumbf_begin(out, JUMBF_STORE, "c2pa");

    for (size_t i = 0; i < inside; i++)
        cbor_raw(out, &(uint8_t){(uint8_t)(i * 31 + i / 256)}, 1);
    jumbf_end(out, box);
    assert_false(out->failed);
}

static void put(struct bytes *file, enum chunks_kind kind, const void *data, size_t bytes,
                struct chunks_range *range)
{
    struct why why = {""};

    if (chunks_put(file, kind, data, bytes, range, &why))
        fail_msg("%s", why.text);
}

/* `where` may be NULL: a new block may come before it. */
static void assert_block(const struct bytes *file, enum chunks_kind kind, const void *data,
                         size_t bytes, const struct chunks_range *where)
{
    struct chunks_range range;
    struct bytes found;
    struct why why = {""};

    if (chunks_find(&found, &range, kind, file->data, file->count, &why))
        fail_msg("%s", why.text);
    assert_true(!where || (range.start == where->start && range.count == where->count));
    assert_true(range.start + range.count <= file->count);
    assert_int_equal(found.count, bytes);
    assert_memory_equal(found.data, data, bytes);
    bytes_close(&found);
}

/* Goal: what is put is found as it was, in any size and in place of what was there; what stood
   beside it stays. */
static void what_is_put_is_found(void **state)
{
    (void)state;
    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        for (int quality = 50; quality <= 100; quality += 50) { /* WebP with loss, and without */
            struct chunks_range xmp, range, again;
            struct bytes file;

            make_picture(&file, format, quality);
            put(&file, CHUNKS_XMP, "<x/>", 4, &xmp);
            for (size_t i = 0; i < SIZES; i++) {
                struct cbor_out store = {0};

                make_store(&store, sizes[i]);
                put(&file, CHUNKS_C2PA, store.data, store.count, &range);
                assert_block(&file, CHUNKS_C2PA, store.data, store.count, &range);
                assert_block(&file, CHUNKS_XMP, "<x/>", 4, NULL);
                put(&file, CHUNKS_C2PA, store.data, store.count, &again);
                assert_int_equal(again.start, range.start);
                assert_int_equal(again.count, range.count);
                cbor_close(&store);
            }
            put(&file, CHUNKS_XMP, "<longer/>", 9, &xmp);
            assert_block(&file, CHUNKS_XMP, "<longer/>", 9, &xmp);
            bytes_close(&file);
        }
    }
}

/* Goal: files of others stay readable: the pixels of a PNG are what they were, a simple WebP file
   gets a header with its size and tells of its XMP, and RIFF's own size is right. */
static void files_stay_what_they_are(void **state)
{
    struct chunks_range range;
    struct image before, after;
    struct bytes plain, file;
    (void)state;

    make_picture(&plain, FORMAT_PNG, 0);
    make_picture(&file, FORMAT_PNG, 0);
    put(&file, CHUNKS_XMP, "<x/>", 4, &range);
    assert_int_equal(decode_png(&before, plain.data, plain.count, NULL), ST_OK);
    assert_int_equal(decode_png(&after, file.data, file.count, NULL), ST_OK);
    assert_memory_equal(before.rgb, after.rgb, image_bytes(&before));
    image_close(&before);
    image_close(&after);
    bytes_close(&plain);
    bytes_close(&file);
    for (int quality = 50; quality <= 100; quality += 50) {
        static const uint8_t header[] = {'V', 'P', '8', 'X', 10, 0, 0,  0, 4,
                                         0,   0,   0,   39,  0,  0, 23, 0, 0};
        size_t riff;

        make_picture(&file, FORMAT_WEBP, quality);
        put(&file, CHUNKS_XMP, "<xy/>", 5, &range); /* odd: filled up */
        assert_memory_equal(file.data + 12, header, sizeof(header));
        riff = file.data[4] | (size_t)file.data[5] << 8 | (size_t)file.data[6] << 16;
        assert_int_equal(riff + 8, file.count);
        assert_int_equal(range.start + range.count, file.count);
        assert_int_equal(range.count, 8 + 5 + 1);
        bytes_close(&file);
    }
}

/* Goal: another box of a JPEG's APP11 is no manifest, and does not hide one. */
static void another_box_of_a_jpeg_is_left_alone(void **state)
{
    static const uint8_t other[] = "\xff\xeb\0\x2fJP\0\x07\0\0\0\1\0\0\0\x25jumb\0\0\0\x1djumd"
                                   "json\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3abc";
    struct cbor_out store = {0};
    struct chunks_range range;
    struct bytes file, found, both;
    struct why why = {""};
    (void)state;

    make_store(&store, 5);
    make_picture(&file, FORMAT_JPEG, 80);
    both = (struct bytes){malloc(file.count + sizeof(other)), file.count + sizeof(other)};
    assert_non_null(both.data);
    memcpy(both.data, file.data, 2);
    memcpy(both.data + 2, other, sizeof(other));
    memcpy(both.data + 2 + sizeof(other), file.data + 2, file.count - 2);
    assert_int_equal(chunks_find(&found, &range, CHUNKS_C2PA, both.data, both.count, &why),
                     ST_MISSING);
    put(&both, CHUNKS_C2PA, store.data, store.count, &range);
    assert_block(&both, CHUNKS_C2PA, store.data, store.count, &range);
    bytes_close(&both);
    bytes_close(&file);
    cbor_close(&store);
}

/* Goal: two blocks where one may be are told, and neither is believed. */
static void two_blocks_are_refused(void **state)
{
    (void)state;
    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        struct cbor_out store = {0};
        struct chunks_range range;
        struct bytes file, twice, found;
        struct why why = {""};

        make_store(&store, 6);
        make_picture(&file, format, 80);
        put(&file, CHUNKS_C2PA, store.data, store.count, &range);
        twice = (struct bytes){malloc(file.count + range.count), file.count + range.count};
        assert_non_null(twice.data);
        memcpy(twice.data, file.data, range.start + range.count);
        memcpy(twice.data + range.start + range.count, file.data + range.start,
               file.count - range.start);
        if (format == FORMAT_WEBP)
            twice.data[4] = (uint8_t)(twice.data[4] + range.count); /* no carry: see below */
        assert_true(format != FORMAT_WEBP ||
                    (twice.data[4] | twice.data[5] << 8) + 8 == (int)twice.count);
        if (chunks_find(&found, &range, CHUNKS_C2PA, twice.data, twice.count, &why) != ST_INVALID)
            fail_msg("%s: two are taken", ends[format]);
        assert_non_null(strstr(why.text, "two blocks"));
        bytes_close(&twice);
        bytes_close(&file);
        cbor_close(&store);
    }
}

/* Goal: a file that cannot take a block stays as it was. Method: cut it short, and let memory run
   out. */
static void a_failure_leaves_the_file(void **state)
{
    (void)state;
    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        struct bytes file, copy;
        struct chunks_range range;
        struct why why = {""};
        enum status st;

        make_picture(&file, format, 80);
        copy = (struct bytes){malloc(file.count), file.count};
        assert_non_null(copy.data);
        memcpy(copy.data, file.data, file.count);
        for (int nth = 1;; nth++) {
            fault_arm(nth);
            st = chunks_put(&file, CHUNKS_XMP, "<x/>", 4, &range, &why);
            fault_disarm();
            if (!fault_fired())
                break;
            assert_int_equal(st, ST_FULL);
            assert_int_equal(file.count, copy.count);
            assert_memory_equal(file.data, copy.data, copy.count);
        }
        assert_int_equal(st, ST_OK);
        bytes_close(&file);
        copy.count = format == FORMAT_JPEG ? 100 : copy.count - 3; /* within the headers */
        file = copy;
        assert_int_equal(chunks_put(&file, CHUNKS_XMP, "<x/>", 4, &range, &why), ST_INVALID);
        assert_ptr_equal(file.data, copy.data);
        assert_int_equal(file.count, copy.count);
        bytes_close(&file);
    }
}

static void what_cannot_be_put_is_told(void **state)
{
    static const uint8_t large[CHUNKS_BYTES_MAX + 1];
    struct chunks_range range;
    struct bytes file, none = {NULL, 0};
    struct why why = {""};
    (void)state;

    make_picture(&file, FORMAT_JPEG, 80);
    assert_int_equal(chunks_put(&file, CHUNKS_C2PA, large, sizeof(large), &range, &why),
                     ST_INVALID);
    assert_int_equal(chunks_put(&file, CHUNKS_XMP, large, CHUNKS_XMP_MAX + 1, &range, &why),
                     ST_INVALID);
    assert_int_equal(chunks_put(&file, CHUNKS_C2PA, large, 8, &range, &why), ST_INVALID);
    assert_int_equal(chunks_put(&none, CHUNKS_XMP, "<x/>", 4, &range, &why), ST_INVALID);
    put(&file, CHUNKS_XMP, large, CHUNKS_XMP_MAX, &range); /* one piece of a JPEG holds it */
    assert_block(&file, CHUNKS_XMP, large, CHUNKS_XMP_MAX, &range);
    bytes_close(&file);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found),
        cmocka_unit_test(files_stay_what_they_are),
        cmocka_unit_test(another_box_of_a_jpeg_is_left_alone),
        cmocka_unit_test(two_blocks_are_refused),
        cmocka_unit_test(a_failure_leaves_the_file),
        cmocka_unit_test(what_cannot_be_put_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
