/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/row.h"

#include <string.h>

static void read_grant(struct row *r, void *to)
{
    struct store_grant *g = to;

    memset(g, 0, sizeof(*g));
    row_text(r, g->tenant, sizeof(g->tenant));
    row_text(r, g->context, sizeof(g->context));
    row_text(r, g->evidence, sizeof(g->evidence));
    row_text(r, g->granted_by, sizeof(g->granted_by));
    g->granted_s = row_int(r);
    g->expires_s = row_int(r);
    g->revoked_s = row_int(r);
}

enum status grants_put(struct store *store, const struct store_grant *grant, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = sqlite_do(s, why,
                   "INSERT OR REPLACE INTO grants (tenant, context, evidence, granted_by, "
                   "granted_s, expires_s, revoked_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   "ssssiii", grant->tenant, grant->context, grant->evidence, grant->granted_by,
                   grant->granted_s, grant->expires_s, grant->revoked_s);
    return sqlite_end(s, st, why);
}

enum status grants_list(struct store *store, struct store_grant *out, int *count, struct why *why)
{
    struct row_into into = {read_grant, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT tenant, context, evidence, granted_by, granted_s, expires_s, "
                    "revoked_s FROM grants ORDER BY tenant, context LIMIT ?",
                    "i", (int64_t)*count);
}
