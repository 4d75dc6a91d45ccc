/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/normal.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The tokens of a text, each in brackets. */
static void tokens_of(char out[512], const char *text)
{
    struct normal n;
    size_t used = 0;

    assert_int_equal(normal_open(&n, text, strlen(text), NULL), ST_OK);
    out[0] = '\0';
    for (size_t i = 0; i < n.token_count; i++)
        used += (size_t)snprintf(out + used, 512 - used, "<%.*s>", (int)n.tokens[i].bytes,
                                 n.text + n.tokens[i].at);
    normal_close(&n);
}

/* The guises of a text: the letters, and the tokens that they cover. */
static void guises_of(char out[512], const char *text)
{
    struct normal n;
    size_t used = 0;

    assert_int_equal(normal_open(&n, text, strlen(text), NULL), ST_OK);
    out[0] = '\0';
    for (size_t i = 0; i < n.guise_count; i++)
        used += (size_t)snprintf(out + used, 512 - used, "%s%.*s:%u-%u ",
                                 n.guises[i].spelled ? "~" : "", (int)n.guises[i].bytes,
                                 n.letters + n.guises[i].at, n.guises[i].first, n.guises[i].last);
    normal_close(&n);
}

struct example {
    const char *text, *wanted;
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void plain_reading_is_folded_and_composed(void **state)
{
    static const struct example examples[] = {
        {"A Red FOX, on  ice", "<a><red><fox><on><ice>"},
        {"Stra\xc3\x9f"
         "e",
         "<strasse>"},
        {"\xef\xbc\xb0\xef\xbd\x8f\xef\xbd\x92\xef\xbd\x94", "<port>"}, /* full width */
        {"\xe2\x93\x9f\xe2\x93\x9e\xe2\x93\xa1\xe2\x93\xa3", "<port>"}, /* circled */
        {"cafe\xcc\x81", "<caf\xc3\xa9>"},                              /* composed */
        {"p\xcc\xb6o\xcc\xb6r\xcc\xb6t\xcc\xb6", "<port>"},             /* struck out */
        {"p\xe2\x80\x8bo\xc2\xadr\xe2\x81\xa0t", "<port>"},             /* invisible */
        {"\xe8\x89\xb2\xe6\x83\x85", "<\xe8\x89\xb2><\xe6\x83\x85>"},   /* two Han letters */
        {"\xe0\xa4\xb9\xe0\xa4\xbf", "<\xe0\xa4\xb9\xe0\xa4\xbf>"},     /* keeps its vowel */
        {"\xed\x95\x9c\xea\xb8\x80", "<\xed\x95\x9c\xea\xb8\x80>"},     /* Hangul stays */
        {"a\xff\xfe b", "<a><b>"},                                      /* not UTF-8 */
        {"\xf0\x9f\x87\xb5\xf0\x9f\x87\xb4", "<\xf0\x9f\x87\xb5\xf0\x9f\x87\xb4>"},
        {"", ""},
    };
    char out[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        tokens_of(out, examples[i].text);
        assert_string_equal(out, examples[i].wanted);
    }
}

static void a_disguise_is_read_through(void **state)
{
    static const struct example examples[] = {
        {"p0rt", "port:0-0 "},
        {"pu$$y cat", "pussy:0-1 "},
        {"p*rt!", "p*rt:0-1 "},
        {"**port**", ""},
        {"b1rd", "b1rd:0-0 "},
        {"p\xc3\xb6rt", "port:0-0 "},
        {"p\xd0\xbert", "port:0-0 "},               /* a Cyrillic letter */
        {"\xce\xa1\xce\x9f\xd0\xb3T", "port:0-0 "}, /* Greek capitals */
        {"poooort", "po+rt:0-0 "},
        {"po.rt", "port:0-1 "},
        {"po-rt_s", "ports:0-2 "},
        {"port7", "portt:0-0 port:0-0 "},
        {"p.o.r.t", "port:0-3 ~port:0-3 "},
        {"p o r t", "~port:0-3 "},
        {"p.o.r.t s.e.a", "port:0-3 sea:4-6 ~port:0-3 ~sea:4-6 "},
        {"\xf0\x9f\x87\xb5\xf0\x9f\x87\xb4\xf0\x9f\x87\xb7", "por:0-0 "},
    };
    char out[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        guises_of(out, examples[i].text);
        if (strcmp(out, examples[i].wanted))
            fail_msg("'%s' is '%s', not '%s'", examples[i].text, out, examples[i].wanted);
    }
}

/* Goal: what people write has no guise, so only its words are judged. */
static void plain_writing_and_numbers_have_no_guise(void **state)
{
    static const char *const texts[] = {
        "a red fox",      "1080p, f1.8, 4k, 85 mm, 16:9",
        "8008 55378008",  "it's who're (they)",
        "2 + 2 = 4, 50%", "end. Begin",
        "book, good",     "\xe8\x89\xb2\xe6\x83\x85",
    };
    char out[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        guises_of(out, texts[i]);
        if (out[0])
            fail_msg("'%s' has the guise %s", texts[i], out);
    }
}

static void keys_are_letters_alone(void **state)
{
    char key[NORMAL_GUISE_MAX + 1];

    (void)state;
    assert_true(normal_key(key, "m\xc3\xb6se", 5));
    assert_string_equal(key, "mose");
    assert_true(normal_key(key, "\xd1\x80\xd0\xbe\xd1\x82\xd1\x81", 8));
    assert_string_equal(key, "potc");
    assert_false(normal_key(key, "rule34", 6));
    assert_false(normal_key(key, "ab", 2));
    assert_false(normal_key(key, "\xe8\x89\xb2\xe6\x83\x85\xe8\x89\xb2", 9));
    assert_false(normal_key(key, "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaab", 50));
}

/* Goal: nothing that a stranger sends is read in more than linear time or memory. */
static void the_longest_texts_are_read_quickly(void **state)
{
    static const char *const units[] = {"a",        "a ",        "1*",   "a.",
                                        "\xcc\x81", "a\xcc\x81", "\xff", "p0 ",
                                        "\xd0\xbe", "**",        "aaa",  "\xf0\x9f\x87\xb5"};
    const size_t bytes = 128000;
    char *text = malloc(bytes);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t unit = strlen(units[i]);
        clock_t start = clock();
        struct normal n;

        for (size_t at = 0; at < bytes; at++)
            text[at] = units[i][at % unit];
        assert_int_equal(normal_open(&n, text, bytes, NULL), ST_OK);
        normal_close(&n);
        if (clock() - start > CLOCKS_PER_SEC)
            fail_msg("'%s' takes too long", units[i]);
    }
    free(text);
}

