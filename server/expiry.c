/* SPDX-License-Identifier: Apache-2.0 */
#include "server/expiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum status read_date(int64_t *out, const char *text)
{
    struct tm day = {.tm_isdst = 0};
    const char *end = strptime(text, "%Y-%m-%d", &day);

    if (!end || *end)
        return ST_INVALID;
    *out = (int64_t)timegm(&day);
    return ST_OK;
}

enum status expiry_read(int64_t *out, const char *text, int64_t now_s, struct why *why)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    long count;

    *out = 0;
    if (!strcmp(text, "never"))
        return ST_OK;
    errno = 0;
    count = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!errno && count > 0 && count <= 1000000 && end[0] == units[i].unit && !end[1])
            *out = now_s + count * units[i].seconds;
    }
    if (!*out && read_date(out, text))
        return why_fail(why, ST_INVALID,
                        "--expires takes 30d, 12h, 45m, 2030-12-31 or never, not '%.32s'", text);
    if (*out <= now_s)
        return why_fail(why, ST_INVALID, "--expires %.32s lies in the past", text);
    return ST_OK;
}

void expiry_print(char out[EXPIRY_TEXT_MAX], int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm parts;

    if (!time_s || !gmtime_r(&time, &parts) ||
        !strftime(out, EXPIRY_TEXT_MAX, "%Y-%m-%d %H:%M", &parts))
        snprintf(out, EXPIRY_TEXT_MAX, "never");
}
