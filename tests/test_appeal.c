/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appeals and all else that waits for people: every move from every state, and every outcome.
 */
#include "tests/appeals.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL (~0u)

/* ---- every move from every state ---- */

static const char *const place_names[PLACES] = {"queued", "mine",    "others",    "over",
                                                "asked",  "decided", "withdrawn", "superseded"};

enum deed { BEAT, BACK, SKIP, ASK, DECIDE, HOLDS, WITHDRAW, REPLY, DEEDS };

static const char *const deed_names[DEEDS] = {"beat",   "back",  "skip",     "ask",
                                              "decide", "holds", "withdraw", "reply"};

static enum status perform(struct store *s, const struct appeals_hand *h, enum deed deed,
                           int64_t now_s, enum appeal_refusal *refusal)
{
    const struct appeal_ruling uphold = appeals_ruling(STORE_UPHELD);
    const struct appeal_lease lease = appeals_lease(h, now_s);
    struct store_item out;
    struct why why = {""};
    int64_t until_s;

    switch (deed) {
    case BEAT:
        return appeal_beat(s, &lease, &until_s, refusal, &why);
    case BACK:
        return appeal_put_back(s, &lease, NULL, refusal, &why);
    case SKIP:
        return appeal_put_back(s, &lease, "I cannot read it", refusal, &why);
    case ASK:
        return appeal_ask(s, &lease, "Which book?", refusal, &why);
    case DECIDE:
        return appeal_decide(s, appeals_policy, &lease, &uphold, NULL, &out, refusal, &why);
    case HOLDS:
        return appeal_holds(s, &lease, &out, refusal, &why);
    case WITHDRAW:
        return appeal_withdraw(s, h->item.id, now_s, refusal, &why);
    default:
        return appeal_reply(s, h->item.id, "Gray's", now_s, refusal, &why);
    }
}

/* What a deed leads to: a state, or a refusal, then below 0. */
#define NO(refusal) (-(int)(refusal))
#define LEASE       NO(APPEAL_LEASE_OVER)
#define STATE       NO(APPEAL_STATE)

static const int leads_to[PLACES][DEEDS] = {
    [PLACE_QUEUED] = {LEASE, LEASE, LEASE, LEASE, LEASE, LEASE, STORE_ITEM_WITHDRAWN, STATE},
    [PLACE_MINE] = {STORE_ITEM_CLAIMED, STORE_ITEM_QUEUED, STORE_ITEM_QUEUED, STORE_ITEM_ASKED,
                    STORE_ITEM_DECIDED, STORE_ITEM_CLAIMED, STATE, STATE},
    [PLACE_OTHERS] = {LEASE, LEASE, LEASE, LEASE, LEASE, LEASE, STATE, STATE},
    [PLACE_OVER] = {LEASE, LEASE, LEASE, LEASE, LEASE, LEASE, STORE_ITEM_WITHDRAWN, STATE},
    [PLACE_ASKED] = {STATE, STATE, STATE, STATE, STATE, STATE, STORE_ITEM_WITHDRAWN,
                     STORE_ITEM_QUEUED},
    [PLACE_DECIDED] = {STATE, STATE, STATE, STATE, STATE, STATE, STATE, STATE},
    [PLACE_WITHDRAWN] = {STATE, STATE, STATE, STATE, STATE, STATE, STATE, STATE},
    [PLACE_SUPERSEDED] = {STATE, STATE, STATE, STATE, STATE, STATE, STATE, STATE},
};

static void try_deed(enum appeals_place place, enum deed deed)
{
    struct store *s = rows_store();
    struct appeals_hand h = appeals_reach(s, place);
    struct store_item before = rows_find(s, h.item.id), after;
    int events = rows_events(s, "dec_1", NULL), expected = leads_to[place][deed];
    int64_t now_s = place == PLACE_OVER ? ROWS_NOW + APPEAL_LEASE_S : ROWS_NOW + 1;
    enum appeal_refusal refusal = APPEAL_STATE;
    enum status st = perform(s, &h, deed, now_s, &refusal);

    after = rows_find(s, h.item.id);
    if (expected < 0) {
        if (st != ST_REFUSED || (int)refusal != -expected)
            fail_msg("%s when %s: %s, %s", deed_names[deed], place_names[place], status_name(st),
                     appeal_refusal_code(refusal));
        assert_memory_equal(&before, &after, sizeof(after));
        assert_int_equal(rows_events(s, "dec_1", NULL), events);
    } else {
        if (st || refusal || (int)after.state != expected)
            fail_msg("%s when %s: %s, %s, state %d", deed_names[deed], place_names[place],
                     status_name(st), appeal_refusal_code(refusal), after.state);
        if (deed != BEAT && deed != HOLDS) {
            assert_int_equal(after.version, before.version + 1);
            assert_int_equal(rows_events(s, "dec_1", NULL), events + 1);
        }
    }
    store_close(&s);
}

