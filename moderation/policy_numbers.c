/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of the file that are numbers: when not to trust scores, when to stop blocking, what
 * is drawn and watched, times and people. Each has a default, which stands where it is read.
 */
#include "moderation/policy_parts.h"

#include <math.h>
#include <string.h>

#define HOURS_MAX (24.0 * 366)

static void read_abstain(struct policy *p, struct strict *s)
{
    static const char *const actions[] = {"hold", NULL}, *const thin[] = {"allow", "hold", NULL};
    struct policy_abstain *a = &p->abstain;

    *a = (struct policy_abstain){NAN, NAN, NAN, NAN, false};
    if (!strict_enter(s, "abstain"))
        return;
    strict_keys(s, "energy_min energy_max model_disagreement min_margin thin_allow action");
    a->energy_min = strict_real(s, "energy_min", -1e4, 1e4, NAN);
    a->energy_max = strict_real(s, "energy_max", -1e4, 1e4, NAN);
    a->disagreement = strict_real(s, "model_disagreement", 0.01, 1, NAN);
    a->margin = strict_real(s, "min_margin", 0, 0.5, NAN);
    a->thin_allow_holds = strict_word(s, "thin_allow", thin, 0) == 1;
    strict_word(s, "action", actions, 0);
    p->settings.needs_second = !isnan(a->disagreement);
    strict_leave(s);
}

static void read_slices(struct policy_breaker *b, struct strict *s)
{
    if (!strict_enter_list(s, "slices"))
        return;
    b->by_tenant = b->by_context = b->by_generator = false;
    for (int i = 0; !s->st && i < strict_count(s); i++) {
        const char *by = strict_text_at(s, i, 16);

        if (by && !strcmp(by, "tenant"))
            b->by_tenant = true;
        else if (by && !strcmp(by, "context"))
            b->by_context = true;
        else if (by && !strcmp(by, "model"))
            b->by_generator = true;
        else if (by && strcmp(by, "category") != 0)
            strict_fail(s, NULL, "slices are told apart by category, tenant, context, model");
    }
    strict_leave(s);
}

static void read_breaker(struct policy *p, struct strict *s)
{
    static const char *const actions[] = {"demote_block_to_hold", NULL};
    struct policy_breaker *b = &p->settings.breaker;

    *b = (struct policy_breaker){200, 20, 0.2, 0.95, 0.05, true, true, true};
    if (!strict_enter(s, "breaker"))
        return;
    strict_keys(s, "window min_n max_overturn confidence slices action half_open_share");
    b->window = strict_int(s, "window", 1, 1024, b->window);
    b->min_n = strict_int(s, "min_n", 1, 1024, b->min_n);
    b->max_overturn = strict_real(s, "max_overturn", 0, 1, b->max_overturn);
    b->confidence = strict_real(s, "confidence", 0.5, 0.9999, b->confidence);
    b->half_open_share = strict_real(s, "half_open_share", 0.001, 1, b->half_open_share);
    strict_word(s, "action", actions, 0);
    read_slices(b, s);
    strict_leave(s);
}

static void read_watching(struct policy *p, struct strict *s)
{
    struct policy_audit *a = &p->settings.audit;
    struct policy_drift *d = &p->settings.drift;

    *a = (struct policy_audit){0.05, 0.01, 0.001, 0.15};
    *d = (struct policy_drift){0.1, 0.25, 2000, 1000};
    if (strict_enter(s, "audit_sample")) {
        strict_keys(s, "auto_block auto_allow_near auto_allow_far near");
        a->auto_block = strict_real(s, "auto_block", 0, 1, a->auto_block);
        a->auto_allow_near = strict_real(s, "auto_allow_near", 0, 1, a->auto_allow_near);
        a->auto_allow_far = strict_real(s, "auto_allow_far", 0, 1, a->auto_allow_far);
        a->near = strict_real(s, "near", 0, 1, a->near);
        strict_leave(s);
    }
    if (strict_enter(s, "drift")) {
        strict_keys(s, "alert page learn window");
        d->alert = strict_real(s, "alert", 0.001, 10, d->alert);
        d->page = strict_real(s, "page", 0.001, 10, d->page);
        d->learn = strict_int(s, "learn", 1, INT_MAX, d->learn);
        d->window = strict_int(s, "window", 1, 65536, d->window);
        strict_leave(s);
    }
    p->settings.canary_minutes = 60;
    if (strict_enter(s, "canary")) {
        strict_keys(s, "every_minutes");
        p->settings.canary_minutes = strict_int(s, "every_minutes", 0, 10080, 60);
        strict_leave(s);
    }
}

