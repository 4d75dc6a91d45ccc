/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/appeals.h"

#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

static const char text[] =
    "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"x\", \"version\": 1,\n"
    "\"status\": \"live\", \"ignore\": [\"Drawing\", \"Neutral\"], \"categories\": [\n"
    "{\"id\": \"sexual_explicit\", \"clause\": \"rule 1\", \"appealable\": true,\n"
    " \"from\": {\"op\": \"sum\", \"classes\": [\"Porn\", \"Hentai\"]},\n"
    " \"reason\": {\"en\": \"r\"}, \"bands\": {\"hold\": 0.5, \"block\": 0.9}},\n"
    "{\"id\": \"always\", \"clause\": \"rule 2\", \"appealable\": false,\n"
    " \"from\": {\"op\": \"class\", \"classes\": [\"Sexy\"]},\n"
    " \"reason\": {\"en\": \"r\"}, \"bands\": {\"block\": 0.9}}],\n"
    "\"contexts\": [{\"id\": \"medical\", \"grant_required\": true, \"max_grant_days\": 10,\n"
    " \"evidence_required\": false, \"overrides\": {}, \"reviewer_queue\": \"doctors\"}],\n"
    "\"appeals\": {\"window_days\": 183, \"max_text\": 1000, \"sla_first_review_h\": 24,\n"
    " \"sla_final_h\": 72, \"info_days\": 7},\n"
    "\"retention\": {\"held_image_days\": 183, \"after_final_days\": 30, \"audit_years\": 5}}";

struct policy *appeals_policy;

int appeals_open(void **state)
{
    struct why why = {""};

    rows_good(policy_open_text(&appeals_policy, text, strlen(text), "policy", &why), &why);
    return rows_open(state);
}

int appeals_close(void **state)
{
    policy_close(&appeals_policy);
    return rows_close(state);
}

enum status appeals_file(struct store *s, int decision, const char *words, const char *key,
                         struct store_item *out, bool *replayed, enum appeal_refusal *refusal)
{
    const struct appeal_filing filing = {
        .reason = "medical", .text = words, .key = key, .now_s = ROWS_NOW};
    struct store_decision d;
    struct why why = {""};
    char id[STORE_ID_MAX];

    snprintf(id, sizeof(id), "dec_%d", decision);
    rows_good(s->ops->decision_find(s, id, &d, &why), &why);
    return appeal_file(s, appeals_policy, &d, &filing, out, replayed, refusal, &why);
}

struct store_item appeals_filed(struct store *s, int decision)
{
    enum appeal_refusal refusal;
    struct store_item item;
    bool replayed;

    assert_int_equal(
        appeals_file(s, decision, "It is a plate of anatomy", "", &item, &replayed, &refusal),
        ST_OK);
    assert_false(replayed);
    assert_int_equal(refusal, APPEAL_FINE);
    return item;
}

enum status appeals_try_claim(struct store *s, const char *reviewer, unsigned kinds, int64_t now_s,
                              struct appeals_hand *out)
{
    const struct store_want want = {
        .reviewer = reviewer, .kinds = kinds, .now_ms = now_s * 1000 + 250};
    struct why why = {""};

    snprintf(out->reviewer, sizeof(out->reviewer), "%s", reviewer);
    return appeal_claim(s, &want, &out->item, out->token, &why);
}

struct appeals_hand appeals_claim(struct store *s, const char *reviewer, unsigned kinds)
{
    struct appeals_hand h;

    assert_int_equal(appeals_try_claim(s, reviewer, kinds, ROWS_NOW, &h), ST_OK);
    return h;
}

struct appeal_lease appeals_lease(const struct appeals_hand *h, int64_t now_s)
{
    return (struct appeal_lease){
        .item = h->item.id, .reviewer = h->reviewer, .token = h->token, .now_s = now_s};
}

struct appeal_ruling appeals_ruling(enum store_outcome outcome)
{
    return (struct appeal_ruling){.outcome = outcome,
                                  .code = "medical_or_education",
                                  .clause = "rule 1",
                                  .answer = "We looked at it again",
                                  .confidence = 4};
}

enum status appeals_decide(struct store *s, const struct appeals_hand *h,
                           const struct appeal_ruling *ruling, bool release,
                           enum appeal_refusal *refusal)
{
    const struct store_release r = {
        .picture = {.seed = 5, .sha256 = "dd", .data = {"PNG of it", 9}}, .format = 1};
    const struct appeal_lease lease = appeals_lease(h, ROWS_NOW + 30);
    struct store_item out;
    struct why why = {""};

    return appeal_decide(s, appeals_policy, &lease, ruling, release ? &r : NULL, &out, refusal,
                         &why);
}

void appeals_audit(struct store *s, int number, int decision)
{
    struct store_item audit = rows_item(number, decision, STORE_ITEM_AUDIT);
    struct why why = {""};

    rows_good(s->ops->item_add(s, &audit, &why), &why);
}

struct appeals_hand appeals_reach(struct store *s, enum appeals_place place)
{
    struct appeal_ruling uphold = appeals_ruling(STORE_UPHELD),
                         let = appeals_ruling(STORE_OVERTURNED);
    enum appeal_refusal refusal;
    struct appeals_hand h, other;
    struct appeal_lease lease;
    struct why why = {""};

    rows_add(s, 1, STORE_BLOCKED, -1);
    appeals_filed(s, 1);
    h = appeals_claim(s, "lmr-1", 1u << STORE_ITEM_APPEAL);
    lease = appeals_lease(&h, ROWS_NOW);
    if (place == PLACE_QUEUED || place == PLACE_OTHERS || place == PLACE_WITHDRAWN)
        rows_good(appeal_put_back(s, &lease, NULL, &refusal, &why), &why);
    if (place == PLACE_OTHERS)
        appeals_claim(s, "lmr-9", 1u << STORE_ITEM_APPEAL);
    if (place == PLACE_WITHDRAWN)
        rows_good(appeal_withdraw(s, h.item.id, ROWS_NOW, &refusal, &why), &why);
    if (place == PLACE_ASKED)
        rows_good(appeal_ask(s, &lease, "What is it for?", &refusal, &why), &why);
    if (place == PLACE_DECIDED)
        rows_good(appeals_decide(s, &h, &uphold, false, &refusal), &why);
    if (place == PLACE_SUPERSEDED) {
        appeals_audit(s, 2, 1);
        other = appeals_claim(s, "lmr-9", 1u << STORE_ITEM_AUDIT);
        rows_good(appeals_decide(s, &other, &let, true, &refusal), &why);
    }
    return h;
}
