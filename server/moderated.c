/* SPDX-License-Identifier: Apache-2.0 */
#include "server/moderated.h"

#include "moderation/link.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINK_S (365 * INT64_C(86400)) /* that a link is good for beyond the time of appeals */

void moderated_open(struct moderated *m, struct service *s)
{
    *m = (struct moderated){.policy = judge_policy(s->judge),
                            .public_url = s->public_url,
                            .secret = s->secret,
                            .now_s = clock_unix_s()};
}

void moderated_close(struct moderated *m, struct service *s)
{
    judge_release(s->judge, m->policy);
    m->policy = NULL;
}

/* ---- words ---- */

const char *moderated_standing(enum store_standing standing)
{
    static const char *const names[] = {"allowed",  "blurred", "held",    "blocked",
                                        "released", "final",   "expired", "sealed"};

    _Static_assert(sizeof(names) / sizeof(names[0]) == STORE_STANDINGS, "a word for each");
    return names[standing];
}

bool moderated_is_withheld(const struct store_decision *d)
{
    return d->standing != STORE_ALLOWED && d->standing != STORE_BLURRED &&
           d->standing != STORE_RELEASED;
}

const char *moderated_language(const struct moderated *m)
{
    return m->language ? m->language : policy_settings(m->policy)->language[0];
}

const struct policy_category *moderated_category(const struct moderated *m,
                                                 const struct store_decision *d)
{
    int index = d->category[0] ? policy_find_category(m->policy, d->category) : -1;

    return index < 0 ? NULL : policy_category(m->policy, index);
}

const char *moderated_severity(const struct moderated *m, const struct store_decision *d)
{
    static const char *const names[BAND_COUNT] = {"none", "low", "medium", "high"};
    const struct policy_category *category = moderated_category(m, d);

    if (category && category->always_block)
        return "high";
    return d->action >= 0 && d->action < BAND_COUNT ? names[d->action] : "none";
}

/* What is added where not the scores alone decided. */
static const char *remark_of(const struct store_decision *d)
{
    static const char *const remarks[CAUSE_COUNT] = {
        [CAUSE_DISAGREEMENT] = "Two automatic checks did not agree, so a person decides.",
        [CAUSE_MARGIN] = "The automatic check was not sure enough, so a person decides.",
        [CAUSE_ENERGY] = "The picture is unlike anything that the automatic check was made for, so "
                         "a person decides.",
        [CAUSE_UNJUDGED] = "The automatic check could not be done, so a person looks first.",
        [CAUSE_SAFETY] = "The model's own safety check spoke up.",
        [CAUSE_BREAKER] = "Automatic blocks of this kind were wrong too often lately, so a person "
                          "decides.",
        [CAUSE_PRECEDENT] = "A person has decided about the very same picture before.",
    };

    return d->cause > 0 && d->cause < CAUSE_COUNT ? remarks[d->cause] : NULL;
}

const char *moderated_reason_code(const struct store_decision *d)
{
    if (d->cause == CAUSE_UNJUDGED)
        return "classifier_unavailable";
    if (d->category[0])
        return d->category;
    if (d->cause == CAUSE_PROMPT)
        return "prompt_check";
    return d->cause == CAUSE_ENERGY ? "unfamiliar_picture" : "unspecified";
}

void moderated_reason(char out[POLICY_REASON_MAX + 256], const struct moderated *m,
                      const struct store_decision *d)
{
    int category = d->category[0] ? policy_find_category(m->policy, d->category) : -1;
    const char *remark = remark_of(d), *text;

    if (category >= 0)
        text = policy_reason(m->policy, category, moderated_language(m));
    else if (d->cause == CAUSE_PROMPT)
        text = "A check of the words of the request has an objection.";
    else if (d->category[0])
        text = "The rule that this was decided by is no longer in the policy.";
    else
        text = remark ? "" : "A person has to look at this picture before it is delivered.";
    snprintf(out, POLICY_REASON_MAX + 256, "%s%s%s", text, *text && remark ? " " : "",
             remark ? remark : "");
}

