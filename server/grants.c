/* SPDX-License-Identifier: Apache-2.0 */
#include "server/grants.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct grants {
    pthread_rwlock_t lock; /* of the rows: held to compare them or to exchange them, no longer */
    struct store_grant *rows;
    int count;
    struct store_grant *spare; /* of the one who loads, as what follows */
    int64_t version;
    bool loaded;
};

enum status grants_open(struct grants **out)
{
    struct grants *g = calloc(1, sizeof(*g));

    *out = g;
    if (!g)
        return ST_FULL;
    pthread_rwlock_init(&g->lock, NULL);
    g->rows = calloc(GRANTS_MAX, sizeof(*g->rows));
    g->spare = calloc(GRANTS_MAX, sizeof(*g->spare));
    if (g->rows && g->spare)
        return ST_OK;
    grants_close(out);
    return ST_FULL;
}

void grants_close(struct grants **grants)
{
    struct grants *g = *grants;

    if (!g)
        return;
    pthread_rwlock_destroy(&g->lock);
    free(g->rows);
    free(g->spare);
    free(g);
    *grants = NULL;
}

enum status grants_load(struct grants *g, struct store *store, struct why *why)
{
    struct store_grant *before = g->rows;
    int64_t version;
    int count = GRANTS_MAX;
    enum status st = store->ops->version(store, &version, why);

    if (st || (g->loaded && version == g->version))
        return st;
    st = store->ops->grant_list(store, g->spare, &count, why);
    if (st)
        return st;
    g->version = version; /* asked for before: what came in between is seen the next time */
    g->loaded = true;
    pthread_rwlock_wrlock(&g->lock);
    g->rows = g->spare;
    g->count = count;
    pthread_rwlock_unlock(&g->lock);
    g->spare = before;
    return ST_OK;
}

bool grants_is_live(const struct store_grant *grant, int64_t now_s)
{
    return !grant->revoked_s && (!grant->expires_s || now_s < grant->expires_s);
}

bool grants_has(struct grants *g, const char *tenant, const char *context, int64_t now_s)
{
    bool has = false;

    pthread_rwlock_rdlock(&g->lock);
    for (int i = 0; i < g->count && !has; i++)
        has = grants_is_live(&g->rows[i], now_s) && !strcmp(g->rows[i].tenant, tenant) &&
              !strcmp(g->rows[i].context, context);
    pthread_rwlock_unlock(&g->lock);
    return has;
}
