/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/guest.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <time.h>

#define WRITE_TIMEOUT_MS 60000
#define CLOSE_WAIT_MS    2000
#define ACCEPT_BURST     16

static void on_connection_closed(void *memory)
{
    struct connection *c = memory;
    struct loop *loop = c->gate->loop;

    linger_close(c);
    c->socket = NULL;
    h2o_linklist_unlink(&c->link);
    h2o_linklist_insert(&loop->connections_free, &c->link);
    atomic_fetch_sub(&loop->http->connections, 1);
}

static void connection_open(struct gate *gate, h2o_socket_t *socket)
{
    struct loop *loop = gate->loop;
    unsigned timeout_ms = WRITE_TIMEOUT_MS;
    struct connection *c;

    if (h2o_linklist_is_empty(&loop->connections_free)) {
        h2o_socket_close(socket);
        return;
    }
    c = H2O_STRUCT_FROM_MEMBER(struct connection, link, loop->connections_free.next);
    h2o_linklist_unlink(&c->link);
    h2o_linklist_insert(&loop->connections_open, &c->link);
    atomic_fetch_add(&loop->http->connections, 1);
    c->gate = gate;
    c->socket = socket;
    c->exchange = NULL;
    c->linger = -1;
    socket->on_close.cb = on_connection_closed;
    socket->on_close.data = c;
    setsockopt(h2o_socket_get_fd(socket), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
               sizeof(timeout_ms));
    h2o_accept(&gate->accept, socket);
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    for (int i = 0; !error && i < ACCEPT_BURST; i++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);

        if (!socket)
            return;
        connection_open(listener->data, socket);
    }
}

static void gate_close(struct gate *gate)
{
    if (gate->socket)
        h2o_socket_close(gate->socket);
    gate->socket = NULL;
}

/* End connections of closed gates: idle ones (or all). h2o notices, as it reads or writes. */
static void cut_connections(struct loop *loop, bool all)
{
    h2o_linklist_t *at = loop->connections_open.next;

    for (; at != &loop->connections_open; at = at->next) {
        struct connection *c = H2O_STRUCT_FROM_MEMBER(struct connection, link, at);

        if (all)
            shutdown(h2o_socket_get_fd(c->socket), SHUT_RDWR);
        else if (!c->exchange && !c->gate->until_end)
            shutdown(h2o_socket_get_fd(c->socket), SHUT_RD);
    }
}

static void loop_drain(struct loop *loop)
{
    loop->draining = true;
    for (int i = 0; i < HTTP_LISTENERS_MAX; i++) {
        if (!loop->gate[i].until_end)
            gate_close(&loop->gate[i]);
    }
    cut_connections(loop, false);
    atomic_fetch_add(&loop->http->draining_loops, 1);
}

enum status loop_init(struct loop *loop, struct http *h, int index)
{
    int connections = (h->options.connections_max + h->loop_count - 1) / h->loop_count;

    loop->http = h;
    loop->index = index;
    h2o_linklist_init_anchor(&loop->connections_open);
    h2o_linklist_init_anchor(&loop->connections_free);
    h2o_linklist_init_anchor(&loop->tickets_held);
    h2o_linklist_init_anchor(&loop->tickets_free);
    for (int i = 0; i < HTTP_LISTENERS_MAX; i++)
        loop->fd[i] = -1;
    loop->connections = calloc((size_t)connections, sizeof(*loop->connections));
    loop->tickets = calloc((size_t)h->options.tickets_max, sizeof(*loop->tickets));
    if (!loop->connections || !loop->tickets)
        return ST_FULL;
    for (int i = 0; i < connections; i++)
        h2o_linklist_insert(&loop->connections_free, &loop->connections[i].link);
    for (int i = 0; i < h->options.tickets_max; i++) {
        loop->tickets[i].loop = loop;
        pthread_mutex_init(&loop->tickets[i].lock, NULL);
        h2o_linklist_insert(&loop->tickets_free, &loop->tickets[i].link);
    }
    return ST_OK;
}

