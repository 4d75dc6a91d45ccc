/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h - how HTTP lives on libh2o: loops, connections, exchanges. Private to http.c and here.
 *
 * Everything below belongs to one io thread, the loop's; only `struct http`'s atomics, and a ticket
 * between being handed out and being answered, are touched by others.
 */
#ifndef SERVER_HTTP_GUEST_H
#define SERVER_HTTP_GUEST_H

#include "base/clock.h"
#include "server/http.h"

#include <h2o.h>

#include <pthread.h>
#include <stdatomic.h>

#define LINGER_MAX 32

struct loop;

/* One listening socket of one loop. */
struct gate {
    struct loop *loop;
    h2o_socket_t *socket; /* NULL once closed */
    h2o_accept_ctx_t accept;
    int index;
    bool until_end;
};

struct connection {
    struct gate *gate;
    h2o_socket_t *socket;
    struct exchange *exchange; /* the request in motion; NULL while idle or reading */
    int linger;                /* a duplicate of the socket, to be drained; else -1 */
    h2o_linklist_t link;       /* open or free */
};

/* Bytes of our own. */
struct piece {
    char *data;
    size_t bytes, size;
};

/* One request and its answer. It lives in h2o's own pool and dies with the request. */
struct exchange {
    struct http_request request; /* first: all that a handler sees */
    h2o_generator_t generator;
    h2o_req_t *req;
    struct connection *connection;
    struct http_ticket *ticket; /* while held */
    struct json_out json;       /* the body, until it has left */
    struct bytes raw;
    struct piece flight,
        rest; /* of an answer in pieces: with h2o, and what follows once it ended */
    bool flying, ended;
    int status;
};

struct http_ticket {
    h2o_multithread_message_t message;
    struct loop *loop;
    struct exchange *exchange; /* NULL once the request died */
    void *owner;
    void (*leave)(void *owner); /* http_hold's `gone` */
    void (*over)(void *owner);
    bool told; /* the owner knows that the client is gone */
    struct answer answer;
    h2o_linklist_t link; /* held or free */

    pthread_mutex_t lock; /* of what follows: what other threads have left for the loop */
    bool posted;          /* the message is on its way */
    bool begun, ended, cut;
    bool gone; /* the client is: no more pieces */
    struct piece pending;
    size_t unsent; /* pending, or in flight */
};

struct lingerer {
    int fd;
    int64_t until_us;
};

struct loop {
    struct http *http;
    int index;
    pthread_t thread;
    bool running;               /* the thread was started */
    atomic_bool begun;          /* the queue is there */
    int fd[HTTP_LISTENERS_MAX]; /* to listen on, until the thread takes them; else -1 */
    h2o_context_t context;
    h2o_multithread_receiver_t receiver; /* of answered tickets */
    h2o_timeout_entry_t sweep;
    struct gate gate[HTTP_LISTENERS_MAX];
    struct connection *connections;
    struct http_ticket *tickets;
    h2o_linklist_t connections_open, connections_free, tickets_held, tickets_free;
    struct lingerer linger[LINGER_MAX];
    int linger_count;
    uint64_t requests;
    bool draining;
};

struct http {
    struct http_options options;
    h2o_globalconf_t config;
    struct clock clock;
    struct loop *loops;
    int loop_count;
    int port[HTTP_LISTENERS_MAX];
    char id_prefix[16];
    atomic_bool drain, stop;
    atomic_bool woken;         /* all loops were told of `stop` */
    atomic_int draining_loops; /* that know of it */
    atomic_int busy, connections;
};

/* Handlers and filters of h2o carry the way back to us. */
struct handler {
    h2o_handler_t super;
    struct http *http;
};

struct filter {
    h2o_filter_t super;
    struct http *http;
};

/* exchange.c: h2o's callbacks for a request that came in, and an answer on its way out. */
int exchange_on_request(h2o_handler_t *handler, h2o_req_t *req);
void exchange_on_answer(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot);
void exchange_send(struct exchange *x, struct answer *a);
void exchange_begin(struct exchange *x, struct answer *head); /* of an answer in pieces */

/* ticket.c: answered tickets come in as messages; the sweep looks for clients that left. */
void ticket_on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);
void ticket_tell(struct http_ticket *ticket);
void ticket_sweep(struct loop *loop);

/* stream.c: answers in pieces. */
void stream_move(struct http_ticket *t); /* pass on what other threads have left */
void stream_proceed(struct exchange *x); /* h2o wants more */
void stream_close(struct exchange *x);
void ticket_post(struct http_ticket *t);    /* under its lock */
void ticket_release(struct http_ticket *t); /* it was answered */

/* linger.c: a refused client may still send; its bytes are thrown away for a while, so that the
   reset that closing would cause does not overtake the answer. */
void linger_begin(struct connection *c); /* before the connection closes */
void linger_close(struct connection *c); /* h2o has closed it */
void linger_sweep(struct loop *loop);
void linger_reset(struct loop *loop);

/* loop.c: a loop is made and freed by http.c, and all that lies between is its own thread's. */
MUST_USE enum status loop_init(struct loop *loop, struct http *h, int index);
void *loop_run(void *loop);        /* a thread's life; ends when http->stop is set */
void loop_wake(struct loop *loop); /* of a thread that was started */
void loop_reset(struct loop *loop);

#endif /* SERVER_HTTP_GUEST_H */
