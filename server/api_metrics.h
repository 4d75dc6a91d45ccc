/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_metrics.h - GET /metrics.
 */
#ifndef SERVER_API_METRICS_H
#define SERVER_API_METRICS_H

#include "server/service.h"

/* Answer with the page; `names` are the labels of the routes' series. */
void api_metrics_handle(struct service *s, struct http_request *r, const char *const *names,
                        int count);

#endif /* SERVER_API_METRICS_H */
