/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens between allowed pixels and bytes that leave: everything, in its order, or nothing.
 */
#include "base/crypto.h"
#include "codec/decode.h"
#include "server/marks.h"
#include "tests/fault.h"
#include "tests/job_client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIDE 256

struct scene {
    char folder[64];
    struct store *store;
    struct marks marks;
};

static void open_scene(struct scene *s)
{
    struct why why = {""};

    if (store_open(&s->store, s->folder, &why) ||
        marks_open(&s->marks,
                   &(struct marks_options){.state = s->folder,
                                           .provider = "Example GmbH",
                                           .public_url = "https://example.org",
                                           .store = s->store},
                   &why))
        fail_msg("%s", why.text);
}

static void close_scene(struct scene *s)
{
    marks_close(&s->marks);
    store_close(&s->store);
}

static int scene_open(void **state)
{
    static struct scene s;

    s = (struct scene){.store = NULL};
    snprintf(s.folder, sizeof(s.folder), "%s/limner-marking.XXXXXX", P_tmpdir);
    if (!mkdtemp(s.folder))
        return 1;
    open_scene(&s);
    *state = &s;
    return 0;
}

static int scene_close(void **state)
{
    struct scene *s = *state;

    close_scene(s);
    program_remove(s->folder);
    return 0;
}

/* Waves of several lengths: a picture that hides a mark, as most do. */
static void make_picture(struct image *out, int side)
{
    assert_int_equal(image_open(out, side, side), ST_OK);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            unsigned noise = (unsigned)(x * 7919 + y * 104729);
            uint8_t *at = out->rgb + 3 * ((size_t)y * (size_t)side + (size_t)x);

            noise = noise * 2654435761u >> 27;
            at[0] = (uint8_t)(80 + (x * 3 + y) % 90 + (int)noise);
            at[1] = (uint8_t)(70 + (x + 2 * y) % 80 + (int)noise);
            at[2] = (uint8_t)(60 + (x * y / 64) % 70 + (int)noise);
        }
    }
}

static struct marking marking_for(enum format format)
{
    return (struct marking){.format = format,
                            .quality = 90,
                            .model = "starter",
                            .tenant = "acme",
                            .request = "req_1",
                            .decision = "dec_1",
                            .endpoint = "picture",
                            .prompt = "a red fox",
                            .user = "u-17",
                            .seed = 7};
}

static void hash_of(char hex[65], const void *data, size_t bytes)
{
    uint8_t hash[32];

    crypto_sha256(hash, data, bytes);
    crypto_hex(hex, hash, sizeof(hash));
}

/* Goal: the bytes, their manifest, the mark in their pixels and the record in the log are about one
   and the same picture. */
static void all_layers_tell_the_same(void **state)
{
    struct scene *s = *state;

    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        struct marking m = marking_for(format);
        struct manifest_found found;
        struct mark_finding mark;
        struct record record;
        struct image image;
        struct bytes body;
        struct why why = {""};
        char hex[65];

        make_picture(&image, SIDE);
        if (marking_run(s->marks.marker, &m, &image, &body, &why) ||
            manifest_read(&found, body.data, body.count, s->marks.keys->certs, &why) ||
            ledger_find_id(s->marks.ledger, m.id, &record, &why) ||
            mark_read_back(&mark, &image, s->marks.keys->mark[0], &why))
            fail_msg("%s", why.text);

        assert_true(found.is_signed && found.is_bound && found.is_ours && found.id == m.id);
        assert_true(mark.verdict == MARK_ID && mark.id == m.id);
        hash_of(hex, body.data, body.count);
        assert_string_equal(record.sha256, hex);
        hash_of(hex, image.rgb, image_bytes(&image));
        assert_string_equal(record.pixels_sha256, hex);
        assert_string_equal(record.manifest, found.urn);
        assert_string_equal(record.mark.verdict, "id");
        assert_int_equal(record.mark.key, mark_key_id(s->marks.keys->mark[0]));
        assert_false(record.mark.weak);
        assert_string_equal(record.endpoint, "picture");
        assert_true(record.has_fingerprint);
        image_close(&image);
        bytes_close(&body);
    }
}

/* Goal: nothing of a person stands in the log, and what stands behind its commitment is what was
   said. */
