/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of appeals: who may file, hold, ask and decide, and by when.
 */
#include "tests/appeals.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL     (~0u)
#define APPEALS (1u << STORE_ITEM_APPEAL)
#define AUDITS  (1u << STORE_ITEM_AUDIT)
#define SECONDS (1u << STORE_ITEM_SECOND)
#define DAY     86400

/* ---- filing ---- */

static void expect_refused(struct store *s, int decision, const char *words,
                           enum appeal_refusal expected)
{
    enum appeal_refusal refusal;
    struct store_item out;
    bool replayed;
    enum status st = appeals_file(s, decision, words, "", &out, &replayed, &refusal);

    if (st != ST_REFUSED || refusal != expected)
        fail_msg("dec_%d: %s, %s", decision, status_name(st), appeal_refusal_code(refusal));
}

static void add_with(struct store *s, int number, const char *category, int64_t until_s,
                     enum store_stage stage)
{
    struct store_decision d = rows_decision(number, STORE_BLOCKED);
    struct why why = {""};

    snprintf(d.category, sizeof(d.category), "%s", category);
    d.appeal_until_s = until_s;
    d.stage = stage;
    rows_good(
        s->ops->decision_add(s, &(struct store_record){.decisions = &d, .decision_count = 1}, &why),
        &why);
}

static void only_a_block_that_may_be_contested_is(void **state)
{
    struct store *s = rows_store();

    (void)state;
    for (int i = 0; i < STORE_STANDINGS; i++) {
        rows_add(s, i, (enum store_standing)i, -1);
        if (i != STORE_BLOCKED && i != STORE_FINAL)
            expect_refused(s, i, "x",
                           i == STORE_EXPIRED ? APPEAL_WINDOW_EXPIRED : APPEAL_NOT_APPEALABLE);
    }
    add_with(s, 20, "always", ROWS_NOW + 9, STORE_STAGE_IMAGE);
    expect_refused(s, 20, "x", APPEAL_NOT_APPEALABLE);
    add_with(s, 21, "sexual_explicit", 0, STORE_STAGE_IMAGE);
    expect_refused(s, 21, "x", APPEAL_NOT_APPEALABLE);
    add_with(s, 22, "sexual_explicit", ROWS_NOW, STORE_STAGE_IMAGE);
    expect_refused(s, 22, "x", APPEAL_WINDOW_EXPIRED);
    add_with(s, 23, "sexual_explicit", ROWS_NOW + 1, STORE_STAGE_IMAGE);
    appeals_filed(s, 23);
    add_with(s, 24, "of another policy", ROWS_NOW + 1, STORE_STAGE_IMAGE);
    appeals_filed(s, 24);
    store_close(&s);
}

static void an_appeal_has_its_times_and_its_queue(void **state)
{
    struct store *s = rows_store();
    struct store_item item;
    struct store_message m;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    item = appeals_filed(s, 1);
    assert_int_equal(item.due_first_s, ROWS_NOW + 24 * 3600);
    assert_int_equal(item.due_s, ROWS_NOW + 72 * 3600);
    assert_string_equal(item.queue, "doctors"); /* its context is medical */
    assert_string_equal(item.reason, "medical");
    assert_int_equal(item.severity, 3);
    rows_good(s->ops->message_next(s, ROWS_NOW, &m, &why), &why);
    assert_string_equal(m.kind, "appeal.received");
    assert_non_null(strstr(m.payload, item.id));
    assert_null(strstr(m.payload, "anatomy"));
    assert_int_equal(rows_events(s, "dec_1", "appeal.filed"), 1);
    store_close(&s);
}

static void what_was_filed_twice_is_filed_once(void **state)
{
    struct store *s = rows_store();
    struct appeal_ruling uphold = appeals_ruling(STORE_UPHELD);
    enum appeal_refusal refusal;
    struct store_item first, out;
    struct appeals_hand h;
    struct why why = {""};
    bool replayed;

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    rows_add(s, 2, STORE_BLOCKED, -1);
    rows_good(appeals_file(s, 1, "x", "k", &first, &replayed, &refusal), &why);
    assert_false(replayed);
    rows_good(appeals_file(s, 1, "x", "k", &out, &replayed, &refusal), &why);
    assert_true(replayed);
    assert_string_equal(out.id, first.id);
    assert_int_equal(appeals_file(s, 1, "y", "k", &out, &replayed, &refusal), ST_REFUSED);
    assert_int_equal(refusal, APPEAL_KEY_REUSED);
    assert_int_equal(appeals_file(s, 2, "x", "k", &out, &replayed, &refusal), ST_REFUSED);
    assert_int_equal(refusal, APPEAL_KEY_REUSED);
    assert_int_equal(appeals_file(s, 1, "y", "l", &out, &replayed, &refusal), ST_REFUSED);
    assert_int_equal(refusal, APPEAL_ALREADY);
    assert_string_equal(out.id, first.id);
    h = appeals_claim(s, "lmr-1", ALL);
    rows_good(appeals_decide(s, &h, &uphold, false, &refusal), &why);
    rows_good(appeals_file(s, 1, "x", "k", &out, &replayed, &refusal), &why);
    assert_true(replayed);
    assert_int_equal(out.state, STORE_ITEM_DECIDED);
    assert_int_equal(rows_events(s, "dec_1", "appeal.filed"), 1);
    store_close(&s);
}

