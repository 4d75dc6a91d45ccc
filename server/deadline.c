/* SPDX-License-Identifier: Apache-2.0 */
#include "server/deadline.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* A whole number from 1 to `most`, and nothing else; 0: it is not. */
static int64_t read_number(const char *text, size_t bytes, int64_t most)
{
    int64_t number = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        number = number * 10 + (text[i] - '0');
        if (number > most)
            return 0;
    }
    return number;
}

/* The value of the first "wait=" among preferences with commas between them. */
static int64_t read_wait(const char *text, size_t bytes)
{
    static const char name[] = "wait=";
    const size_t name_bytes = sizeof(name) - 1;
    size_t at = 0;

    while (at < bytes) {
        size_t end = at, last;

        while (end < bytes && text[end] != ',')
            end++;
        while (at < end && is_space(text[at]))
            at++;
        last = end;
        while (last > at && is_space(text[last - 1]))
            last--;
        if (last - at > name_bytes && !strncasecmp(text + at, name, name_bytes))
            return read_number(text + at + name_bytes, last - at - name_bytes,
                               DEADLINE_MS_MAX / 1000);
        at = end + 1;
    }
    return 0;
}

enum status deadline_read(int64_t *ms, const char *deadline, size_t deadline_bytes,
                          const char *prefer, size_t prefer_bytes, struct why *why)
{
    *ms = prefer ? 1000 * read_wait(prefer, prefer_bytes) : 0;
    if (!deadline)
        return ST_OK;
    *ms = read_number(deadline, deadline_bytes, DEADLINE_MS_MAX);
    return *ms ? ST_OK
               : why_fail(why, ST_INVALID,
                          "x-request-deadline-ms must be a whole number from 1 to %d",
                          DEADLINE_MS_MAX);
}
