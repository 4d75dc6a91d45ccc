/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_policy_file.c - what a policy file may say. Each mistake is one edit of a file that has
 * every key, and the words and the line that it leads to.
 */
#include "moderation/policy.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL "tests/policies/full.json"

static char *full; /* its text */

static int read_full(void **state)
{
    FILE *file = fopen(FULL, "rb");

    (void)state;
    full = calloc(1, 1 << 16);
    assert_non_null(file);
    assert_non_null(full);
    assert_true(fread(full, 1, (1 << 16) - 1, file) > 1000);
    fclose(file);
    return 0;
}

static int free_full(void **state)
{
    (void)state;
    free(full);
    return 0;
}

static int line_at(const char *text, const char *place)
{
    int line = 1;

    while (text < place)
        line += *text++ == '\n';
    return line;
}

/* The file with `from` replaced by `to`, once; *line is where that was. */
static char *edited(const char *from, const char *to, int *line)
{
    const char *at = strstr(full, from);
    size_t bytes = strlen(full) + strlen(to) + 1;
    char *text = malloc(bytes);

    if (!at)
        fail_msg("the file has no '%s'", from);
    assert_non_null(text);
    assert_non_null(at);
    snprintf(text, bytes, "%.*s%s%s", (int)(at - full), full, to, at + strlen(from));
    *line = line_at(full, at);
    return text;
}

/* `said` behind "f:LINE: ", where LINE is `lines` below that of `from`. */
static void refuses_at(const char *from, const char *to, int lines, const char *said)
{
    struct policy *p = NULL;
    struct why why = {""};
    char expected[600];
    int line;
    char *text = edited(from, to, &line);
    enum status st = policy_open_text(&p, text, strlen(text), "f", &why);

    free(text);
    snprintf(expected, sizeof(expected), "f:%d: %s", line + lines, said);
    assert_string_equal(why.text, expected);
    assert_int_equal(st, ST_INVALID);
    assert_null(p);
}

static void refuses(const char *from, const char *to, const char *said)
{
    refuses_at(from, to, 0, said);
}

static struct policy *opened(const char *from, const char *to)
{
    struct policy *p = NULL;
    struct why why = {""};
    int line;
    char *text = edited(from, to, &line);

    if (policy_open_text(&p, text, strlen(text), "f", &why))
        fail_msg("%s", why.text);
    free(text);
    return p;
}

/* ---- what is right ---- */

static void every_key_is_read(void **state)
{
    struct policy *p = NULL;
    const struct policy_settings *s;
    const struct policy_category *c;
    struct policy_context context;
    struct why why = {""};

    (void)state;
    if (policy_open(&p, FULL, &why))
        fail_msg("%s", why.text);
    s = policy_settings(p);
    assert_string_equal(policy_id(p), "full");
    assert_int_equal(policy_version(p), 14);
    assert_int_equal(strlen(policy_sha256(p)), 64);
    assert_int_equal(s->status, POLICY_LIVE);
    assert_string_equal(s->author, "ada");
    assert_string_equal(s->approved_by[0], "grace");
    assert_string_equal(s->classifier[SCORES_MAIN].calibration_id, "cal-1");
    assert_true(s->classifier[SCORES_MAIN].has_reference[0] &&
                !s->classifier[SCORES_MAIN].has_reference[1]);
    assert_true(s->classifier[SCORES_MAIN].reference[0][1] == 0.2);
    assert_string_equal(s->classifier[SCORES_SECOND].id, "nsfw_small");
    assert_null(s->classifier[SCORES_SECOND].weights_sha256);
    assert_true(s->needs_second);
    assert_int_equal(s->appeals.window_days, 183);
    assert_int_equal(s->appeals.text_max, 1500);
    assert_true(s->appeals.first_review_h == 24 && s->appeals.final_h == 72);
    assert_true(s->appeals.second_share == 0.05 && s->appeals.second_on_breaker &&
                s->appeals.second_on_confident);
    assert_int_equal(s->appeals.info_days, 10);
    assert_int_equal(s->retention.held_days, 200);
    assert_true(s->breaker.window == 100 && s->breaker.min_n == 10 &&
                s->breaker.max_overturn == 0.25 && s->breaker.half_open_share == 0.1);
    assert_true(s->audit.auto_block == 0.5 && s->audit.near == 0.2);
    assert_true(s->drift.learn == 100 && s->drift.window == 50 && s->drift.page == 0.25);
    assert_true(s->capacity.reviewers == 4 && s->capacity.max_utilisation == 0.8);
    assert_int_equal(s->canary_minutes, 15);
    assert_string_equal(s->prompt.rules, "tests/policies/prompt-rules.json");
    assert_int_equal(policy_category_count(p), 5);
    c = policy_category(p, 0);
    assert_true(c->bands.blur == 0.3 && c->bands.hold == 0.6 && c->bands.block == 0.9);
    assert_true(c->appealable && !c->always_block && c->prompt == BAND_BLOCK);
    assert_int_equal(c->classes, 1u << SCORES_PORN | 1u << SCORES_HENTAI);
    c = policy_category(p, policy_find_category(p, "suggestive"));
    assert_true(c->bands.blur == 0.7 && isnan(c->bands.hold) && isnan(c->bands.block));
    assert_null(c->clause_url);
    assert_true(policy_context(p, "medical", &context));
    assert_true(context.grant_required && context.evidence_required && context.preview);
    assert_int_equal(context.max_grant_days, 90);
    assert_string_equal(context.reviewer_queue, "medical");
    assert_true(policy_context(p, "strict", &context));
    assert_true(!context.preview && !context.grant_required && !context.reviewer_skill);
    assert_string_equal(context.reviewer_queue, "general");
    assert_false(policy_context(p, "art", &context));
    policy_close(&p);
    assert_null(p);
}

