/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log as a server tells of it: heads, proofs and tiles for everybody with a key, records for
 * officers, each of whose looks is a record.
 */
#include "base/sign.h"
#include "store/store.h"
#include "tests/ledgers.h"
#include "tests/review_scene.h"
#include "tests/rows.h"
#include "tests/unit.h"
#include "watermark/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WRITTEN 300

static struct scene scene;

/* A log of so many records, as if the server had run before. */
static void write_log(const char *state)
{
    struct store *store;
    struct ledger *ledger;
    struct sign_key *key;
    char path[256];
    struct why why = {""};

    snprintf(path, sizeof(path), "%s/keys", state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/keys/ledger.pem", state);
    rows_good(sign_create(path, SIGN_ED25519, &why), &why);
    rows_good(sign_open(&key, path, &why), &why);
    rows_good(store_open(&store, state, &why), &why);
    rows_good(ledger_open(&ledger, &(struct ledger_options){.store = store, .key = key}, &why),
              &why);
    for (int i = 0; i < WRITTEN; i++)
        ledgers_append(ledger, i);
    ledger_close(&ledger);
    store_close(&store);
    sign_close(&key);
}

static int open_scene(void **state)
{
    const struct scene_policy policy = {.action = "allow", .version = 1};

    (void)state;
    scene_open(&scene, &policy, 0);
    write_log(scene.folder);
    setenv("LIMNER_MARKS", "on", 1); /* servers of other tests keep no log */
    scene_serve(&scene);
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    scene_end(&scene);
    return 0;
}

static void get(const char *key, const char *path, int status, struct reply *r)
{
    scene_ask(&scene, key, "GET", path, NULL, status, r);
}

static void refused(const char *key, const char *path, int status, const char *code)
{
    struct reply r;

    if (code) {
        scene_refused(&scene, key, "GET", path, NULL, status, code);
    } else {
        get(key, path, status, &r);
        reply_close(&r);
    }
}

/* The key that the server tells, and the newest head, which it has signed. */
static struct checkpoint head_of(const char *asker)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    uint8_t key[CHECKPOINT_PUBLIC];
    struct checkpoint head;
    struct reply r;
    struct why why = {""};

    get(asker, "/v1/log/key", 200, &r);
    r.body[r.bytes - 1] = '\0';
    rows_good(checkpoint_vkey_parse(origin, key, r.body, &why), &why);
    assert_string_equal(origin, LEDGER_ORIGIN);
    reply_close(&r);
    get(asker, "/v1/log/checkpoint", 200, &r);
    rows_good(checkpoint_check(&head, r.body, r.bytes, origin, key, &why), &why);
    reply_close(&r);
    return head;
}

static void heads_and_proofs_are_for_everybody_with_a_key(void **state)
{
    static const char *const paths[] = {"/v1/log/checkpoint", "/v1/log/key",
                                        "/v1/log/proof?index=1", "/v1/log/consistency?from=1",
                                        "/v1/log/tile/0/000"};
    (void)state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct reply r;

        refused(NULL, paths[i], 401, "missing_api_key");
        get(scene.owner, paths[i], 200, &r);
        reply_close(&r);
    }
    assert_true(head_of(scene.owner).size >= WRITTEN);
}

static void records_are_for_officers(void **state)
{
    static const char *const paths[] = {"/v1/log/entries?first=0", "/v1/log/search?id=00",
                                        "/v1/log/tile/entries/000"};
    (void)state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct reply r;

        get(NULL, paths[i], 401, &r);
        reply_close(&r);
        get(scene.owner, paths[i], 403, &r);
        reply_close(&r);
        get(scene.lead, paths[i], 403, &r);
        reply_close(&r);
    }
}

