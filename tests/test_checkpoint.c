/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints and proofs as text, against a note that another program signed with the first key of
 * RFC 8032's examples.
 */
#include "base/crypto.h"
#include "base/sign.h"
#include "tests/program.h"
#include "tests/unit.h"
#include "watermark/checkpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORIGIN "example.org/log"
#define DASH   "\xe2\x80\x94"

static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                          "-----END PRIVATE KEY-----\n";
static const char known[] =
    ORIGIN "\n1\niipcm3aIJ95alVLDigRMZpWcaPbS8htSYK9U0vh9uCc=\n\n" DASH " " ORIGIN
           " HGa56rxx8jkSahfqsbE7BVRZboq+VrDMM5Yiqin2uBzY56A5f9KsfXjNVbUm69cYEK5Hiof6a/"
           "8EDxtnJQ71x/9m4w4=\n";
static const char vkey[] = ORIGIN "+1c66b9ea+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

static char folder[128];
static struct sign_key *key, *curve;
static uint8_t public[65];

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int open_keys(void **state)
{
    char path[160];
    struct why why = {""};
    size_t bytes;

    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-checkpoint.XXXXXX", P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/known.pem", folder);
    put_file(path, pem);
    if (sign_open(&key, path, &why))
        fail_msg("%s", why.text);
    snprintf(path, sizeof(path), "%s/curve.pem", folder);
    if (sign_create(path, SIGN_ES256, &why) || sign_open(&curve, path, &why))
        fail_msg("%s", why.text);
    sign_public(public, &bytes, key);
    assert_int_equal(bytes, CHECKPOINT_PUBLIC);
    return 0;
}

static int close_keys(void **state)
{
    (void)state;
    sign_close(&key);
    sign_close(&curve);
    program_remove(folder);
    return 0;
}

static struct checkpoint head(void)
{
    struct checkpoint c = {.origin = ORIGIN, .size = 1};

    tree_leaf(c.root, "hello", 5);
    return c;
}

static void a_note_is_what_others_write(void **state)
{
    struct checkpoint c = head(), read;
    char out[CHECKPOINT_BYTES_MAX];
    struct why why = {""};

    (void)state;
    assert_int_equal(checkpoint_write(out, &c, key, &why), ST_OK);
    assert_string_equal(out, known);
    assert_int_equal(checkpoint_parse(&read, known, strlen(known), &why), ST_OK);
    assert_string_equal(read.origin, ORIGIN);
    assert_int_equal(read.size, 1);
    assert_memory_equal(read.root, c.root, TREE_HASH);
    assert_int_equal(checkpoint_check(&read, known, strlen(known), ORIGIN, public, &why), ST_OK);
}

static void keys_are_one_line(void **state)
{
    static const char *const others[] = {
        "",
        "+",
        "example.org/log",
        "example.org/log+1c66b9eb+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
        "example.org/lag+1c66b9ea+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
        "example.org/log+1c66b9ea+AtdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
        "example.org/log+1c66b9ea+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1E=",
        "example.org/log+1c66b9ea+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea\n",
        "example.org/log+1c66b9ea",
    };
    char out[CHECKPOINT_VKEY_MAX], origin[CHECKPOINT_ORIGIN_MAX];
    uint8_t read[CHECKPOINT_PUBLIC];
    struct why why = {""};

    (void)state;
    checkpoint_vkey(out, ORIGIN, public);
    assert_string_equal(out, vkey);
    assert_int_equal(checkpoint_vkey_parse(origin, read, vkey, &why), ST_OK);
    assert_string_equal(origin, ORIGIN);
    assert_memory_equal(read, public, CHECKPOINT_PUBLIC);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (checkpoint_vkey_parse(origin, read, others[i], &why) != ST_INVALID)
            fail_msg("'%s' is taken for a key", others[i]);
}

static void what_cannot_be_signed_is_told(void **state)
{
    struct checkpoint c = head();
    char out[CHECKPOINT_BYTES_MAX];
    struct why why = {""};

    (void)state;
    assert_int_equal(checkpoint_write(out, &c, curve, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "Ed25519"));
    memset(c.origin, 'a', sizeof(c.origin) - 1);
    c.size = TREE_SIZE_MAX;
    assert_int_equal(checkpoint_write(out, &c, key, &why), ST_OK); /* the longest */
    assert_int_equal(checkpoint_origin_check("", &why), ST_INVALID);
    assert_int_equal(checkpoint_origin_check("a b", &why), ST_INVALID);
    assert_int_equal(checkpoint_origin_check("a+b", &why), ST_INVALID);
    assert_int_equal(checkpoint_origin_check("a\n", &why), ST_INVALID);
    memset(c.origin, 'a', sizeof(c.origin));
    assert_int_equal(checkpoint_origin_check(c.origin, &why), ST_INVALID);
}

/* ---- altered ones ---- */

/* Goal: no byte is changed unseen. */
static void every_flipped_bit_is_seen(void **state)
{
    struct checkpoint c;
    char text[sizeof(known)];

    (void)state;
    for (size_t bit = 0; bit < 8 * strlen(known); bit++) {
        memcpy(text, known, sizeof(text));
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        if (!checkpoint_check(&c, text, strlen(known), ORIGIN, public, NULL))
            fail_msg("bit %zu", bit);
    }
    for (size_t bytes = 0; bytes < strlen(known); bytes++)
        assert_int_equal(checkpoint_parse(&c, known, bytes, NULL), ST_INVALID);
}