static void the_record_has_nothing_personal(void **state)
{
    struct scene *s = *state;
    struct marking m = marking_for(FORMAT_PNG);
    struct store_leaf leaf;
    struct image image;
    struct bytes body;
    struct why why = {""};
    int count = 1;
    char *clear;

    make_picture(&image, SIDE);
    assert_int_equal(marking_run(s->marks.marker, &m, &image, &body, &why), ST_OK);
    assert_int_equal(ledger_entries(s->marks.ledger, m.record.index, &leaf, &count, &why), ST_OK);
    assert_int_equal(count, 1);
    assert_null(memmem(leaf.record.data, leaf.record.count, "acme", 4));
    assert_null(memmem(leaf.record.data, leaf.record.count, "fox", 3));
    assert_null(memmem(leaf.record.data, leaf.record.count, "u-17", 4));
    assert_int_equal(ledger_clear(s->marks.ledger, m.record.index, &clear, &why), ST_OK);
    assert_string_equal(clear, "{\"prompt\":\"a red fox\",\"negative\":\"\",\"user\":\"u-17\","
                               "\"seed\":\"7\"}");
    free(clear);
    ledger_release(&leaf, count);
    image_close(&image);
    bytes_close(&body);
}

static void every_copy_has_an_id_of_its_own(void **state)
{
    struct scene *s = *state;
    uint64_t id[8];

    for (int i = 0; i < 8; i++) {
        struct marking m = marking_for(FORMAT_PNG);
        struct image image;
        struct bytes body;

        make_picture(&image, SIDE);
        assert_int_equal(marking_run(s->marks.marker, &m, &image, &body, NULL), ST_OK);
        id[i] = m.id;
        for (int j = 0; j < i; j++)
            assert_true(id[i] != id[j]);
        image_close(&image);
        bytes_close(&body);
    }
}

