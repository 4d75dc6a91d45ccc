/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "moderation/nsfw.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN 1e-3 /* in probability, from TensorFlow.js */
#define PIXELS (NSFW_SIZE * NSFW_SIZE * 3)

static const struct {
    const char *file, *golden;
} models[] = {
    {"moderation/weights/main.safetensors", "mobilenet_v2_mid"},
    {"moderation/weights/second.safetensors", "mobilenet_v2"},
};

struct bytes {
    char *data;
    size_t count;
};

static struct bytes load(const char *path)
{
    struct bytes b = {.data = calloc(8 << 20, 1)};
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    assert_non_null(b.data);
    b.count = fread(b.data, 1, 8 << 20, file);
    fclose(file);
    return b;
}

static struct device *open_device(bool reference)
{
    struct device *d = NULL;
    struct why why = {{0}};

    if (device_open(&d, (struct device_options){.threads = 2, .reference = reference}, &why))
        fail_msg("%s", why.text);
    return d;
}

static struct nsfw *open_model(struct device *d, int m)
{
    struct bytes b = load(models[m].file);
    struct nsfw *n = NULL;
    struct why why = {{0}};

    if (nsfw_open(&n, d, b.data, b.count, &why))
        fail_msg("%s: %s", models[m].file, why.text);
    free(b.data);
    return n;
}

/* logits[count][5] of x[count][224][224][3]. */
static void score(struct device *d, const struct nsfw *n, float *logits, const float *x, int count)
{
    struct why why = {{0}};

    for (int pass = 0; pass < 2; pass++) {
        struct tensor in, out;
        if (pass == 0)
            device_measure_begin(d);
        in = tensor_carve(&d->arena, DTYPE_F32, count, NSFW_SIZE, NSFW_SIZE, 3);
        out = tensor_carve(&d->arena, DTYPE_F32, count, 1, 1, NSFW_CLASSES);
        d->ops.upload(d, in, x);
        nsfw_forward(n, out, in);
        d->ops.download(d, logits, out);
        arena_rewind(&d->arena, 0);
        if (pass == 0)
            assert_int_equal(device_measure_end(d, &why), ST_OK);
    }
    assert_int_equal(device_sync(d), ST_OK);
}

/* The pictures of the goldens, drawn in double as the script that made them does. */
static const char *const kinds[] = {"black",     "white",          "grey",         "noise",
                                    "skin_flat", "dark_skin_flat", "blue_flat",    "gradient",
                                    "checker",   "skin_ellipse",   "stripes_skin", "diagram"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static double noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) / 16777216.0;
}

static void paint(double rgb[3], double r, double g, double b)
{
    rgb[0] = r;
    rgb[1] = g;
    rgb[2] = b;
}

static double ellipse(double u, double v, const double at[4])
{
    double x = (u - at[0]) / at[2], y = (v - at[1]) / at[3];

    return x * x + y * y;
}

static void draw_diagram(double rgb[3], int x, int y, double u, double v)
{
    double d1 = ellipse(u, v, (double[]){.35, .5, .2, .3});
    double d2 = ellipse(u, v, (double[]){.68, .5, .12, .18});

    paint(rgb, 1, 1, 1);
    if (x % 32 == 0 || y % 32 == 0)
        paint(rgb, .7, .7, .7);
    if (d1 < 1)
        paint(rgb, .95, .7, .7);
    if (d2 < 1)
        paint(rgb, .75, .1, .15);
    if (fabs(d1 - 1) < .04 || fabs(d2 - 1) < .06)
        paint(rgb, 0, 0, 0);
}

static void draw_pixel(double rgb[3], const char *kind, int x, int y, uint32_t *seed)
{
    const double u = x / (NSFW_SIZE - 1.0), v = y / (NSFW_SIZE - 1.0);

    if (!strcmp(kind, "black"))
        paint(rgb, 0, 0, 0);
    else if (!strcmp(kind, "white"))
        paint(rgb, 1, 1, 1);
    else if (!strcmp(kind, "grey"))
        paint(rgb, .5, .5, .5);
    else if (!strcmp(kind, "skin_flat"))
        paint(rgb, 224 / 255.0, 172 / 255.0, 140 / 255.0);
    else if (!strcmp(kind, "dark_skin_flat"))
        paint(rgb, 92 / 255.0, 58 / 255.0, 42 / 255.0);
    else if (!strcmp(kind, "blue_flat"))
        paint(rgb, .1, .3, .8);
    else if (!strcmp(kind, "gradient"))
        paint(rgb, u, v, .5);
    else if (!strcmp(kind, "checker"))
        paint(rgb, (x / 16 + y / 16) & 1, (x / 16 + y / 16) & 1, (x / 16 + y / 16) & 1);
    else if (!strcmp(kind, "diagram"))
        draw_diagram(rgb, x, y, u, v);
    else if (!strcmp(kind, "stripes_skin"))
        paint(rgb, 224 / 255.0 + sin(v * 40) * .1, 172 / 255.0 + sin(v * 40) * .1,
              140 / 255.0 + sin(v * 40) * .1);
    else if (ellipse(u, v, (double[]){.5, .5, .3, .45}) < 1 && !strcmp(kind, "skin_ellipse"))
        paint(rgb, 224 / 255.0, 172 / 255.0, 140 / 255.0);
    else
        paint(rgb, .95, .95, .95);
    for (int i = 0; i < 3 && !strcmp(kind, "noise"); i++)
        rgb[i] = noise(seed);
}