static void expect_form(const char *text, const char *says)
{
    struct checkpoint c;
    struct why why = {""};

    if (checkpoint_parse(&c, text, strlen(text), &why) != ST_INVALID || !strstr(why.text, says))
        fail_msg("%s: '%s', not '%s'", text, why.text, says);
}

#define ROOT "iipcm3aIJ95alVLDigRMZpWcaPbS8htSYK9U0vh9uCc="
#define SIG  DASH " a b\n"

static void notes_that_are_none_are_told_why(void **state)
{
    (void)state;
    expect_form("\n1\n" ROOT "\n\n" SIG, "origin");
    expect_form("a b\n1\n" ROOT "\n\n" SIG, "origin");
    expect_form("a\n01\n" ROOT "\n\n" SIG, "size");
    expect_form("a\n-1\n" ROOT "\n\n" SIG, "size");
    expect_form("a\n\n" ROOT "\n\n" SIG, "size");
    expect_form("a\n99999999999999999\n" ROOT "\n\n" SIG, "size");
    expect_form("a\n99999999999999999999999999\n" ROOT "\n\n" SIG, "size");
    expect_form("a\n1\n" ROOT "=\n\n" SIG, "root");
    expect_form("a\n1\niipcm3aIJ95alVLDigRMZpWcaPbS8htSYK9U0vh9uCd=\n\n" SIG, "root");
    expect_form("a\n1\n" ROOT "\n" SIG, "empty line");
    expect_form("a\n1\n" ROOT "\n\n", "signature");
    expect_form("a\n1\n" ROOT "\n\n- a b\n", "signature");
    expect_form("a\n1\n" ROOT "\n\n" DASH " a\n", "signature");
    expect_form("a\n1\n" ROOT "\n\n" DASH "  b\n", "signature");
    expect_form("a\n1\n" ROOT "\n\n" DASH " a b c\n", "signature");
    expect_form("a\n1\n" ROOT "\n\n" DASH " a b", "signature");
    expect_form("a\n1\n" ROOT
                "\n\n" SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG SIG,
                "signature");
}

static void signatures_of_others_are_left_alone(void **state)
{
    char text[1024];
    struct checkpoint c;
    struct why why = {""};
    const char *mine = strstr(known, DASH);
    uint8_t other[CHECKPOINT_PUBLIC] = {1};

    (void)state;
    snprintf(text, sizeof(text), "%.*s" DASH " witness AAAA\n%s", (int)(mine - known), known, mine);
    assert_int_equal(checkpoint_check(&c, text, strlen(text), ORIGIN, public, &why), ST_OK);
    assert_int_equal(checkpoint_check(&c, text, strlen(text), ORIGIN, other, &why), ST_REFUSED);
    assert_non_null(strstr(why.text, "not signed by this key"));
    assert_int_equal(checkpoint_check(&c, text, strlen(text), "a", public, &why), ST_REFUSED);
    assert_int_equal(checkpoint_check(&c, text, strlen(text), "", public, &why), ST_INVALID);
}

/* ---- proofs ---- */

static void a_proof_comes_back_and_is_refused_when_it_is_none(void **state)
{
    static const char *const others[][2] = {
        {"@v1", "@v2"},          {"index 3", "index 03"}, {"index 3", "index -3"},
        {"index 3", "Index 3"},  {"index 3", "index "},   {ROOT "\n", "iipc\n"},
        {ROOT "\n", ROOT " \n"},
    };
    struct tree_proof proof = {.count = TREE_PROOF_MAX}, read;
    char out[CHECKPOINT_PROOF_MAX], text[CHECKPOINT_PROOF_MAX + 16];
    struct why why = {""};
    const char *note;
    int64_t index;

    (void)state;
    for (int i = 0; i < TREE_PROOF_MAX; i++)
        tree_leaf(proof.hashes[i], "hello", 5);
    checkpoint_proof_write(out, 3, &proof, known);
    assert_int_equal(checkpoint_proof_parse(&index, &read, &note, out, strlen(out), &why), ST_OK);
    assert_int_equal(index, 3);
    assert_string_equal(note, known);
    assert_int_equal(read.count, TREE_PROOF_MAX);
    assert_memory_equal(read.hashes, proof.hashes, sizeof(proof.hashes));
    for (size_t bytes = 0; bytes < (size_t)(note - out); bytes++)
        assert_int_equal(checkpoint_proof_parse(&index, &read, &note, out, bytes, NULL),
                         ST_INVALID);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const char *at = strstr(out, others[i][0]);

        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - out), out, others[i][1],
                 at + strlen(others[i][0]));
        assert_int_equal(checkpoint_proof_parse(&index, &read, &note, text, strlen(text), &why),
                         ST_INVALID);
    }
    snprintf(text, sizeof(text), "%.*s" ROOT "\n%s", (int)(strstr(out, ROOT) - out), out,
             strstr(out, ROOT));
    assert_int_equal(checkpoint_proof_parse(&index, &read, &note, text, strlen(text), &why),
                     ST_INVALID);
    assert_non_null(strstr(why.text, "hash 43"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_what_others_write),
        cmocka_unit_test(keys_are_one_line),
        cmocka_unit_test(what_cannot_be_signed_is_told),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(notes_that_are_none_are_told_why),
        cmocka_unit_test(signatures_of_others_are_left_alone),
        cmocka_unit_test(a_proof_comes_back_and_is_refused_when_it_is_none),
    };

    return cmocka_run_group_tests_name("checkpoint", tests, open_keys, close_keys);
}