/* The line of one record. */
static void record_line(int64_t index, char *out, size_t size)
{
    char path[96];
    struct reply r;

    snprintf(path, sizeof(path), "/v1/log/entries?first=%lld&count=1", (long long)index);
    get(scene.compliance, path, 200, &r);
    assert_true(r.bytes && r.bytes < size && r.body[r.bytes - 1] == '\n');
    memcpy(out, r.body, r.bytes - 1);
    out[r.bytes - 1] = '\0';
    reply_close(&r);
}

static void a_proof_leads_from_a_record_to_a_head(void **state)
{
    static const int64_t indexes[] = {0, 255, 256, WRITTEN - 1};
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        char path[96], line[RECORD_BYTES_MAX + 2];
        uint8_t leaf[TREE_HASH];
        struct tree_proof proof;
        struct checkpoint head;
        struct why why = {""};
        const char *note;
        int64_t index;
        struct reply r;

        record_line(indexes[i], line, sizeof(line));
        tree_leaf(leaf, line, strlen(line));
        snprintf(path, sizeof(path), "/v1/log/proof?index=%lld", (long long)indexes[i]);
        get(scene.owner, path, 200, &r);
        rows_good(checkpoint_proof_parse(&index, &proof, &note, r.body, r.bytes, &why), &why);
        rows_good(checkpoint_parse(&head, note, r.bytes - (size_t)(note - r.body), &why), &why);
        assert_int_equal(index, indexes[i]);
        assert_true(tree_check_inclusion(leaf, index, head.size, (const void *)proof.hashes,
                                         proof.count, head.root));
        leaf[0] ^= 1;
        assert_false(tree_check_inclusion(leaf, index, head.size, (const void *)proof.hashes,
                                          proof.count, head.root));
        reply_close(&r);
    }
}

/* "old SIZE" and what follows is a proof that has the older size in the place of an index. */
static void an_older_head_is_proved_to_begin_a_newer_one(void **state)
{
    struct checkpoint older = head_of(scene.owner), newer;
    char path[96], text[8192], line[RECORD_BYTES_MAX + 2];
    struct tree_proof proof;
    struct why why = {""};
    const char *note;
    int64_t size;
    struct reply r;
    (void)state;

    record_line(0, line, sizeof(line)); /* which writes a record more */
    for (int i = 0; head_of(scene.owner).size == older.size; i++) {
        assert_true(i < 100);
        program_sleep_ms(100);
    }
    snprintf(path, sizeof(path), "/v1/log/consistency?from=%lld", (long long)older.size);
    get(scene.owner, path, 200, &r);
    assert_memory_equal(r.body, "old ", 4);
    snprintf(text, sizeof(text), "c2sp.org/tlog-proof@v1\nindex %s", r.body + 4);
    reply_close(&r);
    rows_good(checkpoint_proof_parse(&size, &proof, &note, text, strlen(text), &why), &why);
    rows_good(checkpoint_parse(&newer, note, strlen(note), &why), &why);
    assert_int_equal(size, older.size);
    assert_true(newer.size > older.size);
    assert_true(tree_check_consistency(older.size, newer.size, (const void *)proof.hashes,
                                       proof.count, older.root, newer.root));
    older.root[0] ^= 1;
    assert_false(tree_check_consistency(older.size, newer.size, (const void *)proof.hashes,
                                        proof.count, older.root, newer.root));
}

static void says(const struct reply *r, const char *name, const char *value)
{
    char text[128];

    assert_true(reply_header(r, name, text, sizeof(text)));
    assert_string_equal(text, value);
}

