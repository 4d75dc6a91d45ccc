/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_policy.c - what is decided about pictures. Scores are built backwards: from the p that the
 * main and the second model shall give, under the policy that has every key (T = 2 for the main).
 */
#include "moderation/policy.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct policy *policy;
static int explicit, suggestive, checker;

static int setup(void **state)
{
    struct why why = {""};

    (void)state;
    if (policy_open(&policy, "tests/policies/full.json", &why))
        fail_msg("%s", why.text);
    explicit = policy_find_category(policy, "explicit");
    suggestive = policy_find_category(policy, "suggestive");
    checker = policy_find_category(policy, "checker");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    policy_close(&policy);
    return 0;
}

/* Logits whose softmax at this temperature is Porn: `porn`, Sexy: `sexy`, the rest shared. */
static void fill(float logit[SCORES_CLASSES], double porn, double sexy, double temperature)
{
    double rest = (1 - porn - sexy) / 3;

    for (int i = 0; i < SCORES_CLASSES; i++)
        logit[i] = (float)(temperature * log(fmax(rest, 1e-9)));
    logit[SCORES_PORN] = (float)(temperature * log(fmax(porn, 1e-9)));
    logit[SCORES_SEXY] = (float)(temperature * log(fmax(sexy, 1e-9)));
    for (int i = 0; i < SCORES_CLASSES; i++)
        logit[i] += 4; /* an energy of -4 at T = 2: within the range of the policy */
}

/* Category `explicit` gets these p, `suggestive` next to nothing. */
static struct scores scores_of(double main, double second)
{
    struct scores s = {.has = {true, true}};

    for (int m = 0; m < SCORES_MODELS; m++) {
        double p = m == SCORES_MAIN ? main : second, temperature = m == SCORES_MAIN ? 2 : 1;

        s.logit[m][SCORES_PORN] = (float)(temperature * log(p) + 4);
        s.logit[m][SCORES_DRAWING] = (float)(temperature * log((1 - p) / 2) + 4);
        s.logit[m][SCORES_NEUTRAL] = s.logit[m][SCORES_DRAWING];
        s.logit[m][SCORES_HENTAI] = s.logit[m][SCORES_SEXY] = -1000;
    }
    return s;
}

static struct verdict decide(const struct policy_case *c)
{
    struct verdict v;

    policy_decide(policy, c, &v);
    return v;
}

static struct verdict decide_p(double main, double second, const char *tenant, const char *context)
{
    struct scores s = scores_of(main, second);

    return decide(&(struct policy_case){
        .scores = &s, .tenant = tenant, .context = context, .generator = "starter"});
}

static void expect(struct verdict v, enum band decision, enum band action, enum cause cause,
                   int category)
{
    assert_string_equal(band_name(v.decision), band_name(decision));
    assert_string_equal(band_name(v.action), band_name(action));
    assert_string_equal(cause_name(v.cause), cause_name(cause));
    assert_int_equal(v.category, category);
}

static void names_are_found_again(void **state)
{
    (void)state;
    for (int i = 0; i < BAND_COUNT; i++)
        assert_int_equal(band_find(band_name((enum band)i)), i);
    for (int i = 0; i < CAUSE_COUNT; i++)
        assert_int_equal(cause_find(cause_name((enum cause)i)), i);
    assert_int_equal(band_find("Allow"), -1);
    assert_int_equal(cause_find(""), -1);
}

static void probabilities_are_calibrated(void **state)
{
    struct scores s = {.has = {true, true}};
    struct verdict v;

    (void)state;
    fill(s.logit[SCORES_MAIN], 0.5, 0.2, 2);
    fill(s.logit[SCORES_SECOND], 0.5, 0.2, 1);
    v = decide(&(struct policy_case){.scores = &s, .tenant = "t"});
    assert_true(fabs(v.p[explicit] - 0.6) < 1e-5); /* Porn .5 and a third of the rest: Hentai */
    assert_true(fabs(v.p[suggestive] - 0.2) < 1e-5);
    assert_true(v.p[checker] == 0);
}

