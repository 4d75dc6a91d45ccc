/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_policy.c - any bytes as a policy, as a recorded picture and as a breaker's row: refused with
 * a sentence, or read; and a policy that was read decides about everything without making anything
 * laxer than its scores and a hold.
 */
#include "moderation/breaker.h"
#include "moderation/policy.h"
#include "moderation/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool right)
{
    if (!right)
        abort();
}

static int lines_of(const uint8_t *data, size_t bytes)
{
    int lines = 1;

    for (size_t i = 0; i < bytes; i++)
        lines += data[i] == '\n';
    return lines;
}

static bool all_open(void *breakers, const char *slice)
{
    must(!breakers && strlen(slice) < POLICY_SLICE_MAX);
    return true;
}

static void decide(const struct policy *p, const struct scores *s, const char *context)
{
    struct policy_case c = {.scores = s, .tenant = "school", .context = context, .generator = "g"};
    struct verdict v;

    policy_decide(p, &c, &v);
    must(v.category >= -1 && v.category < policy_category_count(p));
    must(v.action >= (v.decision < BAND_HOLD ? v.decision : BAND_HOLD));
    if (!s)
        must(v.cause == CAUSE_UNJUDGED && v.action >= BAND_HOLD);
    c.is_open = all_open;
    policy_decide(p, &c, &v);
    must(v.action != BAND_BLOCK || v.cause == CAUSE_UNJUDGED);
    must(v.decision < BAND_HOLD || v.action == BAND_HOLD || v.cause == CAUSE_UNJUDGED);
}

static void use(const struct policy *p)
{
    struct scores s = {.has = {true, true}, .has_safety = true, .safety = 0.01f};

    must(policy_category_count(p) >= 1 && policy_settings(p)->language_count >= 1);
    for (int i = 0; i < policy_category_count(p); i++) {
        must(policy_reason(p, i, "de-CH")[0] != '\0' && policy_category(p, i)->clause[0] != '\0');
        must(policy_find_category(p, policy_category(p, i)->id) == i);
        must(!policy_category(p, i)->always_block ||
             policy_prompt_action(p, i, "medical") == BAND_BLOCK);
    }
    decide(p, NULL, NULL);
    for (int i = 0; i < 32; i++) {
        for (int m = 0; m < SCORES_MODELS; m++) {
            for (int k = 0; k < SCORES_CLASSES; k++)
                s.logit[m][k] = (float)((i * 7 + m * 5 + k * k * 11) % 23 - 11);
        }
        decide(p, &s, NULL);
        decide(p, &s, "medical");
        s.safety = -s.safety;
    }
}

static void as_policy(const uint8_t *data, size_t bytes)
{
    struct policy *p;
    struct why why = {""};
    int line = 0;
    enum status st = policy_open_text(&p, (const char *)data, bytes, "f", &why);

    if (st) {
        must(st == ST_INVALID && !p && sscanf(why.text, "f:%d: ", &line) == 1);
        must(line >= 1 && line <= lines_of(data, bytes));
        return;
    }
    use(p);
    policy_close(&p);
}

static void as_record(const uint8_t *data, size_t bytes, const struct policy *p)
{
    struct replay r = {.policy = p};
    struct why why = {""};
    enum status st = replay_line(&r, (const char *)data, bytes, &why);

    must(st ? st == ST_INVALID && why.text[0] && !r.pictures : r.pictures == 1);
}

static void as_row(const uint8_t *data, size_t bytes)
{
    struct breaker_slice row, again;
    char first[BREAKER_TEXT_MAX], second[BREAKER_TEXT_MAX], *text = calloc(1, bytes + 1);

    must(text != NULL);
    if (bytes)
        memcpy(text, data, bytes);
    if (!breaker_parse(&row, text, NULL)) {
        breaker_print(first, &row);
        must(!breaker_parse(&again, first, NULL));
        breaker_print(second, &again);
        must(!strcmp(first, second) && row.overturned == again.overturned);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct policy *open; /* for records; lives as long as the fuzzer */
    static const char text[] =
        "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"x\", \"version\": 1, \"status\": "
        "\"draft\", \"ignore\": [\"Drawing\", \"Hentai\", \"Neutral\", \"Sexy\"], \"categories\": "
        "[{\"id\": \"a\", \"clause\": \"1\", \"from\": {\"op\": \"class\", \"classes\": "
        "[\"Porn\"]}, \"reason\": {\"en\": \"r\"}, \"bands\": {\"hold\": 0.5}}]}";

    if (!open)
        must(!policy_open_text(&open, text, sizeof(text) - 1, "own", NULL));
    as_policy(data, bytes);
    as_record(data, bytes, open);
    as_row(data, bytes);
    return 0;
}