static void tiles_are_bytes_and_full_ones_never_change(void **state)
{
    struct reply tile, bundle;
    size_t at = 0;
    (void)state;

    get(scene.owner, "/v1/log/tile/0/000", 200, &tile);
    assert_int_equal(tile.bytes, TREE_TILE * TREE_HASH);
    says(&tile, "content-type", "application/octet-stream");
    says(&tile, "cache-control", "private, max-age=31536000, immutable");
    get(scene.compliance, "/v1/log/tile/entries/000", 200, &bundle);
    says(&bundle, "cache-control", "no-store");
    for (int i = 0; i < TREE_TILE; i++) {
        const uint8_t *p = (const uint8_t *)bundle.body + at;
        size_t bytes = (size_t)p[0] << 8 | p[1];
        uint8_t leaf[TREE_HASH];

        assert_true(at + 2 + bytes <= bundle.bytes);
        tree_leaf(leaf, p + 2, bytes);
        assert_memory_equal(leaf, tile.body + (size_t)i * TREE_HASH, TREE_HASH);
        at += 2 + bytes;
    }
    assert_int_equal(at, bundle.bytes);
    reply_close(&bundle);
    reply_close(&tile);
    get(scene.owner, "/v1/log/tile/0/001.p/44", 200, &tile);
    assert_int_equal(tile.bytes, 44 * TREE_HASH);
    says(&tile, "cache-control", "no-store");
    reply_close(&tile);
    get(scene.owner, "/v1/log/tile/1/000.p/1", 200, &tile);
    assert_int_equal(tile.bytes, TREE_HASH);
    reply_close(&tile);
}

/* The newest record of kind read has all of these words. */
static void expect_read(const char *const *words)
{
    struct reply r;

    get(scene.compliance, "/v1/log/search?kind=read&count=2", 200, &r);
    for (; *words; words++)
        if (!strstr(r.body, *words))
            fail_msg("'%s' is not in: %s", *words, r.body);
    reply_close(&r);
}

static void each_look_of_an_officer_is_a_record(void **state)
{
    char prefix[13];
    struct reply r;
    (void)state;

    snprintf(prefix, sizeof(prefix), "%.12s", scene.compliance);
    get(scene.compliance, "/v1/log/entries?first=7&count=2&reason=case%2012%0A%C3%A9", 200, &r);
    reply_close(&r);
    expect_read((const char *const[]){prefix, "/v1/log/entries?first=7", "because: case 12?",
                                      "\"kind\":\"read\"", NULL});
    get(scene.compliance, "/v1/log/tile/entries/000?reason=audit", 200, &r);
    reply_close(&r);
    expect_read((const char *const[]){"/v1/log/tile/entries/000", "because: audit", NULL});
}

