/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `test_canary --write` prints moderation/canary_table.h as the classifiers see it today, for
 * whoever changes the pictures or the classifiers, and looks at every number that changed.
 */
#include "base/crypto.h"
#include "moderation/canary.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIPPED "moderation/weights"

static struct vision *open_vision(const char *folder, int threads)
{
    struct vision_options options = {.folder = folder, .threads = threads};
    struct vision *v = NULL;
    struct why why = {{0}};

    if (vision_open(&v, &options, &why))
        fail_msg("%s", why.text);
    return v;
}

static void shipped_classifiers_say_what_they_said(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct vision *v = open_vision(SHIPPED, threads);
        struct why why = {{0}};

        if (canary_run(v, &why))
            fail_msg("%s", why.text);
        if (canary_run(v, &why)) /* and say it again */
            fail_msg("%s", why.text);
        vision_close(&v);
    }
}

/* Goal: the table means the same everywhere. Method: the bytes of all pictures have one hash. */
static void pictures_are_the_same_bytes_everywhere(void **state)
{
    uint8_t sha[CANARY_COUNT][32], all[32];
    char hex[65];
    (void)state;

    for (int i = 0; i < CANARY_COUNT; i++) {
        struct image image;

        assert_int_equal(canary_draw(&image, i), ST_OK);
        crypto_sha256(sha[i], image.rgb, image_bytes(&image));
        image_close(&image);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(canary_name(i), canary_name(k));
            assert_memory_not_equal(sha[i], sha[k], sizeof(sha[i]));
        }
    }
    crypto_sha256(all, sha, sizeof(sha));
    crypto_hex(hex, all, sizeof(all));
    assert_string_equal(hex, "2f3527dd92af6098914741a6b40c26e56a6f61b9595ba6ba667a7305ca5435ef");
}

/* Copies of the shipped files with one of them changed, and hashes that fit the change: as if the
   numbers had gone wrong behind the check of the files. */
struct folder {
    char path[64];
};

static const char *const names[] = {"main.safetensors", "second.safetensors"};

static struct folder spoil(int which, const char *tensor, size_t bytes)
{
    struct folder f = {"/tmp/limner-canary-XXXXXX"};
    static char data[8 << 20];
    char path[128], hashes[512] = "";

    assert_non_null(mkdtemp(f.path));
    for (int i = 0; i < 2; i++) {
        char hex[65];
        uint8_t sha[32];
        size_t count, header = 0, begin;
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", SHIPPED, names[i]);
        file = fopen(path, "rb");
        assert_non_null(file);
        count = fread(data, 1, sizeof(data) - 1, file);
        fclose(file);
        if (i == which) {
            char *at = memmem(data, count, tensor, strlen(tensor));
            assert_non_null(at);
            at = strstr(at, "\"data_offsets\":[");
            begin = (size_t)strtoul(at + 16, NULL, 10);
            memcpy(&header, data, 8);
            for (size_t k = 0; k < bytes; k++)
                data[8 + header + begin + k] ^= (char)0x80;
        }
        crypto_sha256(sha, data, count);
        crypto_hex(hex, sha, sizeof(sha));
        snprintf(hashes + strlen(hashes), sizeof(hashes) - strlen(hashes), "%s  %s\n", hex,
                 names[i]);
        snprintf(path, sizeof(path), "%s/%s", f.path, names[i]);
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, count, file), count);
        fclose(file);
    }
    snprintf(path, sizeof(path), "%s/hashes.txt", f.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(hashes, file);
    fclose(file);
    return f;
}

static void forget(const struct folder *f)
{
    static const char *const all[] = {"main.safetensors", "second.safetensors", "hashes.txt"};
    char path[128];

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", f->path, all[i]);
        remove(path);
    }
    assert_int_equal(rmdir(f->path), 0);
}

/* Goal: numbers that changed, in an early or a late layer of either model, are found; where a
   number matters much, a single flipped bit is. */
static void a_changed_weight_is_found(void **state)
{
    static const struct {
        int which;
        size_t bytes; /* whose highest bit flips */
        const char *tensor, *words;
    } cases[] = {
        {0, 270, "\"stem.weight\":", "main"},   {0, 1, "\"blocks.3.depthwise.weight\":", "main"},
        {0, 64, "\"dense.0.weight\":", "main"}, {1, 1, "\"stem.norm.beta\":", "second"},
        {1, 1, "\"dense.2.bias\":", "second"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct folder f = spoil(cases[i].which, cases[i].tensor, cases[i].bytes);
        struct vision *v = open_vision(f.path, 1);
        struct why why = {{0}};
        enum status st = canary_run(v, &why);

        vision_close(&v);
        forget(&f);
        if (st != ST_DEVICE || !strstr(why.text, "canary picture \"") ||
            !strstr(why.text, cases[i].words))
            fail_msg("%s: %s, \"%s\"", cases[i].tensor, status_name(st), why.text);
    }
}

static int write_table(void)
{
    struct vision *v = open_vision(SHIPPED, 1);

    printf(
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        "/* canary_table.h - written by `test_canary --write`: what the shipped classifiers say. "
        "*/\n#ifndef MODERATION_CANARY_TABLE_H\n#define MODERATION_CANARY_TABLE_H\n\n"
        "#include \"moderation/canary.h\"\n\n"
        "static const double canary_table[CANARY_COUNT][SCORES_MODELS][SCORES_CLASSES] = {\n");
    for (int i = 0; i < CANARY_COUNT; i++) {
        const struct image *one;
        struct image image;
        struct scores s;

        if (canary_draw(&image, i))
            return 1;
        one = &image;
        if (vision_score(v, &s, &one, NULL, 1, NULL))
            return 1;
        image_close(&image);
        printf("    {");
        for (int m = 0; m < SCORES_MODELS; m++) {
            double p[SCORES_CLASSES];

            scores_softmax(p, &s, (enum scores_model)m, 1);
            printf("%s{%.6f, %.6f, %.6f, %.6f, %.6f}", m ? ",\n     " : "", p[0], p[1], p[2], p[3],
                   p[4]);
        }
        printf("}, /* %s */\n", canary_name(i));
    }
    printf("};\n\n#endif /* MODERATION_CANARY_TABLE_H */\n");
    vision_close(&v);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_classifiers_say_what_they_said),
        cmocka_unit_test(pictures_are_the_same_bytes_everywhere),
        cmocka_unit_test(a_changed_weight_is_found),
    };

    if (argc > 1 && !strcmp(argv[1], "--write"))
        return write_table();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
