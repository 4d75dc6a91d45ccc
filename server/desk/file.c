/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/link.h"
#include "server/desk/room.h"
#include "server/webhook.h"

#include <stdio.h>
#include <string.h>

#define APPEALS_MAX 16 /* of one decision, that are looked through for the newest */

bool file_is_reason(const char *reason)
{
    static const char *const reasons[] = {"medical", "art", "not_what_it_says", "other"};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (!strcmp(reason, reasons[i]))
            return true;
    }
    return false;
}

/* ---- the object ---- */

static const char *status_of(const struct store_item *item)
{
    switch (item->state) {
    case STORE_ITEM_QUEUED:
    case STORE_ITEM_CLAIMED:
        return "pending";
    case STORE_ITEM_ASKED:
        return "info_requested";
    case STORE_ITEM_DECIDED:
        return "resolved";
    case STORE_ITEM_WITHDRAWN:
        return "withdrawn";
    case STORE_ITEM_SUPERSEDED:
    case STORE_ITEM_STATES:
        break;
    }
    return "superseded";
}

/* An owner is told no more of what is illegal than that the block stands. */
static const char *outcome_told(const struct store_item *item)
{
    static const char *const names[STORE_OUTCOMES] = {[STORE_OVERTURNED] = "overturned",
                                                      [STORE_PARTLY] = "partly",
                                                      [STORE_UPHELD] = "upheld",
                                                      [STORE_ILLEGAL] = "upheld"};

    if (item->state == STORE_ITEM_SUPERSEDED)
        return "overturned";
    return item->state == STORE_ITEM_DECIDED ? names[item->outcome] : NULL;
}

static void write_appeal(struct desk *d, struct json_out *o, const struct store_item *item,
                         const struct store_decision *decision)
{
    bool decided = item->state == STORE_ITEM_DECIDED;
    char url[MODERATED_URL_MAX];
    bool released = decision->stage == STORE_STAGE_IMAGE &&
                    (decision->standing == STORE_RELEASED || decision->standing == STORE_BLURRED);

    snprintf(url, sizeof(url), "%s/v1/decisions/%s/image", d->service->public_url, decision->id);
    json_out_object(o, NULL);
    json_out_string(o, "id", item->id);
    json_out_string(o, "object", "appeal");
    json_out_string(o, "decision_id", item->decision);
    json_out_string(o, "status", status_of(item));
    json_out_string(o, "outcome", outcome_told(item));
    json_out_string(o, "reason", item->reason);
    json_out_string(o, "text", item->text);
    moderated_write_date(o, "submitted_at", item->created_s);
    moderated_write_date(o, "expected_first_review", item->due_first_s);
    moderated_write_date(o, "due", item->due_s);
    json_out_text(o, "question", item->question);
    json_out_text(o, "reply", item->reply);
    json_out_text(o, "answer", decided ? item->answer : "");
    json_out_text(o, "clause", decided ? item->clause : "");
    moderated_write_date(o, "decided_at", decided ? item->decided_s : 0);
    json_out_string(o, "reviewer", decided ? "a reviewer" : NULL);
    json_out_string(o, "image_url", released ? url : NULL);
    json_out_object_end(o);
}

static void answer_appeal(struct desk *d, struct matter *m, int status,
                          const struct store_item *item, bool replayed)
{
    struct store_decision decision;
    struct answer answer;
    struct why why = {""};
    enum status st = d->store->ops->decision_find(d->store, item->decision, &decision, &why);

    if (desk_is_refused(d, m, st, APPEAL_FINE, &why))
        return;
    desk_answer(&answer, status);
    write_appeal(d, &answer.json, item, &decision);
    answer_json_end(&answer);
    if (status == 201)
        answer_header(&answer, "location", "/v1/appeals/%s", item->id);
    if (replayed)
        answer_header(&answer, "idempotent-replayed", "true");
    matter_answer(m, &answer);
}

/* ---- filing ---- */