static void draw(float *pixels, const char *kind)
{
    uint32_t seed = 12345;

    for (int y = 0; y < NSFW_SIZE; y++)
        for (int x = 0; x < NSFW_SIZE; x++) {
            double rgb[3];
            draw_pixel(rgb, kind, x, y, &seed);
            for (int i = 0; i < 3; i++)
                *pixels++ = (float)rgb[i];
        }
}

static float *draw_all(void)
{
    float *pixels = malloc((size_t)KINDS * PIXELS * sizeof(float));

    assert_non_null(pixels);
    for (int k = 0; k < KINDS; k++)
        draw(pixels + (size_t)k * PIXELS, kinds[k]);
    return pixels;
}

static void softmax(double p[NSFW_CLASSES], const float *logit)
{
    double sum = 0;

    for (int i = 0; i < NSFW_CLASSES; i++)
        sum += exp((double)logit[i]);
    for (int i = 0; i < NSFW_CLASSES; i++)
        p[i] = exp((double)logit[i]) / sum;
}

static double check_golden(const struct json *golden, const float *logits, const char *what)
{
    double worst = 0;

    for (int k = 0; k < KINDS; k++) {
        const struct json *want = json_get(golden, kinds[k]);
        double p[NSFW_CLASSES];

        softmax(p, logits + (size_t)k * NSFW_CLASSES);
        for (size_t i = 0; i < NSFW_CLASSES; i++) {
            double off = fabs(p[i] - json_as_real(json_at(want, i)));
            if (!(off <= GOLDEN))
                fail_msg("%s of %s, class %zu: %.6f, not %.6f", what, kinds[k], i, p[i],
                         json_as_real(json_at(want, i)));
            worst = fmax(worst, off);
        }
    }
    return worst;
}

/* Goal: both models say what TensorFlow.js says of the same weights.
   Method: its outputs for twelve drawn pictures, on the fast device. */
static void scores_are_those_of_tensorflow_js(void **state)
{
    struct device *d = open_device(false);
    struct json *golden = NULL;
    struct why why = {{0}};
    float *pixels = draw_all(), logits[KINDS * NSFW_CLASSES];
    (void)state;

    assert_int_equal(json_load(&golden, "tests/golden/nsfwjs/golden.json", 1 << 20, &why), ST_OK);
    for (int m = 0; m < 2; m++) {
        struct nsfw *n = open_model(d, m);

        score(d, n, logits, pixels, KINDS);
        printf("    %s: within %.1e\n", models[m].golden,
               check_golden(json_get(golden, models[m].golden), logits, models[m].golden));
        nsfw_close(&n);
    }
    json_close(&golden);
    free(pixels);
    device_close(&d);
}

/* Goal: the judge, plain C in double, says the same: the fast kernels are not what makes it fit. */
static void plain_c_says_the_same(void **state)
{
    struct device *fast = open_device(false), *plain = open_device(true);
    struct nsfw *a = open_model(fast, 1), *b = open_model(plain, 1);
    float *pixels = malloc(PIXELS * sizeof(float)), x[NSFW_CLASSES], y[NSFW_CLASSES];
    (void)state;

    assert_non_null(pixels);
    draw(pixels, "diagram");
    score(fast, a, x, pixels, 1);
    score(plain, b, y, pixels, 1);
    for (int i = 0; i < NSFW_CLASSES; i++)
        if (!(fabsf(x[i] - y[i]) < 1e-3f))
            fail_msg("logit %d: %g and %g", i, (double)x[i], (double)y[i]);
    nsfw_close(&a);
    nsfw_close(&b);
    device_close(&fast);
    device_close(&plain);
    free(pixels);
}