static void reasons_are_in_the_readers_language(void **state)
{
    struct policy *p = opened("grace", "grace");

    (void)state;
    assert_string_equal(policy_reason(p, 1, "de"), "Anz\xc3\xbcglich.");
    assert_string_equal(policy_reason(p, 1, "de-CH"), "Anz\xc3\xbcglich.");
    assert_string_equal(policy_reason(p, 1, "en"), "Suggestive.");
    assert_string_equal(policy_reason(p, 1, "fr"), "Suggestive.");
    assert_string_equal(policy_reason(p, 1, ""), "Suggestive.");
    policy_close(&p);
}

static void what_is_not_said_has_a_default(void **state)
{
    struct policy *p = NULL;
    struct why why = {""};
    const struct policy_settings *s;

    (void)state;
    if (policy_open(&p, "tests/policies/open.json", &why))
        fail_msg("%s", why.text);
    s = policy_settings(p);
    assert_int_equal(s->appeals.window_days, 183);
    assert_int_equal(s->retention.held_days, 183);
    assert_int_equal(s->breaker.min_n, 20);
    assert_true(s->breaker.by_tenant && s->breaker.by_context && s->breaker.by_generator);
    assert_int_equal(s->language_count, 1);
    assert_null(s->prompt.rules);
    assert_false(s->needs_second);
    policy_close(&p);
}

/* It names the weights that are shipped beside it, and knows every category of its prompt rules. */
static void the_shipped_policy_is_right(void **state)
{
    static const char *const ids[] = {"sexual_explicit", "sexual_suggestive", "sexual_minors",
                                      "violence_extreme"};
    struct policy *p = NULL;
    const struct policy_settings *s;
    struct policy_context context;
    struct why why = {""};
    char line[256];
    FILE *hashes = fopen("moderation/weights/hashes.txt", "r");

    (void)state;
    if (policy_open(&p, "moderation/policies/default.json", &why))
        fail_msg("%s", why.text);
    s = policy_settings(p);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_true(policy_find_category(p, ids[i]) >= 0);
    for (int i = 0; i < policy_category_count(p); i++)
        assert_true(policy_category(p, i)->appealable);
    assert_true(policy_context(p, "medical", &context) && policy_context(p, "art", &context));
    assert_string_equal(s->prompt.rules, "moderation/policies/prompt-rules.json");
    assert_non_null(hashes);
    for (int m = 0; m < SCORES_MODELS; m++) {
        assert_non_null(fgets(line, sizeof(line), hashes));
        assert_non_null(strstr(line, s->classifier[m].weights_sha256));
    }
    fclose(hashes);
    policy_close(&p);
}

