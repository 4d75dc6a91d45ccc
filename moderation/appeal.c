/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/appeal.h"

#include "base/crypto.h"
#include "moderation/appeal_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_BYTES 32
#define PIECE       8 /* items that a sweep looks at in one go */

/* ---- items ---- */

/* Where a person finds it: among those of its context, when somebody knows about these. */
static void choose_queue(char out[STORE_NAME_MAX], const struct policy *p, const char *context)
{
    struct policy_context c;

    snprintf(out, STORE_NAME_MAX, "%s",
             *context && policy_context(p, context, &c) ? c.reviewer_queue : APPEAL_GENERAL);
}

void appeal_item(struct store_item *out, const struct policy *p,
                 const struct store_decision *decision, enum store_item_kind kind, int64_t now_s)
{
    const struct policy_appeals *rules = &policy_settings(p)->appeals;

    *out = (struct store_item){.kind = kind,
                               .severity = decision->decision,
                               .state = STORE_ITEM_QUEUED,
                               .version = 1,
                               .created_s = now_s,
                               .due_first_s = now_s + (int64_t)(rules->first_review_h * 3600),
                               .due_s = now_s + (int64_t)(rules->final_h * 3600)};
    if (crypto_id(out->id, sizeof(out->id), "itm_", NULL))
        out->id[0] = '\0';
    memcpy(out->decision, decision->id, sizeof(out->decision));
    memcpy(out->tenant, decision->tenant, sizeof(out->tenant));
    memcpy(out->category, decision->category, sizeof(out->category));
    choose_queue(out->queue, p, decision->context);
}

/* ---- leases ---- */

static void hash_token(uint8_t out[32], const char *token)
{
    crypto_sha256(out, token, strlen(token));
}

enum status appeal_claim(struct store *s, const struct store_want *want, struct store_item *out,
                         char token[APPEAL_TOKEN_MAX], struct why *why)
{
    struct store_want leased = *want;
    uint8_t bytes[TOKEN_BYTES];

    if (crypto_random(bytes, sizeof(bytes)))
        return why_fail(why, ST_IO, "the system gives no random bytes");
    assert(crypto_base64url_length(sizeof(bytes)) < APPEAL_TOKEN_MAX);
    crypto_base64url_encode(token, bytes, sizeof(bytes));
    hash_token(leased.lease, token);
    leased.lease_until_s = want->now_ms / 1000 + APPEAL_LEASE_S;
    return s->ops->item_claim(s, &leased, out, why);
}

/* Is it in his hands? */
static enum appeal_refusal check_lease(const struct store_item *item, const struct appeal_lease *l)
{
    uint8_t lease[32];

    hash_token(lease, l->token);
    switch (item->state) {
    case STORE_ITEM_CLAIMED:
        return crypto_equal(lease, item->lease, sizeof(lease)) &&
                       !strcmp(item->reviewer, l->reviewer) && item->lease_until_s > l->now_s
                   ? APPEAL_FINE
                   : APPEAL_LEASE_OVER;
    case STORE_ITEM_QUEUED:
        return APPEAL_LEASE_OVER;
    default:
        return APPEAL_STATE;
    }
}

enum status appeal_holds(struct store *s, const struct appeal_lease *l, struct store_item *out,
                         enum appeal_refusal *refusal, struct why *why)
{
    enum status st = s->ops->item_find(s, l->item, out, why);
    enum appeal_refusal r = st ? APPEAL_FINE : check_lease(out, l);

    *refusal = APPEAL_FINE;
    return r ? appeal_refuse(refusal, r, why) : st;
}

enum status appeal_explain(struct store *s, const struct appeal_lease *l, enum status st,
                           enum appeal_refusal *refusal, struct why *why)
{
    struct store_item now;
    struct why other = {""};

    if (st == ST_REFUSED && !*refusal)
        return appeal_refuse(refusal, APPEAL_DECIDED_BEFORE, why);
    if (st == ST_LATE && appeal_holds(s, l, &now, refusal, &other) == ST_REFUSED)
        return appeal_refuse(refusal, *refusal, why);
    return st;
}

int64_t appeal_now_ms(const struct appeal_lease *l)
{
    return l->now_ms ? l->now_ms : l->now_s * 1000;
}

enum status appeal_beat(struct store *s, const struct appeal_lease *l, int64_t *lease_until_s,
                        enum appeal_refusal *refusal, struct why *why)
{
    struct store_item item;
    int64_t until_s = l->now_s + APPEAL_LEASE_S;
    enum status st = appeal_holds(s, l, &item, refusal, why);

