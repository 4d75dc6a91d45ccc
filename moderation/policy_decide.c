/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From scores to what is done. Each category is judged by itself: its p, its band, and whether the
 * band is to be trusted. The worst category wins; energy and missing scores speak about the whole
 * picture. Nothing in here makes a hold out of less than its scores unless it says why (cause), and
 * nothing makes less than a hold out of a hold or a block.
 */
#include "moderation/policy_parts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One category's part in a verdict. */
struct part {
    enum band decision, action;
    enum cause cause;
};

/* ---- p ---- */

static double raw_of(const struct policy_category *c, const double p[SCORES_CLASSES])
{
    double sum = 0, most = 0;

    for (int i = 0; i < SCORES_CLASSES; i++) {
        if (c->classes >> i & 1) {
            sum += p[i];
            most = fmax(most, p[i]);
        }
    }
    return c->source == POLICY_MAX ? most : fmin(sum, 1);
}

/* Kept off 0 and 1, where the logit has no value. */
static double platt(double p, double a, double b)
{
    double q = fmin(fmax(p, 1e-12), 1 - 1e-12);

    return 1 / (1 + exp(-a * log(q / (1 - q)) - b));
}

static void believe(double out[POLICY_CATEGORIES_MAX], const struct policy *p,
                    const struct scores *s, enum scores_model model)
{
    const struct policy_calibration *k = &p->calibration[model];
    double class[SCORES_CLASSES];

    scores_softmax(class, s, model, k->temperature);
    for (int i = 0; i < p->category_count; i++) {
        const struct policy_category *c = &p->category[i];

        if (c->source == POLICY_SAFETY)
            out[i] = s->has_safety && s->safety > 0 ? 1 : 0;
        else if (c->source == POLICY_PROMPT)
            out[i] = 0;
        else if (k->method == POLICY_PLATT)
            out[i] = platt(raw_of(c, class), k->a[i], k->b[i]);
        else
            out[i] = raw_of(c, class);
    }
}

static bool is_judged(const struct policy *p, const struct scores *s)
{
    if (!s || !s->has[SCORES_MAIN] || !scores_are_finite(s))
        return false;
    return s->has[SCORES_SECOND] || !p->settings.needs_second;
}

/* ---- bands ---- */

/* The lower of two borders; what is not there has no say. */
static double tighter(double a, double b)
{
    return fmin(a, b); /* of a number and NAN: the number */
}

static struct policy_bands bands_of(const struct policy *p, int category,
                                    const struct policy_case *c)
{
    struct policy_bands b = p->category[category].bands;
    int context = c->context ? policy_find_context(p, c->context) : -1;

    if (context >= 0)
        b = p->relaxed[context].bands[category];
    for (int i = 0; c->tenant && i < p->override_count; i++) {
        const struct policy_bands *o = &p->override[i].bands[category];

        if (strcmp(p->override[i].tenant, c->tenant) != 0)
            continue;
        b.blur = tighter(b.blur, o->blur);
        b.hold = tighter(b.hold, o->hold);
        b.block = tighter(b.block, o->block);
    }
    return b;
}

/* The severest that is reached; a border that is NAN is never. */
static enum band band_at(const struct policy_bands *b, double p)
{
    if (p >= b->block)
        return BAND_BLOCK;
    if (p >= b->hold)
        return BAND_HOLD;
    return p >= b->blur ? BAND_BLUR : BAND_ALLOW;
}

/* ---- trust ---- */

static bool disagrees(const struct policy *p, const struct policy_bands *b, double main,
                      double second)
{
    double lowest = tighter(b->hold, b->block);

    if (isnan(p->abstain.disagreement))
        return false;
    if (band_at(b, main) < BAND_HOLD && band_at(b, second) == BAND_BLOCK)
        return true;
    return fabs(main - second) > p->abstain.disagreement && fmax(main, second) >= lowest;
}

/* A block that is just one; or, when the policy says so, what is just not held or blocked. */
static bool is_thin(const struct policy *p, const struct policy_bands *b, double main)
{
    double margin = p->abstain.margin, lowest = tighter(b->hold, b->block);

    if (isnan(margin))
        return false;
    if (band_at(b, main) == BAND_BLOCK)
        return main - b->block < margin;
    return p->abstain.thin_allow_holds && main < lowest && lowest - main < margin;
}

static bool is_open(const struct policy *p, int category, const struct policy_case *c)
{
    char slice[POLICY_SLICE_MAX];

    if (!c->is_open)
        return false;
    policy_slice(slice, p, category, c);
    return c->is_open(c->breakers, slice);
}