static void one_byte_makes_another_hash(void **state)
{
    struct policy *a = opened("grace", "grace"), *b = opened("grace", "gracE");

    (void)state;
    assert_string_not_equal(policy_sha256(a), policy_sha256(b));
    policy_close(&a);
    policy_close(&b);
}

/* ---- what is wrong ---- */

static void files_that_are_not_there_say_so(void **state)
{
    struct policy *p = NULL;
    struct why why = {""};
    char *big = calloc(1, POLICY_FILE_BYTES_MAX + 2);

    (void)state;
    assert_non_null(big);
    assert_int_equal(policy_open(&p, "tests/policies/none.json", &why), ST_MISSING);
    assert_string_equal(why.text, "tests/policies/none.json: No such file or directory");
    memset(big, ' ', POLICY_FILE_BYTES_MAX + 1);
    assert_int_equal(policy_open_text(&p, big, POLICY_FILE_BYTES_MAX + 1, "f", &why), ST_INVALID);
    assert_string_equal(why.text, "f:1: the file is longer than 1048576 bytes");
    free(big);
    assert_int_equal(policy_open_text(&p, "", 0, "f", &why), ST_INVALID);
    assert_null(p);
}

static void unknown_keys_are_mistakes(void **state)
{
    (void)state;
    refuses("\"canary\"", "\"canery\"",
            "there is no key 'canery' here; there are: schema policy_id version parent_sha256 "
            "status effective_from author approved_by change_reason languages classifiers ignore "
            "categories contexts tenants abstain breaker audit_sample drift on_error prompt_stage "
            "appeals retention capacity canary");
    refuses("\"min_margin\"", "\"margin\"",
            "there is no key 'margin' here; there are: energy_min energy_max model_disagreement "
            "min_margin thin_allow action");
    refuses("\"block\": 0.90", "\"blok\": 0.90",
            "there is no key 'blok' here; there are: blur hold block");
    refuses("\"max_grant_days\"", "\"max_days\"",
            "there is no key 'max_days' here; there are: id grant_required evidence_required "
            "max_grant_days overrides deliver_hold_as reviewer_queue reviewer_skill");
    refuses("\"info_days\"", "\"days\"",
            "there is no key 'days' here; there are: window_days max_text one_open_per_decision "
            "sla_first_review_h sla_final_h reviewer_must_differ second_review info_days");
}

static void the_head_has_to_be_right(void **state)
{
    (void)state;
    refuses("moderation-policy/1", "moderation-policy/2",
            "this limner reads 'moderation-policy/1', not 'moderation-policy/2'");
    refuses("\"version\": 14", "\"version\": 0",
            "'version' has to be a whole number from 1 to 2147483647");
    refuses("\"live\"", "\"on\"", "'status' has to be one of: live, shadow, draft, retired");
    refuses("\"policy_id\": \"full\"", "\"policy_id\": \"Full|x\"",
            "'policy_id' may have small letters, digits, '.', '_' and '-'");
    refuses("2026-11-23T00:00:00Z", "2026-11-23",
            "'effective_from' has to be a time like 2030-12-31T00:00:00Z");
    refuses("\"00112233", "\"0011223",
            "'parent_sha256' has to be a SHA-256: 64 hexadecimal digits, small letters");
    refuses("[\"grace\"]", "[\"grace\", \"ada\"]",
            "'ada' wrote this policy: somebody else has to approve it");
    refuses("\"on_error\": \"hold\"", "\"on_error\": \"allow\"",
            "'on_error' may be hold or block: what nobody has judged is not sent");
}

