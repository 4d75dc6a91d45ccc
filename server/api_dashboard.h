/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_dashboard.h - GET /dashboard, a page that draws what GET /dashboard/data tells.
 *
 * The page is one file without a secret in it, may run its own script and nothing else, and asks
 * this server alone. Where the metrics need a key the data do, and the page asks for it.
 */
#ifndef SERVER_API_DASHBOARD_H
#define SERVER_API_DASHBOARD_H

#include "server/service.h"

void api_dashboard_page(struct service *s, struct http_request *r);

/* ?since=N: only points with a number above N. */
void api_dashboard_data(struct service *s, struct http_request *r);

/* A look at everything, when it is time for one. The main thread's. */
void api_dashboard_look(struct service *s);

#endif /* SERVER_API_DASHBOARD_H */
