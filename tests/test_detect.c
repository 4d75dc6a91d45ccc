/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layers say of a file together: of ours, of ours as people handle them, of others', and
 * of files that somebody has put together.
 */
#include "base/crypto.h"
#include "codec/chunks.h"
#include "codec/decode.h"
#include "server/detect.h"
#include "server/marks.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 512

struct scene {
    char folder[64];
    struct store *store;
    struct marks marks;
    struct detect_tools tools;
};

static int scene_open(void **state)
{
    static struct scene s;
    struct why why = {""};

    s = (struct scene){.store = NULL};
    snprintf(s.folder, sizeof(s.folder), "%s/limner-detect.XXXXXX", P_tmpdir);
    if (!mkdtemp(s.folder))
        return 1;
    if (store_open(&s.store, s.folder, &why) ||
        marks_open(&s.marks,
                   &(struct marks_options){.state = s.folder,
                                           .provider = "Example GmbH",
                                           .public_url = "https://example.org",
                                           .store = s.store},
                   &why))
        fail_msg("%s", why.text);
    s.tools = (struct detect_tools){.keys = (const struct mark_key *const *)s.marks.keys->mark,
                                    .key_count = s.marks.keys->mark_count,
                                    .fingerprint_key = s.marks.keys->fingerprint,
                                    .ledger = s.marks.ledger,
                                    .own = s.marks.keys->certs,
                                    .provider = "Example GmbH"};
    *state = &s;
    return 0;
}

static int scene_close(void **state)
{
    struct scene *s = *state;

    marks_close(&s->marks);
    store_close(&s->store);
    program_remove(s->folder);
    return 0;
}

/* Waves of several lengths with some noise; `seed` gives others. */
static struct image picture(int seed)
{
    struct image image;

    assert_int_equal(image_open(&image, SIDE, SIDE), ST_OK);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            unsigned noise = (unsigned)(x * 7919 + y * 104729 + seed);
            uint8_t *at = image.rgb + 3 * ((size_t)y * SIDE + (size_t)x);
            int cell = (x / 64 * (3 + seed) + y / 64 * (5 + 2 * seed)) * 37 % 100;

            noise = noise * 2654435761u >> 27;
            at[0] = (uint8_t)(50 + cell + (x * 3 + y) % 40 + (int)noise);
            at[1] = (uint8_t)(40 + cell + (x + 2 * y) % 50 + (int)noise);
            at[2] = (uint8_t)(30 + cell + (x * y / 64) % 40 + (int)noise);
        }
    }
    return image;
}

static struct bytes made(struct scene *s, int seed, enum format format, uint64_t *id)
{
    struct marking m = {.format = format,
                        .quality = 90,
                        .model = "starter",
                        .tenant = "acme",
                        .endpoint = "picture",
                        .prompt = "a red fox",
                        .user = "u-17"};
    struct image image = picture(seed);
    struct bytes file = {NULL, 0};
    struct why why = {""};

    if (marking_run(s->marks.marker, &m, &image, &file, &why))
        fail_msg("%s", why.text);
    image_close(&image);
    *id = m.id;
    return file;
}

static struct detect_result looked(struct scene *s, struct bytes *file)
{
    struct detect_result r;
    struct why why = {""};

    if (detect_run(&r, &s->tools, file->data, file->count, &why))
        fail_msg("%s", why.text);
    return r;
}

static struct bytes encoded(const struct image *image)
{
    struct bytes file;

    assert_int_equal(
        encode_image(&file, image, (struct encode_options){.format = FORMAT_JPEG, .quality = 80}),
        ST_OK);
    return file;
}

static void a_file_as_it_left_is_confirmed_by_all_layers(void **state)
{
    struct scene *s = *state;

    for (int format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        uint64_t id;
        struct bytes file = made(s, format, (enum format)format, &id);
        struct detect_result r = looked(s, &file);

        assert_int_equal(r.verdict, DETECT_CONFIRMED);
        assert_int_equal(r.manifest, DETECT_MANIFEST_OURS);
        assert_int_equal(r.mark.verdict, MARK_ID);
        assert_true(r.mark.id == id && r.said.id == id && r.record.id == id);
        assert_int_equal(r.print, DETECT_PRINT_AGREES);
        assert_true(r.is_same_file);
        assert_non_null(strstr(r.sentence, "Example GmbH"));
        bytes_close(&file);
    }
}

/* Goal: what a person does with a picture takes the manifest, and leaves the mark. */
static void a_file_that_was_saved_again_is_confirmed_by_its_mark(void **state)
{
    struct scene *s = *state;
    struct image image;
    struct bytes file, again;
    struct detect_result r;
    uint64_t id;

    file = made(s, 4, FORMAT_PNG, &id);
    assert_int_equal(decode_png(&image, file.data, file.count, NULL), ST_OK);
    again = encoded(&image);
    r = looked(s, &again);
    assert_int_equal(r.verdict, DETECT_CONFIRMED);
    assert_int_equal(r.manifest, DETECT_MANIFEST_NONE);
    assert_true(r.mark.verdict == MARK_ID && r.mark.id == id && r.record.id == id);
    assert_false(r.is_same_file);
    assert_non_null(strstr(r.sentence, "mark in its pixels"));
    image_close(&image);
    bytes_close(&file);
    bytes_close(&again);
}