static void bands_have_to_increase(void **state)
{
    (void)state;
    refuses("\"hold\": 0.60", "\"hold\": 0.30",
            "category 'explicit' blurs from 0.3 and holds from 0.3: bands have to increase");
    refuses("\"block\": 0.90", "\"block\": 0.5",
            "category 'explicit' holds from 0.6 and blocks from 0.5: bands have to increase");
    refuses("{\"blur\": 0.70, \"hold\": null}", "{\"blur\": 0.70, \"block\": 0.6}",
            "category 'suggestive' blurs from 0.7 and blocks from 0.6: bands have to increase");
    refuses("\"block\": 0.90", "\"block\": 1.1", "'block' has to be a number from 0 to 1");
    refuses("\"block\": 0.90", "\"block\": \"0.9\"", "'block' has to be a number from 0 to 1");
    refuses("{\"explicit\": {\"block\": 0.70}}", "{\"explicit\": {\"block\": 0.60}}",
            "category 'explicit' holds from 0.6 and blocks from 0.6: bands have to increase");
    refuses("\"hold\": 0.80, \"block\": null", "\"hold\": 0.95",
            "category 'explicit' holds from 0.95 and blocks from 0.9: bands have to increase");
    refuses("\"block\": 0.90", "\"block\": 0.99",
            "category 'explicit' can never block: 0.99 is within min_margin (0.02) of 1");
}

static void every_class_has_one_place(void **state)
{
    (void)state;
    refuses_at("[\"Drawing\", \"Neutral\"]", "[\"Drawing\"]", 1,
               "class 'Neutral' is used by no category: use it, or say it in 'ignore'");
    refuses_at("\"Neutral\"]", "\"Neutral\", \"Sexy\"]", 1,
               "class 'Sexy' is used by a category, and ignored");
    refuses("\"classes\": [\"Sexy\"]", "\"classes\": [\"Porn\"]",
            "class 'Porn' is used by another category as well");
    refuses("\"Hentai\"]", "\"Porn\"]", "class 'Porn' stands here twice");
    refuses("\"Hentai\"]", "\"Nude\"]",
            "'Nude' is no class: there are Drawing, Hentai, Neutral, Porn, Sexy");
    refuses("\"op\": \"sum\"", "\"op\": \"class\"", "op 'class' takes exactly one class");
    refuses("\"classes\": [\"Sexy\"]", "\"classes\": []", "op 'class' takes exactly one class");
    refuses("{\"op\": \"safety\"}", "{\"op\": \"safety\", \"classes\": [\"Sexy\"]}",
            "op 'safety' takes no classes");
    refuses("{\"op\": \"safety\"}", "{\"op\": \"max\"}", "op 'max' takes at least one class");
    refuses("{\"op\": \"safety\"}", "{\"op\": \"mean\"}",
            "'op' has to be one of: sum, class, max, safety, prompt");
}

static void categories_are_told_apart(void **state)
{
    (void)state;
    refuses("\"id\": \"suggestive\"", "\"id\": \"explicit\"",
            "there is a category 'explicit' already");
    refuses("\"id\": \"strict\"", "\"id\": \"medical\"", "there is a context 'medical' already");
    refuses("\"gore\": {\"prompt\": \"allow\"}", "\"gone\": {\"prompt\": \"allow\"}",
            "there is no category 'gone'");
    refuses("\"prompt\": \"hold\"", "\"prompt\": \"blur\"",
            "'prompt' has to be one of: allow, hold, block");
    refuses("\"prompt\": \"hold\"", "\"bands\": {\"hold\": 0.5}",
            "category 'gore' is found in prompts alone: it has no bands");
}

static void statements_of_reasons_can_be_exported(void **state)
{
    struct policy *p =
        opened("STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
               "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS");

    (void)state;
    assert_string_equal(policy_category(p, 1)->dsa_category,
                        "STATEMENT_CATEGORY_OTHER_VIOLATION_TC");
    policy_close(&p);
    refuses("STATEMENT_CATEGORY_PROTECTION_OF_MINORS", "STATEMENT_CATEGORY_MINORS",
            "the DSA Transparency Database has no category 'STATEMENT_CATEGORY_MINORS'; there is "
            "STATEMENT_CATEGORY_OTHER_VIOLATION_TC, ..._PROTECTION_OF_MINORS, ..._VIOLENCE");
    refuses("KEYWORD_ADULT_SEXUAL_MATERIAL", "ADULT",
            "'dsa_keyword' looks like KEYWORD_NUDITY, not 'ADULT'");
}

static void always_means_always(void **state)
{
    (void)state;
    refuses("\"gore\": {\"prompt\": \"allow\"}", "\"minors\": {\"prompt\": \"allow\"}",
            "category 'minors' is always_block: no context may touch it");
    refuses("\"always_block\": true", "\"always_block\": true, \"prompt\": \"hold\"",
            "category 'minors' is always_block: its prompts are blocked");
    refuses("\"bands\": {\"hold\": 0.5}", "\"always_block\": true, \"bands\": {\"hold\": 0.5}",
            "category 'checker' is always_block, and has no band 'block'");
}

