/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_appeals.h - somebody contests a decision: what the io thread does before the desk.
 *
 *     POST /v1/appeals                  {"decision_id","reason","text","token"?}, Idempotency-Key
 *     GET  /v1/appeals/{id}             how it stands
 *     POST /v1/appeals/{id}/withdraw    take it back
 *     POST /v1/appeals/{id}/reply       {"text"}: what the reviewer asked for
 *
 * With a key of the decision's tenant, or with the token of the decision's link.
 */
#ifndef SERVER_API_APPEALS_H
#define SERVER_API_APPEALS_H

#include "server/service.h"

void api_appeals_new(struct service *s, struct http_request *r);
void api_appeals_one(struct service *s, struct http_request *r);

#endif /* SERVER_API_APPEALS_H */
