/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strangers' pictures: what is taken comes back as people see it, everything else is a sentence,
 * and what decodes them can do nothing else.
 */
#include "codec/stranger.h"
#include "codec/stranger/lock.h"
#include "tests/unit.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Red grows to the right, green downwards: whatever was turned shows. */
static struct image drawn(int width, int height)
{
    struct image image;

    assert_int_equal(image_open(&image, width, height), ST_OK);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *p = image.rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);

            p[0] = (uint8_t)(x * 255 / (width > 1 ? width - 1 : 1));
            p[1] = (uint8_t)(y * 255 / (height > 1 ? height - 1 : 1));
            p[2] = 40;
        }
    }
    return image;
}

static struct bytes file_of(int width, int height, enum format format)
{
    struct image image = drawn(width, height);
    struct bytes file;

    assert_int_equal(
        encode_image(&file, &image, (struct encode_options){.format = format, .quality = 95}),
        ST_OK);
    image_close(&image);
    return file;
}

/* Bytes between others. */
static void put_in(struct bytes *file, size_t at, const void *what, size_t bytes)
{
    uint8_t *data = malloc(file->count + bytes);

    assert_non_null(data);
    memcpy(data + at, what, bytes);
    if (file->count) {
        memcpy(data, file->data, at);
        memcpy(data + at + bytes, file->data + at, file->count - at);
    }
    free(file->data);
    *file = (struct bytes){data, file->count + bytes};
}

static void expect(struct bytes *file, enum status st, const char *words)
{
    struct image image = {0};
    struct why why = {""};
    enum status got = stranger_decode(&image, file->data, file->count, &why);

    if (got != st || !strstr(why.text, words) || image.rgb)
        fail_msg("%s, \"%s\" in place of %s, \"%s\"", status_name(got), why.text, status_name(st),
                 words);
    bytes_close(file);
}

static void expect_pixel(const struct image *image, int x, int y, int red, int green, int within)
{
    const uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);

    if (abs(p[0] - red) > within || abs(p[1] - green) > within)
        fail_msg("(%d, %d) is red %d, green %d; %d, %d was drawn", x, y, p[0], p[1], red, green);
}

static struct image decoded(struct bytes *file)
{
    struct image image;
    struct why why = {""};

    if (stranger_decode(&image, file->data, file->count, &why))
        fail_msg("%s", why.text);
    bytes_close(file);
    return image;
}

static void all_three_formats_come_back_in_any_size(void **state)
{
    static const int sides[][2] = {{1, 1}, {1, 300}, {300, 1}, {64, 48}, {513, 257}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        for (int format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
            struct bytes file = file_of(sides[i][0], sides[i][1], (enum format)format);
            struct image image = decoded(&file);
            int right = image.width - 1, bottom = image.height - 1;

            assert_int_equal(image.width, sides[i][0]);
            assert_int_equal(image.height, sides[i][1]);
            expect_pixel(&image, right, bottom, right ? 255 : 0, bottom ? 255 : 0,
                         format == FORMAT_PNG ? 0 : 24);
            image_close(&image);
        }
    }
}

/* An EXIF block that says one thing. */
static size_t exif(uint8_t out[26], int orientation, bool big)
{
    static const uint8_t first[2][26] = {
        {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0},
        {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0}};

    memcpy(out, first[big], 26);
    out[big ? 19 : 18] = (uint8_t)orientation;
    return 26;
}

static struct bytes turned(enum format format, int orientation, bool big)
{
    struct bytes file = file_of(64, 32, format);
    uint8_t block[64] = {0};

    if (format == FORMAT_JPEG) {
        memcpy(block,
               "\xff\xe1\0\x22"
               "Exif\0\0",
               10);
        put_in(&file, 2, block, 10 + exif(block + 10, orientation, big));
    } else if (format == FORMAT_PNG) {
        memcpy(block,
               "\0\0\0\x1a"
               "eXIf",
               8);
        exif(block + 8, orientation, big);
        put_in(&file, 33, block, 38); /* the check sum is nobody's business */
    } else {
        static const uint8_t head[] = "VP8X\x0a\0\0\0\x08\0\0\0\x3f\0\0\x1f\0\0";
        uint32_t bytes;

        memcpy(block, "EXIF\x1a\0\0\0", 8);
        exif(block + 8, orientation, big);
        put_in(&file, file.count, block, 34);
        put_in(&file, 12, head, 18);
        bytes = (uint32_t)file.count - 8;
        for (int i = 0; i < 4; i++)
            file.data[4 + i] = (uint8_t)(bytes >> 8 * i);
    }
    return file;
}

