/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_replay.c - recorded scores under a policy, and what that means for the people who look.
 */
#include "moderation/capacity.h"
#include "moderation/replay.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One class (Porn) with bands; no second opinion. */
#define POLICY(bands)                                                                              \
    "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"x\", \"version\": 1, \"status\": "     \
    "\"draft\", \"ignore\": [\"Drawing\", \"Hentai\", \"Neutral\", \"Sexy\"], \"categories\": "    \
    "[{\"id\": \"a\", \"clause\": \"1\", \"from\": {\"op\": \"class\", \"classes\": [\"Porn\"]}, " \
    "\"reason\": {\"en\": \"r\"}, \"bands\": {" bands "}}], \"audit_sample\": {\"auto_block\": "   \
    "0.5, \"auto_allow_near\": 0, \"auto_allow_far\": 0}}"

static struct policy *open_text(const char *text)
{
    struct policy *p = NULL;
    struct why why = {""};

    if (policy_open_text(&p, text, strlen(text), "f", &why))
        fail_msg("%s", why.text);
    return p;
}

/* A record whose p of Porn is x / (x + 4). */
static enum status put(struct replay *r, const char *id, double x, const char *more)
{
    char line[512];
    int bytes =
        snprintf(line, sizeof(line), "{\"id\":\"%s\",\"scores\":{\"main\":[0,0,0,%.9g,0]}%s}\n", id,
                 log(x), more);

    return replay_line(r, line, (size_t)bytes, NULL);
}

static int moved;

static void on_move(void *arg, const char *id, enum band from, enum band to)
{
    assert_string_equal(id, "three");
    assert_int_equal(from, BAND_HOLD);
    assert_int_equal(to, BAND_BLOCK);
    moved += *(int *)arg;
}

static void records_are_counted_and_compared(void **state)
{
    struct policy *now = open_text(POLICY("\"hold\": 0.4, \"block\": 0.8"));
    struct policy *before = open_text(POLICY("\"hold\": 0.4, \"block\": 0.9"));
    int one = 1;
    struct replay r = {.policy = now, .baseline = before, .moved = on_move, .arg = &one};

    (void)state;
    moved = 0;
    assert_int_equal(put(&r, "one", 1, ""), ST_OK);    /* 0.2 */
    assert_int_equal(put(&r, "two", 4, ""), ST_OK);    /* 0.5 */
    assert_int_equal(put(&r, "three", 20, ""), ST_OK); /* 0.83 */
    assert_int_equal(put(&r, "four", 400, ""), ST_OK); /* 0.99 */
    assert_int_equal(r.pictures, 4);
    assert_true(r.action[BAND_ALLOW] == 1 && r.action[BAND_HOLD] == 1 && r.action[BAND_BLOCK] == 2);
    assert_true(r.held[0] == 1 && r.blocked[0] == 2 && r.held_for[CAUSE_SCORES] == 1);
    assert_true(r.compared == 4 && r.moves[BAND_HOLD][BAND_BLOCK] == 1 && moved == 1);
    assert_true(r.audits == 1);
    assert_true(replay_review_share(&r) == 0.5);
    policy_close(&now);
    policy_close(&before);
}

static void without_a_baseline_the_record_is_it(void **state)
{
    struct policy *now = open_text(POLICY("\"hold\": 0.4"));
    struct replay r = {.policy = now};

    (void)state;
    assert_int_equal(put(&r, "a", 4, ",\"action\":\"allow\",\"anything\":1"), ST_OK);
    assert_int_equal(put(&r, "b", 4, ""), ST_OK);
    assert_true(r.compared == 1 && r.moves[BAND_ALLOW][BAND_HOLD] == 1);
    policy_close(&now);
}

static void tenants_and_contexts_are_replayed(void **state)
{
    struct policy *p = NULL;
    struct replay r = {.policy = NULL};
    static const char line[] =
        "{\"scores\":{\"main\":[4,-90,-90,6.2,-90],\"second\":[0,-90,-90,1,-90]},%s}";
    char text[256];
    int bytes;

    (void)state;
    assert_int_equal(policy_open(&p, "tests/policies/full.json", NULL), ST_OK);
    r.policy = p;
    bytes = snprintf(text, sizeof(text), line, "\"context\":\"medical\"");
    assert_int_equal(replay_line(&r, text, (size_t)bytes, NULL), ST_OK);
    assert_int_equal(r.action[BAND_BLUR], 1);
    bytes = snprintf(text, sizeof(text), line, "\"context\":\"medical\",\"tenant\":\"school\"");
    assert_int_equal(replay_line(&r, text, (size_t)bytes, NULL), ST_OK);
    assert_int_equal(r.action[BAND_HOLD], 1);
    policy_close(&p);
}

