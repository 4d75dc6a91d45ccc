/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/json.h"
#include "moderation/appeal_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *appeal_refusal_code(enum appeal_refusal r)
{
    static const char *const codes[APPEAL_REFUSALS] = {
        [APPEAL_FINE] = "",
        [APPEAL_NOT_APPEALABLE] = "not_appealable",
        [APPEAL_WINDOW_EXPIRED] = "window_expired",
        [APPEAL_ALREADY] = "already_appealed",
        [APPEAL_KEY_REUSED] = "idempotency_key_reused",
        [APPEAL_DECIDED_BEFORE] = "decided_before",
        [APPEAL_LEASE_OVER] = "lease_over",
        [APPEAL_STATE] = "not_in_this_state",
    };

    return codes[r];
}

enum status appeal_refuse(enum appeal_refusal *refusal, enum appeal_refusal r, struct why *why)
{
    *refusal = r;
    return why_fail(why, ST_REFUSED, "%s", appeal_refusal_code(r));
}

/* ---- what people wrote ---- */

enum status appeal_check_text(const char *text, bool required, const char *name, struct why *why)
{
    if (required && !*text)
        return why_fail(why, ST_INVALID, "%s: say something", name);
    if (strlen(text) > APPEAL_TEXT_MAX)
        return why_fail(why, ST_INVALID, "%s: at most %d bytes", name, APPEAL_TEXT_MAX);
    return ST_OK;
}

enum status appeal_append(char to[STORE_SENTENCE_MAX], const char *text, const char *name,
                          struct why *why)
{
    size_t used = strlen(to), bytes = strlen(text);
    const char *between = used ? "\n\n" : "";

    if (used + strlen(between) + bytes >= STORE_SENTENCE_MAX)
        return why_fail(why, ST_INVALID,
                        "%s: with what was written before it is more than %d bytes", name,
                        STORE_SENTENCE_MAX - 1);
    memcpy(to + used, between, strlen(between));
    memcpy(to + used + strlen(between), text, bytes + 1);
    return ST_OK;
}

/* ---- JSON into a row ---- */

/* Closes it. */
static enum status take_json(char *out, size_t size, struct json_out *o, struct why *why)
{
    enum status st = ST_OK;

    json_out_object_end(o);
    if (o->failed)
        st = why_fail(why, ST_FULL, "no memory for what is told");
    else if (o->bytes >= size)
        st = why_fail(why, ST_INVALID, "what is told is more than %zu bytes", size - 1);
    else
        memcpy(out, o->text, o->bytes + 1);
    json_out_close(o);
    return st;
}

/* ---- events ---- */

void appeal_event(struct store_event *out, const struct store_item *item, const char *actor,
                  const char *kind, int64_t now_ms)
{
    *out = (struct store_event){.at_ms = now_ms};
    memcpy(out->decision, item->decision, sizeof(out->decision));
    memcpy(out->item, item->id, sizeof(out->item));
    memcpy(out->tenant, item->tenant, sizeof(out->tenant));
    snprintf(out->actor, sizeof(out->actor), "%s", actor);
    snprintf(out->kind, sizeof(out->kind), "%s", kind);
}

enum status appeal_event_reason(struct store_event *e, const char *value, struct why *why)
{
    struct json_out o = {0};

    json_out_object(&o, NULL);
    json_out_string(&o, "reason", value);
    return take_json(e->text, sizeof(e->text), &o, why);
}

static const char *const outcomes[STORE_OUTCOMES] = {
    [STORE_OVERTURNED] = "overturned",
    [STORE_PARTLY] = "partly",
    [STORE_UPHELD] = "upheld",
    [STORE_ILLEGAL] = "illegal",
};

const char *appeal_standing(enum store_standing standing)
{
    static const char *const names[STORE_STANDINGS] = {
        [STORE_ALLOWED] = "allowed", [STORE_BLURRED] = "blurred",   [STORE_HELD] = "held",
        [STORE_BLOCKED] = "blocked", [STORE_RELEASED] = "released", [STORE_FINAL] = "final",
        [STORE_EXPIRED] = "expired", [STORE_SEALED] = "sealed",
    };

    return names[standing];
}

enum status appeal_event_ruling(struct store_event *e, const struct store_item *item,
                                const char *standing, bool second, struct why *why)
{
    struct json_out o = {0};

    json_out_object(&o, NULL);
    json_out_string(&o, "outcome", outcomes[item->outcome]);
    json_out_string(&o, "code", item->code);
    json_out_string(&o, "clause", item->clause);
    json_out_int(&o, "confidence", item->confidence);
    json_out_int(&o, "spent_ms", item->spent_ms);
    if (standing)
        json_out_string(&o, "standing", standing);
    if (second)
        json_out_bool(&o, "second", true);
    return take_json(e->text, sizeof(e->text), &o, why);
}

/* ---- messages ---- */

/* That something is sealed is nobody's to know: its owner is told that it stays blocked. */
static void write_news(struct json_out *o, const struct appeal_news *news)
{
    enum store_standing standing = news->standing == STORE_SEALED ? STORE_FINAL : news->standing;
    enum store_outcome outcome = news->outcome == STORE_ILLEGAL ? STORE_UPHELD : news->outcome;

    json_out_object(o, "data");
    json_out_string(o, "decision_id", news->decision);
    if (news->appeal)
        json_out_string(o, "appeal_id", news->appeal);
    json_out_string(o, "standing", appeal_standing(standing));
    if (outcome)
        json_out_string(o, "outcome", outcomes[outcome]);
    json_out_object_end(o);
}

enum status appeal_tell(struct store_message *out, const struct appeal_news *news, struct why *why)
{
    time_t now = (time_t)news->now_s;
    struct json_out o = {0};
    struct tm date;
    char text[32];

    *out = (struct store_message){.created_s = news->now_s, .next_s = news->now_s};
    if (crypto_id(out->id, sizeof(out->id), "msg_", why))
        return ST_IO;
    snprintf(out->tenant, sizeof(out->tenant), "%s", news->tenant);
    snprintf(out->kind, sizeof(out->kind), "%s", news->kind);
    gmtime_r(&now, &date);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &date);
    json_out_object(&o, NULL);
    json_out_string(&o, "type", news->kind);
    json_out_string(&o, "timestamp", text);
    write_news(&o, news);
    return take_json(out->payload, sizeof(out->payload), &o, why);
}

/* ---- items ---- */

void appeal_drop(struct store_item *item)
{
    memset(item->reviewer, 0, sizeof(item->reviewer));
    memset(item->lease, 0, sizeof(item->lease));
    item->lease_until_s = 0;
    item->claimed_ms = 0;
}

void appeal_resume(struct store_item *item, int64_t now_s)
{
    int64_t waited = now_s > item->asked_s ? now_s - item->asked_s : 0;

    item->state = STORE_ITEM_QUEUED;
    item->due_first_s += waited;
    item->due_s += waited;
    item->asked_s = 0;
}
