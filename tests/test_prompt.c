/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/prompt.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RULES "moderation/policies/prompt-rules.json"

#define HEAD "{\"schema\":\"prompt-rules/1\",\"version\":\"t\","

/* One category with one rule of these members. */
#define ONE_RULE(members)                                                                          \
    HEAD "\"lists\":{\"act\":[\"kick\",\"punch*\"]},\"categories\":[{\"id\":\"c\",\"rules\":["     \
         "{\"id\":\"r\"," members "}]}]}"

static struct prompt_rules *rules_of(const char *text)
{
    struct prompt_rules *r;
    struct why why = {""};

    if (prompt_open_text(&r, text, strlen(text), "rules", &why))
        fail_msg("%s", why.text);
    return r;
}

static struct prompt_finding score(const struct prompt_rules *r, const char *text,
                                   const char *context)
{
    struct prompt_finding f;
    struct why why = {""};

    if (prompt_score(r, &f, text, strlen(text), context, &why))
        fail_msg("%s", why.text);
    return f;
}

static void expect(const struct prompt_rules *r, const char *text, bool found)
{
    struct prompt_finding f = score(r, text, NULL);

    if (f.found != found)
        fail_msg("'%s': %s", text, found ? "was not found" : f.rule);
}

/* ---- how rules are read ---- */

static void words_are_whole_unless_they_say_otherwise(void **state)
{
    struct prompt_rules *r = rules_of(
        ONE_RULE("\"words\":[\"kick\",\"punch*\",\"M\xc3\xb6rser\"],\"plain_words\":[\"oran\"]"));

    (void)state;
    expect(r, "a KICK, hard", true);
    expect(r, "kicking sidekick", false);
    expect(r, "two punches", true);
    expect(r, "k1ck", true);
    expect(r, "k.i.c.k", true);
    expect(r, "k i c k", true);
    expect(r, "s i d e k i c k s", false); /* inside a spelled word */
    expect(r, "a k i c k", true);
    expect(r, "p u n c h e s", true);
    expect(r, "kiiiick", true);
    expect(r, "m\xc3\xb6rser", true);
    expect(r, "morser", false);
    expect(r, "m0rser", true);
    expect(r, "oran", true);
    expect(r, "\xc3\xb6ran", false); /* a plain word has no disguise */
    prompt_close(&r);
}

static void phrases_have_order_gaps_and_lists(void **state)
{
    struct prompt_rules *r = rules_of(
        ONE_RULE("\"phrases\":[\"red fox\",\"blue ..2 bird\",\"@act him\",\"so so so\",\"a-b\"]"));

    (void)state;
    expect(r, "a red, fox", true);
    expect(r, "fox red", false);
    expect(r, "red big fox", false);
    expect(r, "blue bird", true);
    expect(r, "blue and small bird", true);
    expect(r, "blue and very small bird", false);
    expect(r, "blue x x x blue bird", true); /* the later place counts */
    expect(r, "punching him", true);
    expect(r, "kick her", false);
    expect(r, "so so", false);
    expect(r, "so so so", true);
    expect(r, "a b", true);
    expect(r, "r3d f0x", true);
    expect(r, "blue b1rd", true);
    prompt_close(&r);
}

static void what_is_harmless_excuses_within_its_window(void **state)
{
    struct prompt_rules *r = rules_of(
        ONE_RULE("\"words\":[\"blood\"],\"harmless\":[\"orange\",\"donor*\"],\"window\":3"));
    struct prompt_finding f;

    (void)state;
    expect(r, "blood", true);
    expect(r, "blood orange", false);
    expect(r, "donors of blood", false);
    expect(r, "blood on the cold floor, orange", true);
    expect(r, "orange on the cold floor, blood", true);
    expect(r, "blood orange x x x x x x blood", true);
    expect(r, "blood 0range", true); /* an excuse is written plainly */
    f = score(r, "blood orange", NULL);
    assert_string_equal(f.harmless, "orange");
    prompt_close(&r);
}

