/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge by himself: what may be sent, what is written down of it, and that nothing passes when
 * any step fails. Pictures are small; what the classifiers say is a test's word where it matters.
 */
#include "base/crypto.h"
#include "engine/finish.h"
#include "moderation/breaker.h"
#include "moderation/scores.h"
#include "tests/fault.h"
#include "tests/judge_room.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int open_audited(void **state)
{
    return room_open(state, VERDICTS_CLASSES ",\"audit_sample\":{\"auto_block\":1,"
                                             "\"auto_allow_near\":1,\"auto_allow_far\":1}");
}

static bool may_be_sent(const struct job *job)
{
    return job->judged && !job->status;
}

/* ---- outcomes ---- */

static const struct {
    uint8_t first;
    enum band action;
    enum cause cause;
    enum status status;
    enum store_standing standing;
    const char *category;
} outcomes[] = {
    {SCORES_NEUTRAL, BAND_ALLOW, CAUSE_SCORES, ST_OK, STORE_ALLOWED, ""},
    {SCORES_SEXY, BAND_BLUR, CAUSE_SCORES, ST_OK, STORE_BLURRED, "bare"},
    {SCORES_HENTAI, BAND_HOLD, CAUSE_SCORES, ST_REFUSED, STORE_HELD, "drawn"},
    {SCORES_PORN, BAND_BLOCK, CAUSE_SCORES, ST_REFUSED, STORE_BLOCKED, "explicit"},
    {VERDICTS_NAN, BAND_HOLD, CAUSE_UNJUDGED, ST_REFUSED, STORE_HELD, ""},
};

/* Goal: each action has its outcome, is on the disk, and of what is kept back there is a sealed
   object; one batch, in which the NaN of one is nobody else's trouble. */
static void every_action_has_its_outcome_and_its_record(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        room_add(r, outcomes[i].first);
    room_judge(r);

    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        const struct job *job = r->jobs[i];
        struct store_decision d = room_row(r, job);
        bool kept = outcomes[i].action >= BAND_HOLD;

        assert_true(job->judged);
        assert_int_equal(job->status, outcomes[i].status);
        assert_int_equal(job->verdict.action, outcomes[i].action);
        assert_int_equal(d.action, outcomes[i].action);
        assert_int_equal(d.cause, outcomes[i].cause);
        assert_int_equal(d.standing, outcomes[i].standing);
        assert_string_equal(d.category, outcomes[i].category);
        assert_int_equal(d.object[0] != '\0', kept);
        assert_int_equal(d.appeal_until_s > d.created_s, kept);
        assert_int_equal(d.scores[0] != '\0', outcomes[i].first != VERDICTS_NAN);
        assert_int_equal(job->why.text[0] != '\0', kept);
    }
    assert_int_equal(r->v.told, 3);
    assert_int_equal(verdicts_batch_most(), COUNT_OF(outcomes));
    assert_int_equal(room_stats(r).pictures, COUNT_OF(outcomes));
    assert_int_equal(room_stats(r).by_action[BAND_HOLD], 2);
}

static void a_decision_says_for_whom_and_by_what(void **state)
{
    struct room *r = *state;
    struct job *job;
    struct store_decision d;
    struct scores scores;
    uint8_t hash[32];
    char hex[65];

    verdicts_say(VERDICTS_BY_PIXEL);
    room_add(r, SCORES_NEUTRAL);
    job = room_add(r, SCORES_PORN);
    crypto_sha256(hash, job->image.rgb, image_bytes(&job->image));
    crypto_hex(hex, hash, sizeof(hash));
    room_judge(r);
    d = room_row(r, job);

    assert_string_equal(d.tenant, "clinic");
    assert_string_equal(d.user, "ward 7");
    assert_string_equal(d.request, "req_1");
    assert_string_equal(d.model, "tiny");
    assert_string_equal(d.policy, "test");
    assert_string_equal(d.pixels_sha256, hex);
    assert_string_equal(job->pixels_sha256, hex);
    assert_int_equal(d.policy_version, 1);
    assert_int_equal(d.index, 1);
    assert_int_equal(d.seed, 41);
    assert_int_equal(d.width, ROOM_SIDE);
    assert_int_equal(d.stage, STORE_STAGE_IMAGE);
    assert_int_equal(d.shadow, -1);
    assert_int_equal(strlen(d.weights_sha256), 64);
    assert_int_equal(strlen(d.subject), 64);
    assert_int_equal(scores_parse(&scores, d.scores, NULL), ST_OK);
    assert_true(scores.logit[SCORES_MAIN][SCORES_PORN] > 1);
    assert_non_null(strstr(job->why.text, "explicit"));
}

