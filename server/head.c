/* SPDX-License-Identifier: Apache-2.0 */
#include "server/head.h"

#include <string.h>
#include <strings.h>

struct head_counts {
    int length, coding, host;
};

static bool is_named(const char *line, size_t bytes, const char *name)
{
    size_t name_bytes = strlen(name);

    return bytes > name_bytes && line[name_bytes] == ':' &&
           strncasecmp(line, name, name_bytes) == 0;
}

static enum status check_line(struct head_counts *counts, const char *line, size_t bytes,
                              struct why *why)
{
    if (line[0] == ' ' || line[0] == '\t')
        return why_fail(why, ST_INVALID, "a header line is folded over two lines");
    counts->length += is_named(line, bytes, "content-length");
    counts->coding += is_named(line, bytes, "transfer-encoding");
    counts->host += is_named(line, bytes, "host");
    return ST_OK;
}

static enum status check_counts(const struct head_counts *counts, bool host_needed, struct why *why)
{
    if (counts->length > 1)
        return why_fail(why, ST_INVALID, "the Content-Length header is there %d times",
                        counts->length);
    if (counts->coding > 1)
        return why_fail(why, ST_INVALID, "the Transfer-Encoding header is there %d times",
                        counts->coding);
    if (counts->length && counts->coding)
        return why_fail(why, ST_INVALID, "Content-Length and Transfer-Encoding exclude each other");
    if (counts->host > 1)
        return why_fail(why, ST_INVALID, "the Host header is there %d times", counts->host);
    if (host_needed && counts->host == 0)
        return why_fail(why, ST_INVALID, "an HTTP/1.1 request needs a Host header");
    return ST_OK;
}

enum status head_check(const char *text, size_t bytes, bool host_needed, struct why *why)
{
    struct head_counts counts = {0};
    const char *at = text, *end = text + bytes;
    bool first = true;

    /* An empty line before the request is allowed, and skipped by every parser. */
    if (bytes >= 2 && memcmp(at, "\r\n", 2) == 0)
        at += 2;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        enum status st;

        if (!feed)
            break;
        if (feed == at || feed[-1] != '\r')
            return why_fail(why, ST_INVALID, "a header line ends without a carriage return");
        if (feed - at == 1)
            return check_counts(&counts, host_needed, why);
        st = first ? ST_OK : check_line(&counts, at, (size_t)(feed - at), why);
        if (st)
            return st;
        first = false;
        at = feed + 1;
    }
    return why_fail(why, ST_INVALID, "the request head has no end");
}