/* Goal: after an answer one more appeal, with other words, and not for ever. */
static void a_second_appeal_needs_other_words(void **state)
{
    struct store *s = rows_store();
    struct appeal_ruling uphold = appeals_ruling(STORE_UPHELD);
    enum appeal_refusal refusal;
    struct appeals_hand h;
    struct store_item out;
    struct why why = {""};
    bool replayed;

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    appeals_filed(s, 1);
    h = appeals_claim(s, "lmr-1", ALL);
    rows_good(appeals_decide(s, &h, &uphold, false, &refusal), &why);
    expect_refused(s, 1, "It is a plate of anatomy", APPEAL_NOT_APPEALABLE);
    expect_refused(s, 1, "", APPEAL_NOT_APPEALABLE);
    rows_good(appeals_file(s, 1, "Here is the book", "", &out, &replayed, &refusal), &why);
    assert_int_equal(appeals_try_claim(s, "lmr-1", ALL, ROWS_NOW, &h), ST_MISSING);
    h = appeals_claim(s, "lmr-2", ALL);
    rows_good(appeals_decide(s, &h, &uphold, false, &refusal), &why);
    expect_refused(s, 1, "And another", APPEAL_NOT_APPEALABLE);
    store_close(&s);
}

static void withdrawing_and_filing_has_an_end(void **state)
{
    struct store *s = rows_store();
    enum appeal_refusal refusal;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    for (int i = 0; i < APPEAL_FILED_MAX; i++) {
        struct store_item item = appeals_filed(s, 1);

        rows_good(appeal_withdraw(s, item.id, ROWS_NOW, &refusal, &why), &why);
    }
    expect_refused(s, 1, "again", APPEAL_NOT_APPEALABLE);
    store_close(&s);
}

static void what_is_written_has_bounds(void **state)
{
    struct store *s = rows_store();
    struct store_decision d;
    struct appeal_filing f = {.reason = "medical", .key = "", .now_s = ROWS_NOW};
    enum appeal_refusal refusal;
    struct store_item out;
    struct why why = {""};
    char words[2100];
    bool replayed;

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    rows_good(s->ops->decision_find(s, "dec_1", &d, &why), &why);
    memset(words, 'a', sizeof(words));
    words[1001] = '\0'; /* the policy's are 1,000 characters */
    f.text = words;
    assert_int_equal(appeal_file(s, appeals_policy, &d, &f, &out, &replayed, &refusal, &why),
                     ST_INVALID);
    assert_int_equal(refusal, APPEAL_FINE);
    for (int i = 0; i < 1000; i++)
        memcpy(words + 2 * i, "\xc3\xa9", 2);
    words[2000] = '\0';
    f.reason = "fun";
    assert_int_equal(appeal_file(s, appeals_policy, &d, &f, &out, &replayed, &refusal, &why),
                     ST_INVALID);
    f.reason = "art";
    rows_good(appeal_file(s, appeals_policy, &d, &f, &out, &replayed, &refusal, &why), &why);
    assert_string_equal(out.text, words);
    store_close(&s);
}

/* ---- in hand ---- */

static void a_ruling_is_complete_or_none(void **state)
{
    struct store *s = rows_store();
    enum appeal_refusal refusal;
    struct appeals_hand h;
    char words[2002];

    (void)state;
    memset(words, 'a', 2001);
    words[2001] = '\0';
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ALL);
    for (int i = 0; i < 8; i++) {
        struct appeal_ruling r = appeals_ruling(i == 0 ? STORE_UNDECIDED : STORE_UPHELD);

        r.code = i == 1 ? "" : i == 2 ? words : r.code;
        r.clause = i == 3 ? "" : i == 4 ? words : r.clause;
        r.answer = i == 5 ? "" : i == 6 ? words : r.answer;
        r.confidence = i == 7 ? 6 : 0;
        if (appeals_decide(s, &h, &r, false, &refusal) != ST_INVALID)
            fail_msg("ruling %d was taken", i);
    }
    assert_int_equal(rows_standing(s, "dec_1"), STORE_HELD);
    assert_int_equal(rows_find(s, h.item.id).state, STORE_ITEM_CLAIMED);
    store_close(&s);
}

