/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses.h - where tenants are told of decisions: the addresses of the configuration, with the
 * secrets of the environment.
 *
 *     LIMNER_WEBHOOK_SECRET_SHOP_EU    of the tenant "shop-eu"
 *     LIMNER_WEBHOOK_SECRET            of all who have none of their own
 */
#ifndef SERVER_ADDRESSES_H
#define SERVER_ADDRESSES_H

#include "server/config.h"
#include "server/service.h"

/* Open s->webhook. ST_INVALID: an address without a secret, or one that is none. */
MUST_USE enum status addresses_open(struct service *s, const struct config *c, struct store *store,
                                    struct why *why);
/* Those of a configuration that was read again; what is wrong with it is said, and all stay as they
   are. */
void addresses_reload(struct service *s, const struct config *c);

#endif /* SERVER_ADDRESSES_H */
