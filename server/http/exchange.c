/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "server/head.h"
#include "server/http/guest.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <strings.h>

#define REASON_MAX 128

/* An answer that takes the place of h2o's own. */
struct refusal {
    h2o_ostream_t super;
    struct http *http;
};

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 303:
        return "See Other";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Answer";
    }
}

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value,
                          strlen(value));
}

/* HEAD gets no body. */
static size_t body_count(const h2o_req_t *req, h2o_iovec_t body)
{
    return body.len && !h2o_memis(req->input.method.base, req->input.method.len, "HEAD", 4);
}

/* Move the answer into the exchange, its headers and length into h2o. Hands back the body. */
static h2o_iovec_t exchange_take(struct exchange *x, struct answer *a)
{
    h2o_req_t *req = x->req;
    struct http *h = x->connection->gate->loop->http;
    h2o_iovec_t body = {NULL, 0};

    h->options.decorate(h->options.context, &x->request, a);
    x->status = a->status;
    x->json = a->json;
    x->raw = a->raw;
    a->json = (struct json_out){0};
    a->raw = (struct bytes){0};
    if (x->json.text)
        body = h2o_iovec_init(x->json.text, x->json.bytes);
    else if (x->raw.data)
        body = h2o_iovec_init(x->raw.data, x->raw.count);
    else if (a->text)
        body = h2o_iovec_init(a->text, strlen(a->text));

    memset(&req->res.headers, 0, sizeof(req->res.headers));
    req->res.status = a->status;
    req->res.reason = reason_of(a->status);
    req->res.content_length = body.len;
    if (a->media_type)
        add_header(req, "content-type", a->media_type);
    add_header(req, "x-request-id", x->request.id);
    for (int i = 0; i < a->header_count; i++)
        add_header(req, a->header[i].name, a->header_text + a->header[i].value_at);
    x->request.answer_bytes = body_count(req, body) ? body.len : 0;
    return body;
}

void exchange_send(struct exchange *x, struct answer *a)
{
    h2o_req_t *req = x->req;
    struct gate *gate = x->connection->gate;
    h2o_iovec_t body = exchange_take(x, a);

    if (a->close) {
        req->http1_is_persistent = 0;
        linger_begin(x->connection);
    }
    if (gate->loop->draining && !gate->until_end)
        req->http1_is_persistent = 0;
    h2o_start_response(req, &x->generator);
    h2o_send(req, &body, body_count(req, body), H2O_SEND_STATE_FINAL);
}

void exchange_begin(struct exchange *x, struct answer *head)
{
    h2o_req_t *req = x->req;
    struct gate *gate = x->connection->gate;

    exchange_take(x, head);
    req->res.content_length = SIZE_MAX;
    if (gate->loop->draining && !gate->until_end)
        req->http1_is_persistent = 0;
    h2o_start_response(req, &x->generator);
}

/* h2o forgets the request: its answer has left, or the connection broke. */
static void exchange_dispose(void *memory)
{
    struct exchange *x = memory;
    struct http *h = x->connection->gate->loop->http;

    if (x->ticket) {
        x->ticket->exchange = NULL;
        ticket_tell(x->ticket);
    }
    x->connection->exchange = NULL;
    h->options.answered(h->options.context, &x->request, x->status ? x->status : HTTP_GONE);
    json_out_close(&x->json);
    bytes_close(&x->raw);
    stream_close(x);
    atomic_fetch_sub(&h->busy, 1);
}

/* Called between the pieces of an answer. Its address tells our answers from h2o's own. */
static void exchange_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)req;
    stream_proceed(H2O_STRUCT_FROM_MEMBER(struct exchange, generator, generator));
}

static struct http_text text_of(h2o_iovec_t v)
{
    return (struct http_text){v.base, v.len};
}

/* Cut the target into path and query; a proxy's absolute form loses its scheme and host. */
static void read_target(struct http_request *r, struct http_text target)
{
    const char *query;

    if (target.bytes > 7 && strncasecmp(target.data, "http://", 7) == 0) {
        const char *path = memchr(target.data + 7, '/', target.bytes - 7);

        target.bytes = path ? target.bytes - (size_t)(path - target.data) : 1;
        target.data = path ? path : "/";
    }
    r->path = target;
    query = target.bytes ? memchr(target.data, '?', target.bytes) : NULL;
    if (!query)
        return;
    r->path.bytes = (size_t)(query - target.data);
    r->query = (struct http_text){query + 1, target.bytes - r->path.bytes - 1};
}