static void read_second(struct policy_appeals *a, struct strict *s)
{
    if (!strict_enter(s, "second_review"))
        return;
    strict_keys(s, "share when");
    a->second_share = strict_real(s, "share", 0, 1, a->second_share);
    if (strict_enter_list(s, "when")) {
        for (int i = 0; !s->st && i < strict_count(s); i++) {
            const char *when = strict_text_at(s, i, 32);

            if (when && !strcmp(when, "breaker_open"))
                a->second_on_breaker = true;
            else if (when && !strcmp(when, "confident_uphold"))
                a->second_on_confident = true;
            else
                strict_fail(s, NULL, "a second review is for: breaker_open, confident_uphold");
        }
        strict_leave(s);
    }
    strict_leave(s);
}

static void read_appeals(struct policy *p, struct strict *s)
{
    struct policy_appeals *a = &p->settings.appeals;

    *a = (struct policy_appeals){183, 2000, 24, 72, 0.05, false, false, 14};
    if (!strict_enter(s, "appeals"))
        return;
    strict_keys(s, "window_days max_text one_open_per_decision sla_first_review_h sla_final_h "
                   "reviewer_must_differ second_review info_days");
    a->window_days = strict_int(s, "window_days", 1, POLICY_DAYS_MAX, a->window_days);
    a->text_max = strict_int(s, "max_text", 1, 2000, a->text_max);
    a->first_review_h = strict_real(s, "sla_first_review_h", 0.1, HOURS_MAX, a->first_review_h);
    a->final_h = strict_real(s, "sla_final_h", 0.1, HOURS_MAX, a->final_h);
    a->info_days = strict_int(s, "info_days", 1, 366, a->info_days);
    if (!strict_bool(s, "one_open_per_decision", true))
        strict_fail(s, "one_open_per_decision", "there is one open appeal for a decision, always");
    if (!strict_bool(s, "reviewer_must_differ", true))
        strict_fail(s, "reviewer_must_differ",
                    "nobody reviews what they have decided themselves, ever");
    read_second(a, s);
    strict_leave(s);
}

static void read_keeping(struct policy *p, struct strict *s)
{
    struct policy_retention *r = &p->settings.retention;
    struct policy_capacity *c = &p->settings.capacity;

    *r = (struct policy_retention){p->settings.appeals.window_days, 30, 5};
    *c = (struct policy_capacity){1, 60, 0.8};
    if (strict_enter(s, "retention")) {
        strict_keys(s, "held_image_days after_final_days audit_years");
        r->held_days = strict_int(s, "held_image_days", 1, POLICY_DAYS_MAX, r->held_days);
        r->after_final_days =
            strict_int(s, "after_final_days", 0, POLICY_DAYS_MAX, r->after_final_days);
        r->audit_years = strict_int(s, "audit_years", 1, 100, r->audit_years);
        strict_leave(s);
    }
    if (strict_enter(s, "capacity")) {
        strict_keys(s, "reviewers items_per_reviewer_hour max_utilisation");
        c->reviewers = strict_int(s, "reviewers", 1, 100000, c->reviewers);
        c->items_per_reviewer_hour =
            strict_real(s, "items_per_reviewer_hour", 0.1, 3600, c->items_per_reviewer_hour);
        c->max_utilisation = strict_real(s, "max_utilisation", 0.01, 0.99, c->max_utilisation);
        strict_leave(s);
    }
}

void policy_numbers_read(struct policy *p)
{
    struct strict *s = &p->file;

    read_abstain(p, s);
    read_breaker(p, s);
    read_watching(p, s);
    read_appeals(p, s);
    read_keeping(p, s);
}
