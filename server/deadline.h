/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline.h - by when a request wants its pictures, as its headers say it.
 *
 *     x-request-deadline-ms: 5000     finished 5 s after it arrived, or not at all
 *     Prefer: wait=5                  the same in seconds (RFC 7240); the first one counts
 */
#ifndef SERVER_DEADLINE_H
#define SERVER_DEADLINE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define DEADLINE_MS_MAX 86400000 /* a day */

/* Milliseconds, or 0 when neither header states one; NULL: a header that is absent. What is no
   whole number from 1 to a day is ST_INVALID in the first header; a preference that nobody
   understands is none, as the RFC has it. */
MUST_USE enum status deadline_read(int64_t *ms, const char *deadline, size_t deadline_bytes,
                                   const char *prefer, size_t prefer_bytes, struct why *why);

#endif /* SERVER_DEADLINE_H */
