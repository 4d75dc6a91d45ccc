/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_log.h - the log over HTTP. Heads, proofs and hashes are for everybody with a key; records are
 * for compliance officers, and each look at them is a record itself (logbook.h).
 *
 *     GET /v1/log/checkpoint                        the newest head, signed
 *     GET /v1/log/key                               what it is checked with
 *     GET /v1/log/proof?index=[&size=]              a c2sp.org/tlog-proof@v1
 *     GET /v1/log/consistency?from=[&to=]           "old FROM", hashes, the newer head
 *     GET /v1/log/tile/LEVEL/...                    hashes, in C2SP's layout
 *     GET /v1/log/tile/entries/...                  officers: records, in the same
 *     GET /v1/log/entries?first=[&count=][&reason=] officers: a line of JSON for each
 *     GET /v1/log/search?...[&reason=]              officers: the newest first; by id, sha256,
 * pixels, kind, tenant, model, verdict, decision, from and to (seconds), before (an index), count
 *     GET /v1/log/stats                             officers: how many of each kind, the head's age
 */
#ifndef SERVER_API_LOG_H
#define SERVER_API_LOG_H

#include "server/http.h"

struct service;

void api_log_checkpoint(struct service *s, struct http_request *r);
void api_log_key(struct service *s, struct http_request *r);
void api_log_proof(struct service *s, struct http_request *r);
void api_log_consistency(struct service *s, struct http_request *r);
void api_log_tile(struct service *s, struct http_request *r);
void api_log_entries(struct service *s, struct http_request *r);
void api_log_stats(struct service *s, struct http_request *r);
void api_log_search(struct service *s, struct http_request *r);

#endif /* SERVER_API_LOG_H */
