/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notice.h"

#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "server/moderated.h"
#include "server/webhook.h"

#include <stdio.h>
#include <string.h>

static void write_data(struct json_out *o, const struct moderated *how,
                       const struct store_decision *d)
{
    char url[MODERATED_URL_MAX];

    json_out_object(o, "data");
    json_out_string(o, "decision_id", d->id);
    json_out_string(o, "stage", d->stage == STORE_STAGE_PROMPT ? "prompt" : "image");
    json_out_string(o, "standing", moderated_standing(d->standing));
    json_out_text(o, "category", d->category);
    json_out_string(o, "request_id", d->request);
    json_out_text(o, "job_id", d->job);
    json_out_text(o, "user", d->user);
    json_out_int(o, "index", d->index);
    moderated_statement_url(url, how, d);
    json_out_string(o, "statement_url", url);
    moderated_appeal_url(url, how, d);
    json_out_string(o, "appeal_url", url);
    json_out_object_end(o);
}

static bool write_payload(char out[STORE_PAYLOAD_MAX], const struct moderated *how,
                          const struct store_decision *d, const char *kind)
{
    char date[MODERATED_DATE_MAX];
    struct json_out o = {0};
    bool fits;

    moderated_date(date, how->now_s);
    json_out_object(&o, NULL);
    json_out_string(&o, "type", kind);
    json_out_string(&o, "timestamp", date);
    write_data(&o, how, d);
    json_out_object_end(&o);
    fits = !o.failed && o.bytes < STORE_PAYLOAD_MAX;
    if (fits)
        memcpy(out, o.text, o.bytes + 1);
    json_out_close(&o);
    return fits;
}

/* A word that cannot be written is left out: the decision itself is told to who asked, and listed.
 */
bool notice_write(void *service, const struct store_decision *d, struct store_message *out)
{
    struct service *s = service;
    const struct moderated how = {
        .public_url = s->public_url, .secret = s->secret, .now_s = clock_unix_s()};
    const char *kind = d->standing == STORE_HELD ? "decision.held" : "decision.blocked";

    if (!s->webhook || !webhook_reaches(s->webhook, d->tenant))
        return false;
    *out = (struct store_message){.created_s = how.now_s, .next_s = how.now_s};
    if (crypto_id(out->id, sizeof(out->id), "msg_", NULL) ||
        !write_payload(out->payload, &how, d, kind)) {
        log_error("notice", "decision=%s: no word of it could be written", d->id);
        return false;
    }
    snprintf(out->tenant, sizeof(out->tenant), "%s", d->tenant);
    snprintf(out->kind, sizeof(out->kind), "%s", kind);
    return true;
}