/* Goal: what EXIF says is done, in every format. Method: the corner where nothing is red or green
   is where the orientation puts the file's first pixel. */
static void every_orientation_is_applied(void **state)
{
    static const struct {
        int right, bottom; /* where the first pixel is */
        int next_right;    /* is the file's row a row? */
    } is[] = {{0, 0, 1}, {1, 0, 1}, {1, 1, 1}, {0, 1, 1},
              {0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}};
    (void)state;

    for (int o = 1; o <= 8; o++) {
        for (int format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
            struct bytes file = turned((enum format)format, o, o % 2);
            struct image image = decoded(&file);
            int right = image.width - 1, bottom = image.height - 1;
            int x = is[o - 1].right ? right : 0, y = is[o - 1].bottom ? bottom : 0;

            assert_int_equal(image.width, is[o - 1].next_right ? 64 : 32);
            assert_int_equal(image.height, is[o - 1].next_right ? 32 : 64);
            expect_pixel(&image, x, y, 0, 0, 24);
            if (is[o - 1].next_right)
                expect_pixel(&image, right - x, y, 255, 0, 24);
            else
                expect_pixel(&image, x, bottom - y, 255, 0, 24);
            image_close(&image);
        }
    }
}

static struct bytes png_of(unsigned format, const void *pixels, unsigned side)
{
    png_image png = {.version = PNG_IMAGE_VERSION, .width = side, .height = side, .format = format};
    struct bytes file = {NULL, 0};

    assert_true(png_image_write_get_memory_size(png, file.count, 0, pixels, 0, NULL));
    file.data = malloc(file.count);
    assert_non_null(file.data);
    assert_true(png_image_write_to_memory(&png, file.data, &file.count, 0, pixels, 0, NULL));
    return file;
}

static void what_is_transparent_lies_on_white(void **state)
{
    static const uint8_t rgba[] = {200, 100, 0, 255, 200, 100, 0, 0, 0, 0, 0, 128, 9, 9, 9, 255};
    struct bytes files[2] = {png_of(PNG_FORMAT_RGBA, rgba, 2), {NULL, 0}};
    (void)state;

    files[1].count = WebPEncodeLosslessRGBA(rgba, 2, 2, 8, &files[1].data);
    for (int i = 0; i < 2; i++) {
        struct image image = decoded(&files[i]);

        expect_pixel(&image, 0, 0, 200, 100, 0);
        expect_pixel(&image, 1, 0, 255, 255, 0);
        expect_pixel(&image, 0, 1, 127, 127, 1);
        image_close(&image);
    }
}

static void sixteen_bits_become_eight(void **state)
{
    static const uint16_t grey[] = {0, 0x7fff, 0xff00, 0xffff};
    struct bytes file = png_of(PNG_FORMAT_LINEAR_Y, grey, 2);
    struct stranger look;
    struct image image;
    (void)state;

    assert_int_equal(stranger_look(&look, file.data, file.count, NULL), ST_OK);
    assert_int_equal(look.bits, 16);
    image = decoded(&file);
    expect_pixel(&image, 0, 0, 0, 0, 0);
    expect_pixel(&image, 1, 0, 127, 127, 1);
    expect_pixel(&image, 1, 1, 255, 255, 0);
    image_close(&image);
}

static void a_jpeg_for_printing_is_refused(void **state)
{
    static const uint8_t ink[16 * 16 * 4];
    tjhandle turbo = tjInitCompress();
    struct bytes file = {NULL, 0};
    unsigned char *data = NULL;
    unsigned long bytes = 0;
    (void)state;

    assert_int_equal(
        tjCompress2(turbo, ink, 16, 0, 16, TJPF_CMYK, &data, &bytes, TJSAMP_444, 90, 0), 0);
    put_in(&file, 0, data, bytes);
    tjFree(data);
    tjDestroy(turbo);
    expect(&file, ST_UNSUPPORTED, "CMYK");
}

