/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024

enum status listen_parse(char *host, size_t host_bytes, int *port, const char *address,
                         struct why *why)
{
    const char *colon = strrchr(address, ':');
    const char *start = address, *end = colon;
    char *rest;
    long number;

    if (!colon || !colon[1])
        return why_fail(why, ST_INVALID, "'%s' is no address; say HOST:PORT, as 127.0.0.1:8080",
                        address);
    if (start[0] == '[' && end > start && end[-1] == ']') {
        start++;
        end--;
    }
    number = strtol(colon + 1, &rest, 10);
    if (*rest || colon[1] < '0' || colon[1] > '9' || number > 65535)
        return why_fail(why, ST_INVALID, "'%s' is no port; it is a number from 0 to 65535",
                        colon + 1);
    if ((size_t)(end - start) >= host_bytes)
        return why_fail(why, ST_INVALID, "the host in '%s' is longer than %zu characters", address,
                        host_bytes - 1);
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *port = (int)number;
    return ST_OK;
}

static int open_one(const struct addrinfo *address, bool shared)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    int on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    on = errno;
    close(fd);
    errno = on;
    return -1;
}

static void set_port(struct addrinfo *address, int port)
{
    if (address->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address->ai_addr)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)(void *)address->ai_addr)->sin_port = htons((uint16_t)port);
}

/* Sockets that share a port would also share it with an older process of the same user, and the
   two would get every other request. So the address is first asked for without sharing. */
static bool open_shared(int *fds, int count, struct addrinfo *address)
{
    int probe = open_one(address, false);

    if (probe < 0)
        return false;
    set_port(address, listen_port(probe));
    close(probe);
    for (int i = 0; i < count; i++) {
        fds[i] = open_one(address, true);
        if (fds[i] >= 0)
            continue;
        while (i-- > 0)
            close(fds[i]);
        return false;
    }
    return true;
}

static bool is_loopback(const struct addrinfo *address)
{
    const struct sockaddr_in6 *six = (const void *)address->ai_addr;
    const struct sockaddr_in *four = (const void *)address->ai_addr;

    if (address->ai_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    return address->ai_family == AF_INET && ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool listen_is_loopback(const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    bool loopback;

    if (getaddrinfo(host[0] ? host : NULL, "0", &hints, &found))
        return false;
    loopback = is_loopback(found);
    freeaddrinfo(found);
    return loopback;
}

enum status listen_open(int *fds, int count, const char *host, int port, struct why *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[16];
    int failure;
    bool opened;

    snprintf(service, sizeof(service), "%d", port);
    failure = getaddrinfo(host[0] ? host : NULL, service, &hints, &found);
    if (failure)
        return why_fail(why, ST_IO, "cannot find the address '%s': %s", host,
                        gai_strerror(failure));
    opened = open_shared(fds, count, found);
    failure = errno;
    freeaddrinfo(found);
    if (!opened)
        return why_fail(why, ST_IO, "cannot listen on %s:%d: %s", host[0] ? host : "*", port,
                        strerror(failure));
    return ST_OK;
}

int listen_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &bytes))
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}