static void every_move_from_every_state_is_as_the_table_says(void **state)
{
    for (int place = 0; place < PLACES; place++) {
        for (int deed = 0; deed < DEEDS; deed++) {
            try_deed((enum appeals_place)place, (enum deed)deed);
            rows_close(state);
            rows_open(state);
        }
    }
}

/* ---- every outcome of every kind ---- */

struct ending {
    enum store_item_kind kind, of; /* a second opinion's parent */
    enum store_standing standing;
    enum store_outcome outcome;
    enum store_standing leads_to;
    const char *tells;
};

#define RELEASED "decision.released"
#define BLOCKED  "decision.blocked"
#define ANSWERED "appeal.decided"

static const struct ending endings[] = {
    {STORE_ITEM_HOLD, 0, STORE_HELD, STORE_OVERTURNED, STORE_RELEASED, RELEASED},
    {STORE_ITEM_HOLD, 0, STORE_HELD, STORE_PARTLY, STORE_BLURRED, RELEASED},
    {STORE_ITEM_HOLD, 0, STORE_HELD, STORE_UPHELD, STORE_BLOCKED, BLOCKED},
    {STORE_ITEM_HOLD, 0, STORE_HELD, STORE_ILLEGAL, STORE_SEALED, BLOCKED},
    {STORE_ITEM_APPEAL, 0, STORE_BLOCKED, STORE_OVERTURNED, STORE_RELEASED, ANSWERED},
    {STORE_ITEM_APPEAL, 0, STORE_BLOCKED, STORE_PARTLY, STORE_BLURRED, ANSWERED},
    {STORE_ITEM_APPEAL, 0, STORE_BLOCKED, STORE_UPHELD, STORE_FINAL, ANSWERED},
    {STORE_ITEM_APPEAL, 0, STORE_BLOCKED, STORE_ILLEGAL, STORE_SEALED, ANSWERED},
    {STORE_ITEM_APPEAL, 0, STORE_FINAL, STORE_OVERTURNED, STORE_RELEASED, ANSWERED},
    {STORE_ITEM_APPEAL, 0, STORE_FINAL, STORE_UPHELD, STORE_FINAL, ANSWERED},
    {STORE_ITEM_AUDIT, 0, STORE_BLOCKED, STORE_OVERTURNED, STORE_RELEASED, RELEASED},
    {STORE_ITEM_AUDIT, 0, STORE_BLOCKED, STORE_PARTLY, STORE_BLURRED, RELEASED},
    {STORE_ITEM_AUDIT, 0, STORE_BLOCKED, STORE_UPHELD, STORE_BLOCKED, NULL},
    {STORE_ITEM_AUDIT, 0, STORE_ALLOWED, STORE_OVERTURNED, STORE_ALLOWED, NULL},
    {STORE_ITEM_AUDIT, 0, STORE_ALLOWED, STORE_UPHELD, STORE_ALLOWED, NULL},
    {STORE_ITEM_AUDIT, 0, STORE_ALLOWED, STORE_ILLEGAL, STORE_SEALED, BLOCKED},
    {STORE_ITEM_AUDIT, 0, STORE_EXPIRED, STORE_OVERTURNED, STORE_EXPIRED, NULL},
    {STORE_ITEM_GOLDEN, 0, STORE_BLOCKED, STORE_OVERTURNED, STORE_BLOCKED, NULL},
    {STORE_ITEM_GOLDEN, 0, STORE_BLOCKED, STORE_ILLEGAL, STORE_BLOCKED, NULL},
    {STORE_ITEM_SECOND, STORE_ITEM_HOLD, STORE_HELD, STORE_UPHELD, STORE_BLOCKED, BLOCKED},
    {STORE_ITEM_SECOND, STORE_ITEM_HOLD, STORE_HELD, STORE_OVERTURNED, STORE_RELEASED, RELEASED},
    {STORE_ITEM_SECOND, STORE_ITEM_HOLD, STORE_BLOCKED, STORE_UPHELD, STORE_BLOCKED, NULL},
    {STORE_ITEM_SECOND, STORE_ITEM_APPEAL, STORE_BLOCKED, STORE_UPHELD, STORE_FINAL, ANSWERED},
    {STORE_ITEM_SECOND, STORE_ITEM_APPEAL, STORE_FINAL, STORE_UPHELD, STORE_FINAL, NULL},
    {STORE_ITEM_SECOND, STORE_ITEM_APPEAL, STORE_FINAL, STORE_OVERTURNED, STORE_RELEASED, ANSWERED},
    {STORE_ITEM_SECOND, STORE_ITEM_APPEAL, STORE_RELEASED, STORE_UPHELD, STORE_RELEASED, NULL},
    {STORE_ITEM_SECOND, STORE_ITEM_AUDIT, STORE_BLOCKED, STORE_OVERTURNED, STORE_RELEASED,
     RELEASED},
    {STORE_ITEM_SECOND, STORE_ITEM_GOLDEN, STORE_BLOCKED, STORE_OVERTURNED, STORE_BLOCKED, NULL},
};