static void contexts_relax_what_they_name_and_no_more(void **state)
{
    struct prompt_rules *r = rules_of(
        HEAD
        "\"categories\":[{\"id\":\"worst\",\"never_harmless\":true,\"rules\":[{\"id\":\"w\","
        "\"words\":[\"poison\"]}]},{\"id\":\"c\",\"rules\":[{\"id\":\"one\",\"words\":[\"blood\"]},"
        "{\"id\":\"two\",\"words\":[\"knife\"]}]}],"
        "\"contexts\":[{\"id\":\"medical\",\"relaxes\":[\"c/one\"]}]}");
    struct prompt_finding f = score(r, "a knife and blood and poison", NULL);

    (void)state;
    assert_string_equal(f.category, "worst"); /* it stands first in the file */
    assert_int_equal(f.at, 22);
    assert_int_equal(f.bytes, 6);
    f = score(r, "blood", "medical");
    assert_false(f.found);
    assert_string_equal(f.harmless, "medical");
    assert_true(score(r, "blood", "art").found);
    f = score(r, "blood and a knife", "medical");
    assert_string_equal(f.rule, "two");
    assert_true(score(r, "poison", "medical").found);
    assert_true(prompt_knows_context(r, "medical") && !prompt_knows_context(r, "art"));
    prompt_close(&r);
}

static void expressions_see_the_plain_reading(void **state)
{
    struct prompt_rules *r = rules_of(
        ONE_RULE("\"expressions\":[\"\\\\b\\\\d+ litres\"],\"harmless\":[\"milk\"],\"window\":4"));
    struct prompt_finding f = score(r, "Take 20   LITRES", NULL);

    (void)state;
    assert_true(f.found);
    assert_int_equal(f.at, 5);
    assert_int_equal(f.bytes, 9);
    expect(r, "20 litres of milk", false);
    expect(r, "20 litres of milk, then one two three four five 30 litres", true);
    expect(r, "litres", false);
    prompt_close(&r);
}

/* ---- bad files ---- */

static void a_wrong_file_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *wanted;
    } files[] = {
        {"{", "rules:1: "},
        {"[]", "rules:1: this has to be an object"},
        {"{\"schema\":\"prompt-rules/2\",\n\"version\":\"1\"}", "rules:1: this limner reads"},
        {HEAD "\n\"colour\":1}", "rules:2: there is no key 'colour' here"},
        {HEAD "\"categories\":[\n{\"id\":\"c\",\n\"rules\":[{\"id\":\"r\",\n\"word\":[]}]}]}",
         "rules:4: there is no key 'word'"},
        {ONE_RULE("\"words\":[\"a\",\n\"b c\"]"), "rules:2: this is more than one word"},
        {ONE_RULE("\"words\":[\"a*b\"]"), "rules:1: a '*' stands at the end"},
        {ONE_RULE("\"words\":[\"!?\"]"), "rules:1: there is no letter"},
        {ONE_RULE("\"words\":[7]"), "rules:1: '0' has to be a text"},
        {ONE_RULE("\"words\":[]"), "rules:1: the rule has no words"},
        {ONE_RULE("\"phrases\":[\"@none x\"]"), "rules:1: there is no list"},
        {ONE_RULE("\"phrases\":[\".. x\"]"), "rules:1: a gap is"},
        {ONE_RULE("\"phrases\":[\"x ..17 y\"]"), "rules:1: a gap is"},
        {ONE_RULE("\"phrases\":[\"x ..\"]"), "rules:1: a gap stands"},
        {ONE_RULE("\"phrases\":[\"a a a a a a a a a\"]"), "rules:1: a phrase has at most 8"},
        {ONE_RULE("\"expressions\":[\n\"(a\"]"), "rules:2: the expression is wrong at character 3"},
        {ONE_RULE("\"words\":[\"a\"],\"window\":65"), "rules:1: 'window' has to be"},
        {HEAD "\"categories\":[{\"id\":\"c\",\"never_harmless\":true,\"rules\":[{\"id\":\"r\","
              "\"words\":[\"a\"],\n\"harmless\":[\"b\"]}]}]}",
         "rules:2: nothing excuses"},
        {HEAD "\"categories\":[{\"id\":\"c\",\"never_harmless\":true,\"rules\":[{\"id\":\"r\","
              "\"words\":[\"a\"]}]}],\"contexts\":[{\"id\":\"m\",\"relaxes\":[\n\"c\"]}]}",
         "rules:2: no context relaxes"},
        {HEAD "\"categories\":[],\"contexts\":[{\"id\":\"m\",\"relaxes\":[\"c\"]}]}",
         "rules:1: there is no such category"},
        {HEAD "\"categories\":[{\"id\":\"C\",\"rules\":[]}]}", "rules:1: an id is of"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct prompt_rules *r;
        struct why why = {""};

        assert_int_equal(prompt_open_text(&r, files[i].text, strlen(files[i].text), "rules", &why),
                         ST_INVALID);
        assert_null(r);
        if (strncmp(why.text, files[i].wanted, strlen(files[i].wanted)))
            fail_msg("'%s' is not '%s'", why.text, files[i].wanted);
    }
}