static void what_moves_is_refused(void **state)
{
    static const uint8_t actl[] = "\0\0\0\x08"
                                  "acTL\0\0\0\x02\0\0\0\0crc";
    static const uint8_t anim[] = "RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x3f\0\0\x1f\0\0";
    static const uint8_t anmf[] = "RIFF\x0c\0\0\0WEBPANMF\0\0\0\0";
    struct bytes file = file_of(8, 8, FORMAT_PNG);
    (void)state;

    put_in(&file, 33, actl, 20);
    expect(&file, ST_UNSUPPORTED, "moves");
    file = (struct bytes){NULL, 0};
    put_in(&file, 0, anim, sizeof(anim) - 1);
    expect(&file, ST_UNSUPPORTED, "moves");
    file = (struct bytes){NULL, 0};
    put_in(&file, 0, anmf, sizeof(anmf) - 1);
    expect(&file, ST_UNSUPPORTED, "moves");
}

/* A PNG of 8 x 8 whose head says something else. */
static struct bytes lying(uint32_t width, uint32_t height, uint8_t bits, uint8_t colour)
{
    struct bytes file = file_of(8, 8, FORMAT_PNG);

    for (int i = 0; i < 4; i++) {
        file.data[16 + i] = (uint8_t)(width >> (24 - 8 * i));
        file.data[20 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    file.data[24] = bits;
    file.data[25] = colour;
    return file;
}

static void heads_that_ask_for_too_much_are_refused(void **state)
{
    struct bytes file = lying(16384, 16384, 8, 2);
    (void)state;

    expect(&file, ST_INVALID, "16384 x 16384");
    file = lying(16385, 1, 8, 2);
    expect(&file, ST_INVALID, "make it smaller");
    file = lying(0xffffffff, 0xffffffff, 8, 2);
    expect(&file, ST_INVALID, "make it smaller");
    file = lying(0, 8, 8, 2);
    expect(&file, ST_INVALID, "no pixels");
    file = lying(8, 8, 3, 2);
    expect(&file, ST_INVALID, "type");
    file = lying(16384, 4096, 16, 6); /* allowed, and not there: half a gigabyte is never made */
    expect(&file, ST_INVALID, "damaged");
}

/* Goal: what stb_image would believe is refused before, wherever it stands. */
static void codes_that_overflow_a_table_are_refused(void **state)
{
    uint8_t table[21] = {0xff, 0xc4, 0, 19};
    (void)state;

    memset(table + 5, 0xff, 16);
    for (int end = 0; end < 2; end++) {
        struct bytes file = file_of(16, 16, FORMAT_JPEG);

        put_in(&file, end ? file.count - 2 : 2, table, sizeof(table));
        expect(&file, ST_INVALID, "larger than any can be");
    }
}

/* Goal: a file that inflates to far more than its size says costs bounded memory and time. */
static void a_bomb_is_only_a_file(void **state)
{
    struct image image;
    struct bytes file;
    struct why why = {""};
    enum status st;
    (void)state;

    assert_int_equal(image_open(&image, 8000, 4000), ST_OK); /* 96 MB of black */
    assert_int_equal(encode_image(&file, &image, (struct encode_options){.format = FORMAT_PNG}),
                     ST_OK);
    image_close(&image);
    memcpy(file.data + 16, "\0\0\0\x08\0\0\0\x08", 8);
    st = stranger_decode(&image, file.data, file.count, &why);
    if (st ? !why.text[0] : image.width != 8)
        fail_msg("%s: %s", status_name(st), why.text);
    image_close(&image);
    bytes_close(&file);
}

static void other_files_are_named(void **state)
{
    static const struct {
        const char *file, *words;
        enum status st;
    } is[] = {
        {"GIF89a......", "a GIF", ST_UNSUPPORTED},   {"MM\0*........", "a TIFF", ST_UNSUPPORTED},
        {"....ftypavif", "an AVIF", ST_UNSUPPORTED}, {"....ftypheic", "a HEIC", ST_UNSUPPORTED},
        {"BM..........", "a BMP", ST_UNSUPPORTED},   {"hello, world", "no picture", ST_INVALID}};
    struct bytes none = {NULL, 0};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(is); i++) {
        struct bytes file = {NULL, 0};

        put_in(&file, 0, is[i].file, 12);
        expect(&file, is[i].st, is[i].words);
    }
    expect(&none, ST_INVALID, "empty");
}

/* Goal: a file cut anywhere is refused by its head, before anything decodes it. */
static void cut_files_are_refused(void **state)
{
    (void)state;

    for (int format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        struct bytes file = file_of(24, 16, (enum format)format);

        for (size_t count = 0; count + 1 < file.count; count++) {
            struct stranger look;
            struct why why = {""};

            if (!stranger_look(&look, file.data, count, &why) || !why.text[0])
                fail_msg("format %d of %zu bytes, cut to %zu, was taken", format, file.count,
                         count);
        }
        bytes_close(&file);
    }
}

/* Goal: bytes that are wrong in the middle never cost more than a sentence. */
static void hostile_bytes_are_only_a_sentence(void **state)
{
    uint32_t random = 1;
    (void)state;

    for (int round = 0; round < 60; round++) {
        struct bytes file = file_of(40, 30, (enum format)(round % 3));
        struct image image;
        struct why why = {""};
        enum status st;

        for (int i = 0; i < 8; i++) {
            random = random * 1664525u + 1013904223u;
            file.data[40 + (random >> 8) % (file.count - 40)] ^= (uint8_t)(1 << (random >> 29));
        }
        st = stranger_decode(&image, file.data, file.count, &why);
        if (st ? image.rgb || !why.text[0] : !image.rgb)
            fail_msg("round %d: %s, \"%s\"", round, status_name(st), why.text);
        image_close(&image);
        bytes_close(&file);
    }
}

static void *decode_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        struct bytes file = file_of(50, 50, FORMAT_PNG);
        struct image image = decoded(&file);

