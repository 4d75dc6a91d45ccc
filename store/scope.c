/* SPDX-License-Identifier: Apache-2.0 */
#include "store/scope.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"generate",   "appeal", "review", "lead",
                                    "compliance", "admin",  "metrics"};

#define COUNT (sizeof(names) / sizeof(names[0]))

const char *scope_name(enum scope scope)
{
    for (size_t i = 0; i < COUNT; i++) {
        if ((unsigned)scope == 1u << i)
            return names[i];
    }
    return "";
}

static unsigned bit_of(const char *word, size_t bytes)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strlen(names[i]) == bytes && !memcmp(names[i], word, bytes))
            return 1u << i;
    }
    return 0;
}

enum status scope_parse(unsigned *out, const char *text, struct why *why)
{
    unsigned scopes = 0;

    for (const char *at = text;; at++) {
        size_t bytes = strcspn(at, ",");
        unsigned bit = bit_of(at, bytes);

        if (!bit)
            return why_fail(why, ST_INVALID,
                            "'%.*s' is no scope; there are generate, appeal, review, lead, "
                            "compliance, admin and metrics",
                            bytes < 64 ? (int)bytes : 64, at);
        scopes |= bit;
        at += bytes;
        if (!*at)
            break;
    }
    *out = scopes;
    return ST_OK;
}

void scope_print(char out[SCOPE_TEXT_MAX], unsigned scopes)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < COUNT; i++) {
        if (scopes & 1u << i)
            used += (size_t)snprintf(out + used, SCOPE_TEXT_MAX - used, "%s%s", used ? "," : "",
                                     names[i]);
    }
}
