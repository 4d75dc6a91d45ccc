/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of a decision: to programs, to people, and to the Transparency Database.
 */
#include "moderation/link.h"
#include "server/dsa.h"
#include "server/result.h"
#include "server/statement.h"
#include "tests/unit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NOW_S           INT64_C(1796000000)
#define TENANT          "clinic-north"
#define USER            "somebody@example.org"

static struct policy *policy;
static uint8_t secret[SECRET_BYTES] = {1, 2, 3};
static struct moderated how;

static int open_policy(void **state)
{
    struct why why;

    (void)state;
    if (policy_open(&policy, "moderation/policies/default.json", &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    how = (struct moderated){.policy = policy,
                             .public_url = "https://pictures.example",
                             .secret = secret,
                             .now_s = NOW_S};
    return 0;
}

static int close_policy(void **state)
{
    (void)state;
    policy_close(&policy);
    return 0;
}

static struct store_decision decision_of(enum band action, enum store_standing standing)
{
    return (struct store_decision){
        .id = "dec_0123456789abcdef",
        .tenant = TENANT,
        .request = "req_77",
        .user = USER,
        .index = 1,
        .stage = STORE_STAGE_IMAGE,
        .model = "starter",
        .policy = "default",
        .policy_version = 14,
        .scores = "{\"main\":[9,8,7,6,5]}",
        .category = "sexual_explicit",
        .decision = (int)action,
        .action = (int)action,
        .cause = CAUSE_SCORES,
        .standing = standing,
        .object = "obj_1",
        .seed = 7,
        .width = 512,
        .height = 512,
        .created_s = NOW_S - 60,
        .appeal_until_s = NOW_S + 183 * 86400,
    };
}

/* What the writer made of it; the text is the caller's. */
static struct json *parse(struct json_out *o)
{
    struct json *root = NULL;
    struct why why;

    assert_false(o->failed);
    if (json_parse(&root, o->text, o->bytes, &why))
        fail_msg("%s in %s", why.text, o->text);
    return root;
}

static struct json *told(const struct store_decision *d)
{
    struct json_out o = {0};
    struct json *root;

    moderated_write(&o, NULL, &how, d);
    root = parse(&o);
    json_out_close(&o);
    return root;
}

static const char *text(const struct json *o, const char *name)
{
    const struct json *value = json_get(o, name);

    if (json_type_of(value) != JSON_TYPE_STRING)
        fail_msg("%s is no text", name);
    return json_as_string(value);
}

static bool flag(const struct json *o, const char *name)
{
    assert_int_equal(json_type_of(json_get(o, name)), JSON_TYPE_BOOL);
    return json_as_bool(json_get(o, name));
}

static void expect_null(const struct json *o, const char *name)
{
    assert_int_equal(json_type_of(json_get(o, name)), JSON_TYPE_NULL);
}

/* Ours: it opens this decision, this year. */
static void expect_link(const char *url, const char *begin, const char *id)
{
    const char *token = strstr(url, "?token=");

    assert_memory_equal(url, begin, strlen(begin));
    assert_non_null(token);
    assert_int_equal(link_check(secret, MODERATED_LINK, id, token + 7, NOW_S), ST_OK);
    assert_int_equal(link_check(secret, MODERATED_LINK, "dec_other", token + 7, NOW_S), ST_INVALID);
    assert_int_equal(link_check(secret, MODERATED_LINK, id, token + 7, NOW_S + 600 * 86400),
                     ST_LATE);
}

/* ---- the object ---- */

static void a_block_is_told_with_its_reason_and_its_way_out(void **state)
{
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);
    const struct json *part;
    struct json *root = told(&d);

    (void)state;
    assert_string_equal(text(root, "decision_id"), d.id);
    assert_string_equal(text(root, "stage"), "image");
    assert_string_equal(text(root, "action"), "block");
    assert_string_equal(text(root, "status"), "blocked");
    part = json_get(root, "category");
    assert_string_equal(text(part, "id"), "sexual_explicit");
    assert_string_equal(text(part, "severity"), "high");
    part = json_get(root, "reason");
    assert_string_equal(text(part, "code"), "sexual_explicit");
    assert_string_equal(text(part, "text"), policy_reason(policy, 0, "en"));
    assert_non_null(strstr(text(part, "clause"), "Content rule 1"));
    part = json_get(root, "policy");
    assert_int_equal(json_as_int(json_get(part, "version")), 14);
    part = json_get(root, "automated");
    assert_true(flag(part, "detection"));
    assert_string_equal(text(part, "decision"), "full");
    assert_false(flag(root, "retryable"));
    assert_true(flag(root, "billed"));
    assert_string_equal(text(root, "human_review"), "on_appeal");
    part = json_get(root, "appeal");
    assert_true(flag(part, "allowed"));
    assert_string_equal(text(part, "api"), "/v1/appeals");
    assert_string_equal(text(part, "deadline"), "2027-06-01T00:53:20Z");
    assert_int_equal(strlen(text(part, "expected_first_review")), 20);
    expect_link(text(part, "url"), "https://pictures.example/appeal/dec_0123456789abcdef?", d.id);
    expect_link(text(root, "statement_url"),
                "https://pictures.example/v1/decisions/dec_0123456789abcdef?", d.id);
    json_close(&root);
}

static void scores_and_names_are_not_told(void **state)
{
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);
    struct json_out o = {0};

    (void)state;
    moderated_write(&o, NULL, &how, &d);
    assert_false(o.failed);
    assert_non_null(strstr(o.text, d.id));
    assert_null(strstr(o.text, "scores"));
    assert_null(strstr(o.text, "0.95"));
    assert_null(strstr(o.text, TENANT));
    json_out_close(&o);
}

