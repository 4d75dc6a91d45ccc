/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_review.h"

#include "server/matter.h"
#include "server/path.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- claims ---- */

void api_review_claim(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"queues", MATTER_FIELD(queues), FIELD_LIST, false},
        {"kinds", MATTER_FIELD(kinds), FIELD_LIST, false},
    };
    struct matter *m = matter_take(s, r, MATTER_CLAIM);

    if (m && (!r->body.bytes || matter_read_json(m, r, fields, COUNT_OF(fields))))
        matter_send(m, r);
}

/* ---- an item ---- */

#define LEASE                                                                                      \
    {                                                                                              \
        "lease_token", MATTER_FIELD(lease), FIELD_TEXT, true                                       \
    }

static const struct field lease_fields[] = {LEASE};
static const struct field skip_fields[] = {LEASE,
                                           {"reason", MATTER_FIELD(reason), FIELD_TEXT, true}};
static const struct field ask_fields[] = {LEASE,
                                          {"question", MATTER_FIELD(text), FIELD_TEXT, true}};
static const struct field view_fields[] = {LEASE,
                                           {"variant", MATTER_FIELD(word), FIELD_TEXT, true}};
static const struct field decide_fields[] = {
    LEASE,
    {"outcome", MATTER_FIELD(word), FIELD_TEXT, true},
    {"code", MATTER_FIELD(code), FIELD_TEXT, true},
    {"clause", MATTER_FIELD(clause), FIELD_TEXT, true},
    {"answer", MATTER_FIELD(text), FIELD_TEXT, true},
    {"confidence", MATTER_FIELD(number[0]), FIELD_INT, false},
    {"version", MATTER_FIELD(number[1]), FIELD_INT, true},
};

/* What may follow the id of an item. */
static const struct {
    const char *part;
    enum matter_kind kind;
    const struct field *fields; /* of the body; NULL: GET */
    int count;
} parts[] = {
    {"", MATTER_ITEM, NULL, 0},
    {"image", MATTER_LOOK, NULL, 0},
    {"heartbeat", MATTER_HEARTBEAT, lease_fields, COUNT_OF(lease_fields)},
    {"release", MATTER_RELEASE, lease_fields, COUNT_OF(lease_fields)},
    {"skip", MATTER_SKIP, skip_fields, COUNT_OF(skip_fields)},
    {"ask", MATTER_ASK, ask_fields, COUNT_OF(ask_fields)},
    {"decide", MATTER_DECIDE, decide_fields, COUNT_OF(decide_fields)},
    {"view", MATTER_VIEW, view_fields, COUNT_OF(view_fields)},
};

static const struct field look_fields[] = {{"view", MATTER_FIELD(token), FIELD_TEXT, false}};

void api_review_item(struct service *s, struct http_request *r)
{
    struct matter *m = matter_take(s, r, MATTER_NOTHING);
    bool posts = path_is(r->method, "POST");
    const char *names[COUNT_OF(parts)];
    int part;

    if (!m)
        return;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        names[i] = parts[i].part;
    part = path_split(m->id, sizeof(m->id), r->path, "/v1/review/items/", names, COUNT_OF(names));
    if (part < 0) {
        matter_send(m, r);
        return;
    }
    m->kind = parts[part].kind;
    if (posts != (parts[part].fields != NULL)) {
        matter_refuse(m, r, 405, (struct failure){0},
                      posts ? "this path takes GET" : "this path takes POST");
        return;
    }
    if (m->kind == MATTER_LOOK && http_header(r, "range").data)
        m->kind = MATTER_NOTHING; /* parts of a picture that is to be seen once */
    if (posts ? matter_read_json(m, r, parts[part].fields, parts[part].count)
              : matter_read_query(m, r, look_fields, COUNT_OF(look_fields)))
        matter_send(m, r);
}

/* ---- the rest ---- */

static void send(struct service *s, struct http_request *r, enum matter_kind kind)
{
    struct matter *m = matter_take(s, r, kind);

    if (m)
        matter_send(m, r);
}

void api_review_mine(struct service *s, struct http_request *r)
{
    send(s, r, MATTER_MINE);
}

void api_review_break(struct service *s, struct http_request *r)
{
    send(s, r, MATTER_BREAK);
}

void api_review_stats(struct service *s, struct http_request *r)
{
    send(s, r, MATTER_STATS);
}

void api_review_items(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"state", MATTER_FIELD(word), FIELD_TEXT, false},
        {"kind", MATTER_FIELD(kinds), FIELD_TEXT, false},
        {"outcome", MATTER_FIELD(code), FIELD_TEXT, false},
        {"reviewer", MATTER_FIELD(reason), FIELD_TEXT, false},
        {"limit", MATTER_FIELD(number[0]), FIELD_INT, false},
    };
    struct matter *m = matter_take(s, r, MATTER_ITEMS);

    if (m && matter_read_query(m, r, fields, COUNT_OF(fields)))
        matter_send(m, r);
}

void api_review_settings(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"full_views_per_hour", MATTER_FIELD(number[0]), FIELD_INT, false},
        {"minutes_before_break", MATTER_FIELD(number[1]), FIELD_INT, false},
        {"break_minutes", MATTER_FIELD(number[2]), FIELD_INT, false},
        {"golden_percent", MATTER_FIELD(number[3]), FIELD_INT, false},
    };
    bool posts = path_is(r->method, "POST");
    struct matter *m = matter_take(s, r, posts ? MATTER_SET : MATTER_SETTINGS);

    if (m && (!posts || matter_read_json(m, r, fields, COUNT_OF(fields))))
        matter_send(m, r);
}

void api_review_golden(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"item", MATTER_FIELD(id), FIELD_TEXT, true},
        {"outcome", MATTER_FIELD(word), FIELD_TEXT, false},
    };
    struct matter *m = matter_take(s, r, MATTER_GOLDEN);

    if (m && matter_read_json(m, r, fields, COUNT_OF(fields)))
        matter_send(m, r);
}

void api_review_close(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"slice", MATTER_FIELD(slice), FIELD_TEXT, true},
        {"policy_version", MATTER_FIELD(number[0]), FIELD_INT, true},
        {"note", MATTER_FIELD(text), FIELD_TEXT, true},
    };
    struct matter *m = matter_take(s, r, MATTER_CLOSE);

    if (m && matter_read_json(m, r, fields, COUNT_OF(fields)))
        matter_send(m, r);
}

void api_review_export(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"format", MATTER_FIELD(word), FIELD_TEXT, true},
        {"since", MATTER_FIELD(number[0]), FIELD_INT, false},
        {"after", MATTER_FIELD(number[1]), FIELD_INT, false},
    };
    struct matter *m = matter_take(s, r, MATTER_EXPORT);

    if (m && matter_read_query(m, r, fields, COUNT_OF(fields)))
        matter_send(m, r);
}
