/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record has one line, and a line that is not that of a record is refused with its field.
 */
#include "tests/fault.h"
#include "tests/unit.h"
#include "watermark/record.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH(digit)                                                                                \
    digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit
#define HASH_A HASH("a0b1")
#define HASH_B HASH("00ff")

static struct record full_record(void)
{
    struct record r = {.kind = RECORD_EMBED,
                       .index = 7,
                       .time_ns = 1764550000123456789,
                       .seq = 5,
                       .has_id = true,
                       .has_fingerprint = true,
                       .id = 0x00ffeeddccbbaa99,
                       .sha256 = HASH_A,
                       .pixels_sha256 = HASH_B,
                       .unmarked_sha256 = HASH_A,
                       .fingerprint = {1, 2, [31] = 255},
                       .width = 512,
                       .height = 768,
                       .format = "webp",
                       .quality = 90,
                       .model = "a \"model\" \\ 2",
                       .weights_sha256 = HASH_B,
                       .system = "limner/0.1.0",
                       .mark = {.alg = "limner-tile/1",
                                .key = 0x0012ab34,
                                .psnr = 42001,
                                .strength = 810000,
                                .z = -3,
                                .verdict = "id",
                                .weak = true},
                       .manifest = "urn:c2pa:3f",
                       .manifest_sha256 = HASH_B,
                       .request = "req_1",
                       .endpoint = "/v1/images/generations",
                       .tenant = "0123456789abcdef",
                       .decision = "dec_1",
                       .policy_version = 3,
                       .parent_count = 2,
                       .parents = {1, UINT64_MAX},
                       .commitment = HASH_A,
                       .note = "n"};

    return r;
}

static const char full_line[] =
    "{\"v\":1,\"index\":7,\"time_ns\":1764550000123456789,\"seq\":5,\"kind\":\"embed\","
    "\"id\":\"00ffeeddccbbaa99\",\"sha256\":\"" HASH_A "\",\"pixels_sha256\":\"" HASH_B "\","
    "\"unmarked_sha256\":\"" HASH_A "\",\"fingerprint\":\"0102000000000000000000000000000000000000"
    "0000000000000000000000ff\",\"width\":512,\"height\":768,\"format\":\"webp\",\"quality\":90,"
    "\"model\":\"a \\\"model\\\" \\\\ 2\",\"weights_sha256\":\"" HASH_B "\","
    "\"system\":\"limner/0.1.0\",\"mark\":{\"alg\":\"limner-tile/1\",\"key\":\"0012ab34\","
    "\"psnr\":42001,\"strength\":810000,\"z\":-3,\"verdict\":\"id\",\"weak\":true},"
    "\"manifest\":\"urn:c2pa:3f\",\"manifest_sha256\":\"" HASH_B "\",\"request\":\"req_1\","
    "\"endpoint\":\"/v1/images/generations\",\"tenant\":\"0123456789abcdef\","
    "\"decision\":\"dec_1\",\"policy_version\":3,"
    "\"parents\":[\"0000000000000001\",\"ffffffffffffffff\"],\"commitment\":\"" HASH_A "\","
    "\"note\":\"n\"}";

static const char small_line[] =
    "{\"v\":1,\"index\":0,\"time_ns\":1,\"seq\":2,\"kind\":\"start\",\"note\":\"n\"}";

static void a_full_record_and_an_empty_one_come_back(void **state)
{
    struct record r = full_record(), again, empty = {.kind = RECORD_CLOCK};
    char line[RECORD_BYTES_MAX + 1];
    struct why why = {""};
    size_t bytes;

    (void)state;
    assert_int_equal(record_write(line, &bytes, &r, &why), ST_OK);
    assert_string_equal(line, full_line);
    assert_int_equal(bytes, strlen(line));
    assert_int_equal(record_parse(&again, line, bytes, &why), ST_OK);
    assert_memory_equal(&again, &r, sizeof(r));

    assert_int_equal(record_write(line, &bytes, &empty, &why), ST_OK);
    assert_string_equal(line, "{\"v\":1,\"index\":0,\"time_ns\":0,\"seq\":0,\"kind\":\"clock\"}");
    assert_int_equal(record_parse(&again, line, bytes, &why), ST_OK);
    assert_memory_equal(&again, &empty, sizeof(empty));
}