/* Goal: what a person has to look at waits in the queue, with the deadline of the policy. */
static void what_is_held_waits_for_a_person(void **state)
{
    struct room *r = *state;
    struct store_item items[2];
    int count = COUNT_OF(items);
    struct job *job;

    verdicts_say(VERDICTS_BY_PIXEL);
    job = room_add(r, SCORES_HENTAI);
    room_judge(r);

    assert_int_equal(r->v.real->ops->item_list(r->v.real, job->decision, items, &count, NULL),
                     ST_OK);
    assert_int_equal(count, 1);
    assert_int_equal(items[0].kind, STORE_ITEM_HOLD);
    assert_int_equal(items[0].state, STORE_ITEM_QUEUED);
    assert_true(items[0].due_first_s > items[0].created_s);
}

/* Goal: what the prompt wants looked at is held, however harmless the picture is. */
static void a_doubtful_prompt_holds_its_picture(void **state)
{
    struct room *r = *state;
    struct job *job = room_add(r, SCORES_NEUTRAL);

    verdicts_say(VERDICTS_BY_PIXEL);
    snprintf(job->owner.held_for, sizeof(job->owner.held_for), "drawn");
    room_judge(r);

    assert_int_equal(job->status, ST_REFUSED);
    assert_int_equal(job->verdict.action, BAND_HOLD);
    assert_int_equal(job->verdict.decision, BAND_ALLOW);
    assert_int_equal(job->verdict.cause, CAUSE_PROMPT);
    assert_string_equal(room_row(r, job).category, "drawn");
}

/* ---- every step fails ---- */

/* Goal: classifiers that fail hold everything, and are then asked about pictures whose scores are
   known; when these cannot be had either, nothing is judged any more. */
static void failing_classifiers_hold_and_then_stop(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_FAIL);
    room_add(r, SCORES_NEUTRAL);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);
    for (int i = 0; i < r->count; i++) {
        assert_int_equal(r->jobs[i]->status, ST_REFUSED);
        assert_int_equal(room_row(r, r->jobs[i]).cause, CAUSE_UNJUDGED);
        assert_int_equal(room_row(r, r->jobs[i]).standing, STORE_HELD);
    }
    assert_true(judge_is_sound(r->v.judge));
    judge_idle(r->v.judge);
    assert_false(judge_is_sound(r->v.judge));

    verdicts_say(VERDICTS_REAL);
    room_put(r);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);
    assert_int_equal(r->jobs[0]->status, ST_DEVICE);
    assert_false(r->jobs[0]->judged);
    assert_false(judge_preview(r->v.judge, r->jobs[0], &r->jobs[0]->image));
}

/* Goal: scores that changed without a word are noticed by the canaries. */
static void changed_scores_stop_the_judge(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    room_add(r, VERDICTS_NAN); /* so that canaries are wanted */
    room_judge(r);
    judge_idle(r->v.judge);

    assert_false(judge_is_sound(r->v.judge));
    assert_false(room_stats(r).sound);
}

