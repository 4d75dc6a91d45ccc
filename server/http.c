/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details of libh2o 2.2.5 that have caused bugs
 *
 * - While an HTTP/1 request waits for its answer h2o reads nothing, so a client that leaves is not
 *   noticed. Held requests are therefore swept every 100 ms: the kernel knows the peer's state.
 * - Two Content-Lengths, folded lines and other ambiguities pass h2o's parser; the bytes of the
 *   head still lie in the socket's buffer when the handler runs, so head.c looks at them again.
 * - h2o answers some refusals itself, in text. A filter turns those into the house's own answers.
 *   (What is not HTTP at all gets a constant "Bad Request" that no filter sees.)
 * - It closes a refused upload while bytes still arrive, and the reset that follows may overtake
 *   the answer. A duplicate of the socket is kept and drained for a few seconds.
 * - There is no write timeout. TCP_USER_TIMEOUT ends connections whose reader has stopped.
 * - A piece of an answer may only be handed over once h2o has asked for it (`proceed`), so there
 * are two buffers per answer in pieces: one with h2o, one that grows meanwhile.
 * - request timeouts run from the first byte of a request to the last byte of its body.
 */
#include "server/http.h"

#include "base/crypto.h"
#include "server/http/guest.h"
#include "server/listen.h"

#include <assert.h>
#include <stdio.h>

#define REQUEST_TIMEOUT_MS 30000
#define PENDING_DEFAULT    (1 << 20)

static void configure(struct http *h)
{
    h2o_hostconf_t *host;
    struct handler *handler;
    struct filter *filter;

    h2o_config_init(&h->config);
    h->config.server_name = h2o_iovec_init(NULL, 0);
    h->config.http1.upgrade_to_http2 = 0;
    h->config.http1.req_timeout = REQUEST_TIMEOUT_MS;
    h->config.max_request_entity_size = h->options.body_max * 2;
    host = h2o_config_register_host(&h->config, h2o_iovec_init("default", 7), 65535);
    handler = (struct handler *)h2o_create_handler(&host->fallback_path, sizeof(*handler));
    handler->super.on_req = exchange_on_request;
    handler->http = h;
    filter = (struct filter *)h2o_create_filter(&host->fallback_path, sizeof(*filter));
    filter->super.on_setup_ostream = exchange_on_answer;
    filter->http = h;
}

/* The first listener is shared by all loops; a listener for health checks needs one loop. */
static enum status open_listener(struct http *h, int listener, struct why *why)
{
    int fds[64];
    int count = h->options.listener[listener].until_end ? 1 : h->loop_count;
    enum status st = listen_open(fds, count, h->options.listener[listener].host,
                                 h->options.listener[listener].port, why);

    if (st)
        return st;
    h->port[listener] = listen_port(fds[0]);
    for (int i = 0; i < count; i++)
        h->loops[i].fd[listener] = fds[i];
    return ST_OK;
}

static enum status start_threads(struct http *h, struct why *why)
{
    for (int i = 0; i < h->loop_count; i++) {
        char name[16];

        if (pthread_create(&h->loops[i].thread, NULL, loop_run, &h->loops[i]))
            return why_fail(why, ST_FULL, "cannot start io thread %d", i);
        h->loops[i].running = true;
        snprintf(name, sizeof(name), "limner-io-%u", (unsigned char)i);
        pthread_setname_np(h->loops[i].thread, name);
    }
    return ST_OK;
}

enum status http_open(struct http **out, const struct http_options *options, struct why *why)
{
    struct http *h = calloc(1, sizeof(*h));
    uint8_t unique[5];
    enum status st;

    *out = h;
    if (!h)
        return why_fail(why, ST_FULL, "no memory for the HTTP server");
    assert(options->io_threads >= 1 && options->io_threads <= 64);
    h->options = *options;
    if (!h->options.pending_max)
        h->options.pending_max = PENDING_DEFAULT;
    clock_init_real(&h->clock);
    configure(h);
    st = crypto_random(unique, sizeof(unique));
    if (st) {
        why_fail(why, st, "the system has no random numbers");
        goto fail;
    }
    crypto_hex(h->id_prefix, unique, sizeof(unique));
    h->loops = calloc((size_t)options->io_threads, sizeof(*h->loops));
    if (!h->loops) {
        st = why_fail(why, ST_FULL, "no memory for %d io threads", options->io_threads);
        goto fail;
    }
    h->loop_count = options->io_threads;
    for (int i = 0; i < h->loop_count && !st; i++)
        st = loop_init(&h->loops[i], h, i);
    for (int i = 0; i < options->listener_count && !st; i++)
        st = open_listener(h, i, why);
    if (!st)
        st = start_threads(h, why);
    if (!st)
        return ST_OK;
fail:
    http_close(out);
    return st;
}

int http_port(const struct http *h, int listener)
{
    return h->port[listener];
}

int http_busy(const struct http *h)
{
    return atomic_load(&((struct http *)h)->busy);
}

int http_connections(const struct http *h)
{
    return atomic_load(&((struct http *)h)->connections);
}

static void wake(struct http *h)
{
    for (int i = 0; i < h->loop_count; i++) {
        if (h->loops[i].running)
            loop_wake(&h->loops[i]);
    }
}

void http_drain(struct http *h)
{
    const struct timespec nap = {.tv_nsec = 1000000};

    atomic_store(&h->drain, true);
    wake(h);
    while (atomic_load(&h->draining_loops) < h->loop_count)
        nanosleep(&nap, NULL);
}

void http_close(struct http **h)
{
    struct http *it = *h;

    if (!it)
        return;
    atomic_store(&it->stop, true);
    wake(it);
    atomic_store(&it->woken, true);
    for (int i = 0; i < it->loop_count; i++) {
        if (it->loops[i].running)
            pthread_join(it->loops[i].thread, NULL);
    }
    for (int i = 0; i < it->loop_count; i++)
        loop_reset(&it->loops[i]);
    free(it->loops);
    h2o_config_dispose(&it->config);
    free(it);
    *h = NULL;
}