/* ---- dates and links ---- */

void moderated_date(char out[MODERATED_DATE_MAX], int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm parts;

    if (!gmtime_r(&time, &parts) ||
        !strftime(out, MODERATED_DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts))
        out[0] = '\0';
}

void moderated_write_date(struct json_out *o, const char *name, int64_t time_s)
{
    char date[MODERATED_DATE_MAX];

    moderated_date(date, time_s);
    json_out_string(o, name, time_s ? date : NULL);
}

static void write_url(char out[MODERATED_URL_MAX], const struct moderated *m,
                      const struct store_decision *d, const char *path)
{
    int64_t until_s = d->appeal_until_s > d->created_s ? d->appeal_until_s : d->created_s;
    char token[LINK_MAX];

    if (!m->secret) {
        snprintf(out, MODERATED_URL_MAX, "%s%s%s", m->public_url, path, d->id);
        return;
    }
    link_make(token, m->secret, MODERATED_LINK, d->id, until_s + LINK_S);
    snprintf(out, MODERATED_URL_MAX, "%s%s%s?token=%s", m->public_url, path, d->id, token);
}

void moderated_statement_url(char out[MODERATED_URL_MAX], const struct moderated *m,
                             const struct store_decision *d)
{
    write_url(out, m, d, "/v1/decisions/");
}

void moderated_appeal_url(char out[MODERATED_URL_MAX], const struct moderated *m,
                          const struct store_decision *d)
{
    write_url(out, m, d, "/appeal/");
}

bool moderated_is_appealable(const struct moderated *m, const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);

    if (d->standing != STORE_BLOCKED || m->now_s >= d->appeal_until_s)
        return false;
    if (d->stage == STORE_STAGE_PROMPT && !policy_settings(m->policy)->prompt.appealable)
        return false;
    return !category || category->appealable;
}

int64_t moderated_first_review(const struct moderated *m, const struct store_decision *d)
{
    int64_t in_s = (int64_t)(policy_settings(m->policy)->appeals.first_review_h * 3600);
    int64_t from_s = d->standing == STORE_HELD ? d->created_s : m->now_s;

    return from_s + in_s > m->now_s ? from_s + in_s : m->now_s;
}

/* ---- the object ---- */

static void write_reason(struct json_out *o, const struct moderated *m,
                         const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);
    char text[POLICY_REASON_MAX + 256];

    if (d->category[0]) {
        json_out_object(o, "category");
        json_out_string(o, "id", d->category);
        json_out_string(o, "severity", moderated_severity(m, d));
        json_out_object_end(o);
    } else {
        json_out_string(o, "category", NULL);
    }
    moderated_reason(text, m, d);
    json_out_object(o, "reason");
    json_out_string(o, "code", moderated_reason_code(d));
    json_out_string(o, "text", text);
    json_out_string(o, "clause", category ? category->clause : NULL);
    json_out_string(o, "clause_url", category ? category->clause_url : NULL);
    json_out_object_end(o);
}

static void write_appeal(struct json_out *o, const struct moderated *m,
                         const struct store_decision *d)
{
    bool allowed = moderated_is_appealable(m, d), waits = d->standing == STORE_HELD;
    char url[MODERATED_URL_MAX];

    moderated_appeal_url(url, m, d);
    json_out_object(o, "appeal");
    json_out_bool(o, "allowed", allowed);
    json_out_string(o, "url", url);
    json_out_string(o, "api", "/v1/appeals");
    moderated_write_date(o, "deadline", allowed ? d->appeal_until_s : 0);
    moderated_write_date(o, "expected_first_review",
                         allowed || waits ? moderated_first_review(m, d) : 0);
    json_out_object_end(o);
}

