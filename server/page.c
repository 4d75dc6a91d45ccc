/* SPDX-License-Identifier: Apache-2.0 */
#include "server/page.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GROW 4096

struct writer {
    struct bytes out;
    size_t size;
    enum status st;
};

/* One {{#if}} that is open. */
struct branch {
    const char *at;
    bool shown, outer; /* this part of it, and what surrounds it */
    bool was_else;
};

struct reader {
    const char *page, *at;
    const struct page_value *values;
    int count, depth;
    bool shown;
    struct branch open[PAGE_DEPTH_MAX];
    struct why *why;
};

static void put(struct writer *w, const char *text, size_t bytes)
{
    if (w->st || !bytes)
        return;
    if (w->out.count + bytes > PAGE_BYTES_MAX) {
        w->st = ST_FULL;
        return;
    }
    if (w->out.count + bytes > w->size) {
        size_t size = (w->out.count + bytes) * 2 + GROW;
        uint8_t *data = realloc(w->out.data, size);

        if (!data) {
            w->st = ST_FULL;
            return;
        }
        w->out.data = data;
        w->size = size;
    }
    memcpy(w->out.data + w->out.count, text, bytes);
    w->out.count += bytes;
}

/* What a byte is written as; NULL: as it is. Control characters have no business in a text. */
static const char *escape(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
    case '\t':
        return NULL;
    default:
        return c < 32 || c == 127 ? " " : NULL;
    }
}

static void put_escaped(struct writer *w, const char *text)
{
    const char *from = text;

    for (; *text; text++) {
        const char *as = escape((unsigned char)*text);

        if (!as)
            continue;
        put(w, from, (size_t)(text - from));
        put(w, as, strlen(as));
        from = text + 1;
    }
    put(w, from, (size_t)(text - from));
}

static int line_of(const struct reader *r, const char *at)
{
    int line = 1;

    for (const char *c = r->page; c < at; c++)
        line += *c == '\n';
    return line;
}

static enum status find(const struct reader *r, const char *name, size_t bytes, const char **out)
{
    if (!bytes || strspn(name, "abcdefghijklmnopqrstuvwxyz_") < bytes)
        return why_fail(r->why, ST_INVALID, "line %d of the page: a mark that is none",
                        line_of(r, name));
    for (int i = 0; i < r->count; i++) {
        if (strlen(r->values[i].name) == bytes && !memcmp(r->values[i].name, name, bytes)) {
            *out = r->values[i].value;
            return ST_OK;
        }
    }
    return why_fail(r->why, ST_INVALID, "line %d of the page: nobody fills in %.*s",
                    line_of(r, name), (int)(bytes < 40 ? bytes : 40), name);
}

static enum status open_branch(struct reader *r, const char *name, size_t bytes)
{
    const char *value = NULL;
    enum status st = find(r, name, bytes, &value);

    if (st)
        return st;
    if (r->depth == PAGE_DEPTH_MAX)
        return why_fail(r->why, ST_INVALID, "line %d of the page: more than %d deep",
                        line_of(r, name), PAGE_DEPTH_MAX);
    r->open[r->depth++] =
        (struct branch){.at = name, .shown = value && value[0], .outer = r->shown};
    r->shown = r->shown && value && value[0];
    return ST_OK;
}

static enum status turn_branch(struct reader *r, bool close)
{
    struct branch *b = r->depth ? &r->open[r->depth - 1] : NULL;

    if (!b || (!close && b->was_else))
        return why_fail(r->why, ST_INVALID, "line %d of the page: there is no if for this",
                        line_of(r, r->at));
    if (close) {
        r->shown = b->outer;
        r->depth--;
        return ST_OK;
    }
    b->was_else = true;
    r->shown = b->outer && !b->shown;
    return ST_OK;
}

static bool is(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && !memcmp(text, word, bytes);
}

/* What stands between {{ and }}. */
static enum status take_mark(struct reader *r, struct writer *w, const char *mark, size_t bytes)
{
    static const char begin[] = "#if ";
    const char *value = NULL;
    enum status st;

    if (bytes > sizeof(begin) - 1 && !memcmp(mark, begin, sizeof(begin) - 1))
        return open_branch(r, mark + sizeof(begin) - 1, bytes - (sizeof(begin) - 1));
    if (is(mark, bytes, "else") || is(mark, bytes, "/if"))
        return turn_branch(r, mark[0] == '/');
    st = find(r, mark, bytes, &value);
    if (!st && r->shown && value)
        put_escaped(w, value);
    return st;
}

static enum status render(struct reader *r, struct writer *w)
{
    const char *mark, *end;

    while ((mark = strstr(r->at, "{{")) != NULL) {
        enum status st;

        if (r->shown)
            put(w, r->at, (size_t)(mark - r->at));
        r->at = mark;
        end = strstr(mark, "}}");
        if (!end)
            return why_fail(r->why, ST_INVALID, "line %d of the page: {{ without }}",
                            line_of(r, mark));
        st = take_mark(r, w, mark + 2, (size_t)(end - mark - 2));
        if (st)
            return st;
        r->at = end + 2;
    }
    if (r->depth)
        return why_fail(r->why, ST_INVALID, "line %d of the page: an if without its end",
                        line_of(r, r->open[r->depth - 1].at));
    put(w, r->at, strlen(r->at));
    return ST_OK;
}

enum status page_render(struct bytes *out, const char *page, const struct page_value *values,
                        int count, struct why *why)
{
    struct reader r = {
        .page = page, .at = page, .values = values, .count = count, .shown = true, .why = why};
    struct writer w = {.st = ST_OK};
    enum status st = render(&r, &w);

    if (!st && w.st)
        st = why_fail(why, w.st, "the page is too long, or there is no memory for it");
    if (st) {
        free(w.out.data);
        w.out = (struct bytes){.data = NULL};
    }
    *out = w.out;
    return st;
}
