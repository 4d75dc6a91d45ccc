/* SPDX-License-Identifier: Apache-2.0 */
#include "server/desk_numbers.h"

#include "moderation/wilson.h"
#include "server/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SURE 0.95

static const char *const kinds[STORE_ITEM_KINDS] = {[STORE_ITEM_HOLD] = "hold",
                                                    [STORE_ITEM_APPEAL] = "appeal",
                                                    [STORE_ITEM_AUDIT] = "audit",
                                                    [STORE_ITEM_SECOND] = "second",
                                                    [STORE_ITEM_GOLDEN] = "golden"};
static const char *const open_states[] = {"queued", "claimed", "asked"};
static const char *const outcomes[STORE_OUTCOMES] = {[STORE_UNDECIDED] = "undecided",
                                                     [STORE_OVERTURNED] = "overturned",
                                                     [STORE_PARTLY] = "partly",
                                                     [STORE_UPHELD] = "upheld",
                                                     [STORE_ILLEGAL] = "illegal"};

/* ---- Prometheus ---- */

static void number(FILE *page, const char *name, const char *help, double value)
{
    if (!isfinite(value))
        return;
    exposition_head(page, name, "gauge", help);
    fprintf(page, "%s %.17g\n", name, value);
}

static void total(FILE *page, const char *name, const char *help, int64_t value)
{
    exposition_head(page, name, "counter", help);
    fprintf(page, "%s %" PRId64 "\n", name, value);
}

static void expose_queue(FILE *page, const struct desk_numbers *n)
{
    const struct store_counts *c = &n->counts;

    exposition_head(page, "limner_review_items", "gauge",
                    "What waits for people, by kind and state.");
    for (int k = 0; k < STORE_ITEM_KINDS; k++) {
        for (int s = STORE_ITEM_QUEUED; s <= STORE_ITEM_ASKED; s++)
            fprintf(page, "limner_review_items{kind=\"%s\",state=\"%s\"} %" PRId64 "\n", kinds[k],
                    open_states[s], c->items[k][s]);
    }
    number(page, "limner_review_overdue", "Items that are open beyond their time.",
           (double)c->overdue);
    number(page, "limner_review_oldest_seconds", "Age of the oldest item that waits.",
           c->oldest_s ? (double)(n->now_s - c->oldest_s) : 0);
    number(page, "limner_review_arrivals_per_hour", "Items that came, of the last day.",
           n->arrivals_h);
    number(page, "limner_review_completions_per_hour", "Items that were decided, of the last day.",
           n->completions_h);
    number(page, "limner_review_utilisation",
           "Arrivals over what the policy's reviewers can do; 1 is too much.", n->utilisation);
    number(page, "limner_review_expected_wait_seconds", "Until what waits is done, at this rate.",
           n->wait_s);
}

static void expose_people(FILE *page, const struct desk_numbers *n)
{
    number(page, "limner_reviewers_at_work", "Who decided something in the last hour.",
           (double)n->people_at_work);
    total(page, "limner_reviewer_alarms_total",
          "Reviewers whose decisions were too quick or all alike.", n->alarms);
    total(page, "limner_review_full_views_total", "Uncovered looks at pictures that are kept back.",
          n->full_views);
    total(page, "limner_review_refused_views_total",
          "Tries to see what one may not: guessed ids, old links, paths.", n->refused_views);
    number(page, "limner_review_kappa", "Agreement of second opinions with first ones, by Cohen.",
           n->kappa);
    if (isfinite(n->spent_p50_s)) {
        exposition_head(page, "limner_review_spent_seconds", "gauge", "Time on one item.");
        fprintf(page, "limner_review_spent_seconds{quantile=\"0.5\"} %.17g\n", n->spent_p50_s);
        fprintf(page, "limner_review_spent_seconds{quantile=\"0.95\"} %.17g\n", n->spent_p95_s);
    }
    exposition_head(page, "limner_review_decided", "gauge",
                    "Items decided in the last 30 days, by kind and outcome.");
    for (int k = 0; k < STORE_ITEM_KINDS; k++) {
        for (int o = STORE_OVERTURNED; o < STORE_OUTCOMES; o++)
            fprintf(page, "limner_review_decided{kind=\"%s\",outcome=\"%s\"} %" PRId64 "\n",
                    kinds[k], outcomes[o], n->decided[k][o]);
    }
}

static void expose_share(FILE *page, const char *name, const char *source,
                         const struct desk_share *s)
{
    struct wilson w = wilson_interval(s->hits, s->count, SURE);

    if (!s->count)
        return;
    fprintf(page, "%s{source=\"%s\",bound=\"low\"} %.17g\n", name, source, w.low);
    fprintf(page, "%s{source=\"%s\",bound=\"share\"} %.17g\n", name, source,
            (double)s->hits / s->count);
    fprintf(page, "%s{source=\"%s\",bound=\"high\"} %.17g\n", name, source, w.high);
}

