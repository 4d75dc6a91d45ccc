/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grants.h - which tenant may say what his pictures are for: contexts such as "medical", which an
 * operator grants for a time (`limner context`), held in memory as keys are (auth.h).
 *
 * A context is never guessed from a picture; a request claims one, and without a grant it is
 * refused.
 */
#ifndef SERVER_GRANTS_H
#define SERVER_GRANTS_H

#include "store/store.h"

#define GRANTS_MAX 1024 /* rows, of all tenants; the ones that are over included */

struct grants;

/* ST_FULL without memory. */
MUST_USE enum status grants_open(struct grants **out);
void grants_close(struct grants **g);

/* Read them again if they may have changed. Waits for the disk; when it fails, what was known
   before goes on. One thread. */
MUST_USE enum status grants_load(struct grants *g, struct store *store, struct why *why);

/* May this tenant claim this context now? Any thread; waits for no disk. */
bool grants_has(struct grants *g, const char *tenant, const char *context, int64_t now_s);

/* Is this grant one that counts now? */
bool grants_is_live(const struct store_grant *grant, int64_t now_s);

#endif /* SERVER_GRANTS_H */
