/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers: of the queue, of those who work on it, and of what it says about the automatic checks.
 * What was blocked wrongly stands beside what was missed, with how far each may be from the truth:
 * appeals choose themselves, so their share of wrong blocks is no share of all blocks; the audit's
 * is, which is drawn.
 */
#include "base/json.h"
#include "moderation/wilson.h"
#include "server/desk/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S     (24LL * REPORT_HOUR_S)
#define KAPPA_LOW 0.6
#define KAPPA_MIN 50 /* doubles, before a low one is an alarm */
#define SURE      0.95

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- writing ---- */

static void write_real(struct json_out *o, const char *name, double value)
{
    if (isfinite(value))
        json_out_real(o, name, round(value * 10000) / 10000);
    else
        json_out_string(o, name, NULL);
}

static void write_share(struct json_out *o, const char *name, const struct desk_share *s)
{
    struct wilson w = wilson_interval(s->hits, s->count, SURE);

    json_out_object(o, name);
    json_out_int(o, "k", s->hits);
    json_out_int(o, "n", s->count);
    write_real(o, "rate", s->count ? (double)s->hits / s->count : NAN);
    write_real(o, "low", s->count ? w.low : NAN);
    write_real(o, "high", s->count ? w.high : NAN);
    json_out_object_end(o);
}

static const char *const kinds[STORE_ITEM_KINDS] = {[STORE_ITEM_HOLD] = "hold",
                                                    [STORE_ITEM_APPEAL] = "appeal",
                                                    [STORE_ITEM_AUDIT] = "audit",
                                                    [STORE_ITEM_SECOND] = "second",
                                                    [STORE_ITEM_GOLDEN] = "golden"};

static void write_queue(struct json_out *o, const struct report *r)
{
    const struct store_counts *c = &r->counts;
    int64_t open = 0, waiting = 0;

    json_out_array(o, "backlog");
    for (int k = 0; k < STORE_ITEM_KINDS; k++) {
        json_out_object(o, NULL);
        json_out_string(o, "kind", kinds[k]);
        json_out_int(o, "queued", c->items[k][STORE_ITEM_QUEUED]);
        json_out_int(o, "claimed", c->items[k][STORE_ITEM_CLAIMED]);
        json_out_int(o, "asked", c->items[k][STORE_ITEM_ASKED]);
        json_out_object_end(o);
        if (k == STORE_ITEM_GOLDEN)
            continue;
        waiting += c->items[k][STORE_ITEM_QUEUED] + c->items[k][STORE_ITEM_CLAIMED];
        open += c->items[k][STORE_ITEM_ASKED];
    }
    json_out_array_end(o);
    json_out_int(o, "open", open + waiting);
    json_out_int(o, "waiting", waiting);
    json_out_int(o, "overdue", c->overdue);
    json_out_int(o, "oldest_age_s", waiting && c->oldest_s ? r->now_s - c->oldest_s : 0);
    moderated_write_date(o, "first_due", waiting ? c->first_due_s : 0);
}

/* Of what waits, as far as there is room for it. */
static void write_ages(struct json_out *o, const struct report *r)
{
    static const int64_t borders[] = {900, 3600, 4 * 3600, 12 * 3600, 24 * 3600};
    int64_t from = 0;

    json_out_array(o, "ages");
    for (size_t b = 0; b <= COUNT_OF(borders); b++) {
        int64_t up_to = b < COUNT_OF(borders) ? borders[b] : INT64_MAX;
        int count = 0;

        for (int i = 0; i < r->age_count; i++)
            count += r->age_s[i] >= from && r->age_s[i] < up_to;
        json_out_object(o, NULL);
        if (b < COUNT_OF(borders))
            json_out_int(o, "up_to_s", up_to);
        else
            json_out_string(o, "up_to_s", NULL);
        json_out_int(o, "count", count);
        json_out_object_end(o);
        from = up_to;
    }
    json_out_array_end(o);
}

static void write_rates(struct json_out *o, const struct report *r)
{
    double able = r->service_h * r->max_utilisation;

    json_out_int(o, "window_s", r->window_s);
    write_real(o, "arrivals_per_hour", r->arrivals_h);
    write_real(o, "completions_per_hour", r->done_h);
    write_real(o, "service_per_hour", r->service_h);
    json_out_int(o, "reviewers_active", r->at_work);
    json_out_int(o, "reviewers_planned", r->capacity);
    write_real(o, "utilisation", r->forecast.utilisation);
    write_real(o, "expected_wait_s", r->forecast.wait_s);
    moderated_write_date(o, "first_missed_deadline", r->forecast.first_missed_s);
    json_out_int(o, "missed_at_current_rate", r->forecast.missed);
    if (isfinite(able) && able > 0)
        json_out_int(o, "reviewers_needed", (int64_t)ceil(r->arrivals_h / able));
    else
        json_out_string(o, "reviewers_needed", NULL);
}

/* What came and was done in the hour `h`; `later` is the same of all hours after it. Counting walks
   everything that waits, so of an hour that is over it is done once. */