/* Goal: an item is its holder's alone. Method: another's token, another reviewer, none. */
static void a_lease_is_its_holders_alone(void **state)
{
    struct store *s = rows_store();
    struct appeals_hand h, other;
    struct appeal_lease lease;
    enum appeal_refusal refusal;
    struct store_item out;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    rows_add(s, 2, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ALL);
    other = appeals_claim(s, "lmr-2", ALL);
    assert_string_not_equal(h.token, other.token);
    for (int i = 0; i < 4; i++) {
        lease = appeals_lease(&h, ROWS_NOW);
        lease.token = i == 0 ? other.token : i == 1 ? "" : h.token;
        lease.reviewer = i == 2 ? "lmr-2" : "lmr-1";
        lease.item = i == 3 ? other.item.id : h.item.id;
        assert_int_equal(appeal_holds(s, &lease, &out, &refusal, &why), ST_REFUSED);
        assert_int_equal(refusal, APPEAL_LEASE_OVER);
    }
    lease = appeals_lease(&h, ROWS_NOW);
    lease.item = "itm_none";
    assert_int_equal(appeal_holds(s, &lease, &out, &refusal, &why), ST_MISSING);
    store_close(&s);
}

static void a_beat_keeps_a_lease(void **state)
{
    struct store *s = rows_store();
    struct appeals_hand h, other;
    struct appeal_lease lease;
    enum appeal_refusal refusal;
    struct store_item out;
    struct why why = {""};
    int64_t until_s;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ALL);
    lease = appeals_lease(&h, ROWS_NOW + 599);
    rows_good(appeal_beat(s, &lease, &until_s, &refusal, &why), &why);
    assert_int_equal(until_s, ROWS_NOW + 599 + APPEAL_LEASE_S);
    assert_int_equal(appeals_try_claim(s, "lmr-2", ALL, ROWS_NOW + 700, &other), ST_MISSING);
    rows_good(appeals_try_claim(s, "lmr-2", ALL, until_s, &other), &why);
    lease.now_s = until_s;
    assert_int_equal(appeal_holds(s, &lease, &out, &refusal, &why), ST_REFUSED);
    assert_int_equal(refusal, APPEAL_LEASE_OVER);
    store_close(&s);
}

static void who_decided_gets_nothing_of_it_again(void **state)
{
    struct store *s = rows_store();
    struct appeal_ruling uphold = appeals_ruling(STORE_UPHELD);
    struct appeals_hand hold, appeal, audit;
    enum appeal_refusal refusal;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    hold = appeals_claim(s, "lmr-1", ALL);
    rows_good(appeals_decide(s, &hold, &uphold, false, &refusal), &why);
    appeals_filed(s, 1);
    assert_int_equal(appeals_try_claim(s, "lmr-1", ALL, ROWS_NOW, &appeal), ST_MISSING);
    appeals_audit(s, 7, 1);
    appeal = appeals_claim(s, "lmr-2", APPEALS);
    audit = appeals_claim(s, "lmr-2", AUDITS); /* both at once: he decides about one */
    rows_good(appeals_decide(s, &audit, &uphold, false, &refusal), &why);
    assert_int_equal(appeals_decide(s, &appeal, &uphold, false, &refusal), ST_REFUSED);
    assert_int_equal(refusal, APPEAL_DECIDED_BEFORE);
    assert_int_equal(rows_find(s, appeal.item.id).state, STORE_ITEM_CLAIMED);
    store_close(&s);
}

static void what_is_skipped_too_often_is_hard(void **state)
{
    struct store *s = rows_store();
    enum appeal_refusal refusal;
    struct store_item item;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    for (int i = 0; i <= APPEAL_SKIPS_MAX; i++) {
        char reviewer[16];
        struct appeals_hand h;
        struct appeal_lease lease;

        snprintf(reviewer, sizeof(reviewer), "lmr-%d", i);
        h = appeals_claim(s, reviewer, ALL);
        lease = appeals_lease(&h, ROWS_NOW);
        rows_good(appeal_put_back(s, &lease, "too hard", &refusal, &why), &why);
        item = rows_find(s, "item_1");
        assert_int_equal(item.skips, i + 1);
        assert_string_equal(item.queue, i < APPEAL_SKIPS_MAX ? "general" : APPEAL_HARD);
        assert_int_equal(appeals_try_claim(s, reviewer, ALL, ROWS_NOW, &h), ST_MISSING);
    }
    assert_int_equal(rows_events(s, "dec_1", "item.skipped"), APPEAL_SKIPS_MAX + 1);
    store_close(&s);
}