static void tenants_may_only_tighten(void **state)
{
    (void)state;
    refuses("\"explicit\": {\"hold\": 0.20}", "\"explicit\": {\"hold\": 0.61}",
            "a tenant's override may only tighten: 'hold' is 0.6 for everybody, and 0.61 is laxer");
    refuses("\"explicit\": {\"hold\": 0.20}", "\"explicit\": {\"hold\": null}",
            "'hold' is needed here");
    refuses(
        "\"may_only_tighten\": true", "\"may_only_tighten\": false",
        "a tenant's override may only tighten; to relax a category, grant the tenant a context");
    refuses_at("{\"hold\": 0.20}", "{\"hold\": 0.20, \"block\": 0.1}", -1,
               "tenant 'school', category 'explicit': bands have to increase");
    refuses_at("\"may_only_tighten\": true}",
               "\"may_only_tighten\": true}, {\"tenant\": \"school\"}", 0,
               "there is an override for tenant 'school' already");
}

static void a_calibration_belongs_to_its_weights(void **state)
{
    (void)state;
    refuses_at("fee38f0bcbad", "8e7dddbbcbad", 4,
               "calibration 'cal-1' was fitted on other weights than those that classifier "
               "'nsfw_mid' names");
    refuses("{\"id\": \"cal-1-s\", \"method\": \"identity\"}",
            "{\"id\": \"cal-1-s\", \"method\": \"temperature\", \"params\": {\"T\": 1.5}}",
            "'weights_sha256' is needed here");
}

static void reasons_are_in_every_language(void **state)
{
    (void)state;
    refuses(", \"de\": \"Anz\xc3\xbcglich.\"", "",
            "category 'suggestive' has no reason in 'de', which is one of 'languages'");
    refuses("\"de\": \"Anz\xc3\xbcglich.\"", "\"de\": \"x\", \"fr\": \"y\"",
            "'fr' is not one of 'languages'");
    refuses("[\"en\", \"de\"]", "[\"en\", \"en\"]", "language 'en' stands here twice");
    refuses("[\"en\", \"de\"]", "[]", "'languages' has to name 1 to 8 languages");
}

static void numbers_may_not_contradict(void **state)
{
    (void)state;
    refuses("\"held_image_days\": 200", "\"held_image_days\": 182",
            "held pictures are kept for 182 days, and can be appealed for 183: keep them as long");
    refuses("\"min_n\": 10", "\"min_n\": 101", "'min_n' (101) can not be more than 'window' (100)");
    refuses("\"max_overturn\": 0.25", "\"max_overturn\": 0.99",
            "the breaker can never open: even 100 overturned of 100 do not exceed 0.99 with "
            "confidence 0.9");
    refuses("\"energy_max\": -0.5", "\"energy_max\": -20",
            "'energy_max' has to be above 'energy_min'");
    refuses_at("\"min_margin\": 0.02,", "\"min_margin\": 0,", 1,
               "'thin_allow' needs a 'min_margin' above 0");
    refuses("\"page\": 0.25", "\"page\": 0.05", "'page' can not be below 'alert'");
    refuses("\"sla_final_h\": 72", "\"sla_final_h\": 12",
            "'sla_final_h' can not be before 'sla_first_review_h'");
    refuses("\"one_open_per_decision\": true", "\"one_open_per_decision\": false",
            "there is one open appeal for a decision, always");
    refuses("\"reviewer_must_differ\": true", "\"reviewer_must_differ\": false",
            "nobody reviews what they have decided themselves, ever");
    refuses("\"role\": \"second_opinion\"", "\"role\": \"main\"",
            "there are two classifiers with the role 'main'");
    refuses("0.5, 0.2, 0.1, 0.05", "0.5, 0.2, 0.1, 0.5",
            "the shares of a reference sum to 1, not 1.45");
    refuses("0.5, 0.2, 0.1, 0.05, 0.05", "0.6, 0.2, 0.1, 0.05", "a reference has 10 shares");
    refuses("\"T\": 2.0", "\"T\": 0", "'T' has to be a number from 0.05 to 100");
}