    if (st)
        return st;
    st = s->ops->item_beat(s, l->item, item.lease, until_s, l->now_s, why);
    if (!st)
        *lease_until_s = until_s;
    return appeal_explain(s, l, st, refusal, why);
}

enum status appeal_put_back(struct store *s, const struct appeal_lease *l, const char *skip,
                            enum appeal_refusal *refusal, struct why *why)
{
    struct store_item item;
    struct store_event event;
    const struct store_move move = {.item = &item,
                                    .event = &event,
                                    .aside_until_s = skip ? l->now_s + APPEAL_ASIDE_S : 0,
                                    .now_s = l->now_s};
    enum status st = appeal_holds(s, l, &item, refusal, why);

    if (st)
        return st;
    appeal_event(&event, &item, l->reviewer, skip ? "item.skipped" : "item.released",
                 appeal_now_ms(l));
    if (skip)
        st = appeal_event_reason(&event, skip, why);
    if (st)
        return st;
    item.state = STORE_ITEM_QUEUED;
    appeal_drop(&item);
    item.skips += skip != NULL;
    if (item.skips > APPEAL_SKIPS_MAX)
        snprintf(item.queue, sizeof(item.queue), "%s", APPEAL_HARD);
    return appeal_explain(s, l, s->ops->item_move(s, &move, why), refusal, why);
}

static enum status write_question(struct store_item *item, struct store_message *message,
                                  const char *question, int64_t now_s, struct why *why)
{
    const struct appeal_news news = {.kind = "appeal.info_requested",
                                     .decision = item->decision,
                                     .tenant = item->tenant,
                                     .appeal = item->id,
                                     .standing = STORE_BLOCKED,
                                     .now_s = now_s};
    enum status st = appeal_check_text(question, true, "question", why);

    if (!st)
        st = appeal_append(item->question, question, "question", why);
    return st ? st : appeal_tell(message, &news, why);
}

enum status appeal_ask(struct store *s, const struct appeal_lease *l, const char *question,
                       enum appeal_refusal *refusal, struct why *why)
{
    struct store_item item;
    struct store_event event;
    struct store_message message;
    const struct store_move move = {
        .item = &item, .event = &event, .message = &message, .now_s = l->now_s};
    enum status st = appeal_holds(s, l, &item, refusal, why);

    if (st)
        return st;
    if (item.kind != STORE_ITEM_APPEAL)
        return appeal_refuse(refusal, APPEAL_STATE, why);
    st = write_question(&item, &message, question, l->now_s, why);
    if (st)
        return st;
    appeal_event(&event, &item, l->reviewer, "item.asked", appeal_now_ms(l));
    item.state = STORE_ITEM_ASKED;
    item.asked_s = l->now_s;
    appeal_drop(&item);
    return appeal_explain(s, l, s->ops->item_move(s, &move, why), refusal, why);
}

/* ---- time ---- */

static enum status give_back(struct store *s, struct store_item *item, int64_t now_s,
                             struct why *why)
{
    struct store_event event;
    const struct store_move move = {.item = item, .event = &event, .now_s = now_s};

    appeal_event(&event, item, "system", "item.returned", now_s * 1000);
    appeal_resume(item, now_s);
    return s->ops->item_move(s, &move, why);
}

/* Never against its owner: it is decided with what is known. */
static enum status return_asked(struct store *s, int64_t before_s, int64_t now_s, int *count,
                                struct why *why)
{
    struct store_item *items = calloc(PIECE, sizeof(*items));
    enum status st = items ? ST_OK : why_fail(why, ST_FULL, "no memory to look at what is asked");
    int found, moved;

    do {
        found = PIECE;
        moved = 0;
        if (!st)
            st = s->ops->item_asked(s, before_s, items, &found, why);
        for (int i = 0; !st && i < found; i++) {
            st = give_back(s, &items[i], now_s, why);
            moved += !st;
            st = st == ST_LATE ? ST_OK : st; /* its owner has just answered */
        }
        *count += moved;
    } while (!st && moved && found == PIECE);
    free(items);
    return st;
}

enum status appeal_sweep(struct store *s, const struct policy *p, int64_t now_s, int *count,
                         struct why *why)
{
    int64_t days = policy_settings(p)->appeals.info_days;
    enum status st = s->ops->item_escalate(s, now_s, count, why);

    return st ? st : return_asked(s, now_s - days * APPEAL_DAY_S, now_s, count, why);
}
