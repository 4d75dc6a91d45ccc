/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "tests/fault.h"
#include "tests/unit.h"
#include "watermark/mark.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ID 0xfedcba9876543210u

static struct mark_key *open_key(uint8_t first)
{
    uint8_t secret[MARK_SECRET_BYTES] = {first, 2, 3};
    struct mark_key *key;

    assert_int_equal(mark_key_open(&key, secret, NULL), ST_OK);
    return key;
}

static uint8_t pixel(double v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

/* Hills of many sizes, with grain: what a photograph is to a transform. */
static void paint(struct image *image, int width, int height, uint64_t seed)
{
    size_t count = (size_t)width * (size_t)height;
    float *grain = malloc(count * sizeof(float)), waves[64];

    assert_int_equal(image_open(image, width, height), ST_OK);
    rng_normal(grain, count, seed, 0);
    rng_normal(waves, 64, seed, 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            double v = 128 + 4 * (double)grain[i];

            for (int w = 0; w < 16; w++)
                v +=
                    40.0 / (w + 1) *
                    sin((double)waves[4 * w] * (w + 1) * x / 60 +
                        (double)waves[4 * w + 1] * (w + 1) * y / 60 + 6 * (double)waves[4 * w + 2]);
            image->rgb[3 * i] = pixel(v + 10);
            image->rgb[3 * i + 1] = pixel(v);
            image->rgb[3 * i + 2] = pixel(0.8 * v);
        }
    free(grain);
}

static void copy(struct image *to, const struct image *from)
{
    assert_int_equal(image_open(to, from->width, from->height), ST_OK);
    memcpy(to->rgb, from->rgb, image_bytes(from));
}

static double psnr(const struct image *a, const struct image *b)
{
    double sum = 0;

    for (size_t i = 0; i < image_bytes(a); i++)
        sum += (a->rgb[i] - b->rgb[i]) * (a->rgb[i] - b->rgb[i]);
    return 10 * log10(255.0 * 255.0 * (double)image_bytes(a) / sum);
}

/* out(x, y) = in(m * (x, y, 1)), bilinear; outside it is grey. */
static void warp(struct image *out, const struct image *in, int width, int height,
                 const double m[6])
{
    assert_int_equal(image_open(out, width, height), ST_OK);
    memset(out->rgb, 128, image_bytes(out));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double u = m[0] * x + m[1] * y + m[2], v = m[3] * x + m[4] * y + m[5];
            int i = (int)floor(u), j = (int)floor(v);
            double a = u - i, b = v - j;
            const uint8_t *p = in->rgb + 3 * ((ptrdiff_t)j * in->width + i);

            if (i < 0 || j < 0 || i + 1 >= in->width || j + 1 >= in->height)
                continue;
            for (int c = 0; c < 3; c++)
                out->rgb[3 * ((size_t)y * (size_t)width + (size_t)x) + (size_t)c] =
                    pixel((1 - b) * ((1 - a) * p[c] + a * p[c + 3]) +
                          b * ((1 - a) * p[3 * in->width + c] + a * p[3 * in->width + c + 3]));
        }
}

static struct mark_finding detect(const struct image *image, const struct mark_key *key)
{
    struct mark_finding found;

    assert_int_equal(mark_detect(&found, image, &key, 1, NULL), ST_OK);
    return found;
}

static void assert_found(const struct image *image, const struct mark_key *key)
{
    struct mark_finding found = detect(image, key);

    assert_int_equal(found.verdict, MARK_ID);
    assert_true(found.id == ID);
    assert_int_equal(found.key, 0);
    assert_true(found.p_id <= MARK_P_MAX && found.p_present <= 2 * found.p_id);
}

static void assert_absent(const struct image *image, const struct mark_key *key)
{
    struct mark_finding found = detect(image, key);

    assert_int_equal(found.verdict, MARK_ABSENT);
    assert_int_equal(found.key, -1);
    assert_true(found.id == 0);
    assert_true(found.p_present > 1e-6 && found.p_id > 1e-6);
}

/* A picture with a mark, and its key. */
struct scene {
    struct image plain, marked;
    struct mark_key *key;
    struct mark_result result;
};

static void scene_open(struct scene *s, int width, int height, double wanted)
{
    struct mark_options options = {.psnr = wanted};

    s->key = open_key(1);
    paint(&s->plain, width, height, 11);
    copy(&s->marked, &s->plain);
    assert_int_equal(mark_embed(&s->marked, s->key, ID, &options, &s->result, NULL), ST_OK);
}

static void scene_close(struct scene *s)
{
    image_close(&s->plain);
    image_close(&s->marked);
    mark_key_close(&s->key);
}

static void test_strength(void **state)
{
    static const int sizes[][2] = {{512, 512}, {700, 300}, {257, 511}};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (double wanted = 38; wanted < 47; wanted += 4) {
            struct scene s;

            scene_open(&s, sizes[i][0], sizes[i][1], wanted);
            assert_true(fabs(psnr(&s.plain, &s.marked) - wanted) < 0.1);
            assert_true(fabs(psnr(&s.plain, &s.marked) - s.result.psnr) < 0.001);
            scene_close(&s);
        }
}

