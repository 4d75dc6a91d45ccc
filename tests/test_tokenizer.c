/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With arguments it judges another vocabulary, which tools/oracle/tokenizer_check.py makes use of:
 *
 *     test_tokenizer TOKENIZER_FOLDER GOLDEN.bin
 */
#include "models/tokenizer.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STARTER "starter/tokenizer"
#define GOLDEN  "tests/golden/tokenizer/starter.bin"
#define LONG    4096 /* ids of the tokenizer that cuts nothing */

static const char *const files[] = {
    "vocab.json",        "merges.txt",     "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "tokenizer.json",
};

/* A whole file, to be freed, with a NUL behind it; NULL when there is none. */
static char *slurp(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 22);

    if (!file || !text) {
        free(text);
        return NULL;
    }
    *bytes = fread(text, 1, (1 << 22) - 1, file);
    text[*bytes] = '\0';
    fclose(file);
    return text;
}

static void folder_put(const char *folder, const char *name, const char *text, size_t bytes)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void folder_make(char folder[64])
{
    snprintf(folder, 64, "/tmp/limner-tokenizer-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void folder_remove(const char *folder)
{
    char path[256];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static struct tokenizer *open_or_fail(const char *folder)
{
    struct tokenizer *t;
    struct why why = {0};

    if (tokenizer_open(&t, folder, &why) != ST_OK)
        fail_msg("%s", why.text);
    return t;
}

/* The configuration with room for LONG ids, to be freed. */
static char *config_longer(const char *config)
{
    static const char key[] = "\"model_max_length\": ";
    const char *number = strstr(config, key);
    char *longer = malloc(strlen(config) + 16);

    assert_non_null(longer);
    assert_non_null(number);
    number += strlen(key);
    snprintf(longer, strlen(config) + 16, "%.*s%d%s", (int)(number - config), config, LONG,
             number + strspn(number, "0123456789"));
    return longer;
}

static struct tokenizer *open_long(const char *from)
{
    char folder[64], path[512];
    struct tokenizer *t;

    folder_make(folder);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        size_t bytes;
        char *text;

        snprintf(path, sizeof(path), "%s/%s", from, files[i]);
        text = slurp(path, &bytes);
        if (text && strcmp(files[i], "tokenizer_config.json") == 0) {
            char *longer = config_longer(text);

            folder_put(folder, files[i], longer, strlen(longer));
            free(longer);
        } else if (text) {
            folder_put(folder, files[i], text, bytes);
        }
        free(text);
    }
    t = open_or_fail(folder);
    folder_remove(folder);
    return t;
}

/* A golden file being read, see tools/oracle/tokenizer_golden.py. */
struct golden {
    char *bytes;
    const unsigned char *at, *end;
};

static uint32_t take_number(struct golden *g)
{
    uint32_t value = 0;

    for (int shift = 0; shift < 32; shift += 7) {
        assert_true(g->at < g->end);
        value |= (uint32_t)(*g->at & 127) << shift;
        if (!(*g->at++ & 128))
            break;
    }
    return value;
}

static uint32_t golden_open(struct golden *g, const char *path)
{
    static const char head[] = "limner tokens 1\n";
    size_t bytes;

    g->bytes = slurp(path, &bytes);
    if (!g->bytes)
        fail_msg("%s cannot be read", path);
    g->at = (const unsigned char *)g->bytes + strlen(head);
    g->end = (const unsigned char *)g->bytes + bytes;
    assert_memory_equal(g->bytes, head, strlen(head));
    return take_number(g);
}

/* A prompt as the reference would have it: start, what fits, end, padding (the last id of "rest",
   which is the tokenizer's own answer for no text at all). */
static void expect(int32_t *ids, int length, const int32_t *empty, const int32_t *text, int count)
{
    int kept = count < length - 2 ? count : length - 2;

    ids[0] = empty[0];
    memcpy(ids + 1, text, (size_t)kept * sizeof(*ids));
    ids[1 + kept] = empty[1];
    for (int i = 2 + kept; i < length; i++)
        ids[i] = empty[2];
}

static void print_difference(const char *text, size_t bytes, const int32_t *got,
                             const int32_t *wanted, int count)
{
    for (size_t i = 0; i < bytes && i < 200; i++)
        print_error("%02x ", (unsigned char)text[i]);
    print_error("\n");
    for (int i = 0; i < count && i < 64; i++)
        print_error("%s%d:%d", got[i] == wanted[i] ? " " : " *", got[i], wanted[i]);
    print_error("\n");
}

/* One string with this tokenizer; false when an id differs. */
static bool agrees(const struct tokenizer *t, const char *text, size_t bytes, const int32_t *ids,
                   int count)
{
    int32_t got[LONG], wanted[LONG], empty[LONG];
    int length = tokenizer_length(t), ids_wanted = 0;

    assert_int_equal(tokenizer_encode(t, empty, "", 0, &ids_wanted, NULL), ST_OK);
    assert_int_equal(tokenizer_encode(t, got, text, bytes, &ids_wanted, NULL), ST_OK);
    expect(wanted, length, empty, ids, count);
    if (ids_wanted == count + 2 && memcmp(got, wanted, (size_t)length * sizeof(*got)) == 0)
        return true;
    print_difference(text, bytes, got, wanted, length);
    return false;
}

/* Every string of a golden file, cut to the folder's length and whole. Returns how many differ. */
static int judge(const char *folder, const char *path, int *strings)
{
    struct tokenizer *shorter = open_or_fail(folder), *longer = open_long(folder);
    struct golden g;
    uint32_t count = golden_open(&g, path);
    int wrong = 0;

    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = take_number(&g);
        const char *text = (const char *)g.at;
        int32_t ids[LONG];
        int n;

        g.at += bytes;
        n = (int)take_number(&g);
        assert_true(n <= LONG - 2);
        for (int k = 0; k < n; k++)
            ids[k] = (int32_t)take_number(&g);
        wrong += !agrees(shorter, text, bytes, ids, n) || !agrees(longer, text, bytes, ids, n);
    }
    assert_ptr_equal(g.at, g.end);
    *strings = (int)count;
    free(g.bytes);
    tokenizer_close(&shorter);
    tokenizer_close(&longer);
    return wrong;
}

static void eleven_thousand_strings_agree_with_the_reference(void **state)
{
    int strings, wrong = judge(STARTER, GOLDEN, &strings);
    (void)state;

    assert_true(strings >= 10000);
    assert_int_equal(wrong, 0);
}

/* There the pad token is "!", an added token, and merges are few: words become many bytes. */
static void a_pad_token_that_is_text_agrees_with_the_reference(void **state)
{
    int strings, wrong = judge("tests/golden/tiny_sd2/tokenizer",
                               "tests/golden/tokenizer/tiny_sd2.bin", &strings);
    (void)state;

    assert_int_equal(strings, 2000);
    assert_int_equal(wrong, 0);
}

static void lengths_come_from_the_folder(void **state)
{
    struct tokenizer *t = open_or_fail(STARTER);
    (void)state;

    assert_int_equal(tokenizer_length(t), 24);
    assert_int_equal(tokenizer_vocabulary(t), 4096);
    tokenizer_close(&t);
    assert_null(t);
}

static void a_long_prompt_is_cut_and_says_so(void **state)
{
    struct tokenizer *t = open_or_fail(STARTER);
    int32_t ids[24];
    int wanted;
    (void)state;

    assert_int_equal(
        tokenizer_encode(t, ids, "a b c d e f g h i j k l m n o p q r s t u v", 43, &wanted, NULL),
        ST_OK);
    assert_int_equal(wanted, 24);
    assert_int_equal(tokenizer_encode(t, ids, "a b c d e f g h i j k l m n o p q r s t u v w", 45,
                                      &wanted, NULL),
                     ST_OK);
    assert_int_equal(wanted, 25);
    assert_int_equal(ids[0], 4094);
    assert_int_equal(ids[23], 4095);
    tokenizer_close(&t);
}

static void text_that_is_not_utf8_is_invalid(void **state)
{
    static const char *const texts[] = {
        "\xff", "\xc3", "ok \xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80",
    };
    struct tokenizer *t = open_or_fail(STARTER);
    int32_t ids[24];
    int wanted;
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct why why = {0};
        enum status st = tokenizer_encode(t, ids, texts[i], strlen(texts[i]), &wanted, &why);

        if (st != ST_INVALID || !strstr(why.text, "not UTF-8 at byte"))
            fail_msg("text %zu: status %d, \"%s\"", i, st, why.text);
    }
    tokenizer_close(&t);
}