static void entries_come_in_order_and_say_where_they_go_on(void **state)
{
    const char *line;
    struct reply r;
    char link[128];
    (void)state;

    get(scene.compliance, "/v1/log/entries?first=254&count=4", 200, &r);
    says(&r, "content-type", "application/x-ndjson");
    line = r.body;
    for (int i = 254; i < 258; i++) {
        char begins[64];

        snprintf(begins, sizeof(begins), "{\"v\":1,\"index\":%d,", i);
        assert_memory_equal(line, begins, strlen(begins));
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(*line, '\0');
    assert_true(reply_header(&r, "link", link, sizeof(link)));
    assert_string_equal(link, "</v1/log/entries?first=258&count=4>; rel=\"next\"");
    reply_close(&r);
    get(scene.compliance, "/v1/log/entries?first=1000000", 200, &r);
    assert_int_equal(r.bytes, 0);
    reply_close(&r);
}

static void finds_one(const char *query, int index)
{
    char path[192], begins[64];
    struct reply r;

    snprintf(path, sizeof(path), "/v1/log/search?%s&kind=embed", query);
    get(scene.compliance, path, 200, &r);
    snprintf(begins, sizeof(begins), "{\"v\":1,\"index\":%d,", index);
    if (strncmp(r.body, begins, strlen(begins)) || strchr(r.body, '\n') != r.body + r.bytes - 1)
        fail_msg("%s: %s", path, r.body);
    reply_close(&r);
}

static void records_are_found_by_what_they_say(void **state)
{
    struct record seven = ledgers_record(7);
    char query[128];
    struct reply r;
    (void)state;

    finds_one("id=00000000000003ef", 7);
    snprintf(query, sizeof(query), "sha256=%s", seven.sha256);
    finds_one(query, 7);
    snprintf(query, sizeof(query), "pixels=%s", seven.pixels_sha256);
    finds_one(query, 7);
    finds_one("decision=dec_7", 7);
    finds_one("tenant=0000000000000000&before=1", 0);
    get(scene.compliance, "/v1/log/search?to=1000", 200, &r);
    assert_int_equal(r.bytes, 0);
    reply_close(&r);
    get(scene.compliance, "/v1/log/search?model=tiny&verdict=id&from=1000&count=5", 200, &r);
    assert_non_null(strstr(r.body, "\"model\":\"tiny\""));
    reply_close(&r);
}

static void officers_see_how_it_stands(void **state)
{
    struct json *root = scene_json(&scene, scene.compliance, "GET", "/v1/log/stats", NULL, 200);
    struct reply r;
    (void)state;

    assert_int_equal(scene_int(root, "all.embed"), WRITTEN);
    assert_int_equal(scene_int(root, "last_day.embed"), WRITTEN);
    assert_int_equal(scene_int(root, "all.start"), 1);
    assert_int_equal(scene_int(root, "since_start.marked"), 0);
    assert_true(scene_int(root, "size") >= scene_int(root, "head.size"));
    assert_true(scene_int(root, "head.size") >= WRITTEN);
    scene_done(root);
    get(scene.owner, "/v1/log/stats", 403, &r);
    reply_close(&r);
    get(NULL, "/officer", 200, &r);
    assert_non_null(strstr(r.body, "The log of pictures"));
    reply_close(&r);
}

static void what_is_asked_wrongly_is_said(void **state)
{
    (void)state;
    refused(scene.owner, "/v1/log/proof", 400, NULL);
    refused(scene.owner, "/v1/log/proof?index=x", 400, NULL);
    refused(scene.owner, "/v1/log/proof?index=99999999", 404, "not_signed_yet");
    refused(scene.owner, "/v1/log/proof?index=1&size=2", 404, "not_in_the_log");
    refused(scene.owner, "/v1/log/consistency?from=0", 400, NULL);
    refused(scene.owner, "/v1/log/consistency?from=99999999", 400, NULL);
    refused(scene.owner, "/v1/log/tile/0/999", 404, "not_in_the_log");
    refused(scene.owner, "/v1/log/tile/0/0", 404, "unknown_path");
    refused(scene.owner, "/v1/log/tile/entries", 404, "unknown_path");
    refused(scene.owner, "/v1/log/tile/%65ntries/000", 404, "unknown_path");
    refused(scene.compliance, "/v1/log/entries?first=0&count=257", 400, NULL);
    refused(scene.compliance, "/v1/log/entries?first=0&count=0", 400, NULL);
    refused(scene.compliance, "/v1/log/entries", 400, NULL);
    refused(scene.compliance, "/v1/log/search?id=7", 400, NULL);
    refused(scene.compliance, "/v1/log/search?sha256=7", 400, NULL);
    refused(scene.compliance, "/v1/log/search?kind=nothing", 400, NULL);
    refused(scene.compliance, "/v1/log/search?from=9999999999999", 400, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_and_proofs_are_for_everybody_with_a_key),
        cmocka_unit_test(records_are_for_officers),
        cmocka_unit_test(a_proof_leads_from_a_record_to_a_head),
        cmocka_unit_test(an_older_head_is_proved_to_begin_a_newer_one),
        cmocka_unit_test(tiles_are_bytes_and_full_ones_never_change),
        cmocka_unit_test(each_look_of_an_officer_is_a_record),
        cmocka_unit_test(entries_come_in_order_and_say_where_they_go_on),
        cmocka_unit_test(records_are_found_by_what_they_say),
        cmocka_unit_test(officers_see_how_it_stands),
        cmocka_unit_test(what_is_asked_wrongly_is_said),
    };

    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