static enum status count_hour(struct desk *d, int64_t h, int64_t now_s, const struct hour *later,
                              struct hour *out, struct why *why)
{
    struct hour *known = &d->hour[h % HOURS];
    struct store_counts c;
    enum status st;

    *out = *known;
    if (known->hour == h)
        return ST_OK;
    st = d->store->ops->item_counts(d->store, now_s, h * REPORT_HOUR_S, &c, why);
    *out = (struct hour){h, c.arrived - later->arrived, c.decided - later->decided};
    if (!st && h < now_s / REPORT_HOUR_S)
        *known = *out;
    return st;
}

/* Of the last HOURS, the one that goes on included. */
static void write_hours(struct desk *d, struct json_out *o, const struct report *r)
{
    int64_t last = r->now_s / REPORT_HOUR_S;
    struct hour later = {0}, hour[HOURS] = {{0}};
    struct why why = {""};

    for (int i = HOURS - 1; i >= 0; i--) {
        if (count_hour(d, last - (HOURS - 1) + i, r->now_s, &later, &hour[i], &why))
            break;
        later.arrived += hour[i].arrived;
        later.decided += hour[i].decided;
    }
    json_out_array(o, "hours");
    for (int i = 0; i < HOURS; i++) {
        json_out_object(o, NULL);
        moderated_write_date(o, "at", (last - (HOURS - 1) + i) * REPORT_HOUR_S);
        json_out_int(o, "arrived", hour[i].arrived);
        json_out_int(o, "completed", hour[i].decided);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void write_agreement(struct json_out *o, const struct report *r)
{
    const struct doubles *d = &r->doubles;
    int count = d->both + d->neither + d->first_only + d->second_only;
    double kappa = numbers_kappa(d);

    json_out_object(o, "agreement");
    json_out_int(o, "doubles", count);
    json_out_int(o, "agreed", d->both + d->neither);
    write_real(o, "kappa", kappa);
    json_out_bool(o, "low", count >= KAPPA_MIN && kappa < KAPPA_LOW);
    json_out_object_end(o);
}

/* How many of his decisions go to somebody else because of an alarm. */
static int64_t requeued_of(struct desk *d, const char *prefix)
{
    char name[STORE_NOTE_NAME_MAX], body[STORE_NOTE_BODY_MAX];
    struct json *root = NULL;
    int64_t requeued = 0;
    struct why why = {""};

    snprintf(name, sizeof(name), "alarm/%s", prefix);
    if (d->store->ops->note_get(d->store, name, body, &why) ||
        json_parse(&root, body, strlen(body), &why))
        return 0;
    if (json_get_int(root, "requeued", &requeued, &why))
        requeued = 0;
    json_close(&root);
    return requeued;
}

static void write_times(struct json_out *o, struct report *r, const char *prefix)
{
    static const double borders[] = {2, 5, 15, 30, 60, 120};
    double from = 0;
    int count = 0;

    for (int i = 0; i < r->decided_count; i++) {
        if (!prefix || !strcmp(r->decided[i].reviewer, prefix))
            r->number[count++] = (double)r->decided[i].spent_ms / 1000;
    }
    json_out_object(o, "seconds");
    write_real(o, "p10", numbers_quantile(r->number, count, 0.1));
    write_real(o, "p50", numbers_quantile(r->number, count, 0.5));
    write_real(o, "p90", numbers_quantile(r->number, count, 0.9));
    json_out_object_end(o);
    json_out_array(o, "seconds_buckets");
    for (size_t b = 0; b <= COUNT_OF(borders); b++) {
        double up_to = b < COUNT_OF(borders) ? borders[b] : INFINITY;
        int inside = 0;

        for (int i = 0; i < count; i++)
            inside += r->number[i] >= from && r->number[i] < up_to;
        json_out_object(o, NULL);
        if (b < COUNT_OF(borders))
            json_out_int(o, "up_to_s", (int64_t)up_to);
        else
            json_out_string(o, "up_to_s", NULL);
        json_out_int(o, "count", inside);
        json_out_object_end(o);
        from = up_to;
    }
    json_out_array_end(o);
}

static int write_person(struct desk *d, struct json_out *o, struct report *r, int i)
{
    const char *prefix = r->prefix[i];
    struct desk_share let_go = {0, 0};
    struct person *p = people_find(d, prefix);
    char name[PSEUDONYM_MAX];
    struct pace w;

    for (int k = 0; k < r->decided_count; k++) {
        if (strcmp(r->decided[k].reviewer, prefix) != 0)
            continue;
        let_go.count++;
        let_go.hits += numbers_lets_go(r->decided[k].outcome);
    }
    pace_person(&w, r->decided, r->decided_count, prefix);
    desk_pseudonym(d, name, prefix);
    json_out_object(o, NULL);
    json_out_string(o, "reviewer", name);
    json_out_int(o, "decided", let_go.count);
    write_share(o, "golden", &r->golden[i]);
    write_share(o, "let_go", &let_go);
    write_times(o, r, prefix);
    json_out_int(o, "identical_run", w.longest_run);
    json_out_bool(o, "identical_alarm", w.kind && !strcmp(w.kind, "identical_run"));
    json_out_bool(o, "fast_alarm", w.kind && !strcmp(w.kind, "too_fast"));
    json_out_int(o, "requeued", requeued_of(d, prefix));
    json_out_int(o, "full_views_today", p ? people_seen_since(p, r->now_s - r->now_s % DAY_S) : 0);
    if (p && p->since_s)
        json_out_int(o, "minutes_since_break", (r->now_s - p->since_s) / 60);
    else
        json_out_string(o, "minutes_since_break", NULL);
    json_out_object_end(o);
    return w.kind != NULL;
}

static int write_people(struct desk *d, struct json_out *o, struct report *r)
{
    int alarms = 0;

    json_out_array(o, "reviewers");
    for (int i = 0; i < r->people; i++)
        alarms += write_person(d, o, r, i);
    json_out_array_end(o);
    return alarms;
}

static void write_skips(struct desk *d, struct json_out *o)
{
    json_out_array(o, "skips");
    for (int i = 0; i < SKIPS_MAX && d->skip[i].count; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "reason", d->skip[i].reason);
        json_out_int(o, "count", d->skip[i].count);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

/* What people say about the checks, and about us: both kinds of mistakes. */
static void write_truth(struct json_out *o, const struct report *r)
{
    write_share(o, "overturned", &r->appeals);
    write_share(o, "audit_block_wrong", &r->audit_blocks);
    write_share(o, "audit_allow_wrong", &r->audit_allows);
    write_share(o, "confident_wrong", &r->confident);
    json_out_object(o, "users");
    write_real(o, "first_review_p50_s", r->review[0]);
    write_real(o, "first_review_p95_s", r->review[1]);
    write_share(o, "in_time", &r->in_time);
    json_out_object_end(o);
}

static void write_policy(struct desk *d, struct json_out *o)
{
    const struct policy *policy = judge_policy(d->service->judge);

    json_out_object(o, "policy");
    json_out_string(o, "id", policy_id(policy));
    json_out_int(o, "version", policy_version(policy));
    json_out_object_end(o);
    judge_release(d->service->judge, policy);
}

/* The parts about people are written before the room is used again. */
static enum status write_report(struct desk *d, struct json_out *o, struct report *r,
                                struct why *why)
{
    enum status st;

    json_out_object(o, NULL);
    json_out_string(o, "object", "review.stats");
    moderated_write_date(o, "at", r->now_s);
    write_policy(d, o);
    json_out_int(o, "alarms", write_people(d, o, r));
    write_times(o, r, NULL);
    write_agreement(o, r);
    report_add_confident(d, r);
    write_truth(o, r);
    write_skips(d, o);
    slices_write(d, o, "breakers");
    st = report_look_ahead(d, r, why);
    write_queue(o, r);
    write_ages(o, r);
    write_rates(o, r);
    write_hours(d, o, r);
    json_out_object_end(o);
    return st;
}

void tell_stats(struct desk *d, struct matter *m)
{
    struct report *r = report_open();
    struct answer answer;
    struct why why = {""};
    enum status st = r ? report_gather(d, r, &why) : ST_FULL;

    if (!st) {
        desk_answer(&answer, 200);
        st = write_report(d, &answer.json, r, &why);
        answer_json_end(&answer);
        if (st)
            answer_close(&answer);
    }
    report_close(r);
    if (!desk_is_refused(d, m, st, APPEAL_FINE, &why))
        matter_answer(m, &answer);
}

/* ---- for those who do not wait ---- */

static void copy(struct desk *d, const struct report *r, struct desk_numbers *n)
{
    *n = (struct desk_numbers){
        .counts = r->counts,
        .open_breakers = breaker_open_count(judge_breaker(d->service->judge)),
        .people_at_work = r->at_work,
        .alarms = d->alarms,
        .full_views = d->full_views,
        .refused_views = d->refused_views,
        .sweeps = d->sweeps,
        .appeals = r->appeals,
        .audit_blocks = r->audit_blocks,
        .audit_allows = r->audit_allows,
        .in_time = r->in_time,
        .arrivals_h = r->arrivals_h,
        .completions_h = r->done_h,
        .utilisation = r->forecast.utilisation,
        .wait_s = r->forecast.wait_s,
        .first_review_p50_s = r->review[0],
        .first_review_p95_s = r->review[1],
        .spent_p50_s = r->spent[0],
        .spent_p95_s = r->spent[1],
        .kappa = numbers_kappa(&r->doubles),
        .now_s = r->now_s,
    };
    memcpy(n->decided, r->per_outcome, sizeof(n->decided));
}

void tell_look(struct desk *d)
{
    struct report *r = report_open();
    struct desk_numbers numbers;
    struct why why = {""};
    enum status st = r ? report_gather(d, r, &why) : ST_FULL;

    if (!st)
        st = report_look_ahead(d, r, &why);
    desk_note(d, st, &why);
    if (!st) {
        copy(d, r, &numbers);
        pthread_mutex_lock(&d->lock);
        d->numbers = numbers;
        pthread_mutex_unlock(&d->lock);
    }
    report_close(r);
}

void desk_look(struct desk *d, struct desk_numbers *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->numbers;
    pthread_mutex_unlock(&d->lock);
}
