/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "moderation/appeal_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 64 /* of a decision that are looked at; APPEAL_FILED_MAX of them are appeals */

/* ---- may it be contested? ---- */

static size_t count_characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static enum status check_filing(const struct policy *p, const struct appeal_filing *f,
                                struct why *why)
{
    static const char *const reasons[] = {"medical", "art", "not_what_it_says", "other"};
    int text_max = policy_settings(p)->appeals.text_max;
    bool known = false;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        known |= !strcmp(f->reason, reasons[i]);
    if (!known)
        return why_fail(why, ST_INVALID, "reason: one of medical, art, not_what_it_says and other");
    if (strlen(f->key) >= STORE_JOB_KEY_MAX)
        return why_fail(why, ST_INVALID, "Idempotency-Key: at most %d bytes",
                        STORE_JOB_KEY_MAX - 1);
    if (count_characters(f->text) > (size_t)text_max)
        return why_fail(why, ST_INVALID, "text: at most %d characters", text_max);
    return appeal_check_text(f->text, false, "text", why);
}

static bool is_appealable(const struct policy *p, const struct store_decision *d)
{
    int category = policy_find_category(p, d->category);

    if (d->appeal_until_s == 0)
        return false;
    if (d->stage == STORE_STAGE_PROMPT && !policy_settings(p)->prompt.appealable)
        return false;
    return category < 0 || policy_category(p, category)->appealable;
}

static bool is_open(const struct store_item *item)
{
    return item->state == STORE_ITEM_QUEUED || item->state == STORE_ITEM_CLAIMED ||
           item->state == STORE_ITEM_ASKED;
}

/* All of a decision, the oldest first. */
struct past {
    int count;
    struct store_item items[ITEMS_MAX];
};

/* Other words are needed after a person's answer, and all has an end. */
static enum appeal_refusal check_past(const struct past *past, const char *text,
                                      struct store_item *open)
{
    int filed = 0, decided = 0;
    bool same = false;

    for (int i = 0; i < past->count; i++) {
        const struct store_item *item = &past->items[i];
        bool appeal = item->kind == STORE_ITEM_APPEAL;

        if (is_open(item) && (appeal || item->kind == STORE_ITEM_SECOND)) {
            *open = *item;
            return APPEAL_ALREADY;
        }
        filed += appeal;
        if (appeal && item->state == STORE_ITEM_DECIDED) {
            decided++;
            same |= !strcmp(item->text, text);
        }
    }
    if (filed >= APPEAL_FILED_MAX || decided >= APPEAL_DECIDED_MAX)
        return APPEAL_NOT_APPEALABLE;
    return decided && (same || !*text) ? APPEAL_NOT_APPEALABLE : APPEAL_FINE;
}

static enum appeal_refusal check_decision(const struct policy *p, const struct store_decision *d,
                                          int64_t now_s)
{
    if (d->standing == STORE_EXPIRED)
        return APPEAL_WINDOW_EXPIRED;
    if ((d->standing != STORE_BLOCKED && d->standing != STORE_FINAL) || !is_appealable(p, d))
        return APPEAL_NOT_APPEALABLE;
    return now_s >= d->appeal_until_s ? APPEAL_WINDOW_EXPIRED : APPEAL_FINE;
}

static const struct store_item *find_key(const struct past *past, const char *key)
{
    for (int i = 0; *key && i < past->count; i++)
        if (past->items[i].kind == STORE_ITEM_APPEAL && !strcmp(past->items[i].key, key))
            return &past->items[i];
    return NULL;
}

/* ---- filing ---- */

static enum status fill(struct store_item *item, const struct policy *p,
                        const struct store_decision *d, const struct appeal_filing *f,
                        struct why *why)
{
    char words[STORE_ID_MAX + STORE_REASON_MAX + STORE_SENTENCE_MAX + 2];
    int bytes = snprintf(words, sizeof(words), "%s\n%s\n%s", d->id, f->reason, f->text);

    appeal_item(item, p, d, STORE_ITEM_APPEAL, f->now_s);
    if (!item->id[0])
        return why_fail(why, ST_IO, "the system gives no random bytes");
    crypto_sha256(item->hash, words, (size_t)bytes);
    snprintf(item->reason, sizeof(item->reason), "%s", f->reason);
    snprintf(item->text, sizeof(item->text), "%s", f->text);
    snprintf(item->key, sizeof(item->key), "%s", f->key);
    return ST_OK;
}

