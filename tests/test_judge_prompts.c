/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the judge has beside finished pictures: prompts, what is sealed, policies that come and go,
 * and how he is opened.
 */
#include "codec/decode.h"
#include "moderation/scores.h"
#include "tests/judge_room.h"
#include "tests/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define WORDED                                                                                     \
    VERDICTS_CLASSES ",\"prompt_stage\":{\"rules\":\"rules.json\",\"action\":\"block\","           \
                     "\"appealable\":true}" VERDICTS_NO_AUDIT

/* The same bands, with rules for prompts: "explicit" is blocked, "drawn" held, and "strange" is a
   category that the policy does not know. */
static int open_worded(void **state)
{
    static const char rules[] =
        "{\"schema\":\"prompt-rules/1\",\"version\":\"1\",\"categories\":["
        "{\"id\":\"explicit\",\"rules\":[{\"id\":\"a\",\"words\":[\"forbidden\"]}]},"
        "{\"id\":\"drawn\",\"rules\":[{\"id\":\"b\",\"words\":[\"doubtful\"]}]},"
        "{\"id\":\"strange\",\"rules\":[{\"id\":\"c\",\"words\":[\"unheard\"]}]}]}";
    struct why why = {""};
    const char *policy;
    struct room *r;
    char path[256];
    FILE *file;

    if (room_open(state, VERDICTS_CLASSES VERDICTS_NO_AUDIT))
        return 1;
    r = *state;
    snprintf(path, sizeof(path), "%s/rules.json", r->v.folder);
    file = fopen(path, "w");
    if (!file || fputs(rules, file) < 0 || fclose(file))
        return 1;
    policy = verdicts_policy(r->v.folder, 2, WORDED);
    if (judge_reload(r->v.judge, policy, NULL, &why))
        fail_msg("%s", why.text);
    return 0;
}

/* ---- prompts ---- */

static struct judge_asked asked(const char *prompt)
{
    return (struct judge_asked){.tenant = "clinic",
                                .user = "ward 7",
                                .request = "req_9",
                                .model = "tiny",
                                .prompt = prompt};
}

static void a_prompt_is_judged_by_its_words(void **state)
{
    static const struct {
        const char *prompt;
        enum band action;
        enum cause cause;
        const char *held_for;
    } cases[] = {
        {"a red fox", BAND_ALLOW, CAUSE_SCORES, ""},
        {"a forbidden fox", BAND_BLOCK, CAUSE_PROMPT, ""},
        {"an unheard fox", BAND_HOLD, CAUSE_PROMPT, "strange"},
    };
    struct room *r = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct judge_asked a = asked(cases[i].prompt);
        struct prompt_finding finding;
        struct verdict v;

        judge_prompt(r->v.judge, &a, &v, &finding);
        if (v.action != cases[i].action || v.cause != cases[i].cause ||
            strcmp(judge_held_for(&v, &finding), cases[i].held_for) != 0)
            fail_msg("%s: action %d, cause %d", cases[i].prompt, v.action, v.cause);
    }
    assert_int_equal(room_stats(r).prompts, COUNT_OF(cases));
    assert_int_equal(room_stats(r).prompts_by_action[BAND_BLOCK], 1);
}

/* Goal: a text that could not be judged to its end holds what is made of it. */
static void a_prompt_beyond_all_measure_is_held(void **state)
{
    struct room *r = *state;
    char *text = malloc(PROMPT_BYTES_MAX + 10);
    struct prompt_finding finding;
    struct judge_asked a;
    struct verdict v;
    struct job *job;

    assert_non_null(text);
    memset(text, 'a', PROMPT_BYTES_MAX + 9);
    text[PROMPT_BYTES_MAX + 9] = '\0';
    a = asked(text);
    judge_prompt(r->v.judge, &a, &v, &finding);
    free(text);
    assert_int_equal(v.action, BAND_HOLD);
    assert_int_equal(v.cause, CAUSE_UNJUDGED);

    verdicts_say(VERDICTS_BY_PIXEL);
    job = room_add(r, SCORES_NEUTRAL);
    snprintf(job->owner.held_for, sizeof(job->owner.held_for), "%s", judge_held_for(&v, &finding));
    room_judge(r);
    assert_int_equal(job->status, ST_REFUSED);
    assert_int_equal(job->verdict.action, BAND_HOLD);
}

