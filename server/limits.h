/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - what is left of a caller's limits, as OpenAI's headers say it.
 *
 *     x-ratelimit-limit-requests: 60        of the limit per minute or per day, the nearer one
 *     x-ratelimit-remaining-requests: 59
 *     x-ratelimit-reset-requests: 1s        until all of it is there again: 12ms, 6m0s, 1h0m0s
 *     x-ratelimit-...-images                the same for pictures
 *
 * A limit that is not set has no headers.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include "engine/tenant.h"
#include "server/answer.h"

#define LIMITS_TIME_MAX 32

void limits_write(struct answer *a, const struct tenant_view *view);
void limits_time(char out[LIMITS_TIME_MAX], int64_t ms); /* rounded up to seconds above one */

#endif /* SERVER_LIMITS_H */
