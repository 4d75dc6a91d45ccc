/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/vision.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIPPED "moderation/weights"

static struct vision *open_shipped(int threads)
{
    struct vision_options options = {.folder = SHIPPED, .threads = threads};
    struct vision *v = NULL;
    struct why why = {{0}};

    if (vision_open(&v, &options, &why))
        fail_msg("%s", why.text);
    return v;
}

/* Pixels that depend on place and seed. */
static struct image make_image(int width, int height, unsigned seed)
{
    struct image image;

    assert_int_equal(image_open(&image, width, height), ST_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                image.rgb[((size_t)y * (size_t)width + (size_t)x) * 3 + (size_t)c] =
                    (uint8_t)(((unsigned)x * (seed + 1) / 3 + (unsigned)y * 2 +
                               (unsigned)c * seed * 40) &
                              255);
    return image;
}

static void score_one(struct vision *v, struct scores *out, const struct image *image)
{
    struct why why = {{0}};

    if (vision_score(v, out, &image, NULL, 1, &why))
        fail_msg("%s", why.text);
}

static void both_models_answer(void **state)
{
    struct image image = make_image(300, 200, 1);
    struct scores s;
    (void)state;
    struct vision *v = open_shipped(1);

    score_one(v, &s, &image);

    assert_true(s.has[SCORES_MAIN] && s.has[SCORES_SECOND] && !s.has_safety);
    assert_true(scores_are_finite(&s));
    assert_true(memcmp(s.logit[0], s.logit[1], sizeof(s.logit[0])) != 0);
    image_close(&image);
    vision_close(&v);
    assert_null(v);
}

/* Goal: what a picture scores is its own affair. Method: eight sizes together, and each alone. */
static void neighbours_change_no_bit(void **state)
{
    static const int sizes[VISION_BATCH_MAX][2] = {{512, 512}, {224, 224}, {1, 1},  {640, 300},
                                                   {31, 700},  {256, 256}, {2, 90}, {512, 512}};
    struct image image[VISION_BATCH_MAX];
    const struct image *images[VISION_BATCH_MAX];
    struct scores all[VISION_BATCH_MAX], one;
    struct why why = {{0}};
    (void)state;

    for (int threads = 1; threads <= 2; threads++) {
        struct vision *v = open_shipped(threads);

        for (int i = 0; i < VISION_BATCH_MAX; i++) {
            image[i] = make_image(sizes[i][0], sizes[i][1], (unsigned)i);
            images[i] = &image[i];
        }
        assert_int_equal(vision_score(v, all, images, NULL, VISION_BATCH_MAX, &why), ST_OK);
        for (int i = 0; i < VISION_BATCH_MAX; i++) {
            score_one(v, &one, &image[i]);
            assert_memory_equal(one.logit, all[i].logit, sizeof(one.logit));
        }
        assert_int_equal(vision_score(v, all, images + 3, NULL, 3, &why), ST_OK);
        for (int i = 0; i < 3; i++) {
            score_one(v, &one, &image[3 + i]);
            assert_memory_equal(one.logit, all[i].logit, sizeof(one.logit));
        }
        for (int i = 0; i < VISION_BATCH_MAX; i++)
            image_close(&image[i]);
        vision_close(&v);
    }
}

/* Kilobytes this process holds at most until now. */
static long peak_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmHWM: %ld", &kb) == 1)
            break;
    fclose(file);
    return kb;
}

/* Goal: one pixel and 16384 x 16384 are scored, and the large one takes no copy of itself. */
static void the_smallest_and_the_largest_are_scored(void **state)
{
    struct image one = make_image(1, 1, 0), large;
    struct scores s;
    long before;
    (void)state;
    struct vision *v = open_shipped(1);

    score_one(v, &s, &one);
    assert_true(scores_are_finite(&s));
    assert_int_equal(image_open(&large, 16384, 16384), ST_OK);
    memset(large.rgb, 200, image_bytes(&large));
    before = peak_kb();
    score_one(v, &s, &large);
    assert_true(scores_are_finite(&s));
    assert_true(peak_kb() - before < 32 << 10);
    image_close(&large);
    image_close(&one);
    vision_close(&v);
}

