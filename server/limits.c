/* SPDX-License-Identifier: Apache-2.0 */
#include "server/limits.h"

#include <inttypes.h>
#include <stdio.h>

void limits_time(char out[LIMITS_TIME_MAX], int64_t ms)
{
    int64_t s = (ms + 999) / 1000, m = s / 60;

    if (ms < 1000)
        snprintf(out, LIMITS_TIME_MAX, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(out, LIMITS_TIME_MAX, "%" PRId64 "s", s);
    else if (m < 60)
        snprintf(out, LIMITS_TIME_MAX, "%" PRId64 "m%" PRId64 "s", m, s % 60);
    else
        snprintf(out, LIMITS_TIME_MAX, "%" PRId64 "h%" PRId64 "m%" PRId64 "s", m / 60, m % 60,
                 s % 60);
}

static void write_gauge(struct answer *a, const struct tenant_gauge *gauge,
                        const char *const *names)
{
    char reset[LIMITS_TIME_MAX];

    if (!gauge->limit)
        return;
    limits_time(reset, gauge->reset_ms);
    answer_header(a, names[0], "%d", gauge->limit);
    answer_header(a, names[1], "%d", gauge->remaining);
    answer_header(a, names[2], "%s", reset);
}

void limits_write(struct answer *a, const struct tenant_view *view)
{
    static const char *const requests[] = {"x-ratelimit-limit-requests",
                                           "x-ratelimit-remaining-requests",
                                           "x-ratelimit-reset-requests"};
    static const char *const images[] = {"x-ratelimit-limit-images", "x-ratelimit-remaining-images",
                                         "x-ratelimit-reset-images"};

    write_gauge(a, &view->requests, requests);
    write_gauge(a, &view->images, images);
}
