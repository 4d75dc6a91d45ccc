/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_console.h - GET /review, GET /review/lead and GET /officer, the pages of those who decide
 * and of those who look at the log.
 *
 * Pages without a secret: who looks at one types his API key in, which stays in that window, and
 * whatever the page then shows it has asked /v1/review/ or /v1/log/ for with that key.
 */
#ifndef SERVER_API_CONSOLE_H
#define SERVER_API_CONSOLE_H

#include "server/service.h"

void api_console_review(struct service *s, struct http_request *r);
void api_console_lead(struct service *s, struct http_request *r);
void api_console_officer(struct service *s, struct http_request *r);

#endif /* SERVER_API_CONSOLE_H */
