/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What contradicts itself though each number is in its range. The reader is led to the place that
 * the words are about, so that they have its line.
 */
#include "moderation/policy_parts.h"
#include "moderation/wilson.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In severity order; a band that is not there is skipped. Only what is in the object here can have
   the line. */
static void check_order(struct strict *s, const struct policy_bands *b, const char *id)
{
    if (b->blur >= b->hold)
        strict_fail(s, strict_says(s, "hold") ? "hold" : "blur",
                    "category '%s' blurs from %g and holds from %g: bands have to increase", id,
                    b->blur, b->hold);
    if (b->hold >= b->block)
        strict_fail(s, strict_says(s, "block") ? "block" : "hold",
                    "category '%s' holds from %g and blocks from %g: bands have to increase", id,
                    b->hold, b->block);
    if (b->blur >= b->block)
        strict_fail(s, strict_says(s, "block") ? "block" : "blur",
                    "category '%s' blurs from %g and blocks from %g: bands have to increase", id,
                    b->blur, b->block);
}

static void check_reach(const struct policy *p, struct strict *s, const struct policy_bands *b,
                        const char *id)
{
    if (b->block + p->abstain.margin > 1)
        strict_fail(s, strict_says(s, "block") ? "block" : NULL,
                    "category '%s' can never block: %g is within min_margin (%g) of 1", id,
                    b->block, p->abstain.margin);
}

static bool has_bands(const struct policy_bands *b)
{
    return !isnan(b->blur) || !isnan(b->hold) || !isnan(b->block);
}

static void check_category(struct policy *p, struct strict *s, int index)
{
    const struct policy_category *c = &p->category[index];

    if (c->source == POLICY_PROMPT && has_bands(&c->bands))
        strict_fail(s, "bands", "category '%s' is found in prompts alone: it has no bands", c->id);
    if (c->source != POLICY_PROMPT && c->always_block && isnan(c->bands.block))
        strict_fail(s, "always_block", "category '%s' is always_block, and has no band 'block'",
                    c->id);
    if (c->always_block && c->prompt != BAND_BLOCK)
        strict_fail(s, "prompt", "category '%s' is always_block: its prompts are blocked", c->id);
    if (strict_enter(s, "bands")) {
        check_order(s, &c->bands, c->id);
        check_reach(p, s, &c->bands, c->id);
        strict_leave(s);
    }
}

static void check_classes(struct policy *p, struct strict *s)
{
    unsigned used = 0;

    for (int i = 0; i < p->category_count; i++) {
        const struct policy_category *c = &p->category[i];
        unsigned twice = used & c->classes;

        if (twice && strict_enter_at(s, i)) {
            strict_fail(s, "from", "class '%s' is used by another category as well",
                        scores_class_name((enum scores_class)__builtin_ctz(twice)));
            strict_leave(s);
        }
        used |= c->classes;
    }
    for (int i = 0; i < SCORES_CLASSES; i++) {
        bool is_used = used >> i & 1, is_ignored = p->ignored >> i & 1;
        const char *name = scores_class_name((enum scores_class)i);

        if (is_used && is_ignored)
            strict_fail(s, NULL, "class '%s' is used by a category, and ignored", name);
        if (!is_used && !is_ignored)
            strict_fail(s, NULL, "class '%s' is used by no category: use it, or say it in 'ignore'",
                        name);
    }
}

static void check_categories(struct policy *p, struct strict *s)
{
    if (!strict_enter_list(s, "categories"))
        return;
    for (int i = 0; i < p->category_count; i++) {
        if (!strict_enter_at(s, i))
            continue;
        check_category(p, s, i);
        strict_leave(s);
    }
    check_classes(p, s);
    strict_leave(s);
}

static void check_context(struct policy *p, struct strict *s, int index)
{
    const struct policy_relaxed *r = &p->relaxed[index];

    for (int i = 0; i < p->category_count; i++) {
        const struct policy_category *c = &p->category[i];

        if (!strict_enter(s, c->id))
            continue;
        if (c->source == POLICY_PROMPT && has_bands(&r->bands[i]))
            strict_fail(s, NULL, "category '%s' is found in prompts alone: it has no bands", c->id);
        check_order(s, &r->bands[i], c->id);
        check_reach(p, s, &r->bands[i], c->id);
        strict_leave(s);
    }
}

