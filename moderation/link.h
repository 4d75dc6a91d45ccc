/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - tokens in links that are sent out: who has one may do one thing with one decision, until
 * a day, without an account.
 *
 *     base64url(expiry | HMAC-SHA256(secret, purpose | id | expiry))
 *
 * Checking takes the same time whatever is wrong with a token of the right length.
 */
#ifndef MODERATION_LINK_H
#define MODERATION_LINK_H

#include "base/status.h"
#include "moderation/secret.h"

#include <stdint.h>

#define LINK_MAX 56 /* with a NUL */

void link_make(char out[LINK_MAX], const uint8_t secret[SECRET_BYTES], const char *purpose,
               const char *id, int64_t expires_s);

/* ST_INVALID: forged, malformed, or of another purpose or id; ST_LATE: it was good once. */
MUST_USE enum status link_check(const uint8_t secret[SECRET_BYTES], const char *purpose,
                                const char *id, const char *token, int64_t now_s);

#endif /* MODERATION_LINK_H */