/* A folder with copies of what is shipped, that a test may spoil. */
struct folder {
    char path[64];
};

static const char *const files[] = {"hashes.txt", "main.safetensors", "second.safetensors"};

static void in_folder(char out[128], const struct folder *f, const char *name)
{
    snprintf(out, 128, "%s/%s", f->path, name);
}

static struct folder copy_shipped(void)
{
    struct folder f = {"/tmp/limner-vision-XXXXXX"};
    static char data[8 << 20];

    assert_non_null(mkdtemp(f.path));
    for (int i = 0; i < 3; i++) {
        char to[128], from[128];
        FILE *file;
        size_t bytes;

        snprintf(from, sizeof(from), "%s/%s", SHIPPED, files[i]);
        file = fopen(from, "rb");
        assert_non_null(file);
        bytes = fread(data, 1, sizeof(data), file);
        fclose(file);
        in_folder(to, &f, files[i]);
        file = fopen(to, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, bytes, file), bytes);
        fclose(file);
    }
    return f;
}

static void forget(const struct folder *f)
{
    char path[128];

    for (int i = 0; i < 3; i++) {
        in_folder(path, f, files[i]);
        remove(path);
    }
    assert_int_equal(rmdir(f->path), 0);
}

static void change_byte(const struct folder *f, const char *name, long at)
{
    char path[128];
    FILE *file;
    int c;

    in_folder(path, f, name);
    file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    c = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(c ^ 1, file);
    fclose(file);
}

static void refused(const struct folder *f, enum status want, const char *words)
{
    struct vision_options options = {.folder = f->path};
    struct vision *v = NULL;
    struct why why = {{0}};
    enum status st = vision_open(&v, &options, &why);

    assert_null(v);
    if (st != want || !strstr(why.text, words))
        fail_msg("%s, \"%s\", not \"%s\"", status_name(st), why.text, words);
}

static void missing_weights_are_named(void **state)
{
    struct folder f = {"/nonexistent"};
    char path[128];
    (void)state;

    refused(&f, ST_MISSING, "/nonexistent/hashes.txt");
    for (int i = 0; i < 3; i++) {
        f = copy_shipped();
        in_folder(path, &f, files[i]);
        assert_int_equal(remove(path), 0);
        refused(&f, ST_MISSING, files[i]);
        forget(&f);
    }
}

/* Goal: one bit anywhere is found before a number is read. */
static void altered_weights_are_refused(void **state)
{
    struct folder f;
    (void)state;

    f = copy_shipped();
    change_byte(&f, "main.safetensors", 4000000);
    refused(&f, ST_INVALID, "main.safetensors is not the file that hashes.txt names");
    forget(&f);
    f = copy_shipped();
    change_byte(&f, "second.safetensors", 3);
    refused(&f, ST_INVALID, "second.safetensors is not the file");
    forget(&f);
    f = copy_shipped();
    change_byte(&f, "hashes.txt", 5);
    refused(&f, ST_INVALID, "main.safetensors is not the file");
    forget(&f);
}

static void the_hash_names_the_weights(void **state)
{
    struct vision *a = open_shipped(1), *b = open_shipped(2);
    (void)state;

    assert_int_equal(strlen(vision_sha256(a)), 64);
    assert_int_equal(strspn(vision_sha256(a), "0123456789abcdef"), 64);
    assert_string_equal(vision_sha256(a), vision_sha256(b));
    vision_close(&a);
    vision_close(&b);
}

static void a_checkpoint_without_a_checker_has_none(void **state)
{
    struct vision *v = open_shipped(1);
    struct why why = {{0}};
    int number = 7;
    (void)state;

    assert_int_equal(vision_add_safety(v, "starter", &number, &why), ST_OK);
    assert_int_equal(number, -1);
    vision_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_models_answer),
        cmocka_unit_test(neighbours_change_no_bit),
        cmocka_unit_test(the_smallest_and_the_largest_are_scored),
        cmocka_unit_test(missing_weights_are_named),
        cmocka_unit_test(altered_weights_are_refused),
        cmocka_unit_test(the_hash_names_the_weights),
        cmocka_unit_test(a_checkpoint_without_a_checker_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