/* Its numbers; empty when it has none. */
static void read_peer(struct http_request *r, h2o_req_t *req)
{
    struct sockaddr_storage address;
    char host[NI_MAXHOST];
    socklen_t bytes = req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&address);
    size_t length = bytes ? h2o_socket_getnumerichost((struct sockaddr *)&address, bytes, host) : 0;

    if (length > 0 && length < sizeof(r->peer))
        memcpy(r->peer, host, length);
}

static struct exchange *exchange_open(struct http *h, h2o_req_t *req)
{
    struct exchange *x = h2o_mem_alloc_shared(&req->pool, sizeof(*x), exchange_dispose);
    struct connection *c = req->conn->callbacks->get_socket(req->conn)->on_close.data;
    struct loop *loop = c->gate->loop;

    memset(x, 0, sizeof(*x));
    x->generator.proceed = exchange_proceed;
    x->req = req;
    x->connection = c;
    c->exchange = x;
    x->request.method = text_of(req->input.method);
    x->request.body = text_of(req->entity);
    x->request.listener = c->gate->index;
    x->request.arrived_us = clock_now_us(&h->clock);
    read_peer(&x->request, req);
    read_target(&x->request, text_of(req->input.path));
    snprintf(x->request.id, sizeof(x->request.id), "req_%s%02x%08" PRIx64, h->id_prefix,
             (unsigned)loop->index, ++loop->requests);
    atomic_fetch_add(&h->busy, 1);
    return x;
}

static enum status check_head(const h2o_req_t *req, struct why *why)
{
    const h2o_buffer_t *in = req->conn->callbacks->get_socket(req->conn)->input;

    return head_check(in->bytes, in->size, req->version >= 0x101, why);
}

int exchange_on_request(h2o_handler_t *super, h2o_req_t *req)
{
    struct http *h = ((struct handler *)super)->http;
    struct exchange *x = exchange_open(h, req);
    struct answer answer;
    struct why why;

    if (check_head(req, &why)) {
        h->options.refuse(h->options.context, &answer, 400, why.text);
        answer.close = true;
        exchange_send(x, &answer);
    } else if (req->entity.len > h->options.body_max) {
        h->options.refuse(h->options.context, &answer, 413, "request entity is too large");
        exchange_send(x, &answer);
    } else {
        h->options.handle(h->options.context, &x->request);
    }
    return 0;
}

/* h2o's own refusal is on its way out: exchange its words for ours. */
static void send_refusal(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                         h2o_send_state_t state)
{
    struct http *h = ((struct refusal *)super)->http;
    struct exchange *x = exchange_open(h, req);
    struct answer answer;
    char reason[REASON_MAX];
    h2o_iovec_t body;

    snprintf(reason, sizeof(reason), "%.*s", count ? (int)bufs[0].len : 0,
             count ? bufs[0].base : "");
    h->options.refuse(h->options.context, &answer, req->res.status,
                      count ? reason : req->res.reason);
    body = exchange_take(x, &answer);
    if (!req->http1_is_persistent)
        linger_begin(x->connection);
    h2o_ostream_send_next(super, req, &body, body_count(req, body), state);
}

void exchange_on_answer(h2o_filter_t *super, h2o_req_t *req, h2o_ostream_t **slot)
{
    if (req->_generator->proceed != exchange_proceed) {
        struct refusal *r = (struct refusal *)h2o_add_ostream(req, sizeof(*r), slot);

        r->super.do_send = send_refusal;
        r->http = ((struct filter *)super)->http;
        slot = &r->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

void http_answer(struct http_request *r, struct answer *a)
{
    exchange_send((struct exchange *)r, a);
}

struct http_text http_header(const struct http_request *r, const char *name)
{
    const h2o_headers_t *headers = &((const struct exchange *)r)->req->headers;
    ssize_t at = h2o_find_header_by_str(headers, name, strlen(name), -1);

    return at < 0 ? (struct http_text){NULL, 0} : text_of(headers->entries[at].value);
}
