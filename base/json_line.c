/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest forgets where a value stood as soon as it has read it. So a mistake that is found later
 * is looked up in the text once more: a walk along the pointer that skips everything beside it.
 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    const char *text;
    size_t bytes, at;
};

static char peek(const struct walk *w)
{
    return w->at < w->bytes ? w->text[w->at] : '\0';
}

static void skip_blanks(struct walk *w)
{
    while (w->at < w->bytes && memchr(" \t\r\n", w->text[w->at], 4))
        w->at++;
}

/* From an opening quote to behind the closing one. */
static void skip_string(struct walk *w)
{
    for (w->at++; w->at < w->bytes && w->text[w->at] != '"'; w->at++) {
        if (w->text[w->at] == '\\')
            w->at++;
    }
    w->at = w->at < w->bytes ? w->at + 1 : w->bytes;
}

/* To the comma behind a value, or to the bracket that closes what it is in. */
static void skip_value(struct walk *w)
{
    size_t depth = 0;

    while (w->at < w->bytes) {
        char c = w->text[w->at];

        if (c == '"') {
            skip_string(w);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return;
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        w->at++;
    }
}

static unsigned hex4(const char *digits)
{
    char four[5] = {digits[0], digits[1], digits[2], digits[3], '\0'};

    return (unsigned)strtoul(four, NULL, 16);
}

static int put_utf8(char out[4], unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* What one character of a string's inside means; *bytes is how much of the text it takes. */
static int unescape(char out[4], const char *p, size_t left, size_t *bytes)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    unsigned code, low;

    *bytes = 1;
    out[0] = *p;
    if (*p != '\\' || left < 2)
        return 1;
    *bytes = 2;
    found = p[1] ? strchr(from, p[1]) : NULL;
    if (found)
        out[0] = to[found - from];
    if (p[1] != 'u' || left < 6)
        return 1;
    *bytes = 6;
    code = hex4(p + 2);
    if (code >= 0xD800 && code < 0xDC00 && left >= 12 && p[6] == '\\' && p[7] == 'u') {
        low = hex4(p + 8);
        *bytes = 12;
        code = 0x10000 + ((code - 0xD800) << 10) + (low & 0x3FF);
    }
    return put_utf8(out, code);
}

/* One character of a pointer's part: ~0 and ~1 stand for '~' and '/'. */
static char part_char(const char **part)
{
    char c = *(*part)++;

    if (c != '~' || (**part != '0' && **part != '1'))
        return c;
    return *(*part)++ == '0' ? '~' : '/';
}

/* Is the string that begins at w->at the part of a pointer that ends at `end`? */
static bool is_part(const struct walk *w, const char *part, const char *end)
{
    struct walk s = *w;
    size_t inside;

    skip_string(&s);
    if (s.at < w->at + 2)
        return false;
    inside = s.at - 1;
    for (size_t i = w->at + 1; i < inside;) {
        char meant[4];
        size_t bytes;
        int count = unescape(meant, w->text + i, inside - i, &bytes);

        for (int k = 0; k < count; k++) {
            if (part >= end || part_char(&part) != meant[k])
                return false;
        }
        i += bytes;
    }
    return part == end;
}

/* From '{' to the value of a member; *name is where its name stands. */
static bool find_member(struct walk *w, const char *part, const char *end, size_t *name)
{
    for (w->at++;; w->at++) {
        bool found;

        skip_blanks(w);
        if (peek(w) != '"')
            return false;
        found = is_part(w, part, end);
        *name = w->at;
        skip_string(w);
        skip_blanks(w);
        if (peek(w) != ':')
            return false;
        w->at++;
        skip_blanks(w);
        if (found)
            return true;
        skip_value(w);
        if (peek(w) != ',')
            return false;
    }
}

/* From '[' to an element. */
static bool find_element(struct walk *w, const char *part, const char *end, size_t *start)
{
    char *stop;
    unsigned long index = strtoul(part, &stop, 10);

    if (stop != end || stop == part)
        return false;
    for (w->at++;; w->at++) {
        skip_blanks(w);
        if (w->at >= w->bytes || peek(w) == ']')
            return false;
        *start = w->at;
        if (index-- == 0)
            return true;
        skip_value(w);
        if (peek(w) != ',')
            return false;
    }
}

int json_line_of(const char *text, size_t bytes, const char *pointer)
{
    struct walk w = {.text = text, .bytes = bytes};
    size_t at;
    int line = 1;

    skip_blanks(&w);
    at = w.at;
    while (*pointer == '/') {
        const char *part = pointer + 1, *end = part + strcspn(part, "/");
        size_t here = at;
        bool found = false;

        if (peek(&w) == '{')
            found = find_member(&w, part, end, &here);
        else if (peek(&w) == '[')
            found = find_element(&w, part, end, &here);
        if (!found)
            break;
        at = here;
        pointer = end;
    }
    for (size_t i = 0; i < at && i < bytes; i++)
        line += text[i] == '\n';
    return line;
}
