/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upload.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* RFC 2046 */
#define PARTS_MAX    16

static const char form[] = "multipart/form-data";

static const char *find(struct http_text in, const char *what, size_t bytes)
{
    return in.bytes ? memmem(in.data, in.bytes, what, bytes) : NULL;
}

static struct http_text behind(struct http_text all, const char *at)
{
    return (struct http_text){at, all.bytes - (size_t)(at - all.data)};
}

bool upload_is_form(struct http_text type)
{
    size_t bytes = sizeof(form) - 1;

    return type.bytes >= bytes && !strncasecmp(type.data, form, bytes) &&
           (type.bytes == bytes || type.data[bytes] == ';' || type.data[bytes] == ' ');
}

/* "--" and the boundary. */
static bool read_boundary(char out[BOUNDARY_MAX + 3], struct http_text type)
{
    static const char word[] = "boundary=";
    const char *at = find(type, word, sizeof(word) - 1);
    struct http_text rest;
    size_t bytes = 0;
    bool quoted;

    if (!at)
        return false;
    rest = behind(type, at + sizeof(word) - 1);
    quoted = rest.bytes && rest.data[0] == '"';
    if (quoted)
        rest = behind(rest, rest.data + 1);
    while (bytes < rest.bytes && rest.data[bytes] != '"' &&
           (quoted || (rest.data[bytes] != ';' && rest.data[bytes] != ' ')))
        bytes++;
    if (!bytes || bytes > BOUNDARY_MAX || memchr(rest.data, '\0', bytes))
        return false;
    snprintf(out, BOUNDARY_MAX + 3, "--%.*s", (int)bytes, rest.data);
    return true;
}

/* Do the lines before a part say that it is a file? */
static bool is_file(struct http_text head)
{
    static const char word[] = "filename";

    for (size_t i = 0; i + sizeof(word) - 1 <= head.bytes; i++) {
        if (!strncasecmp(head.data + i, word, sizeof(word) - 1))
            return true;
    }
    return false;
}

static enum status damaged(struct why *why)
{
    return why_fail(why, ST_INVALID, "the form is damaged: send multipart/form-data with one file");
}

enum status upload_find(struct http_text *out, struct http_text type, struct http_text body,
                        struct why *why)
{
    char mark[BOUNDARY_MAX + 3], line[BOUNDARY_MAX + 5];
    struct http_text rest = body;
    const char *at;

    *out = body;
    if (!upload_is_form(type))
        return body.bytes ? ST_OK : why_fail(why, ST_INVALID, "the body is empty: send a picture");
    if (!read_boundary(mark, type))
        return damaged(why);
    snprintf(line, sizeof(line), "\r\n%s", mark);
    at = find(rest, mark, strlen(mark));
    for (int i = 0; at && i < PARTS_MAX; i++) {
        struct http_text head, part;
        const char *end;

        rest = behind(rest, at + strlen(mark));
        if (rest.bytes < 2 || !memcmp(rest.data, "--", 2))
            break;
        end = find(rest, "\r\n\r\n", 4);
        if (!end)
            return damaged(why);
        head = (struct http_text){rest.data, (size_t)(end - rest.data)};
        part = behind(rest, end + 4);
        end = find(part, line, strlen(line));
        if (!end)
            return damaged(why);
        *out = (struct http_text){part.data, (size_t)(end - part.data)};
        if (is_file(head) && out->bytes)
            return ST_OK;
        rest = part;
        at = end + 2;
    }
    return why_fail(why, ST_INVALID, "there is no file in the form: choose one");
}