static void kinds_have_names(void **state)
{
    enum record_kind kind = RECORD_EMBED;

    (void)state;
    for (int i = 0; i < RECORD_KINDS; i++) {
        assert_true(record_kind_of(&kind, record_kind_name((enum record_kind)i)));
        assert_int_equal(kind, i);
    }
    assert_string_equal(record_kind_name(RECORD_CLOCK), "clock");
    assert_false(record_kind_of(&kind, ""));
    assert_false(record_kind_of(&kind, "Embed"));
}

/* ---- what may not be written ---- */

static void expect_no_line(struct record r, const char *names)
{
    char line[RECORD_BYTES_MAX + 1];
    struct why why = {""};
    size_t bytes = 1;

    assert_int_equal(record_write(line, &bytes, &r, &why), ST_INVALID);
    assert_int_equal(bytes, 0);
    if (!strstr(why.text, names))
        fail_msg("%s does not name %s", why.text, names);
}

#define REFUSED(change, names)                                                                     \
    do {                                                                                           \
        struct record r = full_record();                                                           \
                                                                                                   \
        change;                                                                                    \
        expect_no_line(r, names);                                                                  \
    } while (0)

static void fields_that_are_none_are_named(void **state)
{
    (void)state;
    REFUSED(r.index = -1, "index");
    REFUSED(r.time_ns = -1, "time_ns");
    REFUSED(r.seq = INT64_MIN, "seq");
    REFUSED(r.sha256[63] = '\0', "sha256");
    REFUSED(r.sha256[0] = 'A', "sha256");
    REFUSED(r.pixels_sha256[5] = 'g', "pixels_sha256");
    REFUSED(memset(r.commitment, 'a', sizeof(r.commitment)), "commitment");
    REFUSED(r.tenant[15] = '\0', "tenant");
    REFUSED(snprintf(r.note, sizeof(r.note), "%s", "caf\xc3\xa9"), "note");
    REFUSED(snprintf(r.note, sizeof(r.note), "%s", "a\nb"), "note");
    REFUSED(snprintf(r.note, sizeof(r.note), "%s", "\x7f"), "note");
    REFUSED(memset(r.model, 'a', sizeof(r.model)), "model");
    REFUSED(memset(r.format, 'a', sizeof(r.format)), "format");
    REFUSED(r.width = -1, "width");
    REFUSED(r.height = RECORD_SIDE_MAX + 1, "height");
    REFUSED(r.quality = 101, "quality");
    REFUSED(r.policy_version = -1, "policy_version");
    REFUSED(r.parent_count = -1, "parents");
    REFUSED(r.parent_count = RECORD_PARENTS_MAX + 1, "parents");
}

