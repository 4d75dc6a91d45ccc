/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reviewer's word, and what follows of it: the picture goes to its owner in the same transaction,
 * the breaker hears of it, a second person may have to agree, and golden items come again for
 * somebody else.
 */
#include "base/crypto.h"
#include "moderation/scores.h"
#include "server/desk/room.h"
#include "server/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIDENCE_MAX 5
#define CONFIDENT      0.95                     /* as the policy's second_on_confident means it */
#define GOLDEN_S       (10LL * 365 * 24 * 3600) /* golden items are never late */

/* ---- what was said ---- */

static bool lets_go(enum store_outcome outcome)
{
    return outcome == STORE_OVERTURNED || outcome == STORE_PARTLY;
}

/* A clause is named as it stands in the policy, or by its category. */
static const char *clause_of(const struct policy *p, const char *word)
{
    for (int i = 0; i < policy_category_count(p); i++) {
        const struct policy_category *category = policy_category(p, i);

        if (!strcmp(category->clause, word) || !strcmp(category->id, word))
            return category->clause;
    }
    return NULL;
}

static bool refuse(struct matter *m, const char *param, const char *message)
{
    matter_fail(m, 400, (struct failure){.param = param}, message);
    return false;
}

static bool read_ruling(struct matter *m, const struct policy *p, struct appeal_ruling *out)
{
    *out = (struct appeal_ruling){.outcome = item_outcome(m->word),
                                  .code = m->code,
                                  .clause = clause_of(p, m->clause),
                                  .answer = m->text,
                                  .confidence = m->number[0] > 0 ? (int)m->number[0] : 0};
    if (!out->outcome)
        return refuse(m, "outcome", "outcome is overturn, partly, uphold or illegal");
    if (!item_is_code(out->code))
        return refuse(m, "code", "code is one of the item's codes");
    if (!out->clause)
        return refuse(m, "clause", "clause is one of the item's clauses, or its id");
    if (!out->answer[0])
        return refuse(m, "answer", "answer is what the owner reads, so it cannot be empty");
    if (m->number[0] > CONFIDENCE_MAX)
        return refuse(m, "confidence", "confidence is 1 to 5");
    return true;
}

/* ---- does a second person look before it counts? ---- */

static bool is_drawn(double share)
{
    uint32_t number;

    return share > 0 && !crypto_random(&number, sizeof(number)) &&
           (double)number < share * 4294967296.0;
}

static bool is_sure(const struct policy *p, const struct store_decision *d,
                    const struct policy_case *c, int category)
{
    struct policy_case judged = *c;
    struct scores scores;
    struct verdict verdict;
    struct why why = {""};

    if (d->stage != STORE_STAGE_IMAGE || scores_parse(&scores, d->scores, &why))
        return false;
    judged.scores = &scores;
    policy_decide(p, &judged, &verdict);
    return verdict.p[category] >= CONFIDENT;
}

static bool wants_second(struct desk *d, const struct policy *p, const struct store_item *item,
                         const struct store_decision *decision, enum store_outcome outcome)
{
    const struct policy_appeals *rules = &policy_settings(p)->appeals;
    int category = policy_find_category(p, decision->category);
    const struct policy_case c = {.tenant = decision->tenant,
                                  .context = decision->context[0] ? decision->context : NULL,
                                  .generator = decision->model};
    char slice[POLICY_SLICE_MAX];

    if (item_is_blind(item) || outcome == STORE_ILLEGAL)
        return false;
    if (is_drawn(rules->second_share))
        return true;
    if (category < 0)
        return false;
    policy_slice(slice, p, category, &c);
    if (rules->second_on_breaker &&
        breaker_is_open(judge_breaker(d->service->judge), slice, decision->id))
        return true;
    return rules->second_on_confident && outcome == STORE_UPHELD &&
           is_sure(p, decision, &c, category);
}

/* ---- the decision ---- */

/* Everything about one ruling. */
struct ruling {
    const struct policy *policy;
    struct appeal_ruling said;
    struct store_item item; /* as it was, then as it is */
    struct store_decision decision;
    struct store_release release;
    bool has_release;
};

/* His item, as he has seen it. */
static bool look(struct desk *d, struct matter *m, const struct appeal_lease *lease,
                 struct ruling *r)
{
    enum appeal_refusal refusal = APPEAL_FINE;
    struct why why = {""};
    enum status st = appeal_holds(d->store, lease, &r->item, &refusal, &why);

    if (!st && !refusal && r->item.version != m->number[1])
        st = ST_LATE;
    if (!st && !refusal)
        st = d->store->ops->decision_find(d->store, r->item.decision, &r->decision, &why);
    return !desk_is_refused(d, m, st, refusal, &why);
}

static bool is_kept_back(const struct store_decision *decision)
{
    return decision->standing == STORE_HELD || decision->standing == STORE_BLOCKED ||
           decision->standing == STORE_FINAL;
}