/* "already_appealed", with the id of the one that is open. */
static void refuse_second(struct matter *m, const struct store_item *open)
{
    struct answer answer;

    desk_answer(&answer, 409);
    answer_header(&answer, "x-should-retry", "false");
    json_out_object(&answer.json, NULL);
    json_out_object(&answer.json, "error");
    json_out_string(&answer.json, "message", "an appeal of this decision is open already");
    json_out_string(&answer.json, "type", "invalid_request_error");
    json_out_string(&answer.json, "param", "decision_id");
    json_out_string(&answer.json, "code", "already_appealed");
    json_out_string(&answer.json, "appeal_id", open->id);
    json_out_object_end(&answer.json);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

void file_appeal(struct desk *d, struct matter *m)
{
    struct judge *judge = d->service->judge;
    const struct policy *policy;
    struct store_decision decision;
    enum appeal_refusal refusal = APPEAL_FINE;
    struct store_item item;
    struct why why = {""};
    bool replayed = false;
    enum status st;

    if (!file_is_reason(m->reason)) {
        matter_fail(m, 400, (struct failure){.param = "reason"},
                    "reason must be medical, art, not_what_it_says or other");
        return;
    }
    if (!owner_find(d, m, &decision))
        return;
    policy = judge_policy(judge);
    st = appeal_file(
        d->store, policy, &decision,
        &(struct appeal_filing){
            .reason = m->reason, .text = m->text, .key = m->key, .now_s = clock_unix_s()},
        &item, &replayed, &refusal, &why);
    judge_release(judge, policy);
    if (refusal == APPEAL_ALREADY) {
        refuse_second(m, &item);
    } else if (!desk_is_refused(d, m, st, refusal, &why)) {
        webhook_wake(d->service->webhook);
        answer_appeal(d, m, replayed ? 200 : 201, &item, replayed);
    }
}

/* ---- what became of it ---- */

enum status file_newest(struct desk *d, const char *decision, struct store_item *out,
                        struct why *why)
{
    struct store_item *list = d->items;
    int count = APPEALS_MAX;
    enum status st = d->store->ops->item_list(d->store, decision, list, &count, why);

    if (st)
        return st;
    for (int i = count - 1; i >= 0; i--) {
        if (list[i].kind == STORE_ITEM_APPEAL) {
            *out = list[i];
            return ST_OK;
        }
    }
    return ST_MISSING;
}

bool file_find(struct desk *d, struct matter *m, struct store_item *item,
               struct store_decision *decision)
{
    struct why why = {""};
    enum status st = d->store->ops->item_find(d->store, m->id, item, &why);
    bool known = !st && item->kind == STORE_ITEM_APPEAL;

    if (st && st != ST_MISSING) {
        desk_note(d, st, &why);
        matter_fail_store(m, st);
        return false;
    }
    /* From here on the link and the tenant are those of its decision; an id that is no appeal's is
       looked up as a decision, which it is not either, so both are refused alike. */
    if (known)
        memcpy(m->id, item->decision, sizeof(m->id));
    if (!owner_find(d, m, decision))
        return false;
    if (!known)
        matter_fail(m, 404, (struct failure){.code = "item_not_found"}, "there is no such appeal");
    return known;
}

void file_state(struct desk *d, struct matter *m)
{
    struct store_decision decision;
    struct store_item item;

    if (file_find(d, m, &item, &decision))
        answer_appeal(d, m, 200, &item, false);
}

/* Its owner takes it back, or says what he was asked: `reply`. */
static void change(struct desk *d, struct matter *m, const char *reply)
{
    enum appeal_refusal refusal = APPEAL_FINE;
    struct store_decision decision;
    struct store_item item;
    struct why why = {""};
    enum status st;

    if (!file_find(d, m, &item, &decision))
        return;
    st = reply ? appeal_reply(d->store, item.id, reply, clock_unix_s(), &refusal, &why)
               : appeal_withdraw(d->store, item.id, clock_unix_s(), &refusal, &why);
    if (desk_is_refused(d, m, st, refusal, &why))
        return;
    st = d->store->ops->item_find(d->store, item.id, &item, &why);
    if (!desk_is_refused(d, m, st, APPEAL_FINE, &why))
        answer_appeal(d, m, 200, &item, false);
}

void file_withdraw(struct desk *d, struct matter *m)
{
    change(d, m, NULL);
}

void file_reply(struct desk *d, struct matter *m)
{
    change(d, m, m->text);
}
