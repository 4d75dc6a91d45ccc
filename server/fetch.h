/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.h - what lies at somebody's URL, without reaching for him what only this machine can reach.
 *
 * http and https, ports 80 and 443, at most FETCH_REDIRECTS redirects. The address that is
 * connected to is the one that is checked, for every connection: a name that leads somewhere else
 * the second time, or a redirect, gets no further than the first one. Addresses of this machine, of
 * private networks, of links, groups and documentation are refused, whichever way they are written.
 */
#ifndef SERVER_FETCH_H
#define SERVER_FETCH_H

#include "codec/encode.h"

#include <stdbool.h>
#include <sys/socket.h>

#define FETCH_URL_MAX   2048 /* with a NUL */
#define FETCH_REDIRECTS 3

struct fetch_options {
    size_t bytes_max;
    int timeout_ms; /* for all of it */
    bool near;      /* any address and port: for tests */
};

/* Waits: never on an io thread. ST_INVALID: no such URL, or larger than that; ST_REFUSED: it leads
   where it may not; ST_LATE; ST_MISSING: the server there says something else than 200; ST_IO: it
   cannot be reached; ST_FULL without memory. On failure *out is empty. */
MUST_USE enum status fetch_url(struct bytes *out, const char *url, const struct fetch_options *o,
                               struct why *why);

/* May a stranger make us connect there? */
bool fetch_is_public(const struct sockaddr *address);

#endif /* SERVER_FETCH_H */