static void a_word_in_too_many_phrases_is_refused(void **state)
{
    char text[16384], *end = text;
    struct prompt_rules *r;
    struct why why = {""};

    (void)state;
    end += snprintf(end, 512,
                    HEAD "\"categories\":[{\"id\":\"c\",\"rules\":[{\"id\":\"r\","
                         "\"phrases\":[\"a b0\"");
    for (int i = 1; i <= 256; i++)
        end += snprintf(end, 64, ",\n\"a b%d\"", i);
    snprintf(end, 64, "]}]}]}");
    assert_int_equal(prompt_open_text(&r, text, strlen(text), "rules", &why), ST_INVALID);
    assert_non_null(strstr(why.text, "rules:257: a word of this stands in more than 256 phrases"));
}

static void a_file_that_is_not_there_is_missing(void **state)
{
    struct prompt_rules *r;
    struct why why = {""};

    (void)state;
    assert_int_equal(prompt_open(&r, "/none/rules.json", &why), ST_MISSING);
    assert_non_null(strstr(why.text, "/none/rules.json"));
    prompt_close(&r);
}

static void every_failed_allocation_is_said(void **state)
{
    static const char text[] = ONE_RULE("\"words\":[\"kick\"],\"expressions\":[\"xy+\"],"
                                        "\"harmless\":[\"@act me\"]");

    (void)state;
    for (int nth = 1;; nth++) {
        struct prompt_finding f;
        struct prompt_rules *r;
        enum status st;

        fault_arm(nth);
        st = prompt_open_text(&r, text, sizeof(text) - 1, "rules", NULL);
        if (!st)
            st = prompt_score(r, &f, "k1ck the xyyy", 13, NULL, NULL);
        prompt_close(&r);
        fault_disarm();
        assert_int_equal(fault_live(), 0);
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            assert_true(f.found);
            return;
        }
        assert_int_equal(st, ST_FULL);
    }
}

/* ---- bounds ---- */

/* Goal: an expression that would run for ever ends, and the caller is told that nothing is known.
 */
static void an_expression_without_end_is_full(void **state)
{
    struct prompt_rules *r = rules_of(ONE_RULE("\"expressions\":[\"(a+)+$\"]"));
    struct prompt_finding f;
    struct why why = {""};
    char text[4001];
    clock_t start = clock();

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text + sizeof(text) - 3, "b!", 3);
    assert_int_equal(prompt_score(r, &f, text, sizeof(text) - 1, NULL, &why), ST_FULL);
    assert_false(f.found);
    assert_non_null(strstr(why.text, "took too long"));
    assert_true(clock() - start < CLOCKS_PER_SEC);
    prompt_close(&r);
}

