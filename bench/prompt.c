/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.c - what judging a prompt costs with the default rules: microseconds of the processor, of
 * texts that are typical and of the longest ones, 32,000 characters of what costs most; the best of
 * rounds.
 *
 *     bench_prompt [RULES]
 */
#include "moderation/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS  7
#define LONGEST 32000 /* characters */

static const char typical[] =
    "a detailed oil painting of an old fisherman mending his nets in a small harbour at dawn, soft "
    "golden light, mist over the water, wooden boats, seagulls, realistic, high detail, 4k";

static const struct {
    const char *name, *unit;
} texts[] = {
    {"words as people write them", NULL},
    {"one word without end", "a"},
    {"letters one by one", "p o r n "},
    {"digits amid letters", "b00b5 "},
    {"masks", "p**n "},
    {"phrases that begin and do not end", "sexual child spread "},
    {"Cyrillic", "\xd0\xbe\xd0\xb5 "},
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double best_us(const struct prompt_rules *r, const char *text, size_t bytes, int repeat)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();
        struct prompt_finding f;
        double us;

        for (int i = 0; i < repeat; i++) {
            if (prompt_score(r, &f, text, bytes, NULL, NULL))
                fprintf(stderr, "this text cannot be judged\n");
        }
        us = (now_us() - start) / repeat;
        best = round == 0 || us < best ? us : best;
    }
    return best;
}

static size_t fill(char *out, const char *unit)
{
    size_t at = 0, unit_bytes = strlen(unit);

    for (int characters = 0; characters < LONGEST; at++) {
        out[at] = unit[at % unit_bytes];
        characters += (out[at] & 0xc0) != 0x80;
    }
    while ((unit[at % unit_bytes] & 0xc0) == 0x80) {
        out[at] = unit[at % unit_bytes];
        at++;
    }
    return at;
}

int main(int count, char **args)
{
    const char *path = count > 1 ? args[1] : "moderation/policies/prompt-rules.json";
    char *text = malloc(PROMPT_BYTES_MAX + 8);
    struct prompt_rules *r;
    struct why why = {""};

    if (!text || prompt_open(&r, path, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    printf("%-40s %10.1f us\n", "30 words", best_us(r, typical, sizeof(typical) - 1, 1000));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t bytes = fill(text, texts[i].unit ? texts[i].unit : typical);

        printf("32,000: %-32s %10.1f us\n", texts[i].name, best_us(r, text, bytes, 10));
    }
    prompt_close(&r);
    free(text);
    return 0;
}
