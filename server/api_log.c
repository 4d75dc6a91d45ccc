/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_log.h"

#include "server/logbook.h"
#include "store/scope.h"
#include "watermark/layout.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define REASON                                                                                     \
    {                                                                                              \
        "reason", LOGBOOK_FIELD(reason), FIELD_TEXT, false                                         \
    }
#define COUNT                                                                                      \
    {                                                                                              \
        "count", LOGBOOK_FIELD(count), FIELD_INT, false                                            \
    }

static void ask(struct service *s, struct http_request *r, enum logbook_kind kind,
                const struct field *fields, int count)
{
    struct logbook_question *q = logbook_take(s, r, kind);

    if (!q || !logbook_read(q, r, fields, count))
        return;
    if (q->count < 1 || q->count > LOGBOOK_ENTRIES_MAX)
        logbook_refuse(q, r, 400, (struct failure){.param = "count"}, "count is from 1 to 256");
    else
        logbook_send(q, r);
}

void api_log_checkpoint(struct service *s, struct http_request *r)
{
    ask(s, r, LOGBOOK_CHECKPOINT, NULL, 0);
}

void api_log_key(struct service *s, struct http_request *r)
{
    ask(s, r, LOGBOOK_KEY, NULL, 0);
}

void api_log_stats(struct service *s, struct http_request *r)
{
    ask(s, r, LOGBOOK_STATS, NULL, 0);
}

void api_log_proof(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"index", LOGBOOK_FIELD(first), FIELD_INT, true},
        {"size", LOGBOOK_FIELD(last), FIELD_INT, false},
    };

    ask(s, r, LOGBOOK_PROOF, fields, COUNT_OF(fields));
}

void api_log_consistency(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"from", LOGBOOK_FIELD(first), FIELD_INT, true},
        {"to", LOGBOOK_FIELD(last), FIELD_INT, false},
    };

    ask(s, r, LOGBOOK_CONSISTENCY, fields, COUNT_OF(fields));
}

/* Records have a path of their own in routes.c, which lets officers in alone: what comes by the
   other one has to be hashes. */
void api_log_tile(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {REASON};
    struct logbook_question *q = logbook_take(s, r, LOGBOOK_TILE);
    size_t skip = strlen("/v1/log/");

    if (!q || !logbook_read(q, r, fields, COUNT_OF(fields)))
        return;
    if (!layout_parse(&q->level, &q->first, &q->width, r->path.data + skip, r->path.bytes - skip)) {
        logbook_refuse(q, r, 404, (struct failure){.code = "unknown_path"},
                       "no tile is called so; C2SP's tlog-tiles says how they are");
        return;
    }
    if (q->level == LAYOUT_RECORDS)
        q->kind = LOGBOOK_BUNDLE;
    if (q->kind == LOGBOOK_BUNDLE && !(r->scopes & SCOPE_COMPLIANCE))
        logbook_refuse(q, r, 403, (struct failure){0}, "records are for compliance officers");
    else
        logbook_send(q, r);
}

void api_log_entries(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"first", LOGBOOK_FIELD(first), FIELD_INT, true},
        COUNT,
        REASON,
    };

    ask(s, r, LOGBOOK_ENTRIES_LIST, fields, COUNT_OF(fields));
}

void api_log_search(struct service *s, struct http_request *r)
{
    static const struct field fields[] = {
        {"id", LOGBOOK_FIELD(id), FIELD_TEXT, false},
        {"sha256", LOGBOOK_FIELD(sha256), FIELD_TEXT, false},
        {"pixels", LOGBOOK_FIELD(pixels), FIELD_TEXT, false},
        {"kind", LOGBOOK_FIELD(kind_name), FIELD_TEXT, false},
        {"tenant", LOGBOOK_FIELD(tenant), FIELD_TEXT, false},
        {"model", LOGBOOK_FIELD(model), FIELD_TEXT, false},
        {"verdict", LOGBOOK_FIELD(verdict), FIELD_TEXT, false},
        {"decision", LOGBOOK_FIELD(decision), FIELD_TEXT, false},
        {"from", LOGBOOK_FIELD(since_s), FIELD_INT, false},
        {"to", LOGBOOK_FIELD(until_s), FIELD_INT, false},
        {"before", LOGBOOK_FIELD(before), FIELD_INT, false},
        COUNT,
        REASON,
    };

    ask(s, r, LOGBOOK_SEARCH, fields, COUNT_OF(fields));
}
