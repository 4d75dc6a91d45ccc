/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/judged.h"

#include "base/clock.h"
#include "moderation/scores.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

/* ---- policies ---- */

static void write_bands(FILE *file, const struct judged *p)
{
    const struct {
        const char *name;
        double from;
    } bands[] = {{"blur", p->blur}, {"hold", p->hold}, {"block", p->block}};
    const char *comma = "";

    fputs("\"bands\": {", file);
    for (int i = 0; i < 3; i++) {
        if (bands[i].from >= JUDGED_NEVER)
            continue;
        fprintf(file, "%s\"%s\": %.17g", comma, bands[i].name, bands[i].from);
        comma = ", ";
    }
    fputs("}", file);
}

void judged_write(const char *path, const struct judged *p)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fprintf(
        file,
        "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"test\", \"version\": %d,\n"
        "\"status\": \"live\", \"change_reason\": \"a test\", \"languages\": [\"en\"],\n"
        "\"classifiers\": [{\"id\": \"nsfwjs_mid\", \"role\": \"main\",\n"
        "  \"preprocess\": \"bilinear_align_corners_224\"}],\n"
        "\"ignore\": [\"Drawing\", \"Hentai\", \"Porn\", \"Sexy\"],\n"
        "\"categories\": [{\"id\": \"plain\", \"from\": {\"op\": \"class\", \"classes\":\n"
        "  [\"Neutral\"]}, \"clause\": \"Rule 9: nothing plain\", \"dsa_category\":\n"
        "  \"STATEMENT_CATEGORY_OTHER_VIOLATION_TC\", \"reason\": {\"en\": \"It looks plain.\"},\n"
        "  \"appealable\": true, ",
        p->version ? p->version : 1);
    write_bands(file, p);
    fputs("}", file);
    if (p->rules)
        fputs(",\n {\"id\": \"forbidden_words\", \"from\": {\"op\": \"prompt\"}, \"clause\":\n"
              "  \"Rule 8: no such words\", \"dsa_category\":\n"
              "  \"STATEMENT_CATEGORY_OTHER_VIOLATION_TC\", \"reason\": {\"en\": \"The words.\"},\n"
              "  \"appealable\": true, \"prompt\": \"block\"},\n"
              " {\"id\": \"doubtful_words\", \"from\": {\"op\": \"prompt\"}, \"clause\":\n"
              "  \"Rule 7: a person looks\", \"dsa_category\":\n"
              "  \"STATEMENT_CATEGORY_OTHER_VIOLATION_TC\", \"reason\": {\"en\": \"Doubts.\"},\n"
              "  \"appealable\": true, \"prompt\": \"hold\"}",
              file);
    fputs("],\n\"contexts\": [{\"id\": \"medical\", \"grant_required\": true,\n"
          "  \"evidence_required\": true, \"max_grant_days\": 180, \"overrides\": {\"plain\":\n"
          "  {\"blur\": null, \"hold\": null, \"block\": null}}}]",
          file);
    if (p->rules)
        fprintf(file, ",\n\"prompt_stage\": {\"rules\": \"%s\", \"action\": \"block\"}", p->rules);
    fputs("}\n", file);
    fclose(file);
}

double judged_p(const struct store_decision *d)
{
    double p[SCORES_CLASSES];
    struct scores scores;
    struct why why;

    if (scores_parse(&scores, d->scores, &why))
        fail_msg("%s", why.text);
    scores_softmax(p, &scores, SCORES_MAIN, 1);
    return p[SCORES_NEUTRAL];
}

/* ---- the store ---- */

static struct store *open_store(const char *folder)
{
    struct store *s = NULL;
    struct why why;

    if (store_open(&s, folder, &why))
        fail_msg("%s", why.text);
    return s;
}

static void good(enum status st, const struct why *why)
{
    if (st)
        fail_msg("%s: %s", status_name(st), why->text);
}

int judged_list(const char *folder, struct store_decision *out, int max)
{
    struct store *s = open_store(folder);
    struct why why = {""};

    good(s->ops->decision_list(s, NULL, 0, 0, out, &max, &why), &why);
    store_close(&s);
    return max;
}

void judged_wait(const char *folder, int count)
{
    struct store_decision rows[16];

    assert_true(count <= 16);
    for (int waited = 0; waited < 60000; waited += 2) {
        if (judged_list(folder, rows, 16) >= count)
            return;
        program_sleep_ms(2);
    }
    fail_msg("there are not %d decisions", count);
}

/* ---- a person ---- */

static struct store_item claim(struct store *s)
{
    const struct store_want want = {.reviewer = "lmr-person",
                                    .kinds = 1u << STORE_ITEM_HOLD,
                                    .now_ms = clock_unix_s() * 1000,
                                    .lease = {7},
                                    .lease_until_s = clock_unix_s() + 600};
    struct store_item item;
    struct why why = {""};

    good(s->ops->item_claim(s, &want, &item, &why), &why);
    return item;
}

static void decide(const char *folder, enum store_outcome outcome, enum store_standing standing)
{
    static unsigned char bytes[] = "PNG of it";
    struct store *s = open_store(folder);
    struct store_item item = claim(s);
    struct store_event event = {.actor = "lmr-person", .kind = "item.decided", .text = "{}"};
    const struct store_release release = {.picture = {.sha256 = "dd", .data = {bytes, 9}}};
    struct store_decision before;
    struct why why = {""};
    const struct store_move move = {.item = &item,
                                    .event = &event,
                                    .decision = &before,
                                    .standing = standing,
                                    .release = standing == STORE_RELEASED ? &release : NULL,
                                    .now_s = clock_unix_s()};

    good(s->ops->decision_find(s, item.decision, &before, &why), &why);
    snprintf(event.decision, sizeof(event.decision), "%s", item.decision);
    snprintf(event.item, sizeof(event.item), "%s", item.id);
    snprintf(event.tenant, sizeof(event.tenant), "%s", item.tenant);
    event.at_ms = clock_unix_s() * 1000;
    item.state = STORE_ITEM_DECIDED;
    item.outcome = outcome;
    item.decided_s = clock_unix_s();
    snprintf(item.answer, sizeof(item.answer), "a person has looked at it");
    good(s->ops->item_move(s, &move, &why), &why);
    store_close(&s);
}

void judged_let_go(const char *folder)
{
    decide(folder, STORE_OVERTURNED, STORE_RELEASED);
}

void judged_uphold(const char *folder)
{
    decide(folder, STORE_UPHELD, STORE_BLOCKED);
}
