/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/appeal_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of one ruling. */
struct matter {
    struct store_item item, follow;
    struct store_decision decision;
    enum store_item_kind kind; /* of what it is about: a second opinion's is its parent's */
    bool second;               /* somebody else looks first: nothing moves yet */
    bool answers;              /* its owner waits for this word */
    bool moves;
    enum store_standing standing; /* where it moves to */
    struct store_event event;
    struct store_message message;
};

/* ---- what is said, and what it means ---- */

static enum status check_ruling(const struct appeal_ruling *r, struct why *why)
{
    if (r->outcome <= STORE_UNDECIDED || r->outcome >= STORE_OUTCOMES)
        return why_fail(why, ST_INVALID, "outcome: one of overturn, partly, uphold and illegal");
    if (!*r->code || strlen(r->code) >= STORE_REASON_MAX)
        return why_fail(why, ST_INVALID, "code: 1 to %d bytes", STORE_REASON_MAX - 1);
    if (!*r->clause || strlen(r->clause) >= STORE_NAME_MAX)
        return why_fail(why, ST_INVALID, "clause: 1 to %d bytes", STORE_NAME_MAX - 1);
    if (r->confidence < 0 || r->confidence > 5)
        return why_fail(why, ST_INVALID, "confidence: 1 to 5");
    return appeal_check_text(r->answer, true, "answer", why);
}

static bool is_stopped(enum store_standing s)
{
    return s == STORE_HELD || s == STORE_BLOCKED || s == STORE_FINAL;
}

/* Where its decision stands after this outcome; where it stood, when nothing moves. */
static enum store_standing next_standing(const struct matter *m, enum store_outcome outcome)
{
    enum store_standing now = m->decision.standing;

    if (m->second || m->kind == STORE_ITEM_GOLDEN || now == STORE_EXPIRED || now == STORE_SEALED)
        return now;
    switch (outcome) {
    case STORE_ILLEGAL:
        return STORE_SEALED;
    case STORE_OVERTURNED:
        return is_stopped(now) ? STORE_RELEASED : now;
    case STORE_PARTLY:
        return is_stopped(now) ? STORE_BLURRED : now;
    default:
        if (m->kind == STORE_ITEM_HOLD && now == STORE_HELD)
            return STORE_BLOCKED;
        return m->kind == STORE_ITEM_APPEAL && now == STORE_BLOCKED ? STORE_FINAL : now;
    }
}

/* The decision, and what a second opinion is about. One that was asked for with the first is what
   an owner waits for; one that comes later looks at what he was told long ago. */
static enum status look(struct store *s, struct matter *m, const struct appeal_ruling *r,
                        struct why *why)
{
    struct store_item parent = {.kind = STORE_ITEM_KINDS};
    enum status st = s->ops->decision_find(s, m->item.decision, &m->decision, why);

    m->kind = m->item.kind;
    if (!st && m->kind == STORE_ITEM_SECOND) {
        st = s->ops->item_find(s, m->item.parent, &parent, why);
        m->kind = parent.kind;
    }
    m->second = r->second && r->outcome != STORE_ILLEGAL &&
                (m->item.kind == STORE_ITEM_HOLD || m->item.kind == STORE_ITEM_APPEAL);
    m->answers = m->kind == STORE_ITEM_APPEAL && !m->second &&
                 (m->item.kind == STORE_ITEM_APPEAL || m->item.created_s == parent.decided_s);
    m->standing = next_standing(m, r->outcome);
    m->moves = m->standing != m->decision.standing;
    return st;
}

static void rule(struct matter *m, const struct appeal_lease *l, const struct appeal_ruling *r)
{
    int64_t now_ms = appeal_now_ms(l);
    struct store_item *i = &m->item;

    i->state = STORE_ITEM_DECIDED;
    i->outcome = r->outcome;
    i->confidence = r->confidence;
    i->decided_s = l->now_s;
    i->spent_ms = now_ms > i->claimed_ms ? now_ms - i->claimed_ms : 0;
    i->lease_until_s = 0;
    memset(i->lease, 0, sizeof(i->lease));
    snprintf(i->code, sizeof(i->code), "%s", r->code);
    snprintf(i->clause, sizeof(i->clause), "%s", r->clause);
    snprintf(i->answer, sizeof(i->answer), "%s", r->answer);
}

/* ---- what follows ---- */

/* It is due when the first one's answer would have been. */
static enum status ask_again(struct matter *m, const struct policy *p, int64_t now_s,
                             struct why *why)
{
    struct store_item *f = &m->follow;