static void test_default_strength(void **state)
{
    (void)state;
    assert_true(fabs(mark_psnr(512, 512) - 42) < 1e-9);
    assert_true(fabs(mark_psnr(1024, 1024) - 45) < 1e-9);
    assert_true(fabs(mark_psnr(1024, 512) - 43.5) < 1e-9);
    assert_true(fabs(mark_psnr(4096, 4096) - 45) < 1e-9);
    assert_true(fabs(mark_psnr(256, 256) - 38) < 1e-9);
}

/* The same change in all three channels, where none of them is cut off. */
static void test_only_luma(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s, 256, 256, 42);
    for (size_t i = 0; i < image_bytes(&s.plain); i += 3) {
        const uint8_t *a = s.plain.rgb + i, *b = s.marked.rgb + i;

        if (b[0] > 0 && b[0] < 255 && b[1] > 0 && b[1] < 255 && b[2] > 0 && b[2] < 255)
            assert_true(b[0] - a[0] == b[1] - a[1] && b[0] - a[0] == b[2] - a[2]);
    }
    scene_close(&s);
}

static void test_read_back(void **state)
{
    struct scene s;
    struct mark_finding found;

    (void)state;
    scene_open(&s, 512, 384, 0);
    assert_int_equal(mark_read_back(&found, &s.marked, s.key, NULL), ST_OK);
    assert_int_equal(found.verdict, MARK_ID);
    assert_true(found.id == ID);
    assert_int_equal(mark_read_back(&found, &s.plain, s.key, NULL), ST_OK);
    assert_int_equal(found.verdict, MARK_ABSENT);
    assert_true(found.p_present > 1e-4);
    scene_close(&s);
}

static void test_untouched(void **state)
{
    struct scene s;
    struct mark_finding found;

    (void)state;
    scene_open(&s, 512, 512, 0);
    assert_found(&s.marked, s.key);
    found = detect(&s.marked, s.key);
    assert_true(fabs(found.scale - 1) < 0.01 && fabs(found.degrees) < 0.5 && !found.mirrored);
    assert_true(mark_p_asserted(&found, ID, 1) < 1e-20);
    assert_true(mark_p_asserted(&found, 0x5a17c3e4908b6df2u, 1) > 1e-6);
    assert_absent(&s.plain, s.key);
    scene_close(&s);
}

/* Each is a map from the new picture to the old one. */
static void test_geometry(void **state)
{
    static const struct {
        int width, height;
        double m[6], scale, degrees;
        bool mirrored;
    } cases[] = {
        {400, 300, {1, 0, 71.0, 0, 1, 133.0}, 1, 0, false},         /* cut out */
        {400, 401, {1, 0, 60.3, 0, 1, 40.6}, 1, 0, false},          /* at no whole pixel */
        {384, 384, {4 / 3.0, 0, 0, 0, 4 / 3.0, 0}, 0.75, 0, false}, /* smaller */
        {900, 900, {0.55, 0, 0, 0, 0.55, 0}, 1 / 0.55, 0, false},   /* larger */
        {512, 512, {-1, 0, 511, 0, 1, 0}, 1, 0, true},              /* mirrored */
        {512, 512, {-1, 0, 511, 0, -1, 511}, 1, 180, false},        /* half a turn */
        {512, 512, {0, 1, 0, -1, 0, 511}, 1, 90, false},            /* a quarter */
        {512, 512, {0, -1, 511, 1, 0, 0}, 1, -90, false},           /* the other way */
        {512, 512, {0.9976, 0.0698, -17, -0.0698, 0.9976, 18}, 1, 4, false},
    };
    struct scene s;

    (void)state;
    scene_open(&s, 512, 512, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct image handled;
        struct mark_finding found;

        warp(&handled, &s.marked, cases[i].width, cases[i].height, cases[i].m);
        assert_found(&handled, s.key);
        found = detect(&handled, s.key);
        assert_true(fabs(found.scale / cases[i].scale - 1) < 0.01);
        assert_true(fabs(remainder(found.degrees - cases[i].degrees, 360)) < 0.5);
        assert_int_equal(found.mirrored, cases[i].mirrored);
        image_close(&handled);
    }
    scene_close(&s);
}

static void test_values(void **state)
{
    struct scene s;
    float *noise;

    (void)state;
    scene_open(&s, 512, 512, 0);
    noise = malloc(image_bytes(&s.marked) * sizeof(float));
    rng_normal(noise, image_bytes(&s.marked), 8, 0);
    for (int way = 0; way < 4; way++) {
        struct image handled;

        copy(&handled, &s.marked);
        for (size_t i = 0; i < image_bytes(&handled); i++) {
            double v = handled.rgb[i];

            handled.rgb[i] = pixel(way == 0   ? 0.6 * v
                                   : way == 1 ? 1.3 * v
                                   : way == 2 ? 128 + 0.6 * (v - 128)
                                              : v + 10 * (double)noise[i]);
        }
        assert_found(&handled, s.key);
        image_close(&handled);
    }
    free(noise);
    scene_close(&s);
}

