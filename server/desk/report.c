/* SPDX-License-Identifier: Apache-2.0 */
#include "server/desk/report.h"

#include "moderation/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S   (24LL * REPORT_HOUR_S)
#define MONTH_S (30 * DAY_S)

static int person_of(struct report *r, const char *prefix)
{
    for (int i = 0; i < r->people; i++) {
        if (!strcmp(r->prefix[i], prefix))
            return i;
    }
    if (r->people == REPORT_PEOPLE)
        return -1;
    snprintf(r->prefix[r->people], sizeof(r->prefix[0]), "%.*s", STORE_PREFIX_MAX - 1, prefix);
    return r->people++;
}

/* The first word about what this is the second about. */
static const struct store_item *parent_of(struct desk *d, const struct report *r,
                                          const struct store_item *item, struct store_item *room)
{
    struct why why = {""};

    for (int i = 0; i < r->decided_count; i++) {
        if (!strcmp(r->decided[i].id, item->parent))
            return &r->decided[i];
    }
    return d->store->ops->item_find(d->store, item->parent, room, &why) ? NULL : room;
}

static void count_double(struct desk *d, struct report *r, const struct store_item *item)
{
    struct store_item room;
    const struct store_item *first = parent_of(d, r, item, &room);
    bool a, b = numbers_lets_go(item->outcome);

    if (!first || first->outcome == STORE_UNDECIDED)
        return;
    a = numbers_lets_go(first->outcome);
    r->doubles.both += a && b;
    r->doubles.neither += !a && !b;
    r->doubles.first_only += a && !b;
    r->doubles.second_only += !a && b;
}

/* Who looks blindly says what should have been done; the record says what was. */
static void count_audit(struct desk *d, struct report *r, const struct store_item *item)
{
    struct store_decision decision;
    struct why why = {""};
    bool lets_go = numbers_lets_go(item->outcome);

    if (d->store->ops->decision_find(d->store, item->decision, &decision, &why))
        return;
    if (decision.action == BAND_BLOCK) {
        r->audit_blocks.count++;
        r->audit_blocks.hits += lets_go;
    } else if (decision.action != BAND_HOLD) {
        r->audit_allows.count++;
        r->audit_allows.hits += !lets_go;
    }
}

static void count_golden(struct report *r, const struct store_item *item, int person)
{
    if (person < 0)
        return;
    r->golden[person].count++;
    r->golden[person].hits += numbers_lets_go(item->outcome) == numbers_lets_go(item->expected);
}

static void count_one(struct desk *d, struct report *r, const struct store_item *item)
{
    int person = person_of(r, item->reviewer);

    r->per_outcome[item->kind][item->outcome]++;
    switch (item->kind) {
    case STORE_ITEM_APPEAL:
        r->appeals.count++;
        r->appeals.hits += numbers_lets_go(item->outcome);
        break;
    case STORE_ITEM_AUDIT:
        count_audit(d, r, item);
        break;
    case STORE_ITEM_SECOND:
        count_double(d, r, item);
        break;
    case STORE_ITEM_GOLDEN:
        count_golden(r, item, person);
        break;
    case STORE_ITEM_HOLD:
    case STORE_ITEM_KINDS:
        break;
    }
    if (item->kind == STORE_ITEM_HOLD || item->kind == STORE_ITEM_APPEAL) {
        r->in_time.count++;
        r->in_time.hits += item->decided_s <= item->due_first_s;
    }
}

static void count_times(struct report *r)
{
    int count = r->decided_count, usual = 0;
    double sum = 0;

    for (int i = 0; i < count; i++) {
        r->number[i] = (double)r->decided[i].spent_ms / 1000;
        sum += r->number[i];
    }
    r->spent[0] = numbers_quantile(r->number, count, 0.5);
    r->spent[1] = numbers_quantile(r->number, count, 0.95);
    r->service_h = sum > 0 ? REPORT_HOUR_S * count / sum : NAN;
    for (int i = 0; i < count; i++) {
        const struct store_item *item = &r->decided[i];

        if (item->kind == STORE_ITEM_HOLD || item->kind == STORE_ITEM_APPEAL)
            r->number[usual++] = (double)(item->decided_s - item->created_s);
    }
    r->review[0] = numbers_quantile(r->number, usual, 0.5);
    r->review[1] = numbers_quantile(r->number, usual, 0.95);
}