/* Goal: the largest record fits, whatever is in it. */
static void the_largest_record_has_a_line(void **state)
{
    struct record r = full_record(), again;
    char line[RECORD_BYTES_MAX + 1];
    struct why why = {""};
    size_t bytes;

    (void)state;
    r.index = r.time_ns = r.seq = INT64_MAX;
    r.mark.psnr = r.mark.strength = r.mark.z = INT_MIN;
    r.policy_version = INT_MAX;
    r.width = r.height = RECORD_SIDE_MAX;
    r.parent_count = RECORD_PARENTS_MAX;
    memset(r.model, '"', sizeof(r.model) - 1);
    memset(r.system, '\\', sizeof(r.system) - 1);
    memset(r.request, '"', sizeof(r.request) - 1);
    memset(r.endpoint, '"', sizeof(r.endpoint) - 1);
    memset(r.decision, '"', sizeof(r.decision) - 1);
    memset(r.format, '"', sizeof(r.format) - 1);
    memset(r.manifest, '"', sizeof(r.manifest) - 1);
    memset(r.mark.alg, '"', sizeof(r.mark.alg) - 1);
    memset(r.mark.verdict, '"', sizeof(r.mark.verdict) - 1);
    memset(r.note, '\\', sizeof(r.note) - 1);
    assert_int_equal(record_write(line, &bytes, &r, &why), ST_OK);
    assert_in_range(bytes, 2 * RECORD_NOTE_MAX, RECORD_BYTES_MAX / 2);
    assert_int_equal(record_parse(&again, line, bytes, &why), ST_OK);
    assert_memory_equal(&again, &r, sizeof(r));
}

/* ---- what may not be read ---- */

static void expect_refusal(const char *line, size_t bytes, enum status expected, const char *says)
{
    struct record r;
    struct why why = {""};
    enum status st = record_parse(&r, line, bytes, &why);

    if (st != expected || !strstr(why.text, says))
        fail_msg("%.*s: %s, '%s', not '%s'", (int)bytes, line, status_name(st), why.text, says);
}

/* `line` with `what` in the place of `old`. */
static void expect_altered(const char *line, const char *old, const char *what, enum status st,
                           const char *says)
{
    char text[4096];
    const char *at = strstr(line, old);

    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - line), line, what, at + strlen(old));
    expect_refusal(text, strlen(text), st, says);
}