        expect_pixel(&image, 49, 49, 255, 255, 0);
        image_close(&image);
    }
    return NULL;
}

static void several_threads_decode_at_once(void **state)
{
    pthread_t threads[4];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decode_some, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
}

enum deed { DEED_NONE, DEED_OPEN, DEED_SOCKET, DEED_FORK, DEED_KILL, DEED_CODE, DEED_PROTECT };

/* How it ends when somebody locked does that. */
static int end_of(enum deed deed)
{
    int how = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (!lock_self())
            _exit(1);
        switch (deed) {
        case DEED_OPEN:
            syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
            break;
        case DEED_SOCKET:
            syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
            break;
        case DEED_FORK:
            syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
            break;
        case DEED_KILL:
            syscall(SYS_kill, 1, 0);
            break;
        case DEED_CODE:
            syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
            break;
        case DEED_PROTECT:
            syscall(SYS_mprotect, NULL, 4096, PROT_EXEC);
            break;
        default:
            syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        }
        syscall(SYS_exit_group, 0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return how;
}

static void the_decoder_can_do_nothing_else(void **state)
{
    int none = end_of(DEED_NONE);
    (void)state;

    assert_true(WIFEXITED(none));
    if (WEXITSTATUS(none))
        skip(); /* a system without seccomp */
    for (int deed = DEED_OPEN; deed <= DEED_PROTECT; deed++) {
        int how = end_of((enum deed)deed);

        if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGSYS)
            fail_msg("deed %d ended with %x", deed, (unsigned)how);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_three_formats_come_back_in_any_size),
        cmocka_unit_test(every_orientation_is_applied),
        cmocka_unit_test(what_is_transparent_lies_on_white),
        cmocka_unit_test(sixteen_bits_become_eight),
        cmocka_unit_test(a_jpeg_for_printing_is_refused),
        cmocka_unit_test(what_moves_is_refused),
        cmocka_unit_test(heads_that_ask_for_too_much_are_refused),
        cmocka_unit_test(codes_that_overflow_a_table_are_refused),
        cmocka_unit_test(a_bomb_is_only_a_file),
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(hostile_bytes_are_only_a_sentence),
        cmocka_unit_test(several_threads_decode_at_once),
        cmocka_unit_test(the_decoder_can_do_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