static struct part judge(const struct policy *p, int category, const struct policy_case *c,
                         double main, double second)
{
    const enum policy_source source = p->category[category].source;
    const struct policy_bands b = bands_of(p, category, c);
    struct part part = {.cause = source == POLICY_SAFETY ? CAUSE_SAFETY : CAUSE_SCORES};

    part.decision = part.action = band_at(&b, main);
    if (part.decision == BAND_HOLD)
        return part;
    if (source < POLICY_SAFETY && disagrees(p, &b, main, second)) {
        part.action = BAND_HOLD;
        part.cause = CAUSE_DISAGREEMENT;
    } else if (source < POLICY_SAFETY && is_thin(p, &b, main)) {
        part.action = BAND_HOLD;
        part.cause = CAUSE_MARGIN;
    } else if (part.action == BAND_BLOCK && is_open(p, category, c)) {
        part.action = BAND_HOLD;
        part.cause = CAUSE_BREAKER;
    }
    return part;
}

/* ---- the whole picture ---- */

/* Is category a's part in the verdict to be told, and not b's? */
static bool is_worse(const struct part *a, double p_a, const struct part *b, double p_b)
{
    if (a->action != b->action)
        return a->action > b->action;
    if (a->decision != b->decision)
        return a->decision > b->decision;
    return p_a > p_b;
}

static double gap_of(const struct policy_bands *b, double p)
{
    const double border[] = {b->hold, b->block, isnan(tighter(b->hold, b->block)) ? b->blur : NAN};
    double gap = 1;

    for (int i = 0; i < 3; i++) {
        if (p < border[i])
            gap = fmin(gap, border[i] - p);
    }
    return gap;
}

static bool is_alien(const struct policy *p, const struct scores *s)
{
    double energy = scores_energy(s, SCORES_MAIN, p->calibration[SCORES_MAIN].temperature);

    return energy < p->abstain.energy_min || energy > p->abstain.energy_max;
}

static void give_up(const struct policy *p, struct verdict *out)
{
    *out = (struct verdict){.decision = BAND_HOLD,
                            .action = p->on_error,
                            .cause = CAUSE_UNJUDGED,
                            .category = -1,
                            .gap = 1};
    for (int i = 0; i < POLICY_CATEGORIES_MAX; i++)
        out->p[i] = NAN;
}

void policy_decide(const struct policy *p, const struct policy_case *c, struct verdict *out)
{
    double second[POLICY_CATEGORIES_MAX] = {0};
    struct part worst = {.cause = CAUSE_SCORES};

    if (!is_judged(p, c->scores)) {
        give_up(p, out);
        return;
    }
    *out = (struct verdict){.category = -1, .gap = 1};
    believe(out->p, p, c->scores, SCORES_MAIN);
    if (c->scores->has[SCORES_SECOND])
        believe(second, p, c->scores, SCORES_SECOND);
    for (int i = 0; i < p->category_count; i++) {
        struct part part = judge(p, i, c, out->p[i], second[i]);
        struct policy_bands b = bands_of(p, i, c);

        if (part.decision > out->decision)
            out->decision = part.decision;
        out->gap = fmin(out->gap, gap_of(&b, out->p[i]));
        if (part.action > BAND_ALLOW &&
            (out->category < 0 || is_worse(&part, out->p[i], &worst, out->p[out->category]))) {
            worst = part;
            out->category = i;
        }
    }
    out->action = worst.action;
    out->cause = worst.cause;
    if (out->action != BAND_HOLD && is_alien(p, c->scores)) {
        out->action = BAND_HOLD;
        out->cause = CAUSE_ENERGY;
    }
}

enum band policy_prompt_action(const struct policy *p, int category, const char *context)
{
    int at = context ? policy_find_context(p, context) : -1;

    if (category < 0) /* the rules found what the policy does not know: a person has to look */
        return BAND_HOLD;
    assert(category < p->category_count);
    return at >= 0 ? p->relaxed[at].prompt[category] : p->category[category].prompt;
}

void policy_slice(char out[POLICY_SLICE_MAX], const struct policy *p, int category,
                  const struct policy_case *c)
{
    const struct policy_breaker *b = &p->settings.breaker;
    const char *tenant = c->tenant && *c->tenant ? c->tenant : "-";
    const char *context = c->context && *c->context ? c->context : "-";
    const char *generator = c->generator && *c->generator ? c->generator : "-";

    snprintf(out, POLICY_SLICE_MAX, "%.63s|%.63s|%.63s|%s",
             category < 0 ? "-" : p->category[category].id, b->by_tenant ? tenant : "*",
             b->by_context ? context : "*", b->by_generator ? generator : "*");
}