/* Goal: a blocked prompt has a record with its words sealed, and the words are nowhere else. */
static void a_blocked_prompt_is_written_down(void **state)
{
    struct room *r = *state;
    struct judge_asked a = asked("a forbidden fox");
    struct prompt_finding finding;
    struct store_decision d, found;
    struct judge_kept kept;
    struct why why = {""};
    struct verdict v;
    bool released;

    judge_prompt(r->v.judge, &a, &v, &finding);
    if (judge_record(r->v.judge, &a, &v, &finding, &d, &released, &why))
        fail_msg("%s", why.text);
    assert_false(released);
    assert_int_equal(r->v.real->ops->decision_find(r->v.real, d.id, &found, NULL), ST_OK);
    assert_int_equal(found.stage, STORE_STAGE_PROMPT);
    assert_int_equal(found.standing, STORE_BLOCKED);
    assert_int_equal(found.action, BAND_BLOCK);
    assert_string_equal(found.category, "explicit");
    assert_string_equal(found.request, "req_9");
    assert_true(found.appeal_until_s > found.created_s);
    assert_null(strstr(found.scores, "forbidden"));
    assert_non_null(strstr(found.scores, "\"rule\":\"a\""));
    assert_int_equal(judge_keep_open(r->v.judge, &found, &kept, NULL), ST_OK);
    assert_string_equal(kept.prompt, "a forbidden fox");
    assert_int_equal(kept.picture.count, 0);
    judge_kept_close(&kept);
    assert_int_equal(r->v.told, 1);
}

/* Goal: words that were let go for this tenant pass, and a store that fails lets nothing pass. */
static void a_released_prompt_passes_and_an_unrecorded_one_does_not(void **state)
{
    struct room *r = *state;
    struct judge_asked a = asked("a forbidden fox");
    struct prompt_finding finding;
    struct store_decision d;
    struct verdict v;
    bool released;

    judge_prompt(r->v.judge, &a, &v, &finding);
    r->v.said = STORE_RELEASED;
    assert_int_equal(judge_record(r->v.judge, &a, &v, &finding, &d, &released, NULL), ST_OK);
    assert_true(released);
    assert_int_equal(room_rows(r), 0);
    r->v.said = STORE_FINAL;
    r->v.add = ST_IO;
    assert_int_equal(judge_record(r->v.judge, &a, &v, &finding, &d, &released, NULL), ST_IO);
    assert_false(released);
    r->v.precedent = ST_IO;
    assert_int_equal(judge_record(r->v.judge, &a, &v, &finding, &d, &released, NULL), ST_IO);
    assert_false(released);
    assert_int_equal(room_rows(r), 0);
}

/* ---- what is kept ---- */

/* Goal: a sealed picture comes back as it was made, and as it was asked for. */
static void what_is_kept_can_be_let_go(void **state)
{
    struct room *r = *state;
    struct store_release release;
    struct store_decision d;
    struct judge_kept kept;
    struct image back;
    struct why why = {""};
    struct job *job;

    verdicts_say(VERDICTS_BY_PIXEL);
    job = room_add(r, SCORES_PORN);
    room_judge(r);
    d = room_row(r, job);

    if (judge_keep_open(r->v.judge, &d, &kept, &why))
        fail_msg("%s", why.text);
    assert_string_equal(kept.prompt, "a drawing of a heart");
    assert_string_equal(kept.negative, "blue");
    judge_kept_close(&kept);

    if (judge_release_picture(r->v.judge, NULL, &d, &release, &why))
        fail_msg("%s", why.text);
    assert_int_equal(release.format, FORMAT_PNG);
    assert_string_equal(release.picture.sha256, job->pixels_sha256);
    assert_int_equal(release.picture.seed, 40);
    assert_int_equal(decode_png(&back, release.picture.data.data, release.picture.data.count, NULL),
                     ST_OK);
    assert_memory_equal(back.rgb, job->image.rgb, image_bytes(&job->image));
    image_close(&back);
    free(release.picture.data.data);

    assert_int_equal(r->v.real->ops->object_destroy(r->v.real, d.object, 1, NULL), ST_OK);
    assert_int_equal(judge_release_picture(r->v.judge, NULL, &d, &release, &why), ST_MISSING);
    assert_null(release.picture.data.data);
}

