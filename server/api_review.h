/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_review.h - those who decide: what the io thread does before the desk.
 *
 *     POST /v1/review/claim                 the most urgent item that this reviewer may have
 *     GET  /v1/review/items/{id}            and POST .../heartbeat, release, skip, ask, decide
 *     POST /v1/review/items/{id}/view       a word to look once at its picture; .../image is the
 *                                           look, which needs the same key
 *     GET  /v1/review/mine                  what this reviewer has done today
 *     POST /v1/review/break                 he takes a break
 *
 * and of leads
 *
 *     GET  /v1/review/stats, /v1/review/items?state=, /v1/review/settings
 *     POST /v1/review/settings, /v1/review/golden, /v1/breakers/close
 *     GET  /v1/moderation/export?format=dsa|csv&since=     for compliance
 *
 * A reviewer is his key: all of these need one, also where no key was made yet.
 */
#ifndef SERVER_API_REVIEW_H
#define SERVER_API_REVIEW_H

#include "server/service.h"

void api_review_claim(struct service *s, struct http_request *r);
void api_review_item(struct service *s, struct http_request *r);
void api_review_mine(struct service *s, struct http_request *r);
void api_review_break(struct service *s, struct http_request *r);
void api_review_stats(struct service *s, struct http_request *r);
void api_review_items(struct service *s, struct http_request *r);
void api_review_settings(struct service *s, struct http_request *r);
void api_review_golden(struct service *s, struct http_request *r);
void api_review_close(struct service *s, struct http_request *r);
void api_review_export(struct service *s, struct http_request *r);

#endif /* SERVER_API_REVIEW_H */
