/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judging.h - what a server needs to judge: its secret, its vault, the classifiers and policies, a
 * team's own hook, and who may say what pictures are for. Opened before the engine; what cannot be
 * opened keeps the server from starting, since nothing goes out unjudged.
 *
 * The main thread's alone.
 */
#ifndef SERVER_JUDGING_H
#define SERVER_JUDGING_H

#include "server/config.h"
#include "server/service.h"
#include "store/store.h"

struct vault;

struct judging {
    struct vault *vault;
};

/* Fills the service's judge, hook, grants, secret and public_url; the configuration stays. */
MUST_USE enum status judging_open(struct judging *j, struct service *s, const struct config *c,
                                  struct store *store, struct why *why);
/* Other policies, all or none; what is wrong with them is in the log, and the old ones go on. */
void judging_reload(struct service *s, const struct config *fresh);

/* Nobody asks for anything any more (http_drain): whoever still waits for the hook is answered. */
void judging_drain(struct service *s);
/* When the engine, the network and all that answers are gone. */
void judging_close(struct judging *j, struct service *s);

#endif /* SERVER_JUDGING_H */
