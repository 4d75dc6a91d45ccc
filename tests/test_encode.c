/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/encode.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/decode.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const int sizes[][2] = {{1, 1}, {1, 7}, {3, 2}, {17, 5}, {64, 64}, {129, 67}, {333, 250}};

#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

static void open_image(struct image *image, int width, int height)
{
    assert_int_equal(image_open(image, width, height), ST_OK);
}

/* Every byte different from its neighbours: the hardest case for a lossless file. */
static void paint_noise(struct image *image)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < image_bytes(image); i++) {
        x = x * 1664525u + 1013904223u;
        image->rgb[i] = (uint8_t)(x >> 24);
    }
}

/* Soft shapes in colour: what a lossy file is made for. */
static void paint_waves(struct image *image)
{
    uint8_t *p = image->rgb;

    for (int y = 0; y < image->height; y++) {
        for (int x = 0; x < image->width; x++) {
            *p++ = (uint8_t)(127.5 + 120.0 * sin(x * 0.05 + y * 0.02));
            *p++ = (uint8_t)(127.5 + 120.0 * cos(y * 0.04));
            *p++ = (uint8_t)(127.5 + 100.0 * sin((x + y) * 0.03));
        }
    }
}

static struct bytes encode(const struct image *image, struct encode_options options)
{
    struct bytes file;

    assert_int_equal(encode_image(&file, image, options), ST_OK);
    assert_non_null(file.data);
    return file;
}

static double psnr(const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum > 0 ? 10.0 * log10(255.0 * 255.0 * (double)count / sum) : 1000.0;
}

/* The pixels of a PNG, to be freed, read by libpng's own simplified reader. */
static uint8_t *decode_png(const struct bytes *file, int width, int height)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    uint8_t *rgb;

    assert_true(png_image_begin_read_from_memory(&png, file->data, file->count));
    assert_int_equal(png.width, width);
    assert_int_equal(png.height, height);
    assert_int_equal(png.format, PNG_FORMAT_RGB);
    rgb = malloc(PNG_IMAGE_SIZE(png));
    assert_non_null(rgb);
    assert_true(png_image_finish_read(&png, NULL, rgb, 0, NULL));
    return rgb;
}

static void a_png_comes_back_exactly(void **state)
{
    (void)state;

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (int noise = 0; noise < 2; noise++) {
            struct image image;

            open_image(&image, sizes[i][0], sizes[i][1]);
            if (noise)
                paint_noise(&image);
            else
                paint_waves(&image);
            struct bytes file = encode(&image, (struct encode_options){.format = FORMAT_PNG});
            uint8_t *back = decode_png(&file, image.width, image.height);
            if (memcmp(back, image.rgb, image_bytes(&image)) != 0)
                fail_msg("%dx%d differs", image.width, image.height);
            free(back);
            bytes_close(&file);
            assert_null(file.data);
            image_close(&image);
        }
    }
}

/* SUB is what makes soft pictures small at level 1: a black one is nearly nothing, waves are less
   than half of their pixels. */
static void a_png_is_compressed(void **state)
{
    struct image image;
    (void)state;
    open_image(&image, 512, 512);

    struct bytes black = encode(&image, (struct encode_options){.format = FORMAT_PNG});
    paint_waves(&image);
    struct bytes waves = encode(&image, (struct encode_options){.format = FORMAT_PNG});

    assert_in_range(black.count, 60, 10000);
    assert_in_range(waves.count, 1000, image_bytes(&image) / 2);
    bytes_close(&black);
    bytes_close(&waves);
    image_close(&image);
}

/* The text chunks of a PNG through libpng; the reader is closed by the caller. */
struct reader {
    png_structp png;
    png_infop info;
    const struct bytes *file;
    size_t at;
};

static void feed(png_structp png, png_bytep out, size_t count)
{
    struct reader *r = png_get_io_ptr(png);

    if (count > r->file->count - r->at)
        png_error(png, "end of file");
    memcpy(out, r->file->data + r->at, count);
    r->at += count;
}

static int read_chunks(struct reader *r, const struct bytes *file, png_textp *texts)
{
    int count = 0;

    *r = (struct reader){.file = file};
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    r->info = png_create_info_struct(r->png);
    if (setjmp(png_jmpbuf(r->png)))
        fail_msg("libpng cannot read the file");
    png_set_read_fn(r->png, r, feed);
    png_read_png(r->png, r->info, PNG_TRANSFORM_IDENTITY, NULL);
    png_get_text(r->png, r->info, texts, &count);
    return count;
}

