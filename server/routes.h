/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.h - which handler answers which path: the one table, and the small handlers.
 *
 * The public listener serves the API and the health checks, the other one the health checks and
 * the metrics. A path that is known with another method is 405 and says which are allowed; HEAD is
 * answered as GET, without the body. Most of it needs an API key (auth.h), the health checks never,
 * the metrics as it was configured; every answer to somebody who is known tells what is left of the
 * limits.
 */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "server/service.h"

#define ROUTES_PUBLIC  0 /* indexes of the listeners */
#define ROUTES_METRICS 1

/* The callbacks of http.h; the context is a struct service. */
void routes_handle(void *service, struct http_request *r);
void routes_refuse(void *service, struct answer *a, int status, const char *reason);
void routes_decorate(void *service, struct http_request *r, struct answer *a);
void routes_answered(void *service, const struct http_request *r, int status);

#endif /* SERVER_ROUTES_H */