static void nothing_is_kept_of_what_was_allowed(void **state)
{
    struct room *r = *state;
    struct store_decision d;
    struct judge_kept kept;

    verdicts_say(VERDICTS_BY_PIXEL);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);
    d = room_row(r, r->jobs[0]);
    assert_int_equal(judge_keep_open(r->v.judge, &d, &kept, NULL), ST_MISSING);
}

/* ---- policies come and go ---- */

/* Goal: a policy that is replaced lives as long as somebody has it, and one that makes no sense
   replaces nothing. */
static void a_policy_is_replaced_at_once_or_not_at_all(void **state)
{
    struct room *r = *state;
    const struct policy *before = judge_policy(r->v.judge), *now;
    struct why why = {""};

    assert_int_equal(
        judge_reload(r->v.judge, verdicts_policy(r->v.folder, 3, "\"bands\":1"), NULL, &why),
        ST_INVALID);
    assert_non_null(strstr(why.text, "policy-3.json:1"));
    now = judge_policy(r->v.judge);
    assert_ptr_equal(now, before);
    judge_release(r->v.judge, now);

    if (judge_reload(r->v.judge, verdicts_policy(r->v.folder, 2, VERDICTS_ALL("block")), NULL,
                     &why))
        fail_msg("%s", why.text);
    assert_int_equal(policy_version(before), 1);
    judge_release(r->v.judge, before);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);
    assert_int_equal(room_row(r, r->jobs[0]).policy_version, 2);
    assert_int_equal(r->jobs[0]->status, ST_REFUSED);
}

struct changer {
    struct room *room;
    char path[2][256];
    atomic_bool over;
};

static void *change_policies(void *memory)
{
    struct changer *c = memory;
    int failed = 0;

    for (int i = 0; !atomic_load(&c->over); i++) {
        const struct policy *p;

        failed += judge_reload(c->room->v.judge, c->path[i % 2], NULL, NULL) != ST_OK;
        p = judge_policy(c->room->v.judge);
        failed += policy_category_count(p) < 1;
        judge_release(c->room->v.judge, p);
    }
    return failed ? c : NULL;
}

/* Goal: each picture is judged by one policy, while they change under the judge's feet. */
static void policies_may_change_while_pictures_are_judged(void **state)
{
    struct room *r = *state;
    struct changer c = {.room = r};
    pthread_t thread;
    void *failed;

    snprintf(c.path[0], sizeof(c.path[0]), "%s",
             verdicts_policy(r->v.folder, 1, VERDICTS_CLASSES VERDICTS_NO_AUDIT));
    snprintf(c.path[1], sizeof(c.path[1]), "%s",
             verdicts_policy(r->v.folder, 2, VERDICTS_ALL("block") VERDICTS_NO_AUDIT));
    verdicts_say(VERDICTS_BY_PIXEL);
    assert_int_equal(pthread_create(&thread, NULL, change_policies, &c), 0);
    for (int i = 0; i < 60; i++) {
        room_add(r, SCORES_NEUTRAL);
        room_add(r, SCORES_NEUTRAL);
        room_judge(r);
        judge_preview(r->v.judge, r->jobs[0], &r->jobs[0]->image);
        for (int k = 0; k < 2; k++) {
            struct store_decision d = room_row(r, r->jobs[k]);

            assert_int_equal(d.action, d.policy_version == 1 ? BAND_ALLOW : BAND_BLOCK);
            assert_int_equal(r->jobs[k]->verdict.action, d.action);
        }
        room_put(r);
    }
    atomic_store(&c.over, true);
    pthread_join(thread, &failed);
    assert_null(failed);
}

/* Goal: what drift is measured against is learned once, and known to the next start. */
static void a_learned_reference_outlives_the_judge(void **state)
{
    static const char members[] =
        VERDICTS_CLASSES VERDICTS_NO_AUDIT ",\"drift\":{\"learn\":100,\"window\":100}";
    struct room *r = *state;
    struct judge_options o = verdicts_options(&r->v, verdicts_policy(r->v.folder, 4, members));
    struct why why = {""};
    int rounds = 0;

    for (int start = 0; start < 2; start++) {
        struct judge_stats stats;

        judge_close(&r->v.judge);
        verdicts_say(VERDICTS_REAL);
        if (judge_open(&r->v.judge, &o, &why))
            fail_msg("%s", why.text);
        verdicts_say(VERDICTS_BY_PIXEL);
        do {
            while (r->count < JUDGE_BATCH_MAX)
                room_add(r, start ? SCORES_PORN : SCORES_NEUTRAL);
            room_judge(r);
            room_put(r);
            judge_get_stats(r->v.judge, &stats);
            rounds++;
        } while (isnan(stats.drift[0].psi) && rounds < 100);
        verdicts_say(VERDICTS_REAL);
        judge_idle(r->v.judge);
        if (!start)
            assert_true(stats.drift[0].psi < 0.1);
        else /* of which the first start knew none, and this one would have learned them */
            assert_true(stats.drift[0].psi > 1);
    }
    assert_true(rounds < 100);
    assert_string_equal(room_stats(r).drift[0].category, "explicit");
}

