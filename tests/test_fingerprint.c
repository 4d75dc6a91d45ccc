/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "tests/unit.h"
#include "watermark/fingerprint.h"

#include <turbojpeg.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWINGS_MAX = 100, TEXTURES = 200, SIDE = 96 };

static const uint8_t key[FINGERPRINT_KEY_BYTES] = {1, 2, 3};
static const char folder[] = "tests/data/medical";

struct drawings {
    struct image image[DRAWINGS_MAX];
    int count;
};

static int is_png(const struct dirent *entry)
{
    return strstr(entry->d_name, ".png") != NULL;
}

static int read_drawings(void **state)
{
    static struct drawings d;
    struct dirent **entries;
    int count = scandir(folder, &entries, is_png, alphasort);

    for (int i = 0; i < count; i++) {
        static char bytes[1 << 20];
        char path[512];
        FILE *file;
        size_t got;

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        file = fopen(path, "rb");
        got = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
        if (!file || d.count == DRAWINGS_MAX || decode_png(&d.image[d.count++], bytes, got, NULL))
            return -1;
        fclose(file);
        free(entries[i]);
    }
    free(entries);
    *state = &d;
    return count > 50 ? 0 : -1;
}

static int forget_drawings(void **state)
{
    struct drawings *d = *state;

    for (int i = 0; i < d->count; i++)
        image_close(&d->image[i]);
    return 0;
}

static int distance_of(const struct image *a, const struct image *b)
{
    uint8_t x[FINGERPRINT_BYTES], y[FINGERPRINT_BYTES];

    assert_true(fingerprint_make(x, a, key));
    assert_true(fingerprint_make(y, b, key));
    return fingerprint_distance(x, y);
}

static void open_image(struct image *image, int width, int height)
{
    assert_int_equal(image_open(image, width, height), ST_OK);
}

static uint8_t *pixel(const struct image *image, int x, int y)
{
    return image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
}

/* A picture from another: every pixel of `out` by where it comes from. */
static void pick(struct image *out, const struct image *in, int left, int top, bool mirror)
{
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            int from = mirror ? in->width - 1 - x : left + x;

            memcpy(pixel(out, x, y), pixel(in, from, top + y), 3);
        }
}

/* Waves of chance phases and strengths, as unlike each other as pictures can be. */
static void draw_texture(struct image *image, int width, int height, uint64_t seed)
{
    enum { WAVES = 24 };
    float chance[4 * WAVES];

    open_image(image, width, height);
    rng_normal(chance, 4 * WAVES, seed, 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double sum = 0, right = 15.7 * (x + 0.5) / width, down = 15.7 * (y + 0.5) / height;

            for (int w = 0; w < WAVES; w++) {
                const float *c = chance + 4 * w;

                sum += (double)c[0] *
                       sin((double)c[1] * right + (double)c[2] * down + 6 * (double)c[3]);
            }
            memset(pixel(image, x, y), (int)fmax(0, fmin(255, 128 + 14 * sum)), 3);
        }
}

static void distances_are_counted_to_the_last_bit(void **state)
{
    uint8_t a[FINGERPRINT_BYTES], b[FINGERPRINT_BYTES];
    (void)state;

    for (int i = 0; i < FINGERPRINT_BYTES; i++)
        a[i] = (uint8_t)(37 * i + 5);
    memcpy(b, a, sizeof(b));
    assert_int_equal(fingerprint_distance(a, b), 0);
    for (int bit = 0; bit < FINGERPRINT_BITS; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(fingerprint_distance(a, b), bit + 1);
        assert_int_equal(fingerprint_distance(b, a), bit + 1);
    }
}

/* Goal: nobody without the key knows the bits. Method: keys that differ in one bit. */
static void another_key_gives_unrelated_bits(void **state)
{
    const struct drawings *d = *state;
    uint8_t other[FINGERPRINT_KEY_BYTES], a[FINGERPRINT_BYTES], b[FINGERPRINT_BYTES];
    double sum = 0;

    memcpy(other, key, sizeof(other));
    other[31] ^= 1;
    for (int i = 0; i < d->count; i++) {
        assert_true(fingerprint_make(a, &d->image[i], key));
        assert_true(fingerprint_make(b, &d->image[i], other));
        assert_in_range(fingerprint_distance(a, b), 80, 176);
        sum += fingerprint_distance(a, b);
    }
    assert_in_range((int)(sum / d->count), 122, 134);
}