    appeal_item(f, p, &m->decision, STORE_ITEM_SECOND, now_s);
    if (!f->id[0])
        return why_fail(why, ST_IO, "the system gives no random bytes");
    f->severity = m->item.severity;
    f->due_s = m->item.due_s;
    if (f->due_first_s > f->due_s)
        f->due_first_s = f->due_s;
    memcpy(f->queue, m->item.queue, sizeof(f->queue));
    memcpy(f->parent, m->item.id, sizeof(f->parent));
    memcpy(f->reason, m->item.reason, sizeof(f->reason));
    memcpy(f->text, m->item.text, sizeof(f->text));
    memcpy(f->question, m->item.question, sizeof(f->question));
    memcpy(f->reply, m->item.reply, sizeof(f->reply));
    return ST_OK;
}

/* NULL: its owner is told nothing. An appeal is answered, whatever moves. */
static const char *news_of(const struct matter *m)
{
    if (m->answers || (m->kind == STORE_ITEM_APPEAL && m->moves))
        return "appeal.decided";
    if (!m->moves)
        return NULL;
    return m->standing == STORE_RELEASED || m->standing == STORE_BLURRED ? "decision.released"
                                                                         : "decision.blocked";
}

static enum status tell(struct matter *m, const char *kind, int64_t now_s, struct why *why)
{
    const struct store_item *i = &m->item;
    const char *appeal = i->kind == STORE_ITEM_APPEAL ? i->id : i->parent;
    const struct appeal_news news = {
        .kind = kind,
        .decision = i->decision,
        .tenant = i->tenant,
        .appeal = m->kind == STORE_ITEM_APPEAL ? appeal : NULL,
        .standing = m->standing,
        .outcome = i->outcome,
        .now_s = now_s,
    };

    return appeal_tell(&m->message, &news, why);
}

/* The last word is some days old before anything is destroyed, and a block that a person made may
   be contested as long as any other. */
static void keep(struct store_move *move, const struct matter *m, const struct policy *p)
{
    const struct policy_settings *settings = policy_settings(p);
    int64_t window_s = (int64_t)settings->appeals.window_days * APPEAL_DAY_S;

    if (m->second || m->kind == STORE_ITEM_GOLDEN)
        return;
    move->keep_until_s = move->now_s + (int64_t)settings->retention.after_final_days * APPEAL_DAY_S;
    if (!m->moves || m->standing != STORE_BLOCKED || m->decision.appeal_until_s == 0)
        return;
    move->appeal_until_s = move->now_s + window_s;
    if (move->keep_until_s < move->appeal_until_s)
        move->keep_until_s = move->appeal_until_s;
}

static bool is_let_go(const struct matter *m)
{
    return m->moves && (m->standing == STORE_RELEASED || m->standing == STORE_BLURRED) &&
           m->decision.stage == STORE_STAGE_IMAGE;
}

static enum status carry_out(struct store *s, const struct policy *p, struct matter *m,
                             const struct store_release *release, int64_t now_s, struct why *why)
{
    const char *news = news_of(m);
    struct store_move move = {.item = &m->item,
                              .event = &m->event,
                              .decision = m->moves ? &m->decision : NULL,
                              .standing = m->standing,
                              .release = is_let_go(m) ? release : NULL,
                              .follow = m->second ? &m->follow : NULL,
                              .message = news ? &m->message : NULL,
                              .now_s = now_s};
    enum status st = ST_OK;

    if (is_let_go(m) && !release)
        return why_fail(why, ST_LATE, "decision %s does not stand as it did", m->decision.id);
    if (m->second)
        st = ask_again(m, p, now_s, why);
    if (!st)
        st = appeal_event_ruling(&m->event, &m->item,
                                 m->moves ? appeal_standing(m->standing) : NULL, m->second, why);
    if (!st && news)
        st = tell(m, news, now_s, why);
    keep(&move, m, p);
    return st ? st : s->ops->item_move(s, &move, why);
}

enum status appeal_decide(struct store *s, const struct policy *p, const struct appeal_lease *l,
                          const struct appeal_ruling *ruling, const struct store_release *release,
                          struct store_item *out, enum appeal_refusal *refusal, struct why *why)
{
    struct matter *m = calloc(1, sizeof(*m));
    enum status st = check_ruling(ruling, why);

    *refusal = APPEAL_FINE;
    if (!st && !m)
        st = why_fail(why, ST_FULL, "no memory for a decision");
    if (!st)
        st = appeal_holds(s, l, &m->item, refusal, why);
    if (!st)
        st = look(s, m, ruling, why);
    if (!st) {
        rule(m, l, ruling);
        appeal_event(&m->event, &m->item, l->reviewer, "item.decided", appeal_now_ms(l));
        st = appeal_explain(s, l, carry_out(s, p, m, release, l->now_s, why), refusal, why);
    }
    if (!st) {
        *out = m->item;
        out->version++;
    }
    free(m);
    return st;
}
