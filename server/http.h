/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - HTTP/1.1 as the rest of the house sees it: requests come in, each gets one answer.
 *
 * A few io threads run one event loop each. The handler runs on an io thread, so it neither
 * computes nor waits: it answers at once, or it holds the request and gets a ticket. A ticket is
 * answered later, from any thread, exactly once; that thread never touches the request itself.
 *
 *     answer_text(&answer, 200, "text/plain", "hello");           on the io thread
 *     http_answer(request, &answer);
 *
 *     ticket = http_hold(request, owner, gone, over);                    or: on the io thread
 *     http_ticket_answer(ticket, &answer);                               and later, anywhere
 *
 *     http_ticket_begin(ticket, &head);                                  or: in pieces
 *     http_ticket_send(ticket, parts, count);                            as often as there is one
 *     http_ticket_end(ticket);
 *
 * h2o is a guest of http.c alone. HTTP/2 and TLS are for a proxy in front (ARCHITECTURE.md).
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "server/answer.h"
#include "server/trace.h"

#include <stdint.h>

#define HTTP_LISTENERS_MAX 2
#define HTTP_ID_MAX        48
#define HTTP_GONE          499 /* in logs and counters: nobody waited for the answer */

struct http;        /* loops, listeners, connections */
struct http_ticket; /* the way back to a held request */

struct http_text {
    const char *data; /* without a NUL */
    size_t bytes;
};

/* A request, borrowed by the handler; its bytes live until it is answered. */
struct http_request {
    struct http_text method, path, query, body; /* path as sent, cut before '?' */
    char id[HTTP_ID_MAX];                       /* unique; every answer says it as x-request-id */
    char peer[48];                              /* the address at the other end, as text */
    int listener;                               /* index in the options */
    int route;                                  /* the handler's own marks, for `decorate` */
    int tenant;                                 /* and `answered`; 0 until they are set */
    char caller[16];                            /* of who was let in: his key's prefix, */
    unsigned scopes;                            /* and what it may do */
    struct trace trace;
    struct timing timing;
    int64_t arrived_us;  /* monotonic, when its last byte was there */
    size_t answer_bytes; /* of the answer's body */
};

struct http_options {
    struct {
        char host[64];
        int port;       /* 0: any that is free */
        bool until_end; /* stays open while draining: health checks */
    } listener[HTTP_LISTENERS_MAX];
    int listener_count;
    int io_threads;
    int connections_max; /* of all io threads together */
    int tickets_max;     /* requests that may be held on one io thread */
    size_t body_max;     /* a bigger body is answered 413 */
    size_t pending_max;  /* of an answer in pieces, that its client has not taken; 0: 1 MiB */

    /* On an io thread. Must answer or hold. */
    void (*handle)(void *context, struct http_request *request);
    /* On an io thread: write the answer to what HTTP itself refused, before any handler saw it. */
    void (*refuse)(void *context, struct answer *answer, int status, const char *reason);
    /* On an io thread: add to an answer that is about to leave. */
    void (*decorate)(void *context, struct http_request *request, struct answer *answer);
    /* On an io thread, once per request: its answer has left, or `status` is HTTP_GONE. */
    void (*answered)(void *context, const struct http_request *request, int status);
    void *context;
};

/* Bind, start the threads, take requests. ST_IO names the address that could not be had. */
MUST_USE enum status http_open(struct http **out, const struct http_options *options,
                               struct why *why);
int http_port(const struct http *h, int listener);

/* The value of a header, by its lower-case name; data is NULL when it is absent. */
struct http_text http_header(const struct http_request *r, const char *name);

/* Answer from the handler; the answer's body is taken. */
void http_answer(struct http_request *r, struct answer *a);

/* Hold a request. NULL when all tickets are out; then the handler still has to answer. `gone` is
   called when the client leaves before the answer, at most once; `over` once, after the ticket was
   answered: from then on nobody here knows `owner`. Both on the request's own io thread. */
MUST_USE struct http_ticket *http_hold(struct http_request *r, void *owner,
                                       void (*gone)(void *owner), void (*over)(void *owner));
/* From any thread, exactly once per ticket, even when the client is gone. The body is taken. */
void http_ticket_answer(struct http_ticket *ticket, struct answer *a);

/* The same in pieces: head first, then any number of pieces, then the end, exactly once each and
   one after the other, from any threads. None of it waits for the client: what he has not taken yet
   is kept for him, up to `pending_max` of the options. One who is behind that far is cut off, which
   is told as any client's leaving. A piece may be of several parts, and no other thread's come
   between them. False: the client is gone, and nothing more can reach him. */
void http_ticket_begin(struct http_ticket *ticket, struct answer *head);
bool http_ticket_send(struct http_ticket *ticket, const struct http_text *parts, int count);
void http_ticket_end(struct http_ticket *ticket);
/* Bytes of pieces that the client has not taken yet. */
size_t http_ticket_unsent(struct http_ticket *ticket);
/* End his connection now, and lose what he has not taken. http_ticket_end follows all the same. */
void http_ticket_cut(struct http_ticket *ticket);

int http_busy(const struct http *h);        /* requests whose answer has not left yet */
int http_connections(const struct http *h); /* now open */

/* Close listeners that are not until_end, and connections as they fall idle. Not from an io thread.
   Returns when every io thread knows: a handler that runs afterwards has begun afterwards. */
void http_drain(struct http *h);
/* Cut what is still open, stop the threads, free. Every ticket must have been answered. */
void http_close(struct http **h);

#endif /* SERVER_HTTP_H */
