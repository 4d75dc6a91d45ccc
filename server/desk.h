/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk.h - one thread between the io threads and what is kept about decisions and appeals.
 *
 * An io thread may not wait for a disk, so whatever needs the store or the vault is done here: the
 * handler holds its request, lets the desk run a function, and the answer comes from there. There
 * is one such thread, so what it counts needs no lock.
 *
 *     ticket = http_hold(request, owner, gone, over);
 *     if (!desk_run(desk, function, owner))             too much waits already: answer 429
 *
 * What was taken in is done, also when the server stops.
 */
#ifndef SERVER_DESK_H
#define SERVER_DESK_H

#include "server/service.h"
#include "store/store.h"

struct desk;
struct matter;

struct desk_options {
    struct store *store;
    int functions_max; /* that may wait */
};

/* The thread is started. */
MUST_USE enum status desk_open(struct desk **out, struct service *s,
                               const struct desk_options *options, struct why *why);
/* Do and answer all that was taken in, and end the thread. After http_drain, before http_close. */
void desk_stop(struct desk *d);
void desk_close(struct desk **d); /* after http_close */

/* `run` on the desk's thread, which may wait for the disk; in the order of coming, any thread. */
MUST_USE bool desk_run(struct desk *d, void (*run)(void *owner), void *owner);

/* Do what was asked for, and answer; on the desk's thread. */
void desk_handle(struct desk *d, struct matter *m);

#endif /* SERVER_DESK_H */