static void fingerprints_do_not_see_the_size(void **state)
{
    const struct drawings *d = *state;

    for (int i = 0; i < d->count; i += 8) {
        struct image large;

        open_image(&large, 2 * d->image[i].width, 3 * d->image[i].height);
        for (int y = 0; y < large.height; y++)
            for (int x = 0; x < large.width; x++)
                memcpy(pixel(&large, x, y), pixel(&d->image[i], x / 2, y / 3), 3);
        assert_in_range(distance_of(&d->image[i], &large), 0, 1);
        image_close(&large);
    }
}

static void through_jpeg(struct image *out, const struct image *in)
{
    struct bytes bytes;
    tjhandle jpeg = tjInitDecompress();

    assert_int_equal(
        encode_image(&bytes, in, (struct encode_options){.format = FORMAT_JPEG, .quality = 50}),
        ST_OK);
    open_image(out, in->width, in->height);
    assert_non_null(jpeg);
    assert_int_equal(tjDecompress2(jpeg, bytes.data, bytes.count, out->rgb, out->width, 0,
                                   out->height, TJPF_RGB, 0),
                     0);
    tjDestroy(jpeg);
    bytes_close(&bytes);
}

static void to_half(struct image *out, const struct image *in)
{
    open_image(out, in->width / 2, in->height / 2);
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++)
            for (int c = 0; c < 3; c++)
                pixel(out, x, y)[c] =
                    (uint8_t)((pixel(in, 2 * x, 2 * y)[c] + pixel(in, 2 * x + 1, 2 * y)[c] +
                               pixel(in, 2 * x, 2 * y + 1)[c] + pixel(in, 2 * x + 1, 2 * y + 1)[c] +
                               2) /
                              4);
}

static void darker(struct image *out, const struct image *in)
{
    open_image(out, in->width, in->height);
    for (size_t i = 0; i < image_bytes(in); i++)
        out->rgb[i] = (uint8_t)(in->rgb[i] * 0.6);
}

static void brighter(struct image *out, const struct image *in)
{
    open_image(out, in->width, in->height);
    for (size_t i = 0; i < image_bytes(in); i++)
        out->rgb[i] = (uint8_t)fmin(255, in->rgb[i] * 1.4);
}

/* 95 in 100 of the area are left, from a corner that is off the middle. */
static void trimmed(struct image *out, const struct image *in)
{
    int width = (int)(in->width * 0.975), height = (int)(in->height * 0.975);

    open_image(out, width, height);
    pick(out, in, (in->width - width) / 3, (in->height - height) / 2, false);
}

/* Goal: what happens to pictures leaves them near. Method: every drawing, each way; the drawings
   have large white grounds, which brightening clips, so a few of those may get lost. */
static void a_picture_is_found_after_what_happens_to_pictures(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct image *out, const struct image *in);
        int typical, lost; /* the median's bound; so many of a hundred may be far */
    } ways[] = {{"JPEG 50", through_jpeg, 8, 0},
                {"half", to_half, 6, 0},
                {"brightness 0.6", darker, 6, 0},
                {"brightness 1.4", brighter, 30, 30},
                {"trimmed", trimmed, 30, 12}};
    const struct drawings *d = *state;

    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        int lost = 0, at[FINGERPRINT_BITS + 1] = {0}, median = 0, most = 0;

        for (int i = 0; i < d->count; i++) {
            struct image changed;
            int distance;

            ways[w].change(&changed, &d->image[i]);
            distance = distance_of(&d->image[i], &changed);
            image_close(&changed);
            at[distance]++;
            lost += distance > FINGERPRINT_NEAR;
            most = distance > most ? distance : most;
        }
        for (int below = at[0]; 2 * below < d->count; below += at[++median])
            ;
        print_message("%s: median %d, most %d, %d of %d lost\n", ways[w].name, median, most, lost,
                      d->count);
        assert_in_range(median, 0, ways[w].typical);
        assert_in_range(100 * lost, 0, ways[w].lost * d->count);
    }
}

static void a_mirrored_picture_is_found_by_its_other_fingerprint(void **state)
{
    const struct drawings *d = *state;
    int far = 0;

    for (int i = 0; i < d->count; i++) {
        uint8_t straight[FINGERPRINT_BYTES], a[FINGERPRINT_BYTES], b[FINGERPRINT_BYTES];
        struct image mirror;

        open_image(&mirror, d->image[i].width, d->image[i].height);
        pick(&mirror, &d->image[i], 0, 0, true);
        assert_true(fingerprint_make(straight, &d->image[i], key));
        assert_true(fingerprint_make_mirrored(a, &d->image[i], key));
        assert_true(fingerprint_make(b, &mirror, key));
        assert_in_range(fingerprint_distance(a, b), 0, 1); /* sums in another order */
        far += fingerprint_distance(straight, a) > FINGERPRINT_NEAR;
        image_close(&mirror);
    }
    assert_true(far > d->count / 2); /* the rest are as good as symmetric */
}

