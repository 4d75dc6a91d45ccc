/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.h - one line of the log for every request that was answered, or left before.
 *
 *     {"time":"...","level":"info","event":"request","id":"req_...","method":"POST",
 *      "path":"/v1/images/generations","status":200,"bytes":48211,"ms":812.40,"tenant":"shop",
 *      "trace_id":"...","span_id":"...","parent_id":"...","predicted_ms":790.11,"batch":4,
 *      "stages_ms":{"admit":0.09,"queue":1.20,...}}
 *
 * Neither a query nor a prompt nor an address is in it. What a stranger chose is cut and escaped.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/http.h"

struct access {
    const struct http_request *request;
    int status;
    int64_t took_us;
    const char *tenant; /* NULL: nobody in particular */
    bool quiet;         /* told only when debugging */
};

void access_log(const struct access *a);

#endif /* SERVER_ACCESS_H */
