/* SPDX-License-Identifier: Apache-2.0 */
#include "server/access.h"

#include "base/escape.h"
#include "base/log.h"
#include "engine/stages.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_SHOWN 128 /* bytes of what a stranger chose */
#define METHOD_MAX     16

struct fields {
    char text[LOG_FIELDS_MAX];
    size_t used;
};

static void add(struct fields *f, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct fields *f, const char *format, ...)
{
    size_t room = sizeof(f->text) - f->used;
    va_list args;
    int more;

    va_start(args, format);
    more = vsnprintf(f->text + f->used, room, format, args);
    va_end(args);
    assert(more >= 0 && (size_t)more < room); /* everything in a line has its limit */
    f->used += (size_t)more;
}

static void add_text(struct fields *f, const char *name, struct http_text text, size_t most)
{
    const char *at = text.data, *end = text.data + (text.bytes < most ? text.bytes : most);

    add(f, ",\"%s\":\"", name);
    while (at < end) {
        assert(f->used + ESCAPE_MAX < sizeof(f->text));
        f->used += escape_json(f->text + f->used, &at, end);
    }
    add(f, "\"");
}

static void add_trace(struct fields *f, const struct trace *t)
{
    if (!t->id[0])
        return;
    add(f, ",\"trace_id\":\"%s\",\"span_id\":\"%s\"", t->id, t->span);
    if (t->parent[0])
        add(f, ",\"parent_id\":\"%s\"", t->parent);
}

static void add_timing(struct fields *f, const struct timing *t)
{
    const char *comma = "";

    if (!t->told)
        return;
    if (t->predicted_us)
        add(f, ",\"predicted_ms\":%.2f", (double)t->predicted_us / 1000);
    if (t->batch_most)
        add(f, ",\"batch\":%d", t->batch_most);
    add(f, ",\"stages_ms\":{");
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (t->us[i] < 0)
            continue;
        add(f, "%s\"%s\":%.2f", comma, stage_name((enum stage)i), (double)t->us[i] / 1000);
        comma = ",";
    }
    add(f, "}");
}

void access_log(const struct access *a)
{
    const struct http_request *r = a->request;
    struct fields f = {.used = 0};

    add(&f, "\"id\":\"%s\"", r->id);
    add_text(&f, "method", r->method, METHOD_MAX);
    add_text(&f, "path", r->path, PATH_MAX_SHOWN);
    add(&f, ",\"status\":%d,\"bytes\":%zu,\"ms\":%.2f", a->status, r->answer_bytes,
        (double)a->took_us / 1000);
    if (a->tenant)
        add_text(&f, "tenant", (struct http_text){a->tenant, strlen(a->tenant)}, PATH_MAX_SHOWN);
    add_trace(&f, &r->trace);
    add_timing(&f, &r->timing);
    log_fields(a->quiet ? LOG_DEBUG : LOG_INFO, "request", f.text);
}
