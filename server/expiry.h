/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry.h - when something ends, as people say it on a command line, and as they read it.
 */
#ifndef SERVER_EXPIRY_H
#define SERVER_EXPIRY_H

#include "base/status.h"

#include <stdint.h>

#define EXPIRY_TEXT_MAX 24

/* 30d, 12h, 45m, 2030-12-31 or never, as seconds since 1970; 0: never. */
MUST_USE enum status expiry_read(int64_t *out, const char *text, int64_t now_s, struct why *why);
/* 2030-12-31 23:59, in UTC; "never". */
void expiry_print(char out[EXPIRY_TEXT_MAX], int64_t time_s);

#endif /* SERVER_EXPIRY_H */