static void a_hold_waits_for_a_person_by_itself(void **state)
{
    struct store_decision d = decision_of(BAND_HOLD, STORE_HELD);
    struct json *root;

    (void)state;
    d.cause = CAUSE_DISAGREEMENT;
    root = told(&d);
    assert_string_equal(text(root, "action"), "hold");
    assert_string_equal(text(root, "status"), "held");
    assert_string_equal(text(root, "human_review"), "automatic");
    assert_string_equal(text(json_get(root, "automated"), "decision"), "partial");
    assert_string_equal(text(json_get(root, "category"), "severity"), "medium");
    assert_false(flag(json_get(root, "appeal"), "allowed"));
    expect_null(json_get(root, "appeal"), "deadline");
    assert_int_equal(strlen(text(json_get(root, "appeal"), "expected_first_review")), 20);
    assert_non_null(strstr(text(json_get(root, "reason"), "text"), "did not agree"));
    json_close(&root);
}

static void what_could_not_be_judged_has_no_category(void **state)
{
    struct store_decision d = decision_of(BAND_HOLD, STORE_HELD);
    struct json *root;

    (void)state;
    d.cause = CAUSE_UNJUDGED;
    d.category[0] = '\0';
    root = told(&d);
    expect_null(root, "category");
    assert_string_equal(text(json_get(root, "reason"), "code"), "classifier_unavailable");
    assert_non_null(strstr(text(json_get(root, "reason"), "text"), "a person looks"));
    expect_null(json_get(root, "reason"), "clause");
    json_close(&root);
}

static void what_is_delivered_says_little(void **state)
{
    struct store_decision d = decision_of(BAND_ALLOW, STORE_ALLOWED);
    struct json *root = told(&d);

    (void)state;
    assert_string_equal(text(root, "action"), "allow");
    assert_null(json_get(root, "reason"));
    json_close(&root);
    d = decision_of(BAND_BLUR, STORE_BLURRED);
    root = told(&d);
    assert_string_equal(text(root, "action"), "blur");
    assert_string_equal(text(json_get(root, "category"), "severity"), "low");
    assert_non_null(json_get(root, "reason"));
    assert_null(json_get(root, "appeal"));
    json_close(&root);
    d = decision_of(BAND_BLOCK, STORE_RELEASED);
    root = told(&d);
    assert_string_equal(text(root, "action"), "allow");
    assert_string_equal(text(root, "status"), "released");
    json_close(&root);
}

static void an_appeal_is_offered_only_where_it_is_one(void **state)
{
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);

    (void)state;
    assert_true(moderated_is_appealable(&how, &d));
    d.appeal_until_s = NOW_S;
    assert_false(moderated_is_appealable(&how, &d));
    for (int standing = 0; standing < STORE_STANDINGS; standing++) {
        d = decision_of(BAND_BLOCK, (enum store_standing)standing);
        assert_int_equal(moderated_is_appealable(&how, &d), standing == STORE_BLOCKED);
        assert_int_equal(moderated_is_withheld(&d), standing != STORE_ALLOWED &&
                                                        standing != STORE_BLURRED &&
                                                        standing != STORE_RELEASED);
    }
}

