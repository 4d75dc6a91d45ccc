/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/guest.h"

#include <string.h>

/* ---- from any thread ---- */

void http_ticket_begin(struct http_ticket *t, struct answer *head)
{
    pthread_mutex_lock(&t->lock);
    t->answer = *head;
    *head = (struct answer){0};
    t->begun = true;
    ticket_post(t);
    pthread_mutex_unlock(&t->lock);
}

/* Room for so many bytes more. */
static bool piece_grow(struct piece *p, size_t bytes)
{
    size_t size = p->size ? p->size : 4096;
    char *bigger;

    if (p->bytes + bytes <= p->size)
        return true;
    while (size < p->bytes + bytes)
        size *= 2;
    bigger = realloc(p->data, size);
    if (!bigger)
        return false;
    p->data = bigger;
    p->size = size;
    return true;
}

static void piece_close(struct piece *p)
{
    free(p->data);
    *p = (struct piece){NULL, 0, 0};
}

static void piece_add(struct piece *p, struct http_text part)
{
    if (part.bytes)
        memcpy(p->data + p->bytes, part.data, part.bytes);
    p->bytes += part.bytes;
}

bool http_ticket_send(struct http_ticket *t, const struct http_text *parts, int count)
{
    size_t bytes = 0;
    bool good;

    for (int i = 0; i < count; i++)
        bytes += parts[i].bytes;
    pthread_mutex_lock(&t->lock);
    if (!t->cut && !t->gone &&
        (t->unsent + bytes > t->loop->http->options.pending_max || !piece_grow(&t->pending, bytes)))
        t->cut = true;
    good = !t->cut && !t->gone;
    for (int i = 0; i < count && good; i++)
        piece_add(&t->pending, parts[i]);
    t->unsent += good ? bytes : 0;
    ticket_post(t);
    pthread_mutex_unlock(&t->lock);
    return good;
}

void http_ticket_end(struct http_ticket *t)
{
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    ticket_post(t);
    pthread_mutex_unlock(&t->lock);
}

void http_ticket_cut(struct http_ticket *t)
{
    pthread_mutex_lock(&t->lock);
    t->cut = true;
    ticket_post(t);
    pthread_mutex_unlock(&t->lock);
}

size_t http_ticket_unsent(struct http_ticket *t)
{
    size_t unsent;

    pthread_mutex_lock(&t->lock);
    unsent = t->unsent;
    pthread_mutex_unlock(&t->lock);
    return unsent;
}

/* ---- on the loop's thread ---- */

static bool is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, "HEAD", 4);
}

/* Hand the piece to h2o, which has asked for it. */
static void fly(struct exchange *x, struct piece *p, h2o_send_state_t state)
{
    h2o_iovec_t body = h2o_iovec_init(p->data, p->bytes);

    x->request.answer_bytes += p->bytes;
    x->flight = *p;
    *p = (struct piece){NULL, 0, 0};
    x->flying = true;
    h2o_send(x->req, &body, body.len != 0, state);
}

/* The end of an answer flies alone: nobody asks for more. The exchange may be gone afterwards. */
static void fly_last(struct exchange *x)
{
    fly(x, &x->rest, H2O_SEND_STATE_FINAL);
}

static void fly_pending(struct exchange *x)
{
    struct http_ticket *t = x->ticket;
    struct piece piece = {NULL, 0, 0};

    pthread_mutex_lock(&t->lock);
    if (t->pending.bytes) {
        piece = t->pending;
        t->pending = (struct piece){NULL, 0, 0};
    }
    pthread_mutex_unlock(&t->lock);
    if (piece.bytes)
        fly(x, &piece, H2O_SEND_STATE_IN_PROGRESS);
}

static void landed(struct exchange *x)
{
    struct http_ticket *t = x->ticket;

    if (t) {
        pthread_mutex_lock(&t->lock);
        t->unsent -= x->flight.bytes;
        pthread_mutex_unlock(&t->lock);
    }
    piece_close(&x->flight);
    x->flying = false;
}

void stream_proceed(struct exchange *x)
{
    landed(x);
    if (x->ended)
        fly_last(x);
    else if (x->ticket)
        fly_pending(x);
}

void stream_close(struct exchange *x)
{
    piece_close(&x->flight);
    piece_close(&x->rest);
}

/* Both directions: h2o notices as it writes, or by the error that this makes. */
static void cut(struct http_ticket *t)
{
    shutdown(h2o_socket_get_fd(t->exchange->connection->socket), SHUT_RDWR);
    ticket_tell(t);
}

static void begin(struct http_ticket *t)
{
    struct exchange *x = t->exchange;

    if (x && !x->status) {
        exchange_begin(x, &t->answer);
        if (is_head(x->req)) /* has all that it will get */
            ticket_tell(t);
    }
    answer_close(&t->answer);
}

/* What is left goes with the exchange; the ticket's owner is done with it. */
static void end(struct http_ticket *t)
{
    struct exchange *x = t->exchange;

    if (x) {
        x->rest = t->pending;
        t->pending = (struct piece){NULL, 0, 0};
        if (is_head(x->req))
            piece_close(&x->rest);
        x->ended = true;
        x->status = t->told && !is_head(x->req) ? HTTP_GONE : x->status;
    }
    piece_close(&t->pending);
    ticket_release(t);
    if (x && !x->flying)
        fly_last(x);
}

void stream_move(struct http_ticket *t)
{
    bool ended, is_cut;

    pthread_mutex_lock(&t->lock);
    ended = t->ended;
    is_cut = t->cut;
    pthread_mutex_unlock(&t->lock);
    begin(t);
    if (is_cut && t->exchange)
        cut(t);
    if (ended)
        end(t);
    else if (t->exchange && !t->exchange->flying && !is_head(t->exchange->req))
        fly_pending(t->exchange);
}
