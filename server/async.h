/* SPDX-License-Identifier: Apache-2.0 */
/*
 * async.h - what headers and paths say about jobs: strangers' bytes, read within bounds.
 *
 *     Prefer: respond-async            a job, not pictures (RFC 7240)
 *     Idempotency-Key: "order-7"       the client's own name for the request, quoted or not
 *     Last-Event-ID: 1000012           what a reader of events has seen already
 *     /v1/jobs/{id}[/events[?partial_images=2] | /images/{k}]
 */
#ifndef SERVER_ASYNC_H
#define SERVER_ASYNC_H

#include "base/status.h"
#include "store/jobs.h"

#define ASYNC_ID_PREFIX "job_"

enum async_part { ASYNC_JOB, ASYNC_EVENTS, ASYNC_IMAGE };

struct async_path {
    char id[STORE_JOB_ID_MAX];
    enum async_part part;
    int k; /* of ASYNC_IMAGE */
};

/* Is respond-async among the preferences? */
bool async_wanted(const char *prefer, size_t bytes);

/* 1 to STORE_JOB_KEY_MAX - 1 printable ASCII characters; ST_INVALID says so. */
MUST_USE enum status async_key(char out[STORE_JOB_KEY_MAX], const char *text, size_t bytes,
                               struct why *why);

/* A whole number of at most 18 digits; anything else is 0, as if nothing had been seen. */
int64_t async_event(const char *text, size_t bytes);

/* The `partial_images` of a query, 0 to 3; 0 where it is not named. ST_INVALID: anything else. */
MUST_USE enum status async_previews(int *out, const char *query, size_t bytes, struct why *why);

/* What follows "/v1/jobs/". False: no such path can be. */
bool async_path(struct async_path *out, const char *text, size_t bytes);

#endif /* SERVER_ASYNC_H */