static void what_was_not_judged_is_held(void **state)
{
    struct policy *now = open_text(POLICY("\"hold\": 0.4"));
    struct replay r = {.policy = now};

    (void)state;
    assert_int_equal(replay_line(&r, "{\"scores\":null}", 15, NULL), ST_OK);
    assert_int_equal(r.held_for[CAUSE_UNJUDGED], 1);
    policy_close(&now);
}

static void wrong_lines_are_named(void **state)
{
    static const struct {
        const char *line, *said;
    } wrong[] = {
        {"[]", "s:2: a record is an object: {\"id\": ..., \"scores\": ...}"},
        {"{", "s:2: line 1 column 1: string or '}' expected near end of file"},
        {"{\"id\":\"x\"}", "s:2: 'scores' is needed; null when a picture was not judged"},
        {"{\"id\":1,\"scores\":null}", "s:2: 'id' must be a string"},
        {"{\"scores\":{\"main\":[1,2]}}",
         "s:2: these are no scores; they look like {\"main\":[5 numbers]}"},
        {"{\"scores\":null,\"action\":\"pass\"}",
         "s:2: 'action' is allow, blur, hold or block, not 'pass'"},
    };
    struct policy *now = open_text(POLICY("\"hold\": 0.4"));

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct replay r = {.policy = now};
        struct why why = {""};
        FILE *file = tmpfile();

        assert_non_null(file);
        fprintf(file, "  \n%s", wrong[i].line);
        rewind(file);
        assert_int_equal(replay_file(&r, file, "s", &why), ST_INVALID);
        assert_string_equal(why.text, wrong[i].said);
        fclose(file);
    }
    policy_close(&now);
}

static void a_line_has_a_limit(void **state)
{
    struct policy *now = open_text(POLICY("\"hold\": 0.4"));
    struct replay r = {.policy = now};
    struct why why = {""};
    FILE *file = tmpfile();

    (void)state;
    assert_non_null(file);
    for (int i = 0; i < REPLAY_LINE_MAX; i++)
        fputc(' ', file);
    rewind(file);
    assert_int_equal(replay_file(&r, file, "s", &why), ST_INVALID);
    assert_string_equal(why.text, "s:1: the line is longer than 65536 bytes");
    fclose(file);
    policy_close(&now);
}

/* ---- people ---- */

static void one_reviewer_is_a_plain_queue(void **state)
{
    struct policy_capacity c = {
        .reviewers = 1, .items_per_reviewer_hour = 60, .max_utilisation = 0.8};
    struct capacity_forecast f;

    (void)state;
    capacity_forecast(&f, &c, 30, 24); /* M/M/1: rho / (mu - lambda) = 0.5 / 30 */
    assert_true(fabs(f.utilisation - 0.5) < 1e-12 && fabs(f.wait_h - 0.5 / 30) < 1e-12);
    assert_true(fabs(f.waiting - 0.5) < 1e-12);
    assert_int_equal(f.needed, 1);
    capacity_forecast(&f, &c, 0, 24);
    assert_true(f.wait_h == 0 && f.waiting == 0 && f.needed == 1);
}

static void several_share_one_queue(void **state)
{
    struct policy_capacity c = {
        .reviewers = 2, .items_per_reviewer_hour = 60, .max_utilisation = 0.8};
    struct capacity_forecast f;

    (void)state;
    capacity_forecast(&f, &c, 90, 24); /* M/M/2 with rho .75: C = 2 rho^2 / (1 + rho) = 9/14 */
    assert_true(fabs(f.wait_h - 9.0 / 14 / 30) < 1e-12);
    assert_int_equal(f.needed, 2);
}

static void too_much_work_only_grows(void **state)
{
    struct policy_capacity c = {
        .reviewers = 4, .items_per_reviewer_hour = 60, .max_utilisation = 0.8};
    struct capacity_forecast f;

    (void)state;
    capacity_forecast(&f, &c, 240, 24);
    assert_true(f.utilisation == 1 && isinf(f.wait_h) && isinf(f.waiting));
    assert_int_equal(f.needed, 5);
    capacity_forecast(&f, &c, 4800, 24);
    assert_int_equal(f.needed, 100);
    c.max_utilisation = 0.99;
    capacity_forecast(&f, &c, 59.3, 0.01); /* one would do, but the items would wait for 1.4 h */
    assert_int_equal(f.needed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_counted_and_compared),
        cmocka_unit_test(without_a_baseline_the_record_is_it),
        cmocka_unit_test(tenants_and_contexts_are_replayed),
        cmocka_unit_test(what_was_not_judged_is_held),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(one_reviewer_is_a_plain_queue),
        cmocka_unit_test(several_share_one_queue),
        cmocka_unit_test(too_much_work_only_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