static void the_severest_band_that_is_reached_counts(void **state)
{
    (void)state;
    expect(decide_p(0.10, 0.10, "t", NULL), BAND_ALLOW, BAND_ALLOW, CAUSE_SCORES, -1);
    expect(decide_p(0.40, 0.40, "t", NULL), BAND_BLUR, BAND_BLUR, CAUSE_SCORES, explicit);
    expect(decide_p(0.70, 0.70, "t", NULL), BAND_HOLD, BAND_HOLD, CAUSE_SCORES, explicit);
    expect(decide_p(0.96, 0.96, "t", NULL), BAND_BLOCK, BAND_BLOCK, CAUSE_SCORES, explicit);
}

static void a_border_belongs_to_its_band(void **state)
{
    struct policy *p = NULL;
    struct scores s = {.has = {true}, .has_safety = true};
    struct verdict v;
    static const char text[] =
        "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"x\", \"version\": 1, \"status\": "
        "\"draft\", \"ignore\": [\"Drawing\", \"Hentai\", \"Neutral\"], \"categories\": [{\"id\": "
        "\"a\", \"clause\": \"1\", \"from\": {\"op\": \"max\", \"classes\": [\"Porn\", \"Sexy\"]}, "
        "\"reason\": {\"en\": \"r\"}, \"bands\": {\"hold\": 0.2}}]}";

    (void)state;
    assert_int_equal(policy_open_text(&p, text, strlen(text), "f", NULL), ST_OK);
    policy_decide(p, &(struct policy_case){.scores = &s}, &v); /* five equal logits: 0.2 each */
    assert_true(v.p[0] <= 0.2 + 1e-15);
    assert_int_equal(v.action, v.p[0] >= 0.2 ? BAND_HOLD : BAND_ALLOW);
    policy_close(&p);
}

static void the_worst_category_wins(void **state)
{
    struct scores s = scores_of(0.4, 0.4);

    (void)state;
    fill(s.logit[SCORES_MAIN], 0.2, 0.75, 2);
    fill(s.logit[SCORES_SECOND], 0.2, 0.75, 1);
    expect(decide(&(struct policy_case){.scores = &s, .tenant = "t"}), BAND_BLUR, BAND_BLUR,
           CAUSE_SCORES, suggestive);
    s.has_safety = true;
    s.safety = 0.001f;
    expect(decide(&(struct policy_case){.scores = &s, .tenant = "t"}), BAND_HOLD, BAND_HOLD,
           CAUSE_SAFETY, checker);
}

static void a_safety_checker_at_its_border_does_not_flag(void **state)
{
    struct scores s = scores_of(0.1, 0.1);

    (void)state;
    s.has_safety = true;
    s.safety = 0;
    expect(decide(&(struct policy_case){.scores = &s, .tenant = "t"}), BAND_ALLOW, BAND_ALLOW,
           CAUSE_SCORES, -1);
}

static void a_context_relaxes_what_it_names(void **state)
{
    (void)state;
    expect(decide_p(0.70, 0.70, "clinic", "medical"), BAND_BLUR, BAND_BLUR, CAUSE_SCORES, explicit);
    expect(decide_p(0.97, 0.97, "clinic", "medical"), BAND_HOLD, BAND_HOLD, CAUSE_SCORES, explicit);
    expect(decide_p(0.97, 0.97, "clinic", "unknown"), BAND_BLOCK, BAND_BLOCK, CAUSE_SCORES,
           explicit);
    expect(decide_p(0.75, 0.75, "clinic", "strict"), BAND_BLOCK, BAND_BLOCK, CAUSE_SCORES,
           explicit);
}