static void a_rule_that_is_gone_is_told_as_gone(void **state)
{
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);
    struct json *root;

    (void)state;
    snprintf(d.category, sizeof(d.category), "of_another_policy");
    root = told(&d);
    assert_string_equal(text(json_get(root, "category"), "id"), "of_another_policy");
    assert_non_null(strstr(text(json_get(root, "reason"), "text"), "no longer"));
    assert_true(flag(json_get(root, "appeal"), "allowed"));
    json_close(&root);
}

/* ---- answers ---- */

static const char *header_of(const struct answer *a, const char *name)
{
    for (int i = 0; i < a->header_count; i++) {
        if (!strcmp(a->header[i].name, name))
            return a->header_text + a->header[i].value_at;
    }
    return NULL;
}

static void a_refusal_has_the_shape_that_clients_know(void **state)
{
    struct store_decision d[2] = {decision_of(BAND_BLOCK, STORE_BLOCKED),
                                  decision_of(BAND_BLOCK, STORE_BLOCKED)};
    const struct store_decision *list[] = {&d[0], &d[1]};
    const struct json *error;
    struct answer a;
    struct json *root;

    (void)state;
    for (int count = 1; count <= 2; count++) {
        moderated_refuse(&a, &how, list, count);
        assert_int_equal(a.status, 400);
        assert_string_equal(header_of(&a, "x-should-retry"), "false");
        assert_null(header_of(&a, "retry-after"));
        root = parse(&a.json);
        error = json_get(root, "error");
        assert_string_equal(text(error, "code"), "moderation_blocked");
        assert_string_equal(text(error, "type"), "image_generation_user_error");
        expect_null(error, "param");
        assert_non_null(strstr(text(error, "message"), "Ask a person"));
        assert_non_null(strstr(text(error, "message"), "https://pictures.example/appeal/"));
        if (count == 1)
            assert_string_equal(text(json_get(error, "moderation"), "decision_id"), d[0].id);
        else
            assert_int_equal(json_size(json_get(error, "moderations")), 2);
        json_close(&root);
        answer_close(&a);
    }
}

static void words_that_are_blocked_are_not_billed(void **state)
{
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);
    const struct store_decision *one = &d;
    const struct json *mod;
    struct answer a;
    struct json *root;

    (void)state;
    d.stage = STORE_STAGE_PROMPT;
    d.cause = CAUSE_PROMPT;
    moderated_refuse(&a, &how, &one, 1);
    root = parse(&a.json);
    mod = json_get(json_get(root, "error"), "moderation");
    assert_string_equal(text(mod, "stage"), "prompt");
    assert_false(flag(mod, "billed"));
    assert_non_null(strstr(text(json_get(root, "error"), "message"), "The request was not"));
    json_close(&root);
    answer_close(&a);
}

/* Three pictures: one that is fine, one that waits, one that was blocked. */
static void mix(struct result *r, struct outcomes *outcomes, struct bytes *data)
{
    *outcomes = (struct outcomes){.how = how, .job = "job_5"};
    outcomes->decision[1] = decision_of(BAND_HOLD, STORE_HELD);
    outcomes->decision[2] = decision_of(BAND_BLOCK, STORE_BLOCKED);
    *r = (struct result){.model = "starter",
                         .width = 64,
                         .height = 64,
                         .format = FORMAT_PNG,
                         .made_s = NOW_S,
                         .count = 3,
                         .outcomes = outcomes};
    for (int i = 0; i < 3; i++) {
        data[i] = (struct bytes){0};
        r->picture[i].seed = 10 + (uint64_t)i;
        r->picture[i].sha256 = "00";
        r->picture[i].decision = i ? outcomes->decision[i].id : "dec_fine";
        r->picture[i].data = &data[i];
    }
    data[0] = (struct bytes){malloc(3), 3};
    memcpy(data[0].data, "PNG", 3);
}

static void each_picture_has_its_own_outcome(void **state)
{
    const struct json *items, *item;
    struct outcomes outcomes;
    struct bytes data[3];
    struct result r;
    struct answer a;
    struct json *root;

    (void)state;
    mix(&r, &outcomes, data);
    result_write(&a, &r, false);
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(&a, "x-limner-moderation"), "allowed=1, held=1, blocked=1");
    root = parse(&a.json);
    items = json_get(root, "data");
    assert_int_equal(json_size(items), 3);
    item = json_at(items, 0);
    assert_string_equal(text(item, "b64_json"), "UE5H");
    assert_string_equal(text(json_get(json_get(item, "limner"), "moderation"), "decision_id"),
                        "dec_fine");
    for (size_t i = 1; i < 3; i++) {
        const struct json *limner;

        item = json_at(items, i);
        limner = json_get(item, "limner");
        assert_null(json_get(item, "b64_json"));
        assert_int_equal(json_as_int(json_get(item, "index")), i);
        assert_int_equal(json_as_int(json_get(item, "seed")), 10 + i);
        assert_string_equal(text(json_get(limner, "moderation"), "action"),
                            i == 1 ? "hold" : "block");
        if (i == 1)
            assert_string_equal(text(limner, "job_id"), "job_5");
        else
            assert_null(json_get(limner, "job_id"));
    }
    json_close(&root);
    answer_close(&a);
}