static void a_text_beyond_the_bound_is_full(void **state)
{
    struct prompt_rules *r = rules_of(ONE_RULE("\"words\":[\"kick\"]"));
    char *text = calloc(1, PROMPT_BYTES_MAX + 1);
    struct prompt_finding f;
    struct why why = {""};

    (void)state;
    assert_non_null(text);
    memset(text, 'x', PROMPT_BYTES_MAX + 1);
    assert_int_equal(prompt_score(r, &f, text, PROMPT_BYTES_MAX + 1, NULL, &why), ST_FULL);
    assert_int_equal(prompt_score(r, &f, text, PROMPT_BYTES_MAX, NULL, &why), ST_OK);
    free(text);
    prompt_close(&r);
}

/* Goal: no text of 32,000 characters takes the default rules long. Method: repeat what costs most
   (single letters, masks, phrases that begin and never end) to the full length. */
static void the_longest_texts_are_judged_quickly(void **state)
{
    static const char *const units[] = {"a ",         "1 i ",          "p*r* ", "child ",   "p.o.",
                                        "pornopornx", "child sexual ", "x0 ",   "1 1 1 a ", "so "};
    struct prompt_rules *r;
    char *text = malloc(PROMPT_BYTES_MAX);

    (void)state;
    assert_non_null(text);
    assert_int_equal(prompt_open(&r, RULES, NULL), ST_OK);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t unit = strlen(units[i]);
        struct prompt_finding f;
        clock_t start = clock();

        for (size_t at = 0; at < PROMPT_BYTES_MAX; at++)
            text[at] = units[i][at % unit];
        assert_int_equal(prompt_score(r, &f, text, PROMPT_BYTES_MAX, NULL, NULL), ST_OK);
        if (clock() - start > CLOCKS_PER_SEC)
            fail_msg("'%s' takes %.2f s", units[i], (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    free(text);
    prompt_close(&r);
}

/* ---- the default rules ---- */

static size_t put_point(char *out, unsigned long p)
{
    if (p < 0x80) {
        out[0] = (char)p;
        return 1;
    }
    if (p < 0x800) {
        out[0] = (char)(0xc0 | p >> 6);
        out[1] = (char)(0x80 | (p & 63));
        return 2;
    }
    if (p < 0x10000) {
        out[0] = (char)(0xe0 | p >> 12);
        out[1] = (char)(0x80 | (p >> 6 & 63));
        out[2] = (char)(0x80 | (p & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | p >> 18);
    out[1] = (char)(0x80 | (p >> 12 & 63));
    out[2] = (char)(0x80 | (p >> 6 & 63));
    out[3] = (char)(0x80 | (p & 63));
    return 4;
}

/* \uXXXX and \UXXXXXXXX in place; never longer than they were. */
static void unescape(char *line)
{
    char *to = line, hex[9];

    for (char *from = line; *from;) {
        int digits = from[0] == '\\' ? from[1] == 'u' ? 4 : from[1] == 'U' ? 8 : 0 : 0;

        if (!digits) {
            *to++ = *from++;
            continue;
        }
        snprintf(hex, sizeof(hex), "%.*s", digits, from + 2);
        to += put_point(to, strtoul(hex, NULL, 16));
        from += 2 + digits;
    }
    *to = '\0';
}

struct tally {
    int count, found, named; /* named: with the category that the line says */
};

static void score_line(const struct prompt_rules *r, char *line, struct tally *t, bool legitimate)
{
    char *text = line;
    struct prompt_finding f;

    line[strcspn(line, "\n")] = '\0';
    if (!line[0] || line[0] == '#')
        return;
    unescape(line);
    if (!legitimate) {
        text = strchr(line, '\t');
        assert_non_null(text);
        *text++ = '\0';
    }
    f = score(r, text, NULL);
    t->count++;
    t->found += f.found;
    t->named += f.found && !legitimate && !strcmp(f.category, line);
    if (f.found == legitimate)
        print_message("%s: %s %s\n", legitimate ? "wrongly blocked" : "missed", text, f.rule);
}

/* Counts both parts of a file: [1] is what was held out. */
static void score_file(struct tally out[2], const char *path, bool legitimate)
{
    struct prompt_rules *r;
    FILE *file = fopen(path, "r");
    char line[1024];
    int part = 0;

    assert_non_null(file);
    assert_int_equal(prompt_open(&r, RULES, NULL), ST_OK);
    while (fgets(line, sizeof(line), file)) {
        if (!strncmp(line, "# held out", 10))
            part = 1;
        score_line(r, line, &out[part], legitimate);
    }
    fclose(file);
    prompt_close(&r);
}

/* Wilson's 95 % interval. */
static void say(const char *what, int hits, int count)
{
    double n = count, p = hits / n, z = 1.959964, zz = z * z / n;
    double middle = (p + zz / 2) / (1 + zz);
    double half = z * sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz);

    print_message("%-34s %3d of %3d: %5.1f %% (%.1f to %.1f)\n", what, hits, count, 100 * p,
                  100 * (middle - half > 0 ? middle - half : 0), 100 * (middle + half));
}

static void default_rules_block_nothing_legitimate(void **state)
{
    struct tally t[2] = {{0}};

    (void)state;
    score_file(t, "tests/data/prompts/legitimate.txt", true);
    say("legitimate, blocked", t[0].found, t[0].count);
    say("legitimate held out, blocked", t[1].found, t[1].count);
    assert_true(t[0].count + t[1].count >= 150 && t[1].count >= 50);
    assert_int_equal(t[0].found + t[1].found, 0);
}

static void default_rules_block_what_is_disallowed(void **state)
{
    struct tally t[2] = {{0}};

    (void)state;
    score_file(t, "tests/data/prompts/disallowed.txt", false);
    say("disallowed, blocked", t[0].found, t[0].count);
    say("disallowed held out, blocked", t[1].found, t[1].count);
    say("of these, with the right category", t[0].named + t[1].named, t[0].found + t[1].found);
    assert_true(t[0].count + t[1].count >= 150 && t[1].count >= 50);
    assert_true(t[0].found >= t[0].count * 98 / 100);
    assert_true(t[1].found >= t[1].count * 90 / 100);
}

static void default_rules_name_themselves(void **state)
{
    struct prompt_rules *r;
    struct why why = {""};

    (void)state;
    if (prompt_open(&r, RULES, &why))
        fail_msg("%s", why.text);
    assert_int_equal(strlen(prompt_sha256(r)), 64);
    assert_true(prompt_version(r)[0] != '\0');
    assert_true(prompt_knows_context(r, "medical") && prompt_knows_context(r, "art"));
    prompt_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_whole_unless_they_say_otherwise),
        cmocka_unit_test(phrases_have_order_gaps_and_lists),
        cmocka_unit_test(what_is_harmless_excuses_within_its_window),
        cmocka_unit_test(contexts_relax_what_they_name_and_no_more),
        cmocka_unit_test(expressions_see_the_plain_reading),
        cmocka_unit_test(a_wrong_file_is_refused_with_its_line),
        cmocka_unit_test(a_word_in_too_many_phrases_is_refused),
        cmocka_unit_test(a_file_that_is_not_there_is_missing),
        cmocka_unit_test(every_failed_allocation_is_said),
        cmocka_unit_test(an_expression_without_end_is_full),
        cmocka_unit_test(a_text_beyond_the_bound_is_full),
        cmocka_unit_test(the_longest_texts_are_judged_quickly),
        cmocka_unit_test(default_rules_block_nothing_legitimate),
        cmocka_unit_test(default_rules_block_what_is_disallowed),
        cmocka_unit_test(default_rules_name_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
