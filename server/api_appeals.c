/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_appeals.h"

#include "base/crypto.h"
#include "server/async.h"
#include "server/matter.h"
#include "server/path.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct field token_fields[] = {{"token", MATTER_FIELD(token), FIELD_TEXT, false}};

/* What makes two requests the same one: not the token, which is another one with another link. */
static void hash(struct matter *m)
{
    char text[STORE_ID_MAX + STORE_REASON_MAX + STORE_SENTENCE_MAX + 3];
    int bytes = snprintf(text, sizeof(text), "%s\n%s\n%s", m->id, m->reason, m->text);

    crypto_sha256(m->hash, text, (size_t)bytes);
}

void api_appeals_new(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"decision_id", MATTER_FIELD(id), FIELD_TEXT, true},
        {"reason", MATTER_FIELD(reason), FIELD_TEXT, true},
        {"text", MATTER_FIELD(text), FIELD_TEXT, false},
        {"token", MATTER_FIELD(token), FIELD_TEXT, false},
    };
    struct http_text key = http_header(r, "idempotency-key");
    struct matter *m = matter_take(s, r, MATTER_APPEAL);
    struct why why = {""};

    if (!m || !matter_read_json(m, r, fields, COUNT_OF(fields)))
        return;
    hash(m);
    if (key.data && async_key(m->key, key.data, key.bytes, &why))
        matter_refuse(m, r, 400, (struct failure){.param = "Idempotency-Key"}, why.text);
    else
        matter_send(m, r);
}

/* A reply has a body, a withdrawal may have one with the token in it. */
static bool read_body(struct matter *m, struct http_request *r)
{
    static const struct field reply[] = {
        {"text", MATTER_FIELD(text), FIELD_TEXT, true},
        {"token", MATTER_FIELD(token), FIELD_TEXT, false},
    };

    if (m->kind == MATTER_REPLY)
        return matter_read_json(m, r, reply, COUNT_OF(reply));
    return !r->body.bytes || matter_read_json(m, r, reply + 1, 1);
}

void api_appeals_one(struct service *s, struct http_request *r)
{
    static const char *const parts[] = {"", "withdraw", "reply"};
    static const enum matter_kind kinds[] = {MATTER_STATE, MATTER_WITHDRAW, MATTER_REPLY};
    bool posts = path_is(r->method, "POST");
    struct matter *m = matter_take(s, r, MATTER_NOTHING);
    int part;

    if (!m)
        return;
    part = path_split(m->id, sizeof(m->id), r->path, "/v1/appeals/", parts, COUNT_OF(parts));
    if (part >= 0)
        m->kind = kinds[part];
    if (part >= 0 && posts != (part > 0)) {
        matter_refuse(m, r, 405, (struct failure){0},
                      "GET is for an appeal itself, POST for its withdraw and reply");
        return;
    }
    if (!matter_read_query(m, r, token_fields, COUNT_OF(token_fields)))
        return;
    if (!posts || part < 0 || read_body(m, r))
        matter_send(m, r);
}