static void long_lists_have_an_end(void **state)
{
    char text[4096];

    (void)state;
    refuses("[\"category\", \"tenant\"", "[\"category\", \"day\"",
            "slices are told apart by category, tenant, context, model");
    refuses("[\"confident_uphold\"", "[\"always\"",
            "a second review is for: breaker_open, confident_uphold");
    snprintf(text, sizeof(text), "\"approved_by\": [");
    for (int i = 0; i < 9; i++)
        strncat(text, i ? ", \"x\"" : "\"x\"", sizeof(text) - strlen(text) - 1);
    strncat(text, "]", sizeof(text) - strlen(text) - 1);
    refuses("\"approved_by\": [\"grace\"]", text, "'approved_by' has room for 8 names");
}

/* The C library reads without a buffer when it gets none, so one failure is none. */
static void memory_may_end_anywhere(void **state)
{
    int unharmed = 0;

    (void)state;
    for (int nth = 1;; nth++) {
        struct policy *p = NULL;
        struct why why = {""};
        enum status st;
        bool fired;

        fault_arm(nth);
        st = policy_open(&p, FULL, &why);
        fired = fault_fired();
        policy_close(&p);
        fault_disarm();
        if (fault_live() != 0)
            fail_msg("allocation %d: %ld blocks stay: %s", nth, fault_live(), why.text);
        if (st && (st != ST_FULL || !why.text[0]))
            fail_msg("allocation %d: %s", nth, why.text);
        if (!fired)
            break;
        unharmed += !st;
    }
    assert_in_range(unharmed, 0, 1);
}

static void platt_needs_numbers_for_each_category(void **state)
{
    struct policy *p = opened("\"method\": \"temperature\", \"params\": {\"T\": 2.0}",
                              "\"method\": \"platt\", \"params\": {\"explicit\": {\"a\": 1, \"b\": "
                              "0}, \"suggestive\": {\"a\": 2, \"b\": -1}}");

    (void)state;
    policy_close(&p);
    refuses("\"method\": \"temperature\", \"params\": {\"T\": 2.0}",
            "\"method\": \"platt\", \"params\": {\"explicit\": {\"a\": 1, \"b\": 0}}",
            "method 'platt' needs a and b for category 'suggestive'");
    refuses("\"method\": \"temperature\"", "\"method\": \"identity\"",
            "method 'identity' takes no params");
}

static void the_second_opinion_has_to_be_there(void **state)
{
    (void)state;
    refuses(", \"role\": \"second_opinion\"", ", \"role\": \"second\"",
            "'role' has to be one of: main, second_opinion");
    refuses_at("0.02, 0.02]}},\n    {\"id\": \"nsfw_small\", \"role\": \"second_opinion\",\n     "
               "\"calibration\": "
               "{\"id\": \"cal-1-s\", \"method\": \"identity\"}}\n  ],",
               "0.02, 0.02]}}],", 58,
               "'model_disagreement' needs a classifier with the role second_opinion");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(reasons_are_in_the_readers_language),
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(the_shipped_policy_is_right),
        cmocka_unit_test(one_byte_makes_another_hash),
        cmocka_unit_test(files_that_are_not_there_say_so),
        cmocka_unit_test(unknown_keys_are_mistakes),
        cmocka_unit_test(the_head_has_to_be_right),
        cmocka_unit_test(bands_have_to_increase),
        cmocka_unit_test(every_class_has_one_place),
        cmocka_unit_test(categories_are_told_apart),
        cmocka_unit_test(statements_of_reasons_can_be_exported),
        cmocka_unit_test(always_means_always),
        cmocka_unit_test(tenants_may_only_tighten),
        cmocka_unit_test(a_calibration_belongs_to_its_weights),
        cmocka_unit_test(reasons_are_in_every_language),
        cmocka_unit_test(numbers_may_not_contradict),
        cmocka_unit_test(long_lists_have_an_end),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(platt_needs_numbers_for_each_category),
        cmocka_unit_test(the_second_opinion_has_to_be_there),
    };

    return cmocka_run_group_tests(tests, read_full, free_full);
}