static void what_unfolds_without_measure_is_refused(void **state)
{
    static char text[3 * 1000];
    struct why why = {""};
    struct normal n;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i += 3)
        memcpy(text + i, "\xef\xb7\xba", 3); /* 18 characters each */
    assert_int_equal(normal_open(&n, text, sizeof(text), &why), ST_FULL);
    assert_non_null(strstr(why.text, "compatibility"));
    assert_null(n.text);
}

static void every_failed_allocation_is_said(void **state)
{
    (void)state;
    for (int nth = 1;; nth++) {
        struct normal n;
        enum status st;

        fault_arm(nth);
        st = normal_open(&n, "p.o.r.t caf\xc3\xa9", 13, NULL);
        normal_close(&n);
        fault_disarm();
        assert_int_equal(fault_live(), 0);
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            return;
        }
        assert_int_equal(st, ST_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_reading_is_folded_and_composed),
        cmocka_unit_test(a_disguise_is_read_through),
        cmocka_unit_test(plain_writing_and_numbers_have_no_guise),
        cmocka_unit_test(keys_are_letters_alone),
        cmocka_unit_test(the_longest_texts_are_read_quickly),
        cmocka_unit_test(what_unfolds_without_measure_is_refused),
        cmocka_unit_test(every_failed_allocation_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
