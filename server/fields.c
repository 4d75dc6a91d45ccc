/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fields.h"

#include "base/escape.h"
#include "base/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT_MAX  16 /* fields of a table */
#define DIGITS_MAX 18

/* One reading. */
struct reader {
    char *out;
    const struct field *fields;
    int count;
    bool lenient; /* other names are left alone */
    bool seen[COUNT_MAX];
    struct fields_error *error;
};

static enum status fail(struct reader *r, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A sentence that begins with the name. */
static enum status fail(struct reader *r, const char *name, const char *format, ...)
{
    char rest[256];
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof(rest), format, args);
    va_end(args);
    snprintf(r->error->param, sizeof(r->error->param), "%.*s", (int)sizeof(r->error->param) - 1,
             name);
    return why_fail(&r->error->why, ST_INVALID, "%s %s", name[0] ? r->error->param : "the body",
                    rest);
}

static struct reader begin(void *out, const struct field *fields, int count,
                           struct fields_error *error)
{
    assert(count <= COUNT_MAX);
    *error = (struct fields_error){.param = ""};
    return (struct reader){.out = out, .fields = fields, .count = count, .error = error};
}

static int find(const struct reader *r, const char *name)
{
    for (int i = 0; i < r->count; i++) {
        if (!strcmp(r->fields[i].name, name))
            return i;
    }
    return -1;
}

static enum status finish(struct reader *r)
{
    for (int i = 0; i < r->count; i++) {
        if (r->fields[i].required && !r->seen[i])
            return fail(r, r->fields[i].name, "is needed");
    }
    return ST_OK;
}

static bool is_utf8(const char *text, size_t bytes)
{
    static const char replaced[] = "\xef\xbf\xbd";
    const char *at = text, *end = text + bytes;
    char out[ESCAPE_MAX];

    while (at < end) {
        const char *from = at;
        size_t count = escape_json(out, &at, end);

        if (count == 3 && !memcmp(out, replaced, 3) &&
            (at - from != 3 || memcmp(from, replaced, 3) != 0))
            return false;
    }
    return true;
}

static enum status take_text(struct reader *r, const struct field *f, const char *text,
                             size_t bytes)
{
    if (memchr(text, 0, bytes) || !is_utf8(text, bytes))
        return fail(r, f->name, "is no text in UTF-8");
    if (bytes >= f->size)
        return fail(r, f->name, "may have at most %zu bytes", f->size - 1);
    memcpy(r->out + f->at, text, bytes);
    r->out[f->at + bytes] = '\0';
    return ST_OK;
}

static enum status take_int(struct reader *r, const struct field *f, int64_t value)
{
    if (value < 0)
        return fail(r, f->name, "must be a whole number from 0 on");
    memcpy(r->out + f->at, &value, sizeof(value));
    return ST_OK;
}

/* ---- JSON ---- */

static enum status take_list(struct reader *r, const struct field *f, const struct json *list)
{
    char *out = r->out + f->at;
    size_t used = 0;

    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *value = json_at(list, i);
        const char *text;
        size_t bytes;

        if (json_type_of(value) != JSON_TYPE_STRING)
            return fail(r, f->name, "must be a list of texts");
        text = json_as_string(value);
        bytes = strlen(text);
        if (!bytes || strchr(text, '\n') || used + bytes + 2 > f->size)
            return fail(r, f->name, "holds a text that is empty, or too many of them");
        memcpy(out + used, text, bytes);
        out[used + bytes] = '\n';
        used += bytes + 1;
    }
    out[used] = '\0';
    return ST_OK;
}

static enum status take_json(struct reader *r, const struct field *f, const struct json *value)
{
    static const struct {
        enum json_type type;
        const char *name;
    } wanted[] = {[FIELD_TEXT] = {JSON_TYPE_STRING, "a text"},
                  [FIELD_INT] = {JSON_TYPE_INT, "a whole number"},
                  [FIELD_LIST] = {JSON_TYPE_ARRAY, "a list of texts"}};

    if (json_type_of(value) != wanted[f->kind].type)
        return fail(r, f->name, "must be %s", wanted[f->kind].name);
    switch (f->kind) {
    case FIELD_TEXT:
        return take_text(r, f, json_as_string(value), json_string_bytes(value));
    case FIELD_INT:
        return take_int(r, f, json_as_int(value));
    case FIELD_LIST:
        return take_list(r, f, value);
    }
    return ST_INVALID;
}

