/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - a request for pictures once everything about it was looked at: which model, what
 * picture, in which format, by when.
 *
 * It is read from a stranger's request, or from one that was stored: then the model is named, and
 * what this server allows today is not asked again, since it was promised yesterday.
 */
#ifndef SERVER_ORDER_H
#define SERVER_ORDER_H

#include "server/request.h"
#include "server/service.h"

struct order {
    struct request request;
    struct picture picture; /* its texts are the request's */
    struct engines *engines;
    struct engine *engine; /* that it was read for, and that makes its pictures; held */
    int model;             /* index in there */
    bool raw;              /* the picture's bytes, not JSON */
    enum format format;
    int64_t deadline_ms;           /* after its arrival; 0: none */
    int weight;                    /* of the tenant */
    char held_for[STORE_NAME_MAX]; /* the category for which the words want a person to look at what
                                      is made of them; or empty */
};

/* order_close afterwards, in any case; the error says why not. ST_CANCELLED: no engine serves. */
MUST_USE enum status order_read(struct service *s, struct order *order,
                                const struct http_request *r, struct request_error *error);
/* The body alone, with `model` in the place of the one that it names unless that is NULL. */
MUST_USE enum status order_parse(struct service *s, struct order *order, struct http_text body,
                                 const char *model, struct request_error *error);
void order_close(struct order *order);

#endif /* SERVER_ORDER_H */
