/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of a decision's owner, and the form on it. A form that was taken is answered with the
 * page's own address, so that looking at it again sends nothing twice.
 */
#include "moderation/link.h"
#include "server/desk/room.h"
#include "server/page_appeal.h"
#include "server/webhook.h"

#include <stdio.h>
#include <string.h>

/* What the page is made of, until it is answered. */
struct scene {
    struct store_decision decision;
    struct store_item item;
    bool appealed;
    struct moderated mo;
    char facts[POLICY_REASON_MAX + 256];
    struct page_appeal page;
};

/* ---- the page ---- */

static enum page_appeal_state state_of_decision(const struct scene *s)
{
    switch (s->decision.standing) {
    case STORE_HELD:
        return PAGE_APPEAL_HELD;
    case STORE_RELEASED:
    case STORE_ALLOWED:
        return PAGE_APPEAL_OVERTURNED;
    case STORE_BLURRED:
        return PAGE_APPEAL_PARTLY;
    case STORE_EXPIRED:
        return PAGE_APPEAL_EXPIRED;
    case STORE_FINAL:
        return PAGE_APPEAL_UPHELD;
    case STORE_BLOCKED:
    case STORE_SEALED:
    case STORE_STANDINGS:
        break;
    }
    if (s->mo.now_s >= s->decision.appeal_until_s)
        return PAGE_APPEAL_EXPIRED;
    return moderated_is_appealable(&s->mo, &s->decision) ? PAGE_APPEAL_BLOCKED : PAGE_APPEAL_FINAL;
}

/* An appeal that is open says more than where the decision stands. */
static enum page_appeal_state state_of(const struct scene *s)
{
    enum page_appeal_state state = state_of_decision(s);

    if (!s->appealed || state == PAGE_APPEAL_OVERTURNED || state == PAGE_APPEAL_PARTLY)
        return state;
    switch (s->item.state) {
    case STORE_ITEM_QUEUED:
    case STORE_ITEM_CLAIMED:
        return PAGE_APPEAL_PENDING;
    case STORE_ITEM_ASKED:
        return PAGE_APPEAL_ASKED;
    case STORE_ITEM_WITHDRAWN:
        return state == PAGE_APPEAL_BLOCKED ? PAGE_APPEAL_WITHDRAWN : state;
    case STORE_ITEM_DECIDED:
        return PAGE_APPEAL_UPHELD;
    case STORE_ITEM_SUPERSEDED:
    case STORE_ITEM_STATES:
        break;
    }
    return state;
}

static void fill(struct desk *d, struct scene *s, const struct matter *m)
{
    const struct policy_category *category = moderated_category(&s->mo, &s->decision);
    bool image = s->decision.stage == STORE_STAGE_IMAGE;

    moderated_reason(s->facts, &s->mo, &s->decision);
    s->page = (struct page_appeal){
        .state = state_of(s),
        .decision = s->decision.id,
        .token = m->token,
        .words = !image,
        .preview = image && s->decision.object[0] && s->decision.standing != STORE_SEALED &&
                   s->decision.standing != STORE_EXPIRED,
        .decided_s = s->decision.created_s,
        .facts = s->facts,
        .clause = category ? category->clause : NULL,
        .clause_url = category ? category->clause_url : NULL,
        .until_s = s->decision.appeal_until_s,
        .expected_s = moderated_first_review(&s->mo, &s->decision),
    };
    s->page.picture =
        image && (s->page.state == PAGE_APPEAL_OVERTURNED || s->page.state == PAGE_APPEAL_PARTLY);
    if (!s->appealed)
        return;
    s->page.expected_s = s->item.due_first_s;
    s->page.reason = s->item.reason;
    s->page.text = s->item.text;
    s->page.appealed_s = s->item.created_s;
    s->page.question = s->item.question[0] ? s->item.question : NULL;
    if (s->item.state == STORE_ITEM_DECIDED) {
        s->page.answer = s->item.answer[0] ? s->item.answer : NULL;
        s->page.answered_s = s->item.decided_s;
    }
    (void)d;
}

static void answer_page(struct matter *m, const struct page_appeal *page)
{
    struct answer answer;

    page_appeal_answer(&answer, page);
    matter_answer(m, &answer);
}

static void refuse_link(struct desk *d, struct matter *m, enum page_appeal_state state,
                        const char *what)
{
    const struct page_appeal page = {.state = state, .decision = "", .token = ""};

    owner_tried(d, m, what);
    answer_page(m, &page);
}

/* The decision that the link is for, and its appeal. False: answered, with a page. A key will do as
   well as a link where one came: a statement that is asked for as a page. */