enum status fields_json(void *out, const struct field *fields, int count, const char *text,
                        size_t bytes, struct fields_error *error)
{
    struct reader r = begin(out, fields, count, error);
    const struct json *value;
    struct json *root = NULL;
    void *iter = NULL;
    const char *name;
    enum status st = json_parse(&root, text, bytes, &error->why);

    if (st)
        return st;
    if (json_type_of(root) != JSON_TYPE_OBJECT)
        st = fail(&r, "", "must be a JSON object");
    while (!st && json_next(root, &iter, &name, &value)) {
        int i = find(&r, name);

        if (i < 0)
            st = fail(&r, name, "is not known here");
        else if (json_type_of(value) == JSON_TYPE_NULL)
            continue;
        else
            st = take_json(&r, &fields[i], value);
        if (!st)
            r.seen[i] = true;
    }
    json_close(&root);
    return st ? st : finish(&r);
}

/* ---- forms and queries ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo the encoding, up to `size` bytes; more are counted as one too many. Below 0: it is none. */
static long decode(char *out, size_t size, const char *text, size_t bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < bytes && used < size; i++) {
        int c = (unsigned char)text[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (i + 2 >= bytes || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0)
                return -1;
            c = hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]);
            i += 2;
        }
        if (c == '\n' && used && out[used - 1] == '\r')
            used--;
        out[used++] = (char)c;
    }
    return (long)used;
}

static enum status take_number(struct reader *r, const struct field *f, const char *text, long used)
{
    int64_t number = 0;

    for (long i = 0; i < used; i++) {
        if (text[i] < '0' || text[i] > '9' || i == DIGITS_MAX)
            return take_int(r, f, -1);
        number = number * 10 + (text[i] - '0');
    }
    return take_int(r, f, used ? number : -1);
}

/* What stands right of "name=". A text that is longer in CRLF than in LF may have its room, since
   every pair is made one while it is read. */
static enum status take_encoded(struct reader *r, int i, const char *text, size_t bytes)
{
    const struct field *f = &r->fields[i];
    char value[4096];
    long used;

    assert(f->size < sizeof(value));
    if (r->seen[i])
        return fail(r, f->name, "comes twice");
    r->seen[i] = true;
    used = decode(value, sizeof(value), text, bytes);
    if (used < 0)
        return fail(r, f->name, "is not encoded as a form's values are");
    switch (f->kind) {
    case FIELD_TEXT:
        return take_text(r, f, value, (size_t)used);
    case FIELD_INT:
        return take_number(r, f, value, used);
    case FIELD_LIST:
        break;
    }
    return fail(r, f->name, "is a list, which only JSON has");
}

static enum status take_pair(struct reader *r, const char *pair, size_t bytes)
{
    const char *equal = memchr(pair, '=', bytes);
    size_t name_bytes = equal ? (size_t)(equal - pair) : bytes;
    char name[64];
    long used = decode(name, sizeof(name), pair, name_bytes);
    int i = -1;

    if (used >= 0 && (size_t)used < sizeof(name) && !memchr(name, 0, (size_t)used)) {
        name[used] = '\0';
        i = find(r, name);
    } else {
        snprintf(name, sizeof(name), "a name");
    }
    if (i < 0 && r->lenient)
        return ST_OK;
    if (i < 0)
        return fail(r, is_utf8(name, strlen(name)) ? name : "a name", "is not known here");
    return take_encoded(r, i, equal ? equal + 1 : pair + bytes, equal ? bytes - name_bytes - 1 : 0);
}

static enum status read_pairs(struct reader *r, const char *text, size_t bytes)
{
    enum status st = ST_OK;
    size_t at = 0;

    while (at < bytes && !st) {
        const char *end = memchr(text + at, '&', bytes - at);
        size_t length = end ? (size_t)(end - text) - at : bytes - at;

        if (length)
            st = take_pair(r, text + at, length);
        at += length + 1;
    }
    return st ? st : finish(r);
}

enum status fields_form(void *out, const struct field *fields, int count, const char *text,
                        size_t bytes, struct fields_error *error)
{
    struct reader r = begin(out, fields, count, error);

    return read_pairs(&r, text, bytes);
}

enum status fields_query(void *out, const struct field *fields, int count, const char *text,
                         size_t bytes, struct fields_error *error)
{
    struct reader r = begin(out, fields, count, error);

    r.lenient = true;
    return read_pairs(&r, text, bytes);
}