static void text_chunks_are_readable(void **state)
{
    static const struct text_chunk chunks[] = {
        {"parameters", "a red fox, 20 steps"},
        {"Title", "\xE4\xB8\x80\xE5\x8C\xB9\xE7\x8B\x90\xE7\x8B\xB8 \xF0\x9F\xA6\x8A"},
        {"Comment", ""},
        {"Software", "limner"},
    };
    struct image image;
    struct reader r;
    png_textp texts;
    (void)state;
    open_image(&image, 5, 3);

    struct bytes file = encode(&image, (struct encode_options){
                                           .format = FORMAT_PNG,
                                           .chunks = chunks,
                                           .chunk_count = 4,
                                       });

    assert_int_equal(read_chunks(&r, &file, &texts), 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(texts[i].key, chunks[i].key);
        assert_string_equal(texts[i].text, chunks[i].value);
        assert_int_equal(texts[i].compression,
                         i == 1 ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE);
    }
    png_destroy_read_struct(&r.png, &r.info, NULL);
    bytes_close(&file);
    image_close(&image);
}

static void a_chunk_that_png_cannot_name_is_refused(void **state)
{
    static const char key_80[] =
        "keyword-of-eighty-characters-kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
    const struct text_chunk chunks[] = {
        {"", "no key"},     {key_80, "long key"}, {" a", "space"},      {"a ", "space"},
        {"a  b", "spaces"}, {"a\nb", "feed"},     {"caf\xC3\xA9", "é"}, {key_80 + 1, "fits"}};
    struct image image;
    (void)state;
    open_image(&image, 5, 3);

    for (int i = 0; i < 8; i++) {
        struct bytes file = {.count = 1};
        enum status st = encode_image(
            &file, &image,
            (struct encode_options){.format = FORMAT_PNG, .chunks = &chunks[i], .chunk_count = 1});

        assert_int_equal(st, i < 7 ? ST_INVALID : ST_OK);
        assert_int_equal(file.data != NULL, i == 7);
        assert_int_equal(file.count != 0, i == 7);
        bytes_close(&file);
    }
    image_close(&image);
}

static void a_webp_comes_back_alike(void **state)
{
    (void)state;

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        int width = 0, height = 0;
        struct image image;

        open_image(&image, sizes[i][0], sizes[i][1]);
        paint_waves(&image);
        struct bytes file =
            encode(&image, (struct encode_options){.format = FORMAT_WEBP, .quality = 90});
        uint8_t *back = WebPDecodeRGB(file.data, file.count, &width, &height);
        assert_non_null(back);
        assert_int_equal(width, image.width);
        assert_int_equal(height, image.height);
        if (psnr(back, image.rgb, image_bytes(&image)) < 34.0)
            fail_msg("%dx%d: %.1f dB", width, height, psnr(back, image.rgb, image_bytes(&image)));
        WebPFree(back);
        bytes_close(&file);
        image_close(&image);
    }
}

static void a_jpeg_comes_back_alike(void **state)
{
    tjhandle jpeg = tjInitDecompress();
    (void)state;

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        int width, height, sampling, space;
        struct image image, back;

        open_image(&image, sizes[i][0], sizes[i][1]);
        open_image(&back, sizes[i][0], sizes[i][1]);
        paint_waves(&image);
        struct bytes file =
            encode(&image, (struct encode_options){.format = FORMAT_JPEG, .quality = 92});
        assert_int_equal(
            tjDecompressHeader3(jpeg, file.data, file.count, &width, &height, &sampling, &space),
            0);
        assert_int_equal(width, image.width);
        assert_int_equal(height, image.height);
        assert_int_equal(
            tjDecompress2(jpeg, file.data, file.count, back.rgb, width, 0, height, TJPF_RGB, 0), 0);
        if (psnr(back.rgb, image.rgb, image_bytes(&image)) < 36.0)
            fail_msg("%dx%d: %.1f dB", width, height,
                     psnr(back.rgb, image.rgb, image_bytes(&image)));
        bytes_close(&file);
        image_close(&image);
        image_close(&back);
    }
    tjDestroy(jpeg);
}

static void a_jpeg_keeps_all_colour_from_quality_90(void **state)
{
    static const struct {
        int quality, sampling;
    } cases[] = {{0, TJSAMP_420}, {89, TJSAMP_420}, {90, TJSAMP_444}, {100, TJSAMP_444}};
    tjhandle jpeg = tjInitDecompress();
    struct image image;
    (void)state;
    open_image(&image, 33, 31);
    paint_waves(&image);

    for (size_t i = 0; i < 4; i++) {
        int width, height, sampling, space;
        struct bytes file = encode(
            &image, (struct encode_options){.format = FORMAT_JPEG, .quality = cases[i].quality});

        assert_int_equal(
            tjDecompressHeader3(jpeg, file.data, file.count, &width, &height, &sampling, &space),
            0);
        assert_int_equal(sampling, cases[i].sampling);
        bytes_close(&file);
    }
    image_close(&image);
    tjDestroy(jpeg);
}