/* Another process holds the store; its locks are no locks for the one that has them. */
static pid_t hold_store(const char *folder)
{
    int ready[2];
    pid_t pid;
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        job_lock_store(folder);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* Goal: no record, no picture. Method: somebody else holds the store. */
static void what_cannot_be_logged_has_no_bytes(void **state)
{
    struct scene *s = *state;
    struct marking m = marking_for(FORMAT_PNG);
    struct marking_stats before, after;
    struct image image;
    struct bytes body = {NULL, 0};
    struct why why = {""};
    pid_t holder = hold_store(s->folder);

    marking_get_stats(s->marks.marker, &before);
    make_picture(&image, SIDE);
    assert_int_equal(marking_run(s->marks.marker, &m, &image, &body, &why), ST_IO);
    assert_null(body.data);
    assert_true(why.text[0]);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    marking_get_stats(s->marks.marker, &after);
    assert_int_equal(after.failed - before.failed, 1);
    assert_int_equal(after.logged, before.logged);

    image_close(&image); /* and afterwards it goes on */
    make_picture(&image, SIDE);
    assert_int_equal(marking_run(s->marks.marker, &m, &image, &body, &why), ST_OK);
    image_close(&image);
    bytes_close(&body);
}

static void what_cannot_be_marked_has_no_bytes(void **state)
{
    struct scene *s = *state;
    struct marking m = marking_for(FORMAT_PNG);
    struct image image;
    struct bytes body = {NULL, 0};
    struct why why = {""};

    make_picture(&image, MARK_SIDE_MIN - 1);
    assert_int_equal(marking_run(s->marks.marker, &m, &image, &body, &why), ST_UNSUPPORTED);
    assert_null(body.data);
    image_close(&image);
}

/* Goal: a picture in which no mark can be read is tried twice and then says so in its record.
   Method: black and white noise, whose waves are stronger than a mark's and which has no room for
   half of it. */
static void a_picture_that_drowns_its_mark_says_so(void **state)
{
    struct scene *s = *state;
    struct marking m = marking_for(FORMAT_PNG);
    struct marking_stats stats;
    struct image image;
    struct bytes body;
    struct why why = {""};

    assert_int_equal(image_open(&image, 96, 96), ST_OK);
    assert_int_equal(crypto_random(image.rgb, image_bytes(&image)), ST_OK);
    for (size_t i = 0; i < image_bytes(&image); i++)
        image.rgb[i] = image.rgb[i] & 1 ? 255 : 0;
    assert_int_equal(marking_run(s->marks.marker, &m, &image, &body, &why), ST_OK);
    assert_true(m.record.mark.weak);
    marking_get_stats(s->marks.marker, &stats);
    assert_true(stats.weak >= 1 && stats.marked_again >= 1);
    image_close(&image);
    bytes_close(&body);
}

static void every_failed_allocation_sends_nothing(void **state)
{
    struct scene *s = *state;

    for (int nth = 1;; nth += nth < 40 ? 1 : 17) {
        struct marking m = marking_for(FORMAT_WEBP);
        struct image image;
        struct bytes body = {NULL, 0};
        struct why why = {""};
        enum status st;

        make_picture(&image, 128);
        fault_arm(nth);
        st = marking_run(s->marks.marker, &m, &image, &body, &why);
        fault_disarm();
        assert_true(st == ST_OK ? body.data != NULL : body.data == NULL);
        image_close(&image);
        bytes_close(&body);
        if (!fault_fired())
            break;
    }
}

/* ---- the keys ---- */

/* Goal: a key that is retired finds its marks, and makes none. */
static void a_retired_key_still_finds(void **state)
{
    struct scene *s = *state;
    struct marking m = marking_for(FORMAT_PNG);
    struct mark_finding old;
    char from[160], to[160];
    struct image before, after;
    struct bytes body;
    struct why why = {""};
    uint64_t id;

    make_picture(&before, SIDE);
    assert_int_equal(marking_run(s->marks.marker, &m, &before, &body, &why), ST_OK);
    bytes_close(&body);
    id = m.id;
    close_scene(s);
    snprintf(from, sizeof(from), "%s/keys/mark-1.key", s->folder);
    snprintf(to, sizeof(to), "%s/keys/mark-1.retired.key", s->folder);
    assert_int_equal(rename(from, to), 0);
    open_scene(s); /* which makes a new one, since none is left that marks */

    assert_int_equal(s->marks.keys->mark_count, 2);
    assert_int_equal(s->marks.keys->marking_count, 1);
    make_picture(&after, SIDE);
    assert_int_equal(marking_run(s->marks.marker, &m, &after, &body, &why), ST_OK);
    assert_int_equal(m.record.mark.key, mark_key_id(s->marks.keys->mark[0]));
    assert_int_equal(
        mark_detect(&old, &before, (const struct mark_key *const *)s->marks.keys->mark, 2, &why),
        ST_OK);
    assert_true(old.verdict == MARK_ID && old.id == id && old.key == 1);
    bytes_close(&body);
    image_close(&before);
    image_close(&after);
}

static void keys_that_others_may_read_are_refused(void **state)
{
    static const char *const names[] = {"ledger.pem", "c2pa.pem", "fingerprint.key"};
    struct scene *s = *state;
    const struct marks_options options = {
        .state = s->folder, .provider = "x", .public_url = "", .store = s->store};

    marks_close(&s->marks);
    for (int i = 0; i < 3; i++) {
        struct why why = {""};
        char path[160];

        snprintf(path, sizeof(path), "%s/keys/%s", s->folder, names[i]);
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(marks_open(&s->marks, &options, &why), ST_INVALID);
        assert_non_null(strstr(why.text, names[i]));
        marks_close(&s->marks);
        assert_int_equal(chmod(path, 0600), 0);
    }
    assert_int_equal(marks_open(&s->marks, &options, NULL), ST_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_layers_tell_the_same),
        cmocka_unit_test(the_record_has_nothing_personal),
        cmocka_unit_test(every_copy_has_an_id_of_its_own),
        cmocka_unit_test(what_cannot_be_logged_has_no_bytes),
        cmocka_unit_test(what_cannot_be_marked_has_no_bytes),
        cmocka_unit_test(a_picture_that_drowns_its_mark_says_so),
        cmocka_unit_test(every_failed_allocation_sends_nothing),
        cmocka_unit_test(a_retired_key_still_finds),
        cmocka_unit_test(keys_that_others_may_read_are_refused),
    };

    return cmocka_run_group_tests(tests, scene_open, scene_close);
}