static void when_all_are_blocked_there_is_no_empty_list(void **state)
{
    struct outcomes outcomes;
    struct bytes data[3];
    struct result r;
    struct answer a;
    struct json *root;

    (void)state;
    mix(&r, &outcomes, data);
    bytes_close(&data[0]);
    outcomes.decision[0] = outcomes.decision[1] = outcomes.decision[2];
    result_write(&a, &r, false);
    assert_int_equal(a.status, 400);
    root = parse(&a.json);
    assert_int_equal(json_size(json_get(json_get(root, "error"), "moderations")), 3);
    json_close(&root);
    answer_close(&a);
}

static void bytes_to_be_covered_say_so(void **state)
{
    struct outcomes outcomes;
    struct bytes data[3];
    struct result r;
    struct answer a;

    (void)state;
    mix(&r, &outcomes, data);
    r.count = 1;
    result_write(&a, &r, true);
    assert_string_equal(header_of(&a, "x-limner-moderation"), "allow");
    assert_int_equal(a.raw.count, 3);
    answer_close(&a);
    mix(&r, &outcomes, data);
    r.count = 1;
    outcomes.decision[0] = decision_of(BAND_BLUR, STORE_BLURRED);
    result_write(&a, &r, true);
    assert_string_equal(header_of(&a, "x-limner-moderation"), "blur");
    assert_string_equal(header_of(&a, "x-limner-decision"), "dec_fine");
    answer_close(&a);
}

/* ---- the statement ---- */

static void a_statement_has_what_the_law_asks_for(void **state)
{
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);
    const struct json *s, *part;
    struct json_out o = {0};
    struct json *root;

    (void)state;
    statement_write(&o, NULL, &how, &d);
    root = parse(&o);
    assert_string_equal(text(root, "object"), "moderation.decision");
    assert_string_equal(text(root, "created_at"), "2026-11-30T00:52:20Z");
    assert_string_equal(text(root, "user"), USER); /* his own word comes back to him */
    assert_int_equal(json_size(json_get(root, "content_type")), 2);
    assert_string_equal(text(root, "preview_url"), "/v1/decisions/dec_0123456789abcdef/preview");
    expect_null(root, "image_url");
    s = json_get(root, "statement");
    part = json_get(s, "restriction"); /* 17(3)(a) */
    assert_string_equal(text(part, "type"), "content_disabled");
    assert_string_equal(text(part, "territory"), "everywhere");
    assert_non_null(json_get(json_get(part, "duration"), "from"));
    assert_non_null(strstr(text(s, "facts"), "No person was part")); /* (b) */
    assert_string_equal(text(s, "source"), "own_initiative");
    assert_true(flag(s, "automated_detection")); /* (c) */
    assert_string_equal(text(s, "automated_decision"), "full");
    part = json_get(s, "ground"); /* (e) */
    assert_string_equal(text(part, "type"), "terms");
    assert_non_null(text(part, "clause"));
    assert_non_null(text(part, "explanation"));
    part = json_get(s, "redress"); /* (f) */
    assert_true(flag(json_get(part, "internal_complaint"), "available"));
    assert_true(flag(json_get(part, "internal_complaint"), "free_of_charge"));
    assert_non_null(strstr(text(part, "out_of_court"), "out-of-court"));
    assert_non_null(strstr(text(part, "court"), "court"));
    assert_null(strstr(o.text, "\"scores\""));
    json_close(&root);
    json_out_close(&o);
}

static void expect_sentences(const char *said)
{
    size_t words = 0;

    for (const char *c = said; *c; c++) {
        words += *c == ' ';
        if (strchr(".:?!\n", *c) && (!c[1] || isspace((unsigned char)c[1])))
            words = 0;
        if (words > 40)
            fail_msg("a sentence of more than forty words before: %.60s", c);
    }
}

