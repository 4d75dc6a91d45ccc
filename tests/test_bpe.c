/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "models/bpe.h"
#include "tests/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MERGES 40
#define WORD   24 /* bytes of the longest word */
#define SYMBOL 64

struct merge {
    char left[SYMBOL], right[SYMBOL];
};

static uint32_t draw(uint32_t *counter, uint32_t below)
{
    uint32_t out[4];

    rng_philox(out, (const uint32_t[4]){(*counter)++, 0, 0, 0}, (const uint32_t[2]){7, 0});
    return out[0] % below;
}

/* A symbol of one to three letters out of two, sometimes at the end of a word: few enough that
   merges overlap, repeat, and make the same symbol on two ways. */
static void draw_symbol(uint32_t *counter, bool end, char out[SYMBOL])
{
    uint32_t n = 1 + draw(counter, 3);

    for (uint32_t i = 0; i < n; i++)
        out[i] = (char)('a' + draw(counter, 2));
    snprintf(out + n, SYMBOL - n, "%s", end ? "</w>" : "");
}

static void write_folder(const char *folder, const struct merge *merges)
{
    char path[128];
    FILE *vocab, *list;

    snprintf(path, sizeof(path), "%s/merges.txt", folder);
    list = fopen(path, "w");
    snprintf(path, sizeof(path), "%s/vocab.json", folder);
    vocab = fopen(path, "w");
    assert_non_null(list);
    assert_non_null(vocab);
    fprintf(list, "#version\n");
    for (int i = 0; i < MERGES; i++)
        fprintf(list, "%s %s\n", merges[i].left, merges[i].right);
    fprintf(vocab, "{}");
    assert_int_equal(fclose(list) | fclose(vocab), 0);
}

static struct bpe *make_bpe(const struct merge *merges)
{
    char folder[64] = "/tmp/limner-bpe-XXXXXX", path[128];
    struct bpe *b;
    struct why why = {0};

    assert_non_null(mkdtemp(folder));
    write_folder(folder, merges);
    if (bpe_open(&b, folder, &why) != ST_OK)
        fail_msg("%s", why.text);
    snprintf(path, sizeof(path), "%s/merges.txt", folder);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/vocab.json", folder);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
    return b;
}

struct naive {
    char symbols[WORD][SYMBOL];
    size_t count;
};

/* A pair's rank is its last place in the list; MERGES when it has none. */
static int rank_of(const struct merge *merges, const char *left, const char *right)
{
    for (int i = MERGES - 1; i >= 0; i--)
        if (strcmp(merges[i].left, left) == 0 && strcmp(merges[i].right, right) == 0)
            return i;
    return MERGES;
}

/* One round as the reference writes it; false when no pair is in the list. */
static bool naive_round(struct naive *word, const struct merge *merges)
{
    int best = MERGES, rank;
    struct naive next = {.count = 0};

    for (size_t i = 0; i + 1 < word->count; i++) {
        rank = rank_of(merges, word->symbols[i], word->symbols[i + 1]);
        best = rank < best ? rank : best;
    }
    for (size_t i = 0; i < word->count; i++) {
        bool both = best < MERGES && i + 1 < word->count &&
                    rank_of(merges, word->symbols[i], word->symbols[i + 1]) == best;

        memcpy(next.symbols[next.count], word->symbols[i], SYMBOL);
        if (both)
            strncat(next.symbols[next.count], word->symbols[++i], SYMBOL / 2);
        next.count++;
    }
    *word = next;
    return best < MERGES;
}

static void assert_same(const struct bpe *b, struct bpe_work *work, const struct merge *merges,
                        const char *text)
{
    struct naive word = {.count = strlen(text)};
    size_t count;

    for (size_t i = 0; i < word.count; i++)
        snprintf(word.symbols[i], SYMBOL, "%c%s", text[i], i + 1 < word.count ? "" : "</w>");
    while (naive_round(&word, merges))
        ;
    assert_int_equal(bpe_word(b, work, (const unsigned char *)text, strlen(text), 99999, &count),
                     ST_OK);
    for (size_t i = 0; i < count && count == word.count; i++)
        if (work->ids[i] != bpe_id(b, word.symbols[i]))
            fail_msg("%s: symbol %zu is not %s", text, i, word.symbols[i]);
    if (count != word.count)
        fail_msg("%s: %zu symbols, not %zu", text, count, word.count);
}

/* Give every symbol that two letters can make an id of its own, by counting. */
static void number_symbols(struct bpe *b)
{
    char symbol[SYMBOL];
    int32_t id = 0;

    for (uint32_t n = 1; n <= 7; n++) {
        for (uint32_t bits = 0; bits < 1u << n; bits++) {
            for (uint32_t i = 0; i < n; i++)
                symbol[i] = (char)('a' + (bits >> i & 1));
            symbol[n] = '\0';
            assert_int_equal(bpe_set_id(b, symbol, id++), ST_OK);
            snprintf(symbol + n, SYMBOL - n, "</w>");
            assert_int_equal(bpe_set_id(b, symbol, id++), ST_OK);
        }
    }
}

/* Goal: merging by heap gives what the reference's rounds give, also with merge lists that no
   training would make: repeated pairs, symbols made on two ways, better pairs that come late.
   Method: random lists over two letters, random words, a loop that is written as the reference. */
static void words_are_merged_as_by_the_references_rounds(void **state)
{
    uint32_t counter = 0;
    (void)state;

    for (int list = 0; list < 200; list++) {
        struct merge merges[MERGES];
        struct bpe_work work = {0};
        struct bpe *b;

        for (int i = 0; i < MERGES; i++) {
            draw_symbol(&counter, false, merges[i].left);
            draw_symbol(&counter, draw(&counter, 4) == 0, merges[i].right);
        }
        b = make_bpe(merges);
        number_symbols(b);
        for (int word = 0; word < 100; word++) {
            char text[WORD + 1] = "";
            uint32_t n = 1 + draw(&counter, WORD);

            for (uint32_t i = 0; i < n; i++)
                text[i] = (char)('a' + draw(&counter, 2));
            assert_same(b, &work, merges, text);
        }
        bpe_work_close(&work);
        bpe_close(&b);
    }
}

static void what_the_vocabulary_lacks_is_unknown(void **state)
{
    struct merge merges[MERGES] = {{"", ""}};
    struct bpe_work work = {0};
    struct bpe *b;
    size_t count;
    (void)state;
    for (int i = 0; i < MERGES; i++)
        merges[i] = (struct merge){"a", "b</w>"};
    b = make_bpe(merges);

    assert_int_equal(bpe_count(b), 0);
    assert_int_equal(bpe_id(b, "ab</w>"), -1);
    assert_int_equal(bpe_word(b, &work, (const unsigned char *)"ab", 2, 7, &count), ST_OK);
    assert_int_equal(count, 1);
    assert_int_equal(work.ids[0], 7);
    assert_int_equal(bpe_set_id(b, "ab</w>", 3), ST_OK);
    assert_int_equal(bpe_limit(b), 4);
    assert_int_equal(bpe_word(b, &work, (const unsigned char *)"ab", 2, 7, &count), ST_OK);
    assert_int_equal(work.ids[0], 3);
    bpe_work_close(&work);
    bpe_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_merged_as_by_the_references_rounds),
        cmocka_unit_test(what_the_vocabulary_lacks_is_unknown),
    };

    return cmocka_run_group_tests_name("bpe", tests, NULL, NULL);
}