static bool find(struct desk *d, struct matter *m, struct scene *s)
{
    enum status st = ST_OK;
    struct why why = {""};

    if (m->token[0] || m->who.tenant < 0)
        st = link_check(d->service->secret, MODERATED_LINK, m->id, m->token, clock_unix_s());
    if (st) {
        refuse_link(d, m, st == ST_LATE ? PAGE_APPEAL_LINK_OLD : PAGE_APPEAL_LINK_WRONG,
                    st == ST_LATE ? "old_token" : "token");
        return false;
    }
    st = d->store->ops->decision_find(d->store, m->id, &s->decision, &why);
    if (st == ST_MISSING || (!st && !m->token[0] && strcmp(s->decision.tenant, m->who.name) != 0)) {
        refuse_link(d, m, PAGE_APPEAL_LINK_WRONG, "id");
        return false;
    }
    if (!st) {
        st = file_newest(d, m->id, &s->item, &why);
        s->appealed = !st;
        if (st == ST_MISSING)
            st = ST_OK;
    }
    if (!st)
        return true;
    desk_note(d, st, &why);
    matter_fail_store(m, st);
    return false;
}

static void show(struct desk *d, struct matter *m, struct scene *s, const char *error)
{
    moderated_open(&s->mo, d->service);
    s->mo.language = m->language[0] ? m->language : NULL;
    fill(d, s, m);
    s->page.error = error;
    if (error && !strcmp(m->act, "appeal")) {
        s->page.reason = m->reason;
        s->page.text = m->text;
    }
    answer_page(m, &s->page);
    moderated_close(&s->mo, d->service);
}

void form_page(struct desk *d, struct matter *m)
{
    struct scene s = {.appealed = false};

    if (find(d, m, &s))
        show(d, m, &s, NULL);
}

/* ---- the form ---- */

static const char *sentence_of(enum appeal_refusal refusal)
{
    switch (refusal) {
    case APPEAL_NOT_APPEALABLE:
        return "This decision cannot be appealed here.";
    case APPEAL_WINDOW_EXPIRED:
        return "The time to ask for a second look is over.";
    case APPEAL_ALREADY:
        return "You have asked already; below is how it stands.";
    case APPEAL_STATE:
        return "It has moved on meanwhile; below is how it stands now.";
    default:
        return "Please try again in a moment.";
    }
}

static enum status appeal(struct desk *d, struct matter *m, struct scene *s,
                          enum appeal_refusal *refusal, struct why *why)
{
    const struct policy *policy = judge_policy(d->service->judge);
    const struct appeal_filing filing = {
        .reason = m->reason, .text = m->text, .key = "", .now_s = clock_unix_s()};
    bool replayed;
    enum status st =
        appeal_file(d->store, policy, &s->decision, &filing, &s->item, &replayed, refusal, why);

    judge_release(d->service->judge, policy);
    return st;
}

/* NULL: it was done. */
static const char *act(struct desk *d, struct matter *m, struct scene *s)
{
    enum appeal_refusal refusal = APPEAL_FINE;
    struct why why = {""};
    enum status st;

    if (!strcmp(m->act, "appeal")) {
        if (!file_is_reason(m->reason))
            return "Please choose why it should be let through.";
        st = appeal(d, m, s, &refusal, &why);
    } else if (!s->appealed) {
        return "There is nothing to answer or to take back.";
    } else if (!strcmp(m->act, "reply")) {
        if (!m->text[0])
            return "Please write an answer first.";
        st = appeal_reply(d->store, s->item.id, m->text, clock_unix_s(), &refusal, &why);
    } else if (!strcmp(m->act, "withdraw")) {
        st = appeal_withdraw(d->store, s->item.id, clock_unix_s(), &refusal, &why);
    } else {
        return "This form is not one of this page.";
    }
    if (!st && !refusal)
        return NULL;
    if (!refusal && st != ST_LATE)
        desk_note(d, st, &why);
    return sentence_of(st == ST_LATE && !refusal ? APPEAL_STATE : refusal);
}

void form_take(struct desk *d, struct matter *m)
{
    struct scene s = {.appealed = false};
    struct answer answer;
    const char *error;

    if (!find(d, m, &s))
        return;
    error = act(d, m, &s);
    if (error) {
        if (find(d, m, &s))
            show(d, m, &s, error);
        return;
    }
    webhook_wake(d->service->webhook);
    answer_text(&answer, 303, "text/plain", NULL);
    answer_header(&answer, "location", "/appeal/%s?token=%s", m->id, m->token);
    answer_header(&answer, "cache-control", "no-store");
    answer_header(&answer, "referrer-policy", "no-referrer");
    matter_answer(m, &answer);
}