static void on_sweep(h2o_timeout_entry_t *entry)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, sweep, entry);

    ticket_sweep(loop);
    linger_sweep(loop);
    h2o_timeout_link(loop->context.loop, &loop->context.hundred_ms_timeout, &loop->sweep);
}

/* What h2o allocates belongs to the thread that first touched it (its lists of blocks to use again
   are the thread's own, and the sockets of a loop keep pointing at them). So everything of h2o's is
   made, used and ended by the loop's own thread. */
static void listen_on(struct loop *loop, int listener)
{
    struct gate *gate = &loop->gate[listener];

    gate->loop = loop;
    gate->index = listener;
    gate->until_end = loop->http->options.listener[listener].until_end;
    if (loop->fd[listener] < 0)
        return;
    gate->accept.ctx = &loop->context;
    gate->accept.hosts = loop->http->config.hosts;
    gate->socket =
        h2o_evloop_socket_create(loop->context.loop, loop->fd[listener], H2O_SOCKET_FLAG_DONT_READ);
    gate->socket->data = gate;
    h2o_socket_read_start(gate->socket, on_accept);
    loop->fd[listener] = -1;
}

static void begin(struct loop *loop)
{
    h2o_context_init(&loop->context, h2o_evloop_create(), &loop->http->config);
    h2o_multithread_register_receiver(loop->context.queue, &loop->receiver, ticket_on_messages);
    loop->sweep.cb = on_sweep;
    h2o_timeout_link(loop->context.loop, &loop->context.hundred_ms_timeout, &loop->sweep);
    for (int i = 0; i < HTTP_LISTENERS_MAX; i++)
        listen_on(loop, i);
    atomic_store(&loop->begun, true);
}

static void end(struct loop *loop)
{
    h2o_timeout_t *graceful = &loop->context.http2.graceful_shutdown_timeout;

    linger_reset(loop);
    h2o_timeout_unlink(&loop->sweep);
    h2o_multithread_unregister_receiver(loop->context.queue, &loop->receiver);
    h2o_context_dispose(&loop->context);
    if (h2o_linklist_is_linked(&graceful->_link)) /* forgotten by some builds of h2o 2.2 */
        h2o_timeout_dispose(loop->context.loop, graceful);
    h2o_evloop_destroy(loop->context.loop);
}

static void nap(void)
{
    const struct timespec t = {.tv_nsec = 1000000};

    nanosleep(&t, NULL);
}

/* Let go of everybody; who does not go within CLOSE_WAIT_MS is left to the end of the process. */
static void close_all(struct loop *loop)
{
    struct clock *clock = &loop->http->clock;
    int64_t until_us = clock_now_us(clock) + CLOSE_WAIT_MS * 1000;

    for (int i = 0; i < HTTP_LISTENERS_MAX; i++)
        gate_close(&loop->gate[i]);
    cut_connections(loop, true);
    while (!h2o_linklist_is_empty(&loop->connections_open) && clock_now_us(clock) < until_us)
        h2o_evloop_run(loop->context.loop, 50);
}

void *loop_run(void *memory)
{
    struct loop *loop = memory;
    struct http *h = loop->http;

    begin(loop);
    while (!atomic_load(&h->stop)) {
        h2o_evloop_run(loop->context.loop, INT32_MAX);
        if (atomic_load(&h->drain) && !loop->draining)
            loop_drain(loop);
    }
    close_all(loop);
    while (!atomic_load(&h->woken)) /* whoever set `stop` may still be using the queue */
        nap();
    end(loop);
    return NULL;
}

void loop_wake(struct loop *loop)
{
    while (!atomic_load(&loop->begun))
        nap();
    h2o_multithread_send_message(&loop->receiver, NULL);
}

void loop_reset(struct loop *loop)
{
    for (int i = 0; loop->http && i < HTTP_LISTENERS_MAX; i++) {
        if (loop->fd[i] >= 0)
            close(loop->fd[i]);
    }
    for (int i = 0; loop->tickets && i < loop->http->options.tickets_max; i++)
        pthread_mutex_destroy(&loop->tickets[i].lock);
    free(loop->connections);
    free(loop->tickets);
}