static void a_line_that_says_it_otherwise_is_refused(void **state)
{
    static const char *const others[][2] = {
        {",\"seq\"", ", \"seq\""},
        {"\"index\":0,\"time_ns\":1", "\"time_ns\":1,\"index\":0"},
        {"\"note\"", "\"x\":1,\"note\""},
        {"\"note\":\"n\"", "\"note\":\"\""},
        {"\"note\":\"n\"", "\"note\":null"},
        {"\"note\":\"n\"", "\"note\":\"\\u006e\""},
        {"\"note\":\"n\"", "\"note\":\"\\/\""},
        {"\"note\":\"n\"", "\"width\":0"},
        {"\"note\":\"n\"", "\"parents\":[]"},
        {"\"note\":\"n\"", "\"id\":\"00ffeeddccbbaa99\",\"sha256\":\"\""},
        {"\"note\":\"n\"", "\"id\":\"00FFEEDDCCBBAA99\""},
        {"\"note\":\"n\"", "\"mark\":{\"key\":\"00000000\"}"},
        {"}", "}\n"},
        {"{", "\n{"},
        {"{\"v\":1", "{\"v\":0"},
        {"\"v\":1,", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        expect_altered(small_line, others[i][0], others[i][1], ST_INVALID, "as limner does");
}

static void values_that_are_none_are_named(void **state)
{
    static const char *const others[][3] = {
        {"\"index\":0", "\"index\":-1", "index"},
        {"\"index\":0", "\"index\":\"0\"", "index"},
        {"\"index\":0", "\"index\":0.0", "index"},
        {"\"index\":0", "\"index\":99999999999999999999", ""},
        {"start", "starts", "kind"},
        {"\"kind\":\"start\",", "", "kind"},
        {"\"note\":\"n\"", "\"note\":\"\xc3\xa9\"", "note"},
        {"\"note\":\"n\"", "\"note\":1", "note"},
        {"\"note\":\"n\"", "\"note\":\"\\u0000\"", ""},
        {"\"note\":\"n\"", "\"note\":\"n\",\"note\":\"n\"", ""},
        {"\"note\":\"n\"", "\"width\":65536", "width"},
        {"\"note\":\"n\"", "\"width\":4294967297", "width"},
        {"\"note\":\"n\"", "\"id\":\"0\"", "id"},
        {"\"note\":\"n\"", "\"sha256\":\"00\"", "sha256"},
        {"\"note\":\"n\"", "\"fingerprint\":\"00\"", "fingerprint"},
        {"\"note\":\"n\"", "\"format\":\"too long\"", "format"},
        {"\"note\":\"n\"", "\"mark\":[]", "mark"},
        {"\"note\":\"n\"", "\"mark\":{\"alg\":\"x\",\"weak\":0}", "weak"},
        {"\"note\":\"n\"", "\"parents\":{}", "parents"},
        {"\"note\":\"n\"", "\"parents\":[1]", "parents"},
        {"\"note\":\"n\"", "\"parents\":[\"00\"]", "parents"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        expect_altered(small_line, others[i][0], others[i][1], ST_INVALID, others[i][2]);
    expect_altered(small_line, "\"v\":1", "\"v\":2", ST_UNSUPPORTED, "version 2");
    expect_refusal("[]", 2, ST_INVALID, "object");
    expect_refusal("", 0, ST_INVALID, "");
}

static void lines_that_are_cut_or_too_long_are_refused(void **state)
{
    char *line = malloc(RECORD_BYTES_MAX + 1);

    (void)state;
    for (size_t bytes = 0; bytes < strlen(full_line); bytes++)
        expect_refusal(full_line, bytes, ST_INVALID, "");
    assert_non_null(line);
    memset(line, ' ', RECORD_BYTES_MAX + 1);
    expect_refusal(line, RECORD_BYTES_MAX + 1, ST_INVALID, "the most");
    free(line);
}

/* ---- */

static void texts_are_made_fit(void **state)
{
    char out[6];

    (void)state;
    record_text(out, sizeof(out), "caf\xc3\xa9");
    assert_string_equal(out, "caf??");
    record_text(out, sizeof(out), "a\tlonger one");
    assert_string_equal(out, "a?lon");
    record_text(out, 1, "a");
    assert_string_equal(out, "");
}

static void columns_are_the_records(void **state)
{
    struct record r = full_record();
    struct store_leaf leaf = {0}, empty = {0};

    (void)state;
    record_columns(&leaf, &r);
    assert_int_equal(leaf.index, 7);
    assert_true(leaf.has_id && leaf.has_sha256 && leaf.has_pixels && leaf.has_fingerprint);
    assert_true(leaf.weak);
    assert_int_equal(leaf.sha256[0], 0xa0);
    assert_int_equal(leaf.pixels[1], 0xff);
    assert_int_equal(leaf.fingerprint[31], 255);
    assert_string_equal(leaf.verdict, "id");
    assert_string_equal(leaf.decision, "dec_1");
    memset(&r, 0, sizeof(r));
    record_columns(&empty, &r);
    assert_false(empty.has_id || empty.has_sha256 || empty.has_pixels || empty.has_fingerprint);
}

static void memory_that_is_not_there_is_told(void **state)
{
    bool fired = true;

    (void)state;
    for (int nth = 1; fired; nth++) {
        struct why why = {""};
        struct record r;
        enum status st;

        fault_arm(nth);
        st = record_parse(&r, full_line, strlen(full_line), &why);
        fault_disarm();
        fired = fault_fired();
        assert_int_equal(fault_live(), 0);
        if (!fired)
            assert_int_equal(st, ST_OK);
        else if (st && !why.text[0])
            fail_msg("allocation %d: no word about it", nth);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_record_and_an_empty_one_come_back),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(fields_that_are_none_are_named),
        cmocka_unit_test(the_largest_record_has_a_line),
        cmocka_unit_test(a_line_that_says_it_otherwise_is_refused),
        cmocka_unit_test(values_that_are_none_are_named),
        cmocka_unit_test(lines_that_are_cut_or_too_long_are_refused),
        cmocka_unit_test(texts_are_made_fit),
        cmocka_unit_test(columns_are_the_records),
        cmocka_unit_test(memory_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
