/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.h - addresses to listening sockets.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* "HOST:PORT", "[::1]:PORT" or ":PORT" (every address) into its parts. ST_INVALID shows the
   form. */
MUST_USE enum status listen_parse(char *host, size_t host_bytes, int *port, const char *address,
                                  struct why *why);

/* Would listen_open stand on an address that only this machine can reach? */
bool listen_is_loopback(const char *host);

/* `count` non-blocking sockets that share one address: the kernel deals connections out among
   them. Port 0 takes any free one, the same for all. An address that any other process listens on
   is ST_IO, even one that would share. On failure nothing is open. */
MUST_USE enum status listen_open(int *fds, int count, const char *host, int port, struct why *why);
int listen_port(int fd);

#endif /* SERVER_LISTEN_H */
