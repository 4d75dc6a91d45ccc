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
    t->gone = gone;
    t->over = over;
    t->told = false;
    x->ticket = t;
    return t;
}

void http_ticket_answer(struct http_ticket *ticket, struct answer *a)
{
    ticket->answer = *a;
    *a = (struct answer){0};
    h2o_multithread_send_message(&ticket->loop->receiver, &ticket->message);
}

void ticket_tell(struct http_ticket *t)
{
    if (!t->told)
        t->gone(t->owner);
    t->told = true;
}

static void ticket_finish(struct http_ticket *t)
{
    struct exchange *x = t->exchange;

    t->exchange = NULL;
    if (x) {
        x->ticket = NULL;
        if (t->told)
            t->answer.close = true;
        exchange_send(x, &t->answer);
        if (t->told)
            x->status = HTTP_GONE;
    }
    answer_close(&t->answer);
    t->over(t->owner);
    h2o_linklist_unlink(&t->link);
    h2o_linklist_insert(&t->loop->tickets_free, &t->link);
}

void ticket_on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct http_ticket *t =
            H2O_STRUCT_FROM_MEMBER(struct http_ticket, message.link, messages->next);

        h2o_linklist_unlink(&t->message.link);
        ticket_finish(t);
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
