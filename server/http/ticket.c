/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/guest.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

struct http_ticket *http_hold(struct http_request *r, void *owner, void (*gone)(void *owner),
                              void (*over)(void *owner))
{
    struct exchange *x = (struct exchange *)r;
    struct loop *loop = x->connection->gate->loop;
    struct http_ticket *t;

    if (h2o_linklist_is_empty(&loop->tickets_free))
        return NULL;
    t = H2O_STRUCT_FROM_MEMBER(struct http_ticket, link, loop->tickets_free.next);
    h2o_linklist_unlink(&t->link);
    h2o_linklist_insert(&loop->tickets_held, &t->link);
    t->exchange = x;
    t->owner = owner;
    t->leave = gone;
    t->over = over;
    t->told = false;
    t->posted = t->begun = t->ended = t->cut = t->gone = false;
    t->unsent = 0;
    x->ticket = t;
    return t;
}

void ticket_post(struct http_ticket *t)
{
    if (!t->posted)
        h2o_multithread_send_message(&t->loop->receiver, &t->message);
    t->posted = true;
}

void http_ticket_answer(struct http_ticket *ticket, struct answer *a)
{
    pthread_mutex_lock(&ticket->lock);
    ticket->answer = *a;
    *a = (struct answer){0};
    ticket_post(ticket);
    pthread_mutex_unlock(&ticket->lock);
}

void ticket_tell(struct http_ticket *t)
{
    if (t->told)
        return;
    t->told = true;
    pthread_mutex_lock(&t->lock);
    t->gone = true;
    pthread_mutex_unlock(&t->lock);
    t->leave(t->owner);
}

void ticket_release(struct http_ticket *t)
{
    if (t->exchange)
        t->exchange->ticket = NULL;
    t->exchange = NULL;
    t->over(t->owner);
    h2o_linklist_unlink(&t->link);
    h2o_linklist_insert(&t->loop->tickets_free, &t->link);
}

static void ticket_finish(struct http_ticket *t)
{
    struct exchange *x = t->exchange;

    if (x) {
        x->ticket = NULL;
        t->exchange = NULL;
        if (t->told)
            t->answer.close = true;
        exchange_send(x, &t->answer);
        if (t->told)
            x->status = HTTP_GONE;
    }
    answer_close(&t->answer);
    ticket_release(t);
}

static void ticket_look(struct http_ticket *t)
{
    bool begun;

    pthread_mutex_lock(&t->lock);
    t->posted = false;
    begun = t->begun;
    pthread_mutex_unlock(&t->lock);
    if (begun)
        stream_move(t);
    else
        ticket_finish(t);
}

void ticket_on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct http_ticket *t =
            H2O_STRUCT_FROM_MEMBER(struct http_ticket, message.link, messages->next);

        h2o_linklist_unlink(&t->message.link);
        ticket_look(t);
    }
}

static bool is_peer_there(int fd)
{
    struct tcp_info info;
    socklen_t bytes = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

void ticket_sweep(struct loop *loop)
{
    h2o_linklist_t *at = loop->tickets_held.next;

    for (; at != &loop->tickets_held; at = at->next) {
        struct http_ticket *t = H2O_STRUCT_FROM_MEMBER(struct http_ticket, link, at);

        if (t->exchange && !t->told &&
            !is_peer_there(h2o_socket_get_fd(t->exchange->connection->socket)))
            ticket_tell(t);
    }
}