static void check_contexts(struct policy *p, struct strict *s)
{
    if (!strict_enter_list(s, "contexts"))
        return;
    for (int i = 0; i < p->context_count; i++) {
        if (!strict_enter_at(s, i))
            continue;
        if (strict_enter(s, "overrides")) {
            check_context(p, s, i);
            strict_leave(s);
        }
        strict_leave(s);
    }
    strict_leave(s);
}

/* Bands of one override; against the base they need not increase: the severest that is reached
   counts, and a tenant may well block from where others are blurred. */
static void check_tenants(struct policy *p, struct strict *s)
{
    if (!strict_enter(s, "tenants"))
        return;
    if (strict_enter_list(s, "overrides")) {
        for (int i = 0; i < p->override_count; i++) {
            if (!strict_enter_at(s, i))
                continue;
            for (int k = 0; k < p->category_count && !s->st; k++) {
                const struct policy_bands *b = &p->override[i].bands[k];

                if (b->blur >= b->hold || b->hold >= b->block || b->blur >= b->block)
                    strict_fail(s, "categories",
                                "tenant '%s', category '%s': bands have to increase",
                                p->override[i].tenant, p->category[k].id);
                if (p->category[k].source == POLICY_PROMPT && has_bands(b))
                    strict_fail(s, "categories",
                                "category '%s' is found in prompts alone: it has no bands",
                                p->category[k].id);
            }
            strict_leave(s);
        }
        strict_leave(s);
    }
    strict_leave(s);
}

static void check_abstain(struct policy *p, struct strict *s)
{
    const struct policy_abstain *a = &p->abstain;
    const struct policy_classifier *second = &p->settings.classifier[SCORES_SECOND];

    if (!strict_enter(s, "abstain"))
        return;
    if (a->energy_min >= a->energy_max)
        strict_fail(s, "energy_max", "'energy_max' has to be above 'energy_min'");
    if (!isnan(a->disagreement) && !second->id)
        strict_fail(s, "model_disagreement",
                    "'model_disagreement' needs a classifier with the role second_opinion");
    if (a->thin_allow_holds && !(a->margin > 0))
        strict_fail(s, "thin_allow", "'thin_allow' needs a 'min_margin' above 0");
    strict_leave(s);
}

static void check_breaker(struct policy *p, struct strict *s)
{
    const struct policy_breaker *b = &p->settings.breaker;

    if (!strict_enter(s, "breaker"))
        return;
    if (b->min_n > b->window)
        strict_fail(s, "min_n", "'min_n' (%d) can not be more than 'window' (%d)", b->min_n,
                    b->window);
    if (wilson_interval(b->window, b->window, b->confidence).low <= b->max_overturn)
        strict_fail(s, "max_overturn",
                    "the breaker can never open: even %d overturned of %d do not exceed %g with "
                    "confidence %g",
                    b->window, b->window, b->max_overturn, b->confidence);
    strict_leave(s);
}

static void check_times(struct policy *p, struct strict *s)
{
    const struct policy_settings *set = &p->settings;

    if (strict_enter(s, "retention")) {
        if (set->retention.held_days < set->appeals.window_days)
            strict_fail(s, "held_image_days",
                        "held pictures are kept for %d days, and can be appealed for %d: keep them "
                        "as long",
                        set->retention.held_days, set->appeals.window_days);
        strict_leave(s);
    }
    if (strict_enter(s, "appeals")) {
        if (set->appeals.final_h < set->appeals.first_review_h)
            strict_fail(s, "sla_final_h", "'sla_final_h' can not be before 'sla_first_review_h'");
        strict_leave(s);
    }
    if (strict_enter(s, "drift")) {
        if (set->drift.page < set->drift.alert)
            strict_fail(s, "page", "'page' can not be below 'alert'");
        strict_leave(s);
    }
}

static void check_approval(struct policy *p, struct strict *s)
{
    const struct policy_settings *set = &p->settings;

    for (int i = 0; i < set->approver_count; i++) {
        if (set->author && !strcmp(set->approved_by[i], set->author))
            strict_fail(s, "approved_by", "'%s' wrote this policy: somebody else has to approve it",
                        set->author);
    }
}

void policy_check(struct policy *p)
{
    struct strict *s = &p->file;

    check_approval(p, s);
    check_categories(p, s);
    check_contexts(p, s);
    check_tenants(p, s);
    check_abstain(p, s);
    check_breaker(p, s);
    check_times(p, s);
}