static void more_quality_is_more_bytes(void **state)
{
    static const enum format formats[] = {FORMAT_WEBP, FORMAT_JPEG};
    static const int qualities[] = {0, 40, 80, 100};
    struct image image;
    (void)state;
    open_image(&image, 200, 200);
    paint_noise(&image);

    for (int f = 0; f < 2; f++) {
        size_t before = 0;

        for (int q = 0; q < 4; q++) {
            struct bytes file = encode(
                &image, (struct encode_options){.format = formats[f], .quality = qualities[q]});

            assert_true(file.count > before);
            before = file.count;
            bytes_close(&file);
        }
    }
    image_close(&image);
}

static void pictures_beyond_a_format_are_unsupported(void **state)
{
    struct image image;
    struct bytes file;
    (void)state;

    open_image(&image, 16384, 1);
    assert_int_equal(encode_image(&file, &image, (struct encode_options){.format = FORMAT_WEBP}),
                     ST_UNSUPPORTED);
    assert_null(file.data);
    image_close(&image);
    open_image(&image, 1, 65501);
    assert_int_equal(encode_image(&file, &image, (struct encode_options){.format = FORMAT_JPEG}),
                     ST_UNSUPPORTED);
    assert_null(file.data);
    image_close(&image);
}

static void formats_have_names_and_media_types(void **state)
{
    static const struct {
        const char *name, *media_type;
    } known[] = {{"png", "image/png"},
                 {"webp", "image/webp"},
                 {"jpeg", "image/jpeg"},
                 {"jpg", "image/jpeg"}};
    static const char *const unknown[] = {"", "PNG", "gif", "png ", "jpe", "image/png"};
    enum format format = FORMAT_WEBP;
    (void)state;

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(encode_format_from_name(&format, unknown[i]), ST_INVALID);
        assert_int_equal(format, FORMAT_WEBP);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(encode_format_from_name(&format, known[i].name), ST_OK);
        assert_string_equal(encode_media_type(format), known[i].media_type);
    }
}

/* Fail the nth allocation for every n until encoding needs no more of them. */
static void fail_every_allocation(const struct image *image, struct encode_options options)
{
    bool fired = true;
    struct bytes file = encode(image, options); /* what is made once per program is made now */

    bytes_close(&file);
    for (int nth = 1; fired; nth++) {
        file = (struct bytes){.count = 99};
        fault_arm(nth);
        enum status st = encode_image(&file, image, options);
        fired = fault_fired();
        bool got = file.data != NULL, counted = file.count != 0;
        bytes_close(&file);
        fault_disarm();

        if (fault_live() != 0)
            fail_msg("format %d: %ld blocks stay behind when allocation %d fails", options.format,
                     fault_live(), nth);
        /* The last allocation only trims the block, and may fail without harm. */
        if (st != ST_OK && st != ST_FULL)
            fail_msg("format %d: status %s when allocation %d fails", options.format,
                     status_name(st), nth);
        assert_int_equal(got, st == ST_OK);
        assert_int_equal(counted, st == ST_OK);
        if (!fired)
            assert_int_equal(st, ST_OK);
        assert_in_range(nth, 1, 1000);
    }
}

static void encoding_survives_every_failed_allocation(void **state)
{
    const struct text_chunk chunks[] = {{"parameters", "a red fox"},
                                        {"Title", "\xC3\xA9t\xC3\xA9"}};
    struct image image;
    (void)state;
    open_image(&image, 333, 250); /* noise: the file outgrows its first block */
    paint_noise(&image);

    for (int format = FORMAT_PNG; format <= FORMAT_JPEG; format++)
        fail_every_allocation(&image, (struct encode_options){.format = (enum format)format,
                                                              .quality = 100,
                                                              .chunks = chunks,
                                                              .chunk_count = 2});
    image_close(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_comes_back_exactly),
        cmocka_unit_test(a_png_is_compressed),
        cmocka_unit_test(text_chunks_are_readable),
        cmocka_unit_test(a_chunk_that_png_cannot_name_is_refused),
        cmocka_unit_test(a_webp_comes_back_alike),
        cmocka_unit_test(a_jpeg_comes_back_alike),
        cmocka_unit_test(a_jpeg_keeps_all_colour_from_quality_90),
        cmocka_unit_test(more_quality_is_more_bytes),
        cmocka_unit_test(pictures_beyond_a_format_are_unsupported),
        cmocka_unit_test(formats_have_names_and_media_types),
        cmocka_unit_test(encoding_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