static void unrelated_pictures_are_far(void **state)
{
    static uint8_t prints[TEXTURES][FINGERPRINT_BYTES];
    double sum = 0, squares = 0, pairs = TEXTURES * (TEXTURES - 1) / 2.0, mean, sd;
    int least = FINGERPRINT_BITS;
    (void)state;

    for (int i = 0; i < TEXTURES; i++) {
        struct image image;

        draw_texture(&image, SIDE, SIDE, (uint64_t)i);
        assert_true(fingerprint_make(prints[i], &image, key));
        image_close(&image);
        for (int j = 0; j < i; j++) {
            int distance = fingerprint_distance(prints[i], prints[j]);

            least = distance < least ? distance : least;
            sum += distance;
            squares += (double)distance * distance;
        }
    }
    mean = sum / pairs;
    sd = sqrt(squares / pairs - mean * mean);
    print_message("mean %.1f, sd %.1f, least %d\n", mean, sd, least);
    assert_true(fabs(mean - 128) < 2);
    assert_true(sd < 13);
    assert_true(least > FINGERPRINT_NEAR + 16);
}

/* Drawings of one kind look alike when blurred (two outlines of a body, two hands), and their near
   pairs are right. */
static void few_drawings_are_near_each_other(void **state)
{
    const struct drawings *d = *state;
    int near = 0, pairs = 0;

    for (int i = 0; i < d->count; i++)
        for (int j = 0; j < i; j++, pairs++)
            near += distance_of(&d->image[i], &d->image[j]) <= FINGERPRINT_NEAR;
    print_message("%d of %d pairs\n", near, pairs);
    assert_in_range(near, 0, pairs / 200);
}

static void a_flat_picture_has_no_fingerprint(void **state)
{
    static const int sides[][2] = {{1, 1}, {3, 200}, {512, 512}};
    const uint8_t zeros[FINGERPRINT_BYTES] = {0};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        uint8_t print[FINGERPRINT_BYTES];
        struct image image;

        open_image(&image, sides[i][0], sides[i][1]);
        memset(image.rgb, 200, image_bytes(&image));
        pixel(&image, 0, 0)[1] = i == 2 ? 0 : 200; /* a speck makes no picture */
        memset(print, 7, sizeof(print));
        assert_false(fingerprint_make(print, &image, key));
        assert_memory_equal(print, zeros, sizeof(print));
        image_close(&image);
    }
}

/* Goal: sides that are no multiple of the grid, and smaller than it, are averaged right.
   Method: the same waves, drawn at other sizes. */
static void any_size_is_averaged_right(void **state)
{
    static const int sides[][2] = {{31, 40}, {33, 47}, {127, 29}, {61, 301}, {640, 479}};
    (void)state;

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct image square;

        draw_texture(&square, 256, 256, seed);
        for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
            struct image other;

            draw_texture(&other, sides[i][0], sides[i][1], seed);
            assert_in_range(distance_of(&square, &other), 0, 12);
            image_close(&other);
        }
        image_close(&square);
    }
}

static void a_picture_smaller_than_the_grid_is_taken(void **state)
{
    struct image small, large;
    (void)state;

    draw_texture(&small, 5, 3, 1);
    open_image(&large, 5 * 64, 3 * 64); /* the same cells */
    for (int y = 0; y < large.height; y++)
        for (int x = 0; x < large.width; x++)
            memcpy(pixel(&large, x, y), pixel(&small, x / 64, y / 64), 3);
    assert_in_range(distance_of(&small, &large), 0, 1);
    image_close(&small);
    image_close(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_counted_to_the_last_bit),
        cmocka_unit_test(another_key_gives_unrelated_bits),
        cmocka_unit_test(fingerprints_do_not_see_the_size),
        cmocka_unit_test(a_picture_is_found_after_what_happens_to_pictures),
        cmocka_unit_test(a_mirrored_picture_is_found_by_its_other_fingerprint),
        cmocka_unit_test(unrelated_pictures_are_far),
        cmocka_unit_test(few_drawings_are_near_each_other),
        cmocka_unit_test(a_flat_picture_has_no_fingerprint),
        cmocka_unit_test(any_size_is_averaged_right),
        cmocka_unit_test(a_picture_smaller_than_the_grid_is_taken),
    };

    return cmocka_run_group_tests(tests, read_drawings, forget_drawings);
}