/* Of what is delivered: that it was looked at, and what to do with it. */
static void write_delivered(struct json_out *o, const struct moderated *m,
                            const struct store_decision *d)
{
    bool blurred = d->action == BAND_BLUR || d->standing == STORE_BLURRED;

    json_out_string(o, "action", blurred ? "blur" : "allow");
    if (d->standing == STORE_RELEASED)
        json_out_string(o, "status", moderated_standing(d->standing));
    if (blurred)
        write_reason(o, m, d);
}

static void write_withheld(struct json_out *o, const struct moderated *m,
                           const struct store_decision *d)
{
    bool held = d->action == BAND_HOLD, prompt = d->stage == STORE_STAGE_PROMPT;
    bool waits = d->standing == STORE_HELD;
    char url[MODERATED_URL_MAX];

    json_out_string(o, "stage", prompt ? "prompt" : "image");
    json_out_string(o, "action", held ? "hold" : "block");
    json_out_string(o, "status", moderated_standing(d->standing));
    write_reason(o, m, d);
    json_out_object(o, "policy");
    json_out_string(o, "id", d->policy);
    json_out_int(o, "version", d->policy_version);
    json_out_object_end(o);
    json_out_object(o, "automated");
    json_out_bool(o, "detection", true);
    json_out_string(o, "decision", held || d->standing == STORE_FINAL ? "partial" : "full");
    json_out_object_end(o);
    json_out_bool(o, "retryable", false);
    json_out_bool(o, "billed", !prompt);
    json_out_string(o, "human_review",
                    waits                           ? "automatic"
                    : moderated_is_appealable(m, d) ? "on_appeal"
                                                    : "none");
    write_appeal(o, m, d);
    moderated_statement_url(url, m, d);
    json_out_string(o, "statement_url", url);
}

void moderated_write(struct json_out *o, const char *name, const struct moderated *m,
                     const struct store_decision *d)
{
    json_out_object(o, name);
    json_out_string(o, "decision_id", d->id);
    if (moderated_is_withheld(d))
        write_withheld(o, m, d);
    else
        write_delivered(o, m, d);
    json_out_object_end(o);
}

/* ---- when there is nothing else to send ---- */

/* People read this one in a log or on a screen that shows nothing else. */
static void write_message(char *out, size_t bytes, const struct moderated *m,
                          const struct store_decision *d, int count)
{
    bool prompt = d->stage == STORE_STAGE_PROMPT;
    char reason[POLICY_REASON_MAX + 256], url[MODERATED_URL_MAX];

    moderated_reason(reason, m, d);
    moderated_appeal_url(url, m, d);
    snprintf(out, bytes, "%s %s %s: %s",
             prompt      ? "The request was not carried out."
             : count > 1 ? "None of the pictures can be delivered."
                         : "The picture cannot be delivered.",
             reason,
             moderated_is_appealable(m, d) ? "Ask a person to look at it, or read the reasons"
                                           : "The reasons, and what you can do",
             url);
}

void moderated_error(struct json_out *o, const char *name, const struct moderated *m,
                     const struct store_decision *const *decisions, int count)
{
    char message[POLICY_REASON_MAX + 256 + MODERATED_URL_MAX + 256];

    write_message(message, sizeof(message), m, decisions[0], count);
    json_out_object(o, name);
    json_out_string(o, "message", message);
    json_out_string(o, "type", "image_generation_user_error");
    json_out_string(o, "param", NULL);
    json_out_string(o, "code", MODERATED_CODE);
    if (count == 1) {
        moderated_write(o, "moderation", m, decisions[0]);
    } else {
        json_out_array(o, "moderations");
        for (int i = 0; i < count; i++)
            moderated_write(o, NULL, m, decisions[i]);
        json_out_array_end(o);
    }
    json_out_object_end(o);
}

void moderated_refuse(struct answer *a, const struct moderated *m,
                      const struct store_decision *const *decisions, int count)
{
    answer_json(a);
    a->status = 400;
    answer_header(a, "x-should-retry", "false");
    json_out_object(&a->json, NULL);
    moderated_error(&a->json, "error", m, decisions, count);
    json_out_object_end(&a->json);
    answer_json_end(a);
}