/* How many the shares are of: without it they say nothing. */
static void expose_looked_at(FILE *page, const struct desk_numbers *n)
{
    static const char family[] = "limner_review_looked_at";

    exposition_head(page, family, "gauge", "Decisions of the last 30 days that people looked at.");
    fprintf(page, "%s{what=\"appeals\"} %d\n", family, n->appeals.count);
    fprintf(page, "%s{what=\"audited_blocks\"} %d\n", family, n->audit_blocks.count);
    fprintf(page, "%s{what=\"audited_allows\"} %d\n", family, n->audit_allows.count);
}

/* Side by side: a check that misses nothing may be one that blocks everybody. */
static void expose_truth(FILE *page, const struct desk_numbers *n)
{
    expose_looked_at(page, n);
    exposition_head(page, "limner_wrong_blocks", "gauge",
                    "Share of blocks that people found wrong, with its 95 % interval; appeals "
                    "choose themselves, the audit is drawn.");
    expose_share(page, "limner_wrong_blocks", "appeals", &n->appeals);
    expose_share(page, "limner_wrong_blocks", "audit", &n->audit_blocks);
    exposition_head(page, "limner_wrong_allows", "gauge",
                    "Share of delivered pictures that people found wrong, with its 95 % interval.");
    expose_share(page, "limner_wrong_allows", "audit", &n->audit_allows);
    number(page, "limner_breakers_open", "Slices whose blocks are holds now.",
           (double)n->open_breakers);
}

static void expose_users(FILE *page, const struct desk_numbers *n)
{
    if (isfinite(n->first_review_p50_s)) {
        exposition_head(page, "limner_first_review_seconds", "gauge",
                        "From a hold or an appeal to a person's word.");
        fprintf(page, "limner_first_review_seconds{quantile=\"0.5\"} %.17g\n",
                n->first_review_p50_s);
        fprintf(page, "limner_first_review_seconds{quantile=\"0.95\"} %.17g\n",
                n->first_review_p95_s);
    }
    if (n->in_time.count)
        number(page, "limner_first_review_in_time", "Share of them that came in the promised time.",
               (double)n->in_time.hits / n->in_time.count);
    total(page, "limner_held_destroyed_total", "Kept pictures whose time was over.", n->sweeps);
}

void desk_numbers_expose(FILE *page, const struct desk_numbers *n)
{
    if (!n->now_s)
        return;
    expose_queue(page, n);
    expose_people(page, n);
    expose_truth(page, n);
    expose_users(page, n);
}

/* ---- the dashboard ---- */

static void write_share(struct json_out *o, const char *name, const struct desk_share *s)
{
    struct wilson w = wilson_interval(s->hits, s->count, SURE);

    json_out_object(o, name);
    json_out_int(o, "looked_at", s->count);
    json_out_int(o, "hits", s->hits);
    json_out_real(o, "share", s->count ? (double)s->hits / s->count : NAN);
    json_out_real(o, "low", s->count ? w.low : NAN);
    json_out_real(o, "high", s->count ? w.high : NAN);
    json_out_object_end(o);
}

void desk_numbers_write(struct json_out *o, const char *name, const struct desk_numbers *n)
{
    json_out_object(o, name);
    json_out_int(o, "at_unix_s", n->now_s);
    json_out_object(o, "backlog");
    for (int k = 0; k < STORE_ITEM_KINDS; k++)
        json_out_int(o, kinds[k],
                     n->counts.items[k][STORE_ITEM_QUEUED] +
                         n->counts.items[k][STORE_ITEM_CLAIMED]);
    json_out_object_end(o);
    json_out_int(o, "overdue", n->counts.overdue);
    json_out_int(o, "oldest_s", n->counts.oldest_s ? n->now_s - n->counts.oldest_s : 0);
    json_out_real(o, "arrivals_per_hour", n->arrivals_h);
    json_out_real(o, "completions_per_hour", n->completions_h);
    json_out_real(o, "utilisation", n->utilisation);
    json_out_real(o, "expected_wait_s", n->wait_s);
    json_out_int(o, "reviewers_at_work", n->people_at_work);
    json_out_int(o, "alarms", n->alarms);
    json_out_int(o, "open_breakers", n->open_breakers);
    write_share(o, "wrong_blocks_appealed", &n->appeals);
    write_share(o, "wrong_blocks", &n->audit_blocks);
    write_share(o, "wrong_allows", &n->audit_allows);
    json_out_real(o, "first_review_p50_s", n->first_review_p50_s);
    json_out_real(o, "first_review_p95_s", n->first_review_p95_s);
    json_out_real(o, "kappa", n->kappa);
    json_out_object_end(o);
}
