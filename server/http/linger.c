/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/guest.h"

#include <errno.h>
#include <fcntl.h>

#define LINGER_MS 5000

void linger_begin(struct connection *c)
{
    if (c && c->linger < 0 && c->gate->loop->linger_count < LINGER_MAX)
        c->linger = fcntl(h2o_socket_get_fd(c->socket), F_DUPFD_CLOEXEC, 0);
}

void linger_sweep(struct loop *loop)
{
    int64_t now_us = clock_now_us(&loop->http->clock);
    char waste[16384];

    for (int i = loop->linger_count - 1; i >= 0; i--) {
        ssize_t got = 1;

        for (int round = 0; round < 64 && got > 0; round++)
            got = recv(loop->linger[i].fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (got > 0 || (got < 0 && errno == EAGAIN && now_us < loop->linger[i].until_us))
            continue;
        close(loop->linger[i].fd);
        loop->linger[i] = loop->linger[--loop->linger_count];
    }
}

void linger_close(struct connection *c)
{
    struct loop *loop = c->gate->loop;
    int64_t until_us = clock_now_us(&loop->http->clock) + LINGER_MS * 1000;

    if (c->linger < 0)
        return;
    if (loop->linger_count == LINGER_MAX) {
        close(c->linger);
        return;
    }
    shutdown(c->linger, SHUT_WR);
    loop->linger[loop->linger_count++] = (struct lingerer){c->linger, until_us};
}

void linger_reset(struct loop *loop)
{
    for (int i = 0; i < loop->linger_count; i++)
        close(loop->linger[i].fd);
    loop->linger_count = 0;
}