/* ---- asking ---- */

static void what_is_asked_waits_on_its_owners_time(void **state)
{
    struct store *s = rows_store();
    struct appeals_hand h = appeals_reach(s, PLACE_ASKED);
    struct store_item before = rows_find(s, h.item.id), after;
    enum appeal_refusal refusal;
    struct appeal_lease lease;
    struct why why = {""};

    (void)state;
    assert_string_equal(before.question, "What is it for?");
    assert_string_equal(before.reviewer, "");
    rows_good(appeal_reply(s, h.item.id, "A lesson", ROWS_NOW + 5000, &refusal, &why), &why);
    after = rows_find(s, h.item.id);
    assert_string_equal(after.reply, "A lesson");
    assert_int_equal(after.due_first_s, before.due_first_s + 5000);
    assert_int_equal(after.due_s, before.due_s + 5000);

    rows_good(appeals_try_claim(s, "lmr-1", ALL, ROWS_NOW + 5000, &h), &why);
    lease = appeals_lease(&h, ROWS_NOW + 5001);
    rows_good(appeal_ask(s, &lease, "Which?", &refusal, &why), &why);
    rows_good(appeal_reply(s, h.item.id, "Biology", ROWS_NOW + 5002, &refusal, &why), &why);
    after = rows_find(s, h.item.id);
    assert_string_equal(after.question, "What is it for?\n\nWhich?");
    assert_string_equal(after.reply, "A lesson\n\nBiology");
    store_close(&s);
}

static void a_question_without_an_answer_comes_back(void **state)
{
    struct store *s = rows_store();
    struct appeals_hand h = appeals_reach(s, PLACE_ASKED);
    struct store_item item;
    struct why why = {""};
    int count;

    (void)state;
    rows_good(appeal_sweep(s, appeals_policy, ROWS_NOW + 7 * DAY - 1, &count, &why), &why);
    assert_int_equal(count, 0);
    rows_good(appeal_sweep(s, appeals_policy, ROWS_NOW + 7 * DAY, &count, &why), &why);
    assert_int_equal(count, 1);
    item = rows_find(s, h.item.id);
    assert_int_equal(item.state, STORE_ITEM_QUEUED);
    assert_int_equal(item.outcome, STORE_UNDECIDED);
    assert_int_equal(item.due_first_s, h.item.due_first_s + 7 * DAY);
    assert_int_equal(rows_events(s, "dec_1", "item.returned"), 1);
    store_close(&s);
}

static void of_a_hold_there_is_nobody_to_ask(void **state)
{
    struct store *s = rows_store();
    enum appeal_refusal refusal;
    struct appeals_hand h;
    struct appeal_lease lease;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ALL);
    lease = appeals_lease(&h, ROWS_NOW);
    assert_int_equal(appeal_ask(s, &lease, "Why?", &refusal, &why), ST_REFUSED);
    assert_int_equal(refusal, APPEAL_STATE);
    assert_int_equal(appeal_reply(s, h.item.id, "So", ROWS_NOW, &refusal, &why), ST_MISSING);
    assert_int_equal(appeal_withdraw(s, h.item.id, ROWS_NOW, &refusal, &why), ST_MISSING);
    store_close(&s);
}

/* ---- second opinions ---- */