static void a_nul_in_the_text_vanishes(void **state)
{
    struct tokenizer *t = open_or_fail(STARTER);
    int32_t with[24], without[24];
    int wanted;
    (void)state;

    assert_int_equal(tokenizer_encode(t, with, "re\0d fox", 8, &wanted, NULL), ST_OK);
    assert_int_equal(tokenizer_encode(t, without, "red fox", 7, &wanted, NULL), ST_OK);
    assert_memory_equal(with, without, sizeof(with));
    tokenizer_close(&t);
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Goal: no text that a stranger may send costs more than its length. The bound is generous, for
   sanitizers and busy machines; anything quadratic takes seconds. */
static void the_worst_words_take_no_long_time(void **state)
{
    static const char *const units[] = {
        "a",
        "ab",
        "A",
        "\xf0\x9f\x98\x80",
        "\xcc\x81\xcc\x96",
        "\xce\xa3'",
        "<|endoftext|",
        "\xe4\xb8\xad",
        "\xef\xb7\xba",
        "lo",
        "\xcd\x85",
        "1",
        "<|endoftext|>",
    };
    struct tokenizer *t = open_or_fail(STARTER);
    char *text = malloc(32000 * 4);
    double worst = 0;
    (void)state;
    assert_non_null(text);

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t unit = strlen(units[i]), bytes = 0;
        int32_t ids[24];
        int wanted;
        double seconds;

        while (bytes + unit <= 32000 * 4)
            for (size_t k = 0; k < unit; k++)
                text[bytes++] = units[i][k];
        seconds = cpu_seconds();
        assert_int_equal(tokenizer_encode(t, ids, text, bytes, &wanted, NULL), ST_OK);
        seconds = cpu_seconds() - seconds;
        worst = seconds > worst ? seconds : worst;
        if (seconds > 1)
            fail_msg("\"%s\" repeated takes %.3f s", units[i], seconds);
    }
    print_message("128,000 bytes of the worst unit: %.1f ms\n", 1e3 * worst);
    free(text);
    tokenizer_close(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eleven_thousand_strings_agree_with_the_reference),
        cmocka_unit_test(a_pad_token_that_is_text_agrees_with_the_reference),
        cmocka_unit_test(lengths_come_from_the_folder),
        cmocka_unit_test(a_long_prompt_is_cut_and_says_so),
        cmocka_unit_test(text_that_is_not_utf8_is_invalid),
        cmocka_unit_test(a_nul_in_the_text_vanishes),
        cmocka_unit_test(the_worst_words_take_no_long_time),
    };

    if (argc == 3) {
        int strings, wrong = judge(argv[1], argv[2], &strings);

        printf("%d strings, %d differ\n", strings, wrong);
        return wrong != 0;
    }
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