static void a_tenant_tightens_even_a_context(void **state)
{
    struct scores s = {.has = {true, true}};

    (void)state;
    expect(decide_p(0.25, 0.25, "school", NULL), BAND_HOLD, BAND_HOLD, CAUSE_SCORES, explicit);
    expect(decide_p(0.25, 0.25, "school", "medical"), BAND_HOLD, BAND_HOLD, CAUSE_SCORES, explicit);
    expect(decide_p(0.25, 0.25, "schoo", NULL), BAND_ALLOW, BAND_ALLOW, CAUSE_SCORES, -1);
    fill(s.logit[SCORES_MAIN], 0.01, 0.5, 2);
    fill(s.logit[SCORES_SECOND], 0.01, 0.5, 1);
    s.logit[0][SCORES_HENTAI] = s.logit[1][SCORES_HENTAI] = -1000;
    expect(decide(&(struct policy_case){.scores = &s, .tenant = "school"}), BAND_BLOCK, BAND_BLOCK,
           CAUSE_SCORES, suggestive);
}

static void another_opinion_holds(void **state)
{
    (void)state;
    expect(decide_p(0.96, 0.40, "t", NULL), BAND_BLOCK, BAND_HOLD, CAUSE_DISAGREEMENT, explicit);
    expect(decide_p(0.20, 0.65, "t", NULL), BAND_ALLOW, BAND_HOLD, CAUSE_DISAGREEMENT, explicit);
    expect(decide_p(0.57, 0.91, "t", NULL), BAND_BLUR, BAND_HOLD, CAUSE_DISAGREEMENT, explicit);
    expect(decide_p(0.10, 0.50, "t", NULL), BAND_ALLOW, BAND_ALLOW, CAUSE_SCORES, -1);
    expect(decide_p(0.96, 0.70, "t", NULL), BAND_BLOCK, BAND_BLOCK, CAUSE_SCORES, explicit);
    expect(decide_p(0.70, 0.10, "t", NULL), BAND_HOLD, BAND_HOLD, CAUSE_SCORES, explicit);
}

static void a_doubtful_category_does_not_excuse_a_sure_one(void **state)
{
    struct policy *p = NULL;
    struct why why = {""};
    struct scores s = {.has = {true, true}};
    struct verdict v;
    static const char text[] =
        "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"x\", \"version\": 1, \"status\": "
        "\"draft\", \"ignore\": [\"Drawing\", \"Hentai\", \"Neutral\"], \"classifiers\": [{\"id\": "
        "\"s\", \"role\": \"second_opinion\"}], \"abstain\": {\"model_disagreement\": 0.2}, "
        "\"categories\": [{\"id\": \"a\", \"clause\": \"1\", \"from\": {\"op\": \"class\", "
        "\"classes\": [\"Porn\"]}, \"reason\": {\"en\": \"r\"}, \"bands\": {\"block\": 0.4}}, "
        "{\"id\": \"b\", \"clause\": \"2\", \"from\": {\"op\": \"class\", \"classes\": "
        "[\"Sexy\"]}, "
        "\"reason\": {\"en\": \"r\"}, \"bands\": {\"block\": 0.4}}]}";

    (void)state;
    if (policy_open_text(&p, text, strlen(text), "f", &why))
        fail_msg("%s", why.text);
    fill(s.logit[SCORES_MAIN], 0.45, 0.50, 1);
    fill(s.logit[SCORES_SECOND], 0.45, 0.10, 1);
    policy_decide(p, &(struct policy_case){.scores = &s}, &v);
    expect(v, BAND_BLOCK, BAND_BLOCK, CAUSE_SCORES, 0);
    policy_close(&p);
}

static void thin_margins_hold(void **state)
{
    (void)state;
    expect(decide_p(0.915, 0.915, "t", NULL), BAND_BLOCK, BAND_HOLD, CAUSE_MARGIN, explicit);
    expect(decide_p(0.925, 0.925, "t", NULL), BAND_BLOCK, BAND_BLOCK, CAUSE_SCORES, explicit);
    expect(decide_p(0.590, 0.590, "t", NULL), BAND_BLUR, BAND_HOLD, CAUSE_MARGIN, explicit);
    expect(decide_p(0.570, 0.570, "t", NULL), BAND_BLUR, BAND_BLUR, CAUSE_SCORES, explicit);
    expect(decide_p(0.605, 0.605, "t", NULL), BAND_HOLD, BAND_HOLD, CAUSE_SCORES, explicit);
}

