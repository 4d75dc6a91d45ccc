/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.h - what a key may be used for. A set of scopes is their bits or'ed.
 */
#ifndef STORE_SCOPE_H
#define STORE_SCOPE_H

#include "base/status.h"

#include <stddef.h>

enum scope {
    SCOPE_GENERATE = 1 << 0,   /* ask for pictures */
    SCOPE_APPEAL = 1 << 1,     /* contest a refusal */
    SCOPE_REVIEW = 1 << 2,     /* decide appeals */
    SCOPE_LEAD = 1 << 3,       /* decide what reviewers disagree on */
    SCOPE_COMPLIANCE = 1 << 4, /* read the log */
    SCOPE_ADMIN = 1 << 5,      /* run the server */
    SCOPE_METRICS = 1 << 6,    /* read the metrics */
};

#define SCOPE_TEXT_MAX 80 /* all names, commas and a NUL */

const char *scope_name(enum scope scope);

/* "generate,metrics" to bits. ST_INVALID names the word that is no scope. */
MUST_USE enum status scope_parse(unsigned *out, const char *text, struct why *why);
void scope_print(char out[SCOPE_TEXT_MAX], unsigned scopes);

#endif /* STORE_SCOPE_H */