/* Goal: whoever else reads it, such as a reviewer, cannot speak as the owner afterwards. */
static void others_get_no_token(void **state)
{
    struct moderated others = how;
    struct store_decision d = decision_of(BAND_BLOCK, STORE_BLOCKED);
    char url[MODERATED_URL_MAX];

    (void)state;
    moderated_appeal_url(url, &how, &d);
    assert_non_null(strstr(url, "token="));
    others.secret = NULL;
    moderated_appeal_url(url, &others, &d);
    assert_null(strstr(url, "token"));
    assert_non_null(strstr(url, d.id));
    moderated_statement_url(url, &others, &d);
    assert_null(strstr(url, "token"));
}

/* Goal: somebody who drew an anatomy chart can read it: short, no reproach, and what to do. */
static void a_statement_reads_well(void **state)
{
    static const char *const never[] = {"violat",  "abuse",     "offend",     "inappropriate",
                                        "illegal", "you tried", "your fault", "0.",
                                        "scores",  TENANT,      USER};

    (void)state;
    for (int standing = 0; standing < STORE_STANDINGS; standing++) {
        struct store_decision d = decision_of(standing == STORE_HELD ? BAND_HOLD : BAND_BLOCK,
                                              (enum store_standing)standing);
        struct bytes out;
        char *said;

        assert_int_equal(statement_text(&out, &how, &d), ST_OK);
        said = calloc(1, out.count + 1);
        memcpy(said, out.data, out.count);
        for (size_t i = 0; i < COUNT_OF(never); i++) {
            if (strstr(said, never[i]))
                fail_msg("'%s' in: %s", never[i], said);
        }
        expect_sentences(said);
        assert_true(out.count < 3000);
        assert_non_null(strstr(said, d.id));
        if (standing == STORE_BLOCKED) {
            assert_non_null(strstr(said, "Ask a person to look at it. It is free"));
            assert_non_null(strstr(said, "https://pictures.example/appeal/"));
            assert_non_null(strstr(said, "this very picture"));
            assert_non_null(strstr(said, "1 June 2027, 00:53 UTC"));
        }
        if (standing == STORE_HELD)
            assert_non_null(strstr(said, "Nothing is needed: a person looks at it by"));
        free(said);
        bytes_close(&out);
    }
}

/* ---- the Transparency Database ---- */

static const char *const categories[] = {
    "STATEMENT_CATEGORY_ANIMAL_WELFARE",
    "STATEMENT_CATEGORY_CONSUMER_INFORMATION",
    "STATEMENT_CATEGORY_CYBER_VIOLENCE",
    "STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN",
    "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
    "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
    "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
    "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_"
    "ELECTIONS",
    "STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE",
    "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
    "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY",
    "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    "STATEMENT_CATEGORY_SELF_HARM",
    "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
    "STATEMENT_CATEGORY_VIOLENCE",
    NULL};
static const char *const visibilities[] = {"DECISION_VISIBILITY_CONTENT_REMOVED",
                                           "DECISION_VISIBILITY_CONTENT_DISABLED",
                                           "DECISION_VISIBILITY_CONTENT_DEMOTED",
                                           "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
                                           "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
                                           "DECISION_VISIBILITY_CONTENT_LABELLED",
                                           "DECISION_VISIBILITY_OTHER",
                                           NULL};
static const char *const contents[] = {"CONTENT_TYPE_IMAGE", "CONTENT_TYPE_SYNTHETIC_MEDIA", NULL};
static const char *const automations[] = {"AUTOMATED_DECISION_FULLY",
                                          "AUTOMATED_DECISION_PARTIALLY",
                                          "AUTOMATED_DECISION_NOT_AUTOMATED", NULL};
static const char *const sources[] = {"SOURCE_VOLUNTARY", "SOURCE_TRUSTED_FLAGGER",
                                      "SOURCE_ARTICLE_16", "SOURCE_TYPE_OTHER_NOTIFICATION", NULL};
static const char *const grounds[] = {"DECISION_GROUND_INCOMPATIBLE_CONTENT",
                                      "DECISION_GROUND_ILLEGAL_CONTENT", NULL};
static const char *const yes_no[] = {"Yes", "No", NULL};

static void expect_word(const char *value, const char *const *words)
{
    for (; *words; words++) {
        if (!strcmp(*words, value))
            return;
    }
    fail_msg("%s is none of the database's words", value);
}