static void what_is_unlike_anything_is_held(void **state)
{
    struct scores s = scores_of(0.1, 0.1), t = scores_of(0.97, 0.97);

    (void)state;
    for (int i = 0; i < SCORES_CLASSES; i++) {
        s.logit[SCORES_MAIN][i] += 30; /* the same p, another energy */
        t.logit[SCORES_MAIN][i] -= 10;
    }
    expect(decide(&(struct policy_case){.scores = &s, .tenant = "t"}), BAND_ALLOW, BAND_HOLD,
           CAUSE_ENERGY, -1);
    expect(decide(&(struct policy_case){.scores = &t, .tenant = "t"}), BAND_BLOCK, BAND_HOLD,
           CAUSE_ENERGY, explicit);
}

static void what_was_not_judged_is_held(void **state)
{
    struct scores none = {.has_safety = false}, one = scores_of(0.1, 0.1), nan = one, inf = one;
    const struct scores *all[] = {NULL, &none, &one, &nan, &inf};

    (void)state;
    one.has[SCORES_SECOND] = false;
    nan.logit[SCORES_MAIN][SCORES_DRAWING] = NAN;
    inf.logit[SCORES_SECOND][SCORES_PORN] = INFINITY;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct verdict v = decide(&(struct policy_case){.scores = all[i], .tenant = "t"});

        expect(v, BAND_HOLD, BAND_HOLD, CAUSE_UNJUDGED, -1);
        assert_true(isnan(v.p[explicit]));
    }
}

static void an_open_policy_allows_what_was_judged(void **state)
{
    struct policy *p = NULL;
    struct scores s = scores_of(0.99, 0.01);
    struct verdict v;

    (void)state;
    assert_int_equal(policy_open(&p, "tests/policies/open.json", NULL), ST_OK);
    policy_decide(p, &(struct policy_case){.scores = &s, .tenant = "t"}, &v);
    expect(v, BAND_ALLOW, BAND_ALLOW, CAUSE_SCORES, -1);
    policy_decide(p, &(struct policy_case){.scores = NULL, .tenant = "t"}, &v);
    expect(v, BAND_HOLD, BAND_HOLD, CAUSE_UNJUDGED, -1);
    policy_close(&p);
}

/* ---- breakers ---- */

struct asked {
    const char *open;
    int times;
};

static bool ask(void *breakers, const char *slice)
{
    struct asked *a = breakers;

    a->times++;
    return a->open && !strcmp(slice, a->open);
}

static void an_open_breaker_makes_holds_of_blocks_alone(void **state)
{
    struct scores block = scores_of(0.97, 0.97), blur = scores_of(0.4, 0.4);
    struct asked open = {.open = "explicit|t|-|starter"}, other = {.open = "explicit|u|-|starter"};

    (void)state;
    expect(decide(&(struct policy_case){&block, "t", NULL, "starter", ask, &open}), BAND_BLOCK,
           BAND_HOLD, CAUSE_BREAKER, explicit);
    expect(decide(&(struct policy_case){&block, "t", NULL, "starter", ask, &other}), BAND_BLOCK,
           BAND_BLOCK, CAUSE_SCORES, explicit);
    open.times = 0;
    expect(decide(&(struct policy_case){&blur, "t", NULL, "starter", ask, &open}), BAND_BLUR,
           BAND_BLUR, CAUSE_SCORES, explicit);
    assert_int_equal(open.times, 0);
}

static void slices_are_named_by_what_the_policy_tells_apart(void **state)
{
    char slice[POLICY_SLICE_MAX], name[300];
    struct policy_case c = {.tenant = "t", .context = "medical", .generator = "m|1"};

    (void)state;
    policy_slice(slice, policy, explicit, &c);
    assert_string_equal(slice, "explicit|t|medical|m|1");
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    c = (struct policy_case){.tenant = name, .context = name, .generator = name};
    policy_slice(slice, policy, explicit, &c);
    assert_int_equal(strlen(slice), POLICY_SLICE_MAX - 1);
    policy_slice(slice, policy, -1, &(struct policy_case){.tenant = NULL});
    assert_string_equal(slice, "-|-|-|-");
}