/* The store looks once more, at what came in between. */
static enum status add(struct store *s, const struct store_item *item, struct store_item *out,
                       bool *replayed, enum appeal_refusal *refusal, struct why *why)
{
    struct store_event event;
    struct store_message message;
    const struct store_filing filing = {item, &event, &message};
    const struct appeal_news news = {.kind = "appeal.received",
                                     .decision = item->decision,
                                     .tenant = item->tenant,
                                     .appeal = item->id,
                                     .standing = STORE_BLOCKED,
                                     .now_s = item->created_s};
    enum status st;

    appeal_event(&event, item, "owner", "appeal.filed", item->created_s * 1000);
    st = appeal_event_reason(&event, item->reason, why);
    if (!st)
        st = appeal_tell(&message, &news, why);
    if (!st)
        st = s->ops->appeal_add(s, &filing, out, replayed, why);
    if (st == ST_INVALID)
        return appeal_refuse(
            refusal,
            item->key[0] && !strcmp(out->key, item->key) ? APPEAL_KEY_REUSED : APPEAL_ALREADY, why);
    return st == ST_LATE ? appeal_refuse(refusal, APPEAL_NOT_APPEALABLE, why) : st;
}

/* A replay comes first: it is answered also when the same could not be filed any more. */
static enum status look_back(const struct past *past, const struct policy *p,
                             const struct store_decision *d, const struct appeal_filing *f,
                             const struct store_item *item, struct store_item *out, bool *replayed,
                             enum appeal_refusal *refusal, struct why *why)
{
    const struct store_item *before = find_key(past, f->key);
    enum appeal_refusal r;

    if (before) {
        *out = *before;
        *replayed = !memcmp(before->hash, item->hash, sizeof(item->hash));
        return *replayed ? ST_OK : appeal_refuse(refusal, APPEAL_KEY_REUSED, why);
    }
    r = check_decision(p, d, f->now_s);
    if (!r)
        r = check_past(past, f->text, out);
    return r ? appeal_refuse(refusal, r, why) : ST_OK;
}

enum status appeal_file(struct store *s, const struct policy *p,
                        const struct store_decision *decision, const struct appeal_filing *filing,
                        struct store_item *out, bool *replayed, enum appeal_refusal *refusal,
                        struct why *why)
{
    struct past *past = calloc(1, sizeof(*past));
    struct store_item item;
    enum status st = check_filing(p, filing, why);

    *replayed = false;
    *refusal = APPEAL_FINE;
    if (!st && !past)
        st = why_fail(why, ST_FULL, "no memory for an appeal");
    if (!st) {
        past->count = ITEMS_MAX;
        st = s->ops->item_list(s, decision->id, past->items, &past->count, why);
    }
    if (!st)
        st = fill(&item, p, decision, filing, why);
    if (!st)
        st = look_back(past, p, decision, filing, &item, out, replayed, refusal, why);
    if (!st && !*replayed)
        st = add(s, &item, out, replayed, refusal, why);
    free(past);
    return st;
}

/* ---- afterwards ---- */

static enum status find_appeal(struct store *s, const char *id, struct store_item *out,
                               struct why *why)
{
    enum status st = s->ops->item_find(s, id, out, why);

    if (!st && out->kind != STORE_ITEM_APPEAL)
        st = why_fail(why, ST_MISSING, "there is no such appeal");
    return st;
}

/* Whoever looks at it now is not disturbed: then it is too late. */
enum status appeal_withdraw(struct store *s, const char *item, int64_t now_s,
                            enum appeal_refusal *refusal, struct why *why)
{
    struct store_item i;
    struct store_event event;
    const struct store_move move = {.item = &i, .event = &event, .now_s = now_s};
    enum status st = find_appeal(s, item, &i, why);

    *refusal = APPEAL_FINE;
    if (st)
        return st;
    if (i.state != STORE_ITEM_QUEUED && i.state != STORE_ITEM_ASKED &&
        (i.state != STORE_ITEM_CLAIMED || i.lease_until_s > now_s))
        return appeal_refuse(refusal, APPEAL_STATE, why);
    i.state = STORE_ITEM_WITHDRAWN;
    appeal_drop(&i);
    appeal_event(&event, &i, "owner", "appeal.withdrawn", now_s * 1000);
    return s->ops->item_move(s, &move, why);
}

enum status appeal_reply(struct store *s, const char *item, const char *text, int64_t now_s,
                         enum appeal_refusal *refusal, struct why *why)
{
    struct store_item i;
    struct store_event event;
    const struct store_move move = {.item = &i, .event = &event, .now_s = now_s};
    enum status st = appeal_check_text(text, true, "text", why);

    *refusal = APPEAL_FINE;
    if (!st)
        st = find_appeal(s, item, &i, why);
    if (st)
        return st;
    if (i.state != STORE_ITEM_ASKED)
        return appeal_refuse(refusal, APPEAL_STATE, why);
    st = appeal_append(i.reply, text, "text", why);
    if (st)
        return st;
    appeal_resume(&i, now_s);
    appeal_event(&event, &i, "owner", "appeal.replied", now_s * 1000);
    return s->ops->item_move(s, &move, why);
}