static bool goes_out(const struct ending *e)
{
    return e->leads_to != e->standing &&
           (e->leads_to == STORE_RELEASED || e->leads_to == STORE_BLURRED);
}

static void expect_told(struct store *s, int which, const char *kind)
{
    struct store_message m;
    struct why why = {""};
    enum status st = s->ops->message_next(s, ROWS_NOW + 100, &m, &why);

    if (!kind) {
        if (st != ST_MISSING)
            fail_msg("ending %d tells %s", which, m.kind);
        return;
    }
    rows_good(st, &why);
    if (strcmp(m.kind, kind) || !strstr(m.payload, "dec_1") || strstr(m.payload, "sealed") ||
        strstr(m.payload, "illegal"))
        fail_msg("ending %d tells %s: %s", which, m.kind, m.payload);
    assert_int_equal(rows_messages(s), 1);
}

static void end(int which)
{
    const struct ending *e = &endings[which];
    struct store *s = rows_store();
    struct store_item item = rows_item(1, 1, e->kind), parent = rows_item(2, 1, e->of);
    struct appeal_ruling ruling = appeals_ruling(e->outcome);
    struct store_release released;
    enum appeal_refusal refusal;
    struct appeals_hand h;
    struct why why = {""};

    rows_add(s, 1, e->standing, -1);
    if (e->kind == STORE_ITEM_SECOND) {
        parent.state = STORE_ITEM_DECIDED;
        parent.decided_s = e->standing == STORE_HELD || e->standing == STORE_BLOCKED
                               ? item.created_s
                               : item.created_s - 9;
        snprintf(item.parent, sizeof(item.parent), "item_2");
        rows_good(s->ops->item_add(s, &parent, &why), &why);
    }
    rows_good(s->ops->item_add(s, &item, &why), &why);
    h = appeals_claim(s, "lmr-1", 1u << e->kind);
    if (goes_out(e))
        assert_int_equal(appeals_decide(s, &h, &ruling, false, &refusal), ST_LATE);
    rows_good(appeals_decide(s, &h, &ruling, true, &refusal), &why);
    if (rows_standing(s, "dec_1") != e->leads_to)
        fail_msg("ending %d leads to %d", which, rows_standing(s, "dec_1"));
    assert_int_equal(s->ops->release_find(s, "dec_1", &released, &why),
                     goes_out(e) ? ST_OK : ST_MISSING);
    if (goes_out(e))
        free(released.picture.data.data);
    expect_told(s, which, e->tells);
    assert_int_equal(rows_events(s, "dec_1", "item.decided"), 1);
    store_close(&s);
}

static void every_outcome_of_every_kind_is_as_the_table_says(void **state)
{
    for (int i = 0; i < (int)(sizeof(endings) / sizeof(endings[0])); i++) {
        end(i);
        rows_close(state);
        rows_open(state);
    }
}

/* Goal: a prompt that was blocked has no picture; its precedent is what is let go. */
static void a_prompts_block_is_overturned_without_a_picture(void **state)
{
    struct store *s = rows_store();
    struct store_decision d = rows_decision(1, STORE_BLOCKED);
    struct appeal_ruling ruling = appeals_ruling(STORE_OVERTURNED);
    enum store_standing standing;
    enum appeal_refusal refusal;
    struct appeals_hand h;
    struct why why = {""};

    (void)state;
    d.stage = STORE_STAGE_PROMPT;
    rows_good(
        s->ops->decision_add(s, &(struct store_record){.decisions = &d, .decision_count = 1}, &why),
        &why);
    appeals_filed(s, 1);
    h = appeals_claim(s, "lmr-1", ALL);
    rows_good(appeals_decide(s, &h, &ruling, false, &refusal), &why);
    rows_good(s->ops->precedent(s, "clinic", d.subject, &standing, &why), &why);
    assert_int_equal(standing, STORE_RELEASED);
    store_close(&s);
}

/* ---- trouble ---- */

static void deciding_survives_every_failed_allocation(void **state)
{
    struct appeal_ruling ruling = appeals_ruling(STORE_OVERTURNED);
    struct store *s = rows_store();
    enum appeal_refusal refusal;
    struct appeals_hand h;
    enum status st;
    int nth = 1;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ALL);
    do {
        fault_arm(nth++);
        st = appeals_decide(s, &h, &ruling, true, &refusal);
        fault_disarm();
        if (st)
            assert_int_equal(rows_standing(s, "dec_1"), STORE_HELD);
        assert_true(st == ST_OK || (st == ST_FULL && fault_fired()));
    } while (st);
    assert_true(nth > 5);
    assert_int_equal(rows_standing(s, "dec_1"), STORE_RELEASED);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, appeals_open, appeals_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(every_move_from_every_state_is_as_the_table_says),
        CLAIM(every_outcome_of_every_kind_is_as_the_table_says),
        CLAIM(a_prompts_block_is_overturned_without_a_picture),
        CLAIM(deciding_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("appeal", tests, NULL, NULL);
}