/* ---- prompts and audits ---- */

static void prompts_are_judged_by_category_and_context(void **state)
{
    int minors = policy_find_category(policy, "minors"),
        gore = policy_find_category(policy, "gore");

    (void)state;
    assert_int_equal(policy_prompt_action(policy, explicit, NULL), BAND_BLOCK);
    assert_int_equal(policy_prompt_action(policy, gore, NULL), BAND_HOLD);
    assert_int_equal(policy_prompt_action(policy, gore, "medical"), BAND_ALLOW);
    assert_int_equal(policy_prompt_action(policy, gore, "strict"), BAND_HOLD);
    assert_int_equal(policy_prompt_action(policy, gore, "none"), BAND_HOLD);
    assert_int_equal(policy_prompt_action(policy, minors, "medical"), BAND_BLOCK);
    assert_int_equal(policy_prompt_action(policy, -1, "medical"), BAND_HOLD);
}

static void the_gap_is_to_the_next_border(void **state)
{
    (void)state;
    assert_true(fabs(decide_p(0.10, 0.10, "t", NULL).gap - 0.5) < 1e-4);
    assert_true(fabs(decide_p(0.45, 0.45, "t", NULL).gap - 0.15) < 1e-4);
    assert_true(fabs(decide_p(0.45, 0.45, "t", "medical").gap - 0.35) < 1e-4);
}

/* Whatever the scores, nothing that the scores hold or block is ever sent, and nothing that they
   allow is blocked. */
static void trust_never_makes_laxer_than_a_hold(void **state)
{
    unsigned seed = 7;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct scores s = {.has = {true, true}};
        struct asked all = {.open = i % 3 ? NULL : "explicit|t|-|g"};
        struct verdict v;

        for (int m = 0; m < SCORES_MODELS; m++) {
            for (int k = 0; k < SCORES_CLASSES; k++) {
                seed = seed * 1664525u + 1013904223u;
                s.logit[m][k] = (float)(seed >> 8) / 1e6f - 4;
            }
        }
        v = decide(&(struct policy_case){&s, "t", i % 2 ? "medical" : NULL, "g", ask, &all});
        if (v.decision >= BAND_HOLD)
            assert_true(v.action >= BAND_HOLD);
        assert_true(v.action <= v.decision || v.action == BAND_HOLD);
        if (v.cause == CAUSE_SCORES)
            assert_int_equal(v.action, v.decision);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_again),
        cmocka_unit_test(probabilities_are_calibrated),
        cmocka_unit_test(the_severest_band_that_is_reached_counts),
        cmocka_unit_test(a_border_belongs_to_its_band),
        cmocka_unit_test(the_worst_category_wins),
        cmocka_unit_test(a_safety_checker_at_its_border_does_not_flag),
        cmocka_unit_test(a_context_relaxes_what_it_names),
        cmocka_unit_test(a_tenant_tightens_even_a_context),
        cmocka_unit_test(another_opinion_holds),
        cmocka_unit_test(a_doubtful_category_does_not_excuse_a_sure_one),
        cmocka_unit_test(thin_margins_hold),
        cmocka_unit_test(what_is_unlike_anything_is_held),
        cmocka_unit_test(what_was_not_judged_is_held),
        cmocka_unit_test(an_open_policy_allows_what_was_judged),
        cmocka_unit_test(an_open_breaker_makes_holds_of_blocks_alone),
        cmocka_unit_test(slices_are_named_by_what_the_policy_tells_apart),
        cmocka_unit_test(prompts_are_judged_by_category_and_context),
        cmocka_unit_test(the_gap_is_to_the_next_border),
        cmocka_unit_test(trust_never_makes_laxer_than_a_hold),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