static void nothing_is_sent_that_could_not_be_written_down(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    for (int i = 0; i < 2; i++) {
        struct job *job = room_add(r, SCORES_NEUTRAL);

        r->v.add = i ? ST_OK : ST_FULL;
        r->v.precedent = i ? ST_IO : ST_OK;
        room_judge(r);
        assert_int_equal(job->status, ST_IO);
        assert_false(job->judged);
        assert_string_equal(job->decision, "");
        assert_true(job->why.text[0]);
        assert_int_equal(room_rows(r), 0);
        assert_int_equal(finish_run(job, &(struct finish){.judge = r->v.judge}), ST_REFUSED);
        assert_null(job->body.data);
        room_put(r);
    }
    assert_int_equal(room_stats(r).unrecorded, 2);
}

/* Goal: what cannot be kept for an appeal is not sent, nor recorded, and is nobody else's trouble.
 */
static void what_cannot_be_sealed_is_not_sent(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    verdicts_lock_vault(true);
    room_add(r, SCORES_PORN);
    room_add(r, SCORES_HENTAI);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(r->jobs[i]->status, ST_IO);
        assert_false(r->jobs[i]->judged);
        assert_string_equal(r->jobs[i]->decision, "");
    }
    assert_true(may_be_sent(r->jobs[2]));
    assert_int_equal(room_rows(r), 1);
    assert_int_equal(r->v.told, 0);
}

static void an_audit_that_cannot_be_sealed_is_not_sent(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    verdicts_lock_vault(true);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);

    assert_int_equal(r->jobs[0]->status, ST_IO);
    assert_false(r->jobs[0]->judged);
    assert_int_equal(room_rows(r), 0);
}

/* Goal: no allocation that fails lets a picture pass, with or without a record of it.
   Method: fail the first allocation of a batch, then the second, until there are no more. */
static void every_failed_allocation_sends_nothing_wrong(void **state)
{
    static const uint8_t first[] = {SCORES_NEUTRAL, SCORES_PORN, SCORES_HENTAI};
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    for (long nth = 1;; nth++) {
        for (size_t i = 0; i < COUNT_OF(first); i++)
            room_add(r, first[i]);
        fault_arm(nth);
        room_judge(r);
        fault_disarm();
        assert_false(may_be_sent(r->jobs[1]));
        assert_false(may_be_sent(r->jobs[2]));
        for (int i = 0; i < r->count; i++) {
            if (r->jobs[i]->judged)
                assert_int_equal(room_row(r, r->jobs[i]).action, r->jobs[i]->verdict.action);
        }
        room_put(r);
        if (!fault_fired())
            return;
    }
}

/* ---- batches ---- */

/* Goal: what is decided about a picture does not depend on who is judged beside it.
   Method: eight pictures alone and together, by the real classifiers: the same scores, as text. */
