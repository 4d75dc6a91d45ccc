/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_decisions.h"

#include "server/matter.h"
#include "server/path.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 20 /* of a list, unless another one is said */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct field token_fields[] = {{"token", MATTER_FIELD(token), FIELD_TEXT, false}};

void api_decisions_list(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"status", MATTER_FIELD(word), FIELD_TEXT, false},
        {"after", MATTER_FIELD(number[0]), FIELD_INT, false},
        {"limit", MATTER_FIELD(number[1]), FIELD_INT, false},
    };
    struct matter *m = matter_take(s, r, MATTER_LIST);

    if (!m)
        return;
    m->number[0] = 0;
    m->number[1] = LIMIT;
    if (matter_read_query(m, r, fields, COUNT_OF(fields)))
        matter_send(m, r);
}

/* How people and browsers say what they read best; a program says nothing, or JSON. */
static bool accepts(const struct http_request *r, const char *type)
{
    struct http_text accept = http_header(r, "accept");

    return accept.data && memmem(accept.data, accept.bytes, type, strlen(type)) &&
           !memmem(accept.data, accept.bytes, "json", 4);
}

void api_decisions_one(struct service *s, struct http_request *r)
{
    static const char *const parts[] = {"", "image", "preview"};
    static const enum matter_kind kinds[] = {MATTER_DECISION, MATTER_PICTURE, MATTER_PREVIEW};
    struct matter *m = matter_take(s, r, MATTER_NOTHING);
    int part;

    if (!m)
        return;
    part = path_split(m->id, sizeof(m->id), r->path, "/v1/decisions/", parts, COUNT_OF(parts));
    if (part >= 0)
        m->kind = kinds[part];
    if (m->kind == MATTER_DECISION && accepts(r, "text/html"))
        m->kind = MATTER_PAGE;
    m->as_text = accepts(r, "text/plain");
    if (matter_read_query(m, r, token_fields, COUNT_OF(token_fields)))
        matter_send(m, r);
}

static bool is_form(const struct http_request *r)
{
    static const char type[] = "application/x-www-form-urlencoded";
    struct http_text header = http_header(r, "content-type");

    return header.data && header.bytes >= sizeof(type) - 1 &&
           !memcmp(header.data, type, sizeof(type) - 1);
}

static void take_form(struct matter *m, struct http_request *r)
{
    static const struct field fields[] = {
        {"token", MATTER_FIELD(token), FIELD_TEXT, true},
        {"do", MATTER_FIELD(act), FIELD_TEXT, true},
        {"reason", MATTER_FIELD(reason), FIELD_TEXT, false},
        {"text", MATTER_FIELD(text), FIELD_TEXT, false},
    };
    struct fields_error error;
    enum status st;

    m->kind = MATTER_FORM;
    if (!is_form(r)) {
        matter_refuse(m, r, 415, (struct failure){0},
                      "this page's form is application/x-www-form-urlencoded; programs POST JSON "
                      "to /v1/appeals");
        return;
    }
    st = fields_form(m, fields, COUNT_OF(fields), r->body.data, r->body.bytes, &error);
    if (st)
        matter_refuse(m, r, 400, (struct failure){.param = error.param}, error.why.text);
    else
        matter_send(m, r);
}

void api_decisions_page(struct service *s, struct http_request *r)
{
    static const char *const parts[] = {""};
    struct matter *m = matter_take(s, r, MATTER_PAGE);

    if (!m)
        return;
    if (path_split(m->id, sizeof(m->id), r->path, "/appeal/", parts, 1) < 0)
        m->id[0] = '\0'; /* no decision has this id: the page says so */
    if (path_is(r->method, "POST"))
        take_form(m, r);
    else if (matter_read_query(m, r, token_fields, COUNT_OF(token_fields)))
        matter_send(m, r);
}