/* Was it blocked by scores that said so with hardly a doubt? */
static bool is_confident_block(const struct policy *p, const struct store_decision *d)
{
    int category = policy_find_category(p, d->category);
    struct scores scores;
    const struct policy_case c = {.scores = &scores,
                                  .tenant = d->tenant,
                                  .context = d->context[0] ? d->context : NULL,
                                  .generator = d->model};
    struct verdict verdict;
    struct why why = {""};

    if (category < 0 || d->stage != STORE_STAGE_IMAGE || d->decision != BAND_BLOCK ||
        scores_parse(&scores, d->scores, &why))
        return false;
    policy_decide(p, &c, &verdict);
    return verdict.p[category] >= REPORT_CONFIDENT;
}

/* Confidence cannot see its own mistakes; people can. */
void report_add_confident(struct desk *d, struct report *r)
{
    const struct policy *policy = judge_policy(d->service->judge);

    for (int i = 0; i < r->decided_count; i++) {
        const struct store_item *item = &r->decided[i];
        struct store_decision decision;
        struct why why = {""};

        if ((item->kind != STORE_ITEM_APPEAL && item->kind != STORE_ITEM_AUDIT) ||
            d->store->ops->decision_find(d->store, item->decision, &decision, &why) ||
            !is_confident_block(policy, &decision))
            continue;
        r->confident.count++;
        r->confident.hits += numbers_lets_go(item->outcome);
    }
    judge_release(d->service->judge, policy);
}

static void count_at_work(struct report *r)
{
    int seen = r->people;

    for (int p = 0; p < seen; p++) {
        bool now = false;

        for (int i = 0; i < r->decided_count; i++)
            now |= r->decided[i].decided_s > r->now_s - REPORT_HOUR_S &&
                   !strcmp(r->decided[i].reviewer, r->prefix[p]);
        r->at_work += now;
    }
}

/* What waits, in its order; golden items wait for nobody. */
enum status report_look_ahead(struct desk *d, struct report *r, struct why *why)
{
    const unsigned kinds = ((1u << STORE_ITEM_KINDS) - 1) & ~(1u << STORE_ITEM_GOLDEN);
    int64_t *due_s = calloc(ITEMS_MAX, sizeof(*due_s));
    int count = ITEMS_MAX;
    const struct policy *policy;
    enum status st =
        due_s ? d->store->ops->item_open(d->store, kinds,
                                         1u << STORE_ITEM_QUEUED | 1u << STORE_ITEM_CLAIMED,
                                         d->items, &count, why)
              : ST_FULL;

    if (!st) {
        policy = judge_policy(d->service->judge);
        r->capacity = policy_settings(policy)->capacity.reviewers;
        r->max_utilisation = policy_settings(policy)->capacity.max_utilisation;
        judge_release(d->service->judge, policy);
        for (int i = 0; i < count; i++)
            due_s[i] = d->items[i].due_first_s;
        for (int i = 0; i < count; i++)
            r->age_s[r->age_count++] = r->now_s - d->items[i].created_s;
        numbers_forecast(&r->forecast, r->arrivals_h, r->done_h, r->service_h, r->capacity, due_s,
                         count, r->now_s);
    }
    free(due_s);
    return st;
}

/* The newest ITEMS_MAX decided items of a month, and the queue. r->decided is gone afterwards: the
   room is used again for what waits. */
enum status report_gather(struct desk *d, struct report *r, struct why *why)
{
    int64_t up_s;
    enum status st;

    r->now_s = clock_unix_s();
    up_s = r->now_s - d->service->started_s;
    r->window_s = up_s < REPORT_HOUR_S ? REPORT_HOUR_S : up_s < DAY_S ? up_s : DAY_S;
    st = d->store->ops->item_counts(d->store, r->now_s, r->now_s - r->window_s, &r->counts, why);
    r->decided = d->items;
    r->decided_count = ITEMS_MAX;
    if (!st)
        st = d->store->ops->item_decided(d->store, r->now_s - MONTH_S, d->items, &r->decided_count,
                                         why);
    if (!st && !r->number)
        st = ST_FULL;
    if (st)
        return st;
    r->arrivals_h = (double)r->counts.arrived * REPORT_HOUR_S / (double)r->window_s;
    r->done_h = (double)r->counts.decided * REPORT_HOUR_S / (double)r->window_s;
    for (int i = 0; i < r->decided_count; i++)
        count_one(d, r, &r->decided[i]);
    count_times(r);
    count_at_work(r);
    return ST_OK;
}

struct report *report_open(void)
{
    struct report *r = calloc(1, sizeof(*r));

    if (r)
        r->number = calloc(ITEMS_MAX, sizeof(*r->number));
    return r;
}

void report_close(struct report *r)
{
    if (r)
        free(r->number);
    free(r);
}