/* The bytes are made before, since making them takes longer than a transaction should. */
static bool prepare(struct desk *d, struct matter *m, struct ruling *r)
{
    struct why why = {""};
    enum status st;

    if (!lets_go(r->said.outcome) || r->said.second || r->item.kind == STORE_ITEM_GOLDEN ||
        r->decision.stage != STORE_STAGE_IMAGE || !is_kept_back(&r->decision))
        return true;
    st = judge_release_picture(d->service->judge, d->service->marker, &r->decision, &r->release,
                               &why);
    r->has_release = !st;
    if (st == ST_MISSING)
        matter_fail(m, 409, (struct failure){.code = "not_kept"},
                    "the picture was deleted, so it cannot be let go any more");
    else if (st) {
        desk_note(d, st, &why);
        matter_fail_store(m, st);
    }
    return !st;
}

/* It comes again, for somebody else. */
static void add_golden(struct desk *d, const struct store_item *of, enum store_outcome expected,
                       struct store_item *out, enum status *st, struct why *why)
{
    int64_t now_s = clock_unix_s();

    *out = (struct store_item){.kind = STORE_ITEM_GOLDEN,
                               .severity = of->severity,
                               .state = STORE_ITEM_QUEUED,
                               .version = 1,
                               .created_s = now_s,
                               .due_first_s = now_s + GOLDEN_S,
                               .due_s = now_s + GOLDEN_S,
                               .expected = expected};
    memcpy(out->decision, of->decision, sizeof(out->decision));
    memcpy(out->tenant, of->tenant, sizeof(out->tenant));
    memcpy(out->queue, of->queue, sizeof(out->queue));
    memcpy(out->category, of->category, sizeof(out->category));
    memcpy(out->reason, of->reason, sizeof(out->reason));
    memcpy(out->text, of->text, sizeof(out->text));
    memcpy(out->parent, of->id, sizeof(out->parent));
    *st = crypto_id(out->id, sizeof(out->id), "itm_", why);
    if (!*st)
        *st = d->store->ops->item_add(d->store, out, why);
}

static void follow(struct desk *d, const struct matter *m, struct ruling *r)
{
    struct store_item again;
    struct why why = {""};
    enum status st;

    if (r->item.kind == STORE_ITEM_GOLDEN) {
        add_golden(d, &r->item, r->item.expected, &again, &st, &why);
        desk_note(d, st, &why);
    } else if (!r->said.second && r->said.outcome != STORE_ILLEGAL) {
        slices_outcome(d, r->policy, &r->decision, &r->item);
    }
    pace_after(d, m->who.prefix);
    webhook_wake(d->service->webhook);
}

static void decide(struct desk *d, struct matter *m, struct ruling *r)
{
    const struct appeal_lease lease = claim_lease(m, clock_unix_s());
    enum appeal_refusal refusal = APPEAL_FINE;
    struct why why = {""};
    enum status st;

    if (!look(d, m, &lease, r))
        return;
    r->said.second = wants_second(d, r->policy, &r->item, &r->decision, r->said.outcome);
    if (!prepare(d, m, r))
        return;
    st = appeal_decide(d->store, r->policy, &lease, &r->said, r->has_release ? &r->release : NULL,
                       &r->item, &refusal, &why);
    free(r->release.picture.data.data);
    if (desk_is_refused(d, m, st, refusal, &why))
        return;
    follow(d, m, r);
    item_answer(d, m, &r->item);
}

void rule_decide(struct desk *d, struct matter *m)
{
    struct judge *judge = d->service->judge;
    struct ruling r = {.policy = judge_policy(judge)};

    if (read_ruling(m, r.policy, &r.said))
        decide(d, m, &r);
    judge_release(judge, r.policy);
}

/* ---- golden items ---- */

void rule_golden(struct desk *d, struct matter *m)
{
    enum store_outcome expected = STORE_UNDECIDED;
    struct store_item item, golden;
    struct answer answer;
    struct why why = {""};
    enum status st = d->store->ops->item_find(d->store, m->id, &item, &why);

    if (desk_is_refused(d, m, st, APPEAL_FINE, &why))
        return;
    expected = m->word[0] ? item_outcome(m->word) : item.outcome;
    if (expected == STORE_UNDECIDED || expected == STORE_ILLEGAL) {
        matter_fail(m, 400, (struct failure){.param = "outcome"},
                    "a golden item needs an answer: overturn, partly or uphold");
        return;
    }
    if (item.state != STORE_ITEM_DECIDED) {
        matter_fail(m, 409, (struct failure){.code = "not_in_this_state"},
                    "golden items are made of decided ones");
        return;
    }
    add_golden(d, &item, expected, &golden, &st, &why);
    if (desk_is_refused(d, m, st, APPEAL_FINE, &why))
        return;
    desk_event(d, NULL, golden.id, m->who.prefix, "item.golden", "{}");
    desk_answer(&answer, 201);
    item_write_short(d, &answer.json, NULL, &golden);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}