static void a_picture_of_somebody_else_is_not_found_and_never_called_real(void **state)
{
    struct scene *s = *state;
    struct image image = picture(9);
    struct bytes file = encoded(&image);
    struct detect_result r = looked(s, &file);

    assert_int_equal(r.verdict, DETECT_NOT_FOUND);
    assert_int_equal(r.mark.verdict, MARK_ABSENT);
    assert_false(r.has_record);
    assert_non_null(strstr(r.sentence, "does not say how the picture was made"));
    assert_null(strstr(r.sentence, "not AI"));
    image_close(&image);
    bytes_close(&file);
}

/* Goal: a manifest of one picture in the file of another is not believed. */
static void a_manifest_that_was_moved_disagrees_with_the_mark(void **state)
{
    struct scene *s = *state;
    struct chunks_range range;
    struct bytes from, to, manifest;
    struct detect_result r;
    uint64_t first, second;

    from = made(s, 5, FORMAT_PNG, &first);
    to = made(s, 6, FORMAT_PNG, &second);
    assert_int_equal(chunks_find(&manifest, &range, CHUNKS_C2PA, from.data, from.count, NULL),
                     ST_OK);
    assert_int_equal(chunks_put(&to, CHUNKS_C2PA, manifest.data, manifest.count, &range, NULL),
                     ST_OK);
    r = looked(s, &to);
    assert_int_equal(r.manifest, DETECT_MANIFEST_BROKEN);
    assert_true(r.mark.verdict == MARK_ID && r.mark.id == second && r.said.id == first);
    assert_int_equal(r.verdict, DETECT_DISAGREE);
    assert_non_null(strstr(r.sentence, "disagree"));
    bytes_close(&manifest);
    bytes_close(&from);
    bytes_close(&to);
}

/* Goal: a mark that was lifted into another picture names a record that looks different. */
static void a_mark_that_was_moved_disagrees_with_the_fingerprint(void **state)
{
    struct scene *s = *state;
    struct image other = picture(3);
    struct bytes file, forged;
    struct detect_result r;
    uint64_t id;

    file = made(s, 7, FORMAT_PNG, &id);
    assert_int_equal(mark_embed(&other, s->marks.keys->mark[0], id, &(struct mark_options){0},
                                &(struct mark_result){0}, NULL),
                     ST_OK);
    forged = encoded(&other);
    r = looked(s, &forged);
    assert_true(r.mark.verdict == MARK_ID && r.mark.id == id && r.has_record);
    if (r.print != DETECT_PRINT_DIFFERS || r.verdict != DETECT_DISAGREE)
        fail_msg("distance %d, verdict %d, scale %f, degrees %f", r.distance, (int)r.verdict,
                 r.mark.scale, r.mark.degrees);
    image_close(&other);
    bytes_close(&file);
    bytes_close(&forged);
}

/* Goal: the answer has the sentence and the p value, no number to climb by, and nobody's words. */
static void an_answer_for_anybody_has_no_raw_scores_and_nothing_personal(void **state)
{
    static const char *const never[] = {"z_pilot", "z_id", "distance", "red fox", "u-17", "acme"};
    struct scene *s = *state;
    struct json_out out = {0};
    struct detect_result r;
    struct bytes file;
    uint64_t id;

    file = made(s, 8, FORMAT_PNG, &id);
    r = looked(s, &file);
    json_out_object(&out, NULL);
    detect_write(&out, &r, false);
    json_out_object_end(&out);
    assert_non_null(strstr(out.text, "\"verdict\":\"confirmed\""));
    assert_non_null(strstr(out.text, "\"p\":"));
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        if (strstr(out.text, never[i]))
            fail_msg("%s is in %s", never[i], out.text);
    }
    json_out_close(&out);
    bytes_close(&file);
}

static void put_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static void the_command_says_it_in_a_sentence(void **state)
{
    struct scene *s = *state;
    struct program p;
    char path[96], text[4096];
    struct bytes file;
    uint64_t id;

    file = made(s, 11, FORMAT_WEBP, &id);
    snprintf(path, sizeof(path), "%s/picture.webp", s->folder);
    put_file(path, file.data, file.count);
    program_start(&p, (const char *const[]){"detect", path, "--state", s->folder, NULL});
    assert_int_equal(program_wait(&p, 60000), 0);
    program_read(&p, text, sizeof(text));
    if (!strstr(text, "This picture was made by an AI system"))
        fail_msg("%s", text);
    program_forget(&p);

    put_file(path, "GIF89a......", 12);
    program_start(&p, (const char *const[]){"detect", path, "--state", s->folder, NULL});
    assert_int_equal(program_wait(&p, 60000), 1);
    program_read(&p, text, sizeof(text));
    assert_non_null(strstr(text, "this is a GIF; send a PNG, JPEG or WebP"));
    program_forget(&p);
    bytes_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_as_it_left_is_confirmed_by_all_layers),
        cmocka_unit_test(a_file_that_was_saved_again_is_confirmed_by_its_mark),
        cmocka_unit_test(a_picture_of_somebody_else_is_not_found_and_never_called_real),
        cmocka_unit_test(a_manifest_that_was_moved_disagrees_with_the_mark),
        cmocka_unit_test(a_mark_that_was_moved_disagrees_with_the_fingerprint),
        cmocka_unit_test(an_answer_for_anybody_has_no_raw_scores_and_nothing_personal),
        cmocka_unit_test(the_command_says_it_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, scene_open, scene_close);
}
