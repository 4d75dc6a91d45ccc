/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice.h - a word to a tenant's own server that something of his was blocked or is held, which is
 * written down with the decision, and sent by webhook.h.
 *
 *     {"type":"decision.blocked","timestamp":"...","data":{"decision_id","stage","standing",
 *      "category","request_id","job_id","user","index","statement_url","appeal_url"}}
 */
#ifndef SERVER_NOTICE_H
#define SERVER_NOTICE_H

#include "server/service.h"
#include "store/moderation.h"

/* For judge_options.tell; `service` is a struct service. False: this tenant has no address. */
bool notice_write(void *service, const struct store_decision *d, struct store_message *out);

#endif /* SERVER_NOTICE_H */