static void expect_words(const struct json *list, const char *const *words)
{
    assert_true(json_size(list) >= 1);
    for (size_t i = 0; i < json_size(list); i++)
        expect_word(json_as_string(json_at(list, i)), words);
}

static void expect_text(const struct json *o, const char *name, size_t most)
{
    const char *value = text(o, name);

    if (!*value || strlen(value) > most)
        fail_msg("%s has %zu characters, and may have 1 to %zu", name, strlen(value), most);
}

static void expect_day(const struct json *o, const char *name)
{
    const char *day = text(o, name);

    assert_int_equal(strlen(day), 10);
    for (int i = 0; i < 10; i++)
        assert_true(i == 4 || i == 7 ? day[i] == '-' : isdigit((unsigned char)day[i]));
}

/* The published rules: what is required, the words, the lengths, the pattern of the id. */
static void expect_valid(const struct json *o)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *puid = text(o, "puid");

    expect_words(json_get(o, "decision_visibility"), visibilities);
    expect_word(text(o, "decision_ground"), grounds);
    expect_text(o, "incompatible_content_ground", 500);
    expect_text(o, "incompatible_content_explanation", 2000);
    expect_words(json_get(o, "content_type"), contents);
    expect_word(text(o, "category"), categories);
    for (size_t i = 0; i < json_size(json_get(o, "category_specification")); i++)
        assert_memory_equal(json_as_string(json_at(json_get(o, "category_specification"), i)),
                            "KEYWORD_", 8);
    expect_text(o, "decision_facts", 5000);
    expect_word(text(o, "source_type"), sources);
    expect_word(text(o, "automated_detection"), yes_no);
    expect_word(text(o, "automated_decision"), automations);
    expect_day(o, "content_date");
    expect_day(o, "application_date");
    assert_true(strlen(puid) <= 500 && strspn(puid, good) == strlen(puid) && *puid);
}

static void the_transparency_database_takes_all_of_them(void **state)
{
    static const char *const personal[] = {TENANT, USER, "req_77", "https://pictures.example"};
    int written = 0;

    (void)state;
    for (int at = 0; at < BAND_COUNT * CAUSE_COUNT * STORE_STANDINGS * 2; at++) {
        enum band action = (enum band)(at % BAND_COUNT);
        struct store_decision d = decision_of(
            action, (enum store_standing)(at / (BAND_COUNT * CAUSE_COUNT) % STORE_STANDINGS));
        struct json_out o = {0};
        struct json *root;

        d.cause = at / BAND_COUNT % CAUSE_COUNT;
        d.stage = at / (BAND_COUNT * CAUSE_COUNT * STORE_STANDINGS) ? STORE_STAGE_PROMPT
                                                                    : STORE_STAGE_IMAGE;
        if (d.cause == CAUSE_ENERGY)
            d.category[0] = '\0';
        if (d.cause == CAUSE_PROMPT)
            snprintf(d.category, sizeof(d.category), "no_longer_there");
        assert_int_equal(dsa_is_statement(&d), action != BAND_ALLOW);
        if (action == BAND_ALLOW)
            continue;
        dsa_write(&o, &how, &d);
        root = parse(&o);
        expect_valid(root);
        for (size_t i = 0; i < COUNT_OF(personal); i++)
            assert_null(strstr(o.text, personal[i]));
        json_close(&root);
        json_out_close(&o);
        written++;
    }
    assert_true(written > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_told_with_its_reason_and_its_way_out),
        cmocka_unit_test(scores_and_names_are_not_told),
        cmocka_unit_test(a_hold_waits_for_a_person_by_itself),
        cmocka_unit_test(what_could_not_be_judged_has_no_category),
        cmocka_unit_test(what_is_delivered_says_little),
        cmocka_unit_test(an_appeal_is_offered_only_where_it_is_one),
        cmocka_unit_test(a_rule_that_is_gone_is_told_as_gone),
        cmocka_unit_test(a_refusal_has_the_shape_that_clients_know),
        cmocka_unit_test(words_that_are_blocked_are_not_billed),
        cmocka_unit_test(each_picture_has_its_own_outcome),
        cmocka_unit_test(when_all_are_blocked_there_is_no_empty_list),
        cmocka_unit_test(bytes_to_be_covered_say_so),
        cmocka_unit_test(a_statement_has_what_the_law_asks_for),
        cmocka_unit_test(others_get_no_token),
        cmocka_unit_test(a_statement_reads_well),
        cmocka_unit_test(the_transparency_database_takes_all_of_them),
    };

    return cmocka_run_group_tests(tests, open_policy, close_policy);
}
