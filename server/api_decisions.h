/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_decisions.h - what was decided, for its owner: what the io thread does before the desk.
 *
 *     GET  /v1/decisions?status=blocked&after=N&limit=N   his tenant's, the newest first
 *     GET  /v1/decisions/{id}             the decision with its statement of reasons
 *     GET  /v1/decisions/{id}/image       the picture, once a person let it go
 *     GET  /v1/decisions/{id}/preview     a preview that nobody can sharpen
 *     GET  /appeal/{id}                   the same and a form as a page, without a script
 *     POST /appeal/{id}                   the form
 *
 * All but the list take a signed link's `token` in the place of a key. As text/plain the decision
 * is a statement for people; as text/html it is the page.
 */
#ifndef SERVER_API_DECISIONS_H
#define SERVER_API_DECISIONS_H

#include "server/service.h"

void api_decisions_list(struct service *s, struct http_request *r);
void api_decisions_one(struct service *s, struct http_request *r);
void api_decisions_page(struct service *s, struct http_request *r);

#endif /* SERVER_API_DECISIONS_H */