static void scores_do_not_depend_on_neighbours(void **state)
{
    struct device *d = open_device(false);
    float *pixels = draw_all(), all[8 * NSFW_CLASSES], one[NSFW_CLASSES];
    (void)state;

    for (int m = 0; m < 2; m++) {
        struct nsfw *n = open_model(d, m);

        score(d, n, all, pixels, 8);
        for (int k = 0; k < 8; k++) {
            score(d, n, one, pixels + (size_t)k * PIXELS, 1);
            assert_memory_equal(one, all + (size_t)k * NSFW_CLASSES, sizeof(one));
        }
        nsfw_close(&n);
    }
    free(pixels);
    device_close(&d);
}

/* The file with `from` replaced by `to`, which is as long. */
static struct bytes altered(const char *from, const char *to)
{
    struct bytes b = load(models[1].file);
    char *at = memmem(b.data, b.count, from, strlen(from));

    assert_int_equal(strlen(from), strlen(to));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    return b;
}

static void refused(struct bytes b, enum status want, const char *words)
{
    struct device *d = open_device(true);
    struct nsfw *n = NULL;
    struct why why = {{0}};
    enum status st = nsfw_open(&n, d, b.data, b.count, &why);

    assert_null(n);
    if (st != want || !strstr(why.text, words))
        fail_msg("%s, \"%s\", not \"%s\"", status_name(st), why.text, words);
    free(b.data);
    device_close(&d);
}

static void what_is_no_classifier_is_refused(void **state)
{
    struct bytes cut = load(models[1].file);
    (void)state;

    cut.count -= 1;
    refused(cut, ST_INVALID, "end of the file");
    refused(altered("\"pixel_scale\"", "\"pixel_skale\""), ST_INVALID,
            "the metadata has no pixel_scale");
    refused(altered("\"norm_epsilon\":\"0.001\"", "\"norm_epsilon\":\"0x.z1\""), ST_INVALID,
            "not a number");
    refused(altered("\"stem.weight.scale\":\"0.00", "\"stem.weight.scale\":\"nanx"), ST_INVALID,
            "not a number");
    refused(altered("\"stem.weight\":{\"dtype\":\"U8\"", "\"stem.weighs\":{\"dtype\":\"U8\""),
            ST_MISSING, "stem.weight");
    refused(altered("\"stem.weight\":{\"dtype\":\"U8\"", "\"stem.weight\":{\"dtype\":\"I8\""),
            ST_UNSUPPORTED, "stem.weight");
    refused(altered("[32,3,3,3]", "[32,3,1,9]"), ST_INVALID, "stem.weight");
    refused(altered("\"dense.2.weight\":{\"dtype\":\"U8\",\"shape\":[5,128]",
                    "\"dense.9.weight\":{\"dtype\":\"U8\",\"shape\":[5,128]"),
            ST_INVALID, "5 classes");
}

/* Goal: a scale that makes numbers overflow is found while loading, by name. */
static void numbers_that_are_none_are_refused(void **state)
{
    struct bytes b = load(models[1].file);
    char *at = memmem(b.data, b.count, "\"head.weight.scale\":\"", 21);
    (void)state;

    assert_non_null(at);
    memcpy(at + 21, "1e99", 4);
    for (char *c = at + 25; *c != '"'; c++)
        *c = '0'; /* an exponent of many digits: infinite */
    refused(b, ST_INVALID, "head.weight");
}

static void opening_survives_every_failed_allocation(void **state)
{
    struct device *d = open_device(true);
    struct bytes b = load(models[0].file);
    (void)state;

    for (int nth = 1;; nth++) {
        struct nsfw *n = NULL;
        struct why why = {{0}};
        fault_arm(nth);
        enum status st = nsfw_open(&n, d, b.data, b.count, &why);
        bool fired = fault_fired();
        nsfw_close(&n);
        fault_disarm();
        assert_true(fault_live() <= 0);
        if (!fired)
            break;
        if (nth > 40 && nth < 2000)
            nth += 37; /* the same few places again and again */
        if (st != ST_FULL && st != ST_OK)
            fail_msg("allocation %d failed: %s (%s)", nth, status_name(st), why.text);
    }
    free(b.data);
    device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_tensorflow_js),
        cmocka_unit_test(plain_c_says_the_same),
        cmocka_unit_test(scores_do_not_depend_on_neighbours),
        cmocka_unit_test(what_is_no_classifier_is_refused),
        cmocka_unit_test(numbers_that_are_none_are_refused),
        cmocka_unit_test(opening_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