static void a_picture_is_judged_the_same_in_company(void **state)
{
    struct room *r = *state;
    char alone[JUDGE_BATCH_MAX][STORE_SCORES_MAX];

    for (int i = 0; i < JUDGE_BATCH_MAX; i++) {
        room_add(r, (uint8_t)(29 * i));
        judge_pictures(r->v.judge, &r->jobs[i], 1);
        snprintf(alone[i], sizeof(alone[i]), "%s", room_row(r, r->jobs[i]).scores);
        r->jobs[i]->judged = false;
    }
    room_judge(r);
    for (int i = 0; i < JUDGE_BATCH_MAX; i++) {
        assert_true(r->jobs[i]->judged);
        assert_string_equal(room_row(r, r->jobs[i]).scores, alone[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(alone[k], alone[i]);
    }
    assert_int_equal(verdicts_batch_most(), JUDGE_BATCH_MAX);
}

/* ---- precedents, audits, shadows ---- */

/* Goal: what a person has let go for this tenant goes again, and what he took for illegal does not,
   whatever the scores say. */
static void people_are_not_asked_twice(void **state)
{
    static const struct {
        enum store_standing said;
        uint8_t first;
        enum band action;
        enum store_standing standing;
        enum cause cause;
    } cases[] = {
        {STORE_RELEASED, SCORES_PORN, BAND_ALLOW, STORE_RELEASED, CAUSE_PRECEDENT},
        {STORE_RELEASED, SCORES_HENTAI, BAND_ALLOW, STORE_RELEASED, CAUSE_PRECEDENT},
        {STORE_BLURRED, SCORES_PORN, BAND_BLUR, STORE_BLURRED, CAUSE_PRECEDENT},
        {STORE_RELEASED, SCORES_NEUTRAL, BAND_ALLOW, STORE_ALLOWED, CAUSE_SCORES},
        {STORE_FINAL, SCORES_PORN, BAND_BLOCK, STORE_BLOCKED, CAUSE_SCORES},
        {STORE_FINAL, SCORES_NEUTRAL, BAND_ALLOW, STORE_ALLOWED, CAUSE_SCORES},
        {STORE_SEALED, SCORES_NEUTRAL, BAND_BLOCK, STORE_SEALED, CAUSE_PRECEDENT},
    };
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct job *job = room_add(r, cases[i].first);
        struct store_decision d;

        r->v.said = cases[i].said;
        room_judge(r);
        d = room_row(r, job);
        if (job->verdict.action != cases[i].action || d.action != (int)cases[i].action ||
            d.standing != cases[i].standing || d.cause != (int)cases[i].cause ||
            may_be_sent(job) != (cases[i].action <= BAND_BLUR))
            fail_msg("case %zu: action %d, standing %d, cause %d", i, d.action, d.standing,
                     d.cause);
        room_put(r);
    }
}

/* Goal: the same picture of the same prompt is the same subject, and nothing else is. */
static void a_subject_is_tenant_prompt_and_picture(void **state)
{
    struct room *r = *state;
    char subject[4][STORE_HASH_MAX];

    verdicts_say(VERDICTS_BY_PIXEL);
    for (int i = 0; i < 5; i++) {
        struct job *job = room_add(r, i == 3 ? SCORES_HENTAI : SCORES_PORN);

        if (i == 1)
            snprintf(job->owner.tenant, sizeof(job->owner.tenant), "school");
        if (i == 2)
            assert_int_equal(job_set_texts(job, "another", 7, "blue", 4, NULL), ST_OK);
        room_judge(r);
        if (i < 4)
            memcpy(subject[i], room_row(r, job).subject, STORE_HASH_MAX);
        else
            assert_string_equal(room_row(r, job).subject, subject[0]);
        room_put(r);
    }
    for (int i = 1; i < 4; i++)
        assert_string_not_equal(subject[i], subject[0]);
}

static void what_is_drawn_for_an_audit_is_kept_and_queued(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    room_add(r, SCORES_NEUTRAL);
    room_add(r, SCORES_PORN);
    room_add(r, SCORES_HENTAI);
    room_judge(r);

    for (int i = 0; i < 3; i++) {
        struct store_item items[2];
        int count = COUNT_OF(items);
        struct store_decision d = room_row(r, r->jobs[i]);

        assert_int_equal(d.audited, i < 2); /* what is held is looked at anyway */
        assert_true(d.object[0]);
        assert_int_equal(r->v.real->ops->item_list(r->v.real, d.id, items, &count, NULL), ST_OK);
        assert_int_equal(count, 1);
        assert_int_equal(items[0].kind, i < 2 ? STORE_ITEM_AUDIT : STORE_ITEM_HOLD);
    }
    assert_int_equal(r->jobs[0]->status, ST_OK);
    assert_int_equal(room_stats(r).audits, 2);
}

static void a_shadow_is_recorded_and_changes_nothing(void **state)
{
    struct room *r = *state;
    char live[256], shadow[256];
    struct why why = {""};

    snprintf(live, sizeof(live), "%s", verdicts_policy(r->v.folder, 1, VERDICTS_CLASSES));
    snprintf(shadow, sizeof(shadow), "%s", verdicts_policy(r->v.folder, 2, VERDICTS_ALL("block")));
    if (judge_reload(r->v.judge, live, shadow, &why))
        fail_msg("%s", why.text);
    verdicts_say(VERDICTS_BY_PIXEL);
    room_add(r, SCORES_NEUTRAL);
    room_add(r, SCORES_PORN);
    room_judge(r);

    assert_int_equal(r->jobs[0]->status, ST_OK);
    assert_int_equal(room_row(r, r->jobs[0]).shadow, BAND_BLOCK);
    assert_int_equal(room_row(r, r->jobs[0]).action, BAND_ALLOW);
    assert_int_equal(room_row(r, r->jobs[1]).shadow, BAND_BLOCK);
    assert_int_equal(room_stats(r).shadow_differs, 1);
}

/* Goal: in a slice whose breaker is open a block is a hold, and nothing else changes. */
static void an_open_breaker_holds_what_it_would_block(void **state)
{
    const struct breaker_slice open = {
        .slice = "explicit|clinic|-|tiny", .state = BREAKER_OPEN, .version = 1};
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    assert_int_equal(breaker_restore(judge_breaker(r->v.judge), &open), ST_OK);
    room_add(r, SCORES_PORN);
    room_add(r, SCORES_NEUTRAL);
    room_judge(r);

    assert_int_equal(r->jobs[0]->verdict.decision, BAND_BLOCK);
    assert_int_equal(r->jobs[0]->verdict.action, BAND_HOLD);
    assert_int_equal(r->jobs[0]->verdict.cause, CAUSE_BREAKER);
    assert_int_equal(r->jobs[1]->status, ST_OK);
}

/* ---- previews ---- */

static void a_preview_is_shown_when_it_is_allowed(void **state)
{
    struct room *r = *state;

    verdicts_say(VERDICTS_BY_PIXEL);
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        struct job *job = room_add(r, outcomes[i].first);

        assert_int_equal(judge_preview(r->v.judge, job, &job->image),
                         outcomes[i].action == BAND_ALLOW);
    }
    assert_int_equal(room_rows(r), 0);
    assert_int_equal(room_stats(r).previews, COUNT_OF(outcomes));
    assert_int_equal(room_stats(r).previews_withheld, COUNT_OF(outcomes) - 1);
    snprintf(r->jobs[0]->owner.held_for, sizeof(r->jobs[0]->owner.held_for), "drawn");
    assert_false(judge_preview(r->v.judge, r->jobs[0], &r->jobs[0]->image));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_action_has_its_outcome_and_its_record,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(a_decision_says_for_whom_and_by_what, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(what_is_held_waits_for_a_person, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(a_doubtful_prompt_holds_its_picture, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(failing_classifiers_hold_and_then_stop, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(changed_scores_stop_the_judge, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(nothing_is_sent_that_could_not_be_written_down,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(what_cannot_be_sealed_is_not_sent, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(an_audit_that_cannot_be_sealed_is_not_sent, open_audited,
                                        room_close),
        cmocka_unit_test_setup_teardown(every_failed_allocation_sends_nothing_wrong,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(a_picture_is_judged_the_same_in_company, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(people_are_not_asked_twice, room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(a_subject_is_tenant_prompt_and_picture, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(what_is_drawn_for_an_audit_is_kept_and_queued, open_audited,
                                        room_close),
        cmocka_unit_test_setup_teardown(a_shadow_is_recorded_and_changes_nothing, room_open_classes,
                                        room_close),
        cmocka_unit_test_setup_teardown(an_open_breaker_holds_what_it_would_block,
                                        room_open_classes, room_close),
        cmocka_unit_test_setup_teardown(a_preview_is_shown_when_it_is_allowed, room_open_classes,
                                        room_close),
    };

    return cmocka_run_group_tests_name("judge", tests, room_be_quiet, NULL);
}
