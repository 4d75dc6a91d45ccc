/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_jobs.h - requests for jobs, and about them: what the io thread does before the keeper.
 *
 *     POST   /v1/images/generations     with Prefer: respond-async, or an Idempotency-Key
 *     GET    /v1/jobs/{id}              the job object, in the shape of OpenAI's videos
 *     GET    /v1/jobs/{id}/images/{k}   a picture's bytes
 *     GET    /v1/jobs/{id}/events       what happens to it, as server-sent events
 *     DELETE /v1/jobs/{id}              cancel
 */
#ifndef SERVER_API_JOBS_H
#define SERVER_API_JOBS_H

#include "server/keeper.h"

/* Do the headers ask for something that must be kept? */
bool jobs_are_wanted(const struct http_request *r);
/* Answer a request for pictures through the keeper; the order is taken, and left empty. */
void jobs_create(struct service *s, struct http_request *r, struct order *order);

/* The same in two steps, also for what is neither promised nor has a key: an errand that has taken
   the order; and its ticket. What comes back as NULL or false was answered, and given back. */
struct errand *jobs_errand(struct service *s, struct http_request *r, struct order *order);
MUST_USE bool jobs_hold(struct http_request *r, struct errand *e);

/* `rest` of the path follows "/v1/jobs/"; the method is GET, HEAD or DELETE. */
void jobs_handle(struct service *s, struct http_request *r, struct http_text rest);

#endif /* SERVER_API_JOBS_H */