/* ---- opening ---- */

/* Goal: a judge that cannot be whole is none, and says what to do. */
static void a_judge_without_classifiers_or_policy_is_refused(void **state)
{
    struct room *r = *state;
    struct judge_options o = verdicts_options(&r->v, "no-such.json");
    struct why why = {""};
    struct judge *j;

    assert_int_equal(judge_open(&j, &o, &why), ST_MISSING);
    assert_null(j);
    assert_non_null(strstr(why.text, "no-such.json"));
    o.policy = verdicts_policy(r->v.folder, 1, VERDICTS_CLASSES);
    o.weights = r->v.folder;
    assert_int_equal(judge_open(&j, &o, &why), ST_MISSING);
    assert_null(j);
    assert_non_null(strstr(why.text, r->v.folder));
    verdicts_say(VERDICTS_BY_PIXEL);
    o.weights = VERDICTS_WEIGHTS;
    assert_int_equal(judge_open(&j, &o, &why), ST_DEVICE); /* its canaries are dead */
    assert_null(j);
}

/* Goal: who keeps no records blocks and holds all the same, and says that nobody will look. */
static void without_a_store_nothing_is_held_and_what_would_be_is_refused(void **state)
{
    static const struct {
        uint8_t first;
        enum status status;
        const char *said;
    } cases[] = {
        {SCORES_NEUTRAL, ST_OK, ""},
        {SCORES_SEXY, ST_OK, ""},
        {SCORES_HENTAI, ST_REFUSED, "none here"},
        {SCORES_PORN, ST_REFUSED, "This is explicit"},
        {VERDICTS_NAN, ST_REFUSED, "none here"},
    };
    struct room *r = *state;
    struct judge_options o =
        verdicts_options(&r->v, verdicts_policy(r->v.folder, 1, VERDICTS_CLASSES));
    struct why why = {""};
    struct judge *j;

    o.store = NULL;
    o.vault = NULL;
    if (judge_open(&j, &o, &why))
        fail_msg("%s", why.text);
    verdicts_say(VERDICTS_BY_PIXEL);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        room_add(r, cases[i].first);
    judge_pictures(j, r->jobs, r->count);
    for (int i = 0; i < r->count; i++) {
        assert_true(r->jobs[i]->judged);
        assert_int_equal(r->jobs[i]->status, cases[i].status);
        assert_string_equal(r->jobs[i]->decision, "");
        assert_non_null(strstr(r->jobs[i]->why.text, cases[i].said));
    }
    judge_close(&j);
    assert_int_equal(room_rows(r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_prompt_is_judged_by_its_words, open_worded, room_close),
        cmocka_unit_test_setup_teardown(a_prompt_beyond_all_measure_is_held, open_worded,
                                        room_close),
        cmocka_unit_test_setup_teardown(a_blocked_prompt_is_written_down, open_worded, room_close),
        cmocka_unit_test_setup_teardown(a_released_prompt_passes_and_an_unrecorded_one_does_not,
                                        open_worded, room_close),
        cmocka_unit_test_setup_teardown(what_is_kept_can_be_let_go, room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(nothing_is_kept_of_what_was_allowed, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(a_policy_is_replaced_at_once_or_not_at_all,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(policies_may_change_while_pictures_are_judged,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(a_learned_reference_outlives_the_judge, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(a_judge_without_classifiers_or_policy_is_refused,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(
            without_a_store_nothing_is_held_and_what_would_be_is_refused, room_open_classes,
            room_close),
    };

    return cmocka_run_group_tests_name("judge_prompts", tests, room_be_quiet, NULL);
}