static void a_second_opinion_is_the_one_that_counts(void **state)
{
    struct store *s = rows_store();
    struct appeal_ruling first = appeals_ruling(STORE_UPHELD),
                         last = appeals_ruling(STORE_OVERTURNED);
    struct appeals_hand h, second;
    enum appeal_refusal refusal;
    struct store_item filed;
    struct store_message m;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    filed = appeals_filed(s, 1);
    assert_int_equal(rows_messages(s), 1);
    h = appeals_claim(s, "lmr-1", ALL);
    first.second = true;
    rows_good(appeals_decide(s, &h, &first, false, &refusal), &why);
    assert_int_equal(rows_standing(s, "dec_1"), STORE_BLOCKED);
    assert_int_equal(rows_messages(s), 0); /* nothing is said yet */
    expect_refused(s, 1, "more", APPEAL_ALREADY);
    assert_int_equal(appeals_try_claim(s, "lmr-1", ALL, ROWS_NOW, &second), ST_MISSING);
    second = appeals_claim(s, "lmr-2", SECONDS);
    assert_string_equal(second.item.parent, filed.id);
    assert_string_equal(second.item.text, filed.text);
    assert_int_equal(second.item.due_s, filed.due_s);
    last.second = true; /* of a second one there is no third */
    rows_good(appeals_decide(s, &second, &last, true, &refusal), &why);
    assert_int_equal(rows_standing(s, "dec_1"), STORE_RELEASED);
    rows_good(s->ops->message_next(s, ROWS_NOW + 100, &m, &why), &why);
    assert_string_equal(m.kind, "appeal.decided");
    assert_non_null(strstr(m.payload, filed.id));
    assert_non_null(strstr(m.payload, "\"outcome\":\"overturned\""));
    store_close(&s);
}

/* ---- time ---- */

static void a_deadline_escalates_and_closes_nothing(void **state)
{
    struct store *s = rows_store();
    struct store_item item;
    struct why why = {""};
    int count;

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, -1);
    item = appeals_filed(s, 1);
    rows_good(appeal_sweep(s, appeals_policy, item.due_first_s - 1, &count, &why), &why);
    assert_int_equal(count, 0);
    rows_good(appeal_sweep(s, appeals_policy, item.due_s + 365 * DAY, &count, &why), &why);
    assert_int_equal(count, 1);
    item = rows_find(s, item.id);
    assert_int_equal(item.state, STORE_ITEM_QUEUED);
    assert_int_not_equal(item.escalated_s, 0);
    assert_int_equal(rows_standing(s, "dec_1"), STORE_BLOCKED);
    store_close(&s);
}

/* Goal: a person's block opens the window anew, and what it needs is kept as long. */
static void a_person_s_block_may_be_contested_as_long_as_any(void **state)
{
    struct store *s = rows_store();
    struct appeal_ruling uphold = appeals_ruling(STORE_UPHELD);
    enum appeal_refusal refusal;
    struct appeals_hand h;
    struct store_decision d;
    struct store_object o;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ALL);
    rows_good(appeals_decide(s, &h, &uphold, false, &refusal), &why);
    rows_good(s->ops->decision_find(s, "dec_1", &d, &why), &why);
    assert_int_equal(d.appeal_until_s, ROWS_NOW + 30 + 183 * DAY);
    assert_int_equal(d.decided_s, ROWS_NOW + 30);
    rows_good(s->ops->object_find(s, "obj_1", &o, &why), &why);
    assert_int_equal(o.expires_s, ROWS_NOW + 30 + 183 * DAY);
    free(o.data.data);
    store_close(&s);
}

static void the_last_word_keeps_it_some_days(void **state)
{
    struct store *s = rows_store();
    struct store_object o;
    struct why why = {""};

    (void)state;
    appeals_reach(s, PLACE_DECIDED);
    rows_good(s->ops->object_find(s, "obj_1", &o, &why), &why);
    assert_int_equal(o.expires_s, ROWS_NOW + 30 + 30 * DAY);
    free(o.data.data);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, appeals_open, appeals_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(only_a_block_that_may_be_contested_is),
        CLAIM(an_appeal_has_its_times_and_its_queue),
        CLAIM(what_was_filed_twice_is_filed_once),
        CLAIM(a_second_appeal_needs_other_words),
        CLAIM(withdrawing_and_filing_has_an_end),
        CLAIM(what_is_written_has_bounds),
        CLAIM(a_ruling_is_complete_or_none),
        CLAIM(a_lease_is_its_holders_alone),
        CLAIM(a_beat_keeps_a_lease),
        CLAIM(who_decided_gets_nothing_of_it_again),
        CLAIM(what_is_skipped_too_often_is_hard),
        CLAIM(what_is_asked_waits_on_its_owners_time),
        CLAIM(a_question_without_an_answer_comes_back),
        CLAIM(of_a_hold_there_is_nobody_to_ask),
        CLAIM(a_second_opinion_is_the_one_that_counts),
        CLAIM(a_deadline_escalates_and_closes_nothing),
        CLAIM(a_person_s_block_may_be_contested_as_long_as_any),
        CLAIM(the_last_word_keeps_it_some_days),
    };

    return cmocka_run_group_tests_name("appeal_rules", tests, NULL, NULL);
}