/* Another key sees nothing, and of several the right one is named. */
static void test_keys(void **state)
{
    struct scene s;
    struct mark_key *other = open_key(77);
    const struct mark_key *keys[2];
    struct mark_finding found;

    (void)state;
    scene_open(&s, 512, 512, 0);
    assert_absent(&s.marked, other);
    keys[0] = other;
    keys[1] = s.key;
    assert_int_equal(mark_detect(&found, &s.marked, keys, 2, NULL), ST_OK);
    assert_int_equal(found.verdict, MARK_ID);
    assert_int_equal(found.key, 1);
    assert_int_not_equal(mark_key_id(other), mark_key_id(s.key));
    mark_key_close(&other);
    scene_close(&s);
}

/* Over many keys, the p values of a picture without a mark are not smaller than they say. */
static void test_no_mark(void **state)
{
    struct image plain;
    int low = 0;

    (void)state;
    paint(&plain, 192, 160, 3);
    for (uint8_t i = 0; i < 100; i++) {
        struct mark_key *key = open_key(i);
        struct mark_finding found;

        assert_int_equal(mark_read_back(&found, &plain, key, NULL), ST_OK);
        low += found.p_present < 0.1;
        assert_true(found.p_present > 1e-5);
        assert_absent(&plain, key);
        mark_key_close(&key);
    }
    assert_true(low >= 1 && low <= 12); /* half of the tests is the pilots', 5 of 100 */
    image_close(&plain);
}

static void test_flat(void **state)
{
    static const uint8_t greys[] = {0, 128, 255};
    struct mark_key *key = open_key(1);

    (void)state;
    for (size_t i = 0; i < sizeof(greys); i++) {
        struct image image;
        struct mark_result result;
        struct mark_finding found;

        assert_int_equal(image_open(&image, 256, 256), ST_OK);
        memset(image.rgb, greys[i], image_bytes(&image));
        assert_absent(&image, key);
        assert_int_equal(mark_embed(&image, key, ID, NULL, &result, NULL), ST_OK);
        assert_true(result.weak);
        for (size_t j = 0; j < image_bytes(&image); j++)
            assert_in_range(abs(image.rgb[j] - greys[i]), 0, 4);
        assert_int_equal(mark_read_back(&found, &image, key, NULL), ST_OK);
        assert_true(found.verdict != MARK_ID || found.id == ID);
        image_close(&image);
    }
    mark_key_close(&key);
}

static void test_sizes(void **state)
{
    static const int sizes[][2] = {{1, 1}, {1, 500}, {47, 47}, {48, 48}, {95, 400}, {49, 1300}};
    struct mark_key *key = open_key(1);

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct image image, before;
        struct mark_result result;
        struct why why = {""};

        paint(&image, sizes[i][0], sizes[i][1], 1);
        copy(&before, &image);
        assert_absent(&image, key);
        assert_int_equal(mark_embed(&image, key, ID, NULL, &result, &why), ST_UNSUPPORTED);
        assert_non_null(strstr(why.text, "each side must be 96 to 16384"));
        assert_memory_equal(image.rgb, before.rgb, image_bytes(&image));
        image_close(&image);
        image_close(&before);
    }
    mark_key_close(&key);
}

static void test_no_memory(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s, 128, 128, 36);
    for (int what = 0, nth = 1; what < 4; nth++) {
        uint8_t secret[MARK_SECRET_BYTES] = {9};
        struct mark_key *key = NULL;
        const struct mark_key *held = s.key;
        struct mark_finding found;
        struct mark_result result;
        struct image image;
        enum status st;

        copy(&image, &s.plain);
        fault_arm(nth);
        st = what == 0   ? mark_key_open(&key, secret, NULL)
             : what == 1 ? mark_embed(&image, s.key, ID, NULL, &result, NULL)
             : what == 2 ? mark_read_back(&found, &image, s.key, NULL)
                         : mark_detect(&found, &image, &held, 1, NULL);
        fault_disarm();
        if (fault_fired() && what == 0 && st == ST_OK) {
            assert_non_null(key); /* OpenSSL can do without some of its memory */
        } else if (fault_fired()) {
            assert_int_equal(st, ST_FULL);
            if (what > 0) /* OpenSSL keeps its list of errors */
                assert_int_equal(fault_live(), 0);
            assert_memory_equal(image.rgb, s.plain.rgb, image_bytes(&image));
        } else {
            assert_int_equal(st, ST_OK);
            assert_true(nth > 2);
            what++;
            nth = 0;
        }
        image_close(&image);
        mark_key_close(&key);
    }
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strength),  cmocka_unit_test(test_default_strength),
        cmocka_unit_test(test_only_luma), cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_untouched), cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_values),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_no_mark),   cmocka_unit_test(test_flat),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
