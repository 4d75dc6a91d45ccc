/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The illustrator's case: 64 drawn medical pictures before the shipped classifiers and the shipped
 * policy. None may be blocked or covered. The one that is held is dark, healthy skin seen closely:
 * the second opinion calls it what it is not (MODEL_CARD.md), and so a person looks at it.
 */
#include "codec/decode.h"
#include "moderation/policy.h"
#include "moderation/vision.h"
#include "tests/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES "tests/data/medical"

enum { PICTURES_COUNT = 64, FILE_BYTES_MAX = 1 << 20 };

struct practice {
    struct vision *vision;
    struct policy *policy;
};

static int is_png(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && !strcmp(dot, ".png");
}

static void read_picture(struct image *out, const char *name)
{
    static char bytes[FILE_BYTES_MAX];
    char path[512];
    struct why why = {{0}};
    size_t count;
    FILE *file;

    snprintf(path, sizeof(path), PICTURES "/%s", name);
    file = fopen(path, "rb");
    assert_non_null(file);
    count = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    if (decode_png(out, bytes, count, &why))
        fail_msg("%s: %s", name, why.text);
}

static void judge(struct verdict *out, const struct practice *p, const char *name)
{
    struct image image;
    const struct image *images = &image;
    struct scores scores;
    struct why why = {{0}};

    read_picture(&image, name);
    if (vision_score(p->vision, &scores, &images, NULL, 1, &why))
        fail_msg("%s: %s", name, why.text);
    policy_decide(p->policy, &(struct policy_case){.scores = &scores, .tenant = "clinic"}, out);
    image_close(&image);
}

static void medical_drawings_are_delivered(void **state)
{
    struct vision_options options = {.folder = "moderation/weights", .threads = 1};
    struct practice practice = {0};
    struct dirent **entries;
    struct why why = {{0}};
    (void)state;

    if (vision_open(&practice.vision, &options, &why) ||
        policy_open(&practice.policy, "moderation/policies/default.json", &why))
        fail_msg("%s", why.text);
    assert_int_equal(scandir(PICTURES, &entries, is_png, alphasort), PICTURES_COUNT);
    for (int i = 0; i < PICTURES_COUNT; i++) {
        bool is_known = !strcmp(entries[i]->d_name, "dermatology_dark.png");
        struct verdict v;

        judge(&v, &practice, entries[i]->d_name);
        if (v.decision != BAND_ALLOW || v.action != (is_known ? BAND_HOLD : BAND_ALLOW))
            fail_msg("%s: %s by its scores, and %s for %s", entries[i]->d_name,
                     band_name(v.decision), band_name(v.action), cause_name(v.cause));
        free(entries[i]);
    }
    free(entries);
    policy_close(&practice.policy);
    vision_close(&practice.vision);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(medical_drawings_are_delivered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
