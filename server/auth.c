/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"

#include "base/crypto.h"
#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MARK          "lmr-"
#define RANDOM_BYTES  20
#define PREFIX_LENGTH 12 /* the mark and 8 digits: 128 bits stay unseen */

/* What a check needs of a key. */
struct entry {
    uint8_t hash[32];
    char prefix[STORE_PREFIX_MAX];
    unsigned scopes;
    int64_t expires_s;
    bool revoked;
    int tenant;
};

struct auth {
    struct tenants *tenants;
    int tenant_default;
    pthread_rwlock_t lock; /* of the entries: held to compare them or to exchange them, no longer */
    struct entry *entries;
    int count;
    struct entry *spare; /* of the one who loads, as what follows */
    struct store_key *rows;
    int64_t version;
    bool loaded;
};

/* ---- keys ---- */

enum status auth_make(struct store_key *key, char text[AUTH_KEY_MAX])
{
    uint8_t random[RANDOM_BYTES];
    enum status st = crypto_random(random, sizeof(random));

    if (st)
        return st;
    memcpy(text, MARK, sizeof(MARK));
    crypto_hex(text + strlen(MARK), random, sizeof(random));
    crypto_wipe(random, sizeof(random));
    auth_prefix(key->prefix, text);
    crypto_sha256(key->hash, text, strlen(text));
    return ST_OK;
}

void auth_prefix(char out[STORE_PREFIX_MAX], const char *text)
{
    snprintf(out, STORE_PREFIX_MAX, "%.*s", PREFIX_LENGTH, text);
}

/* ---- what the store holds ---- */

enum status auth_open(struct auth **out, struct tenants *tenants)
{
    struct auth *a = calloc(1, sizeof(*a));

    *out = a;
    if (!a)
        return ST_FULL;
    pthread_rwlock_init(&a->lock, NULL);
    a->tenants = tenants;
    a->tenant_default = tenant_find(tenants, AUTH_TENANT_DEFAULT);
    assert(a->tenant_default >= 0);
    a->entries = calloc(STORE_KEYS_MAX, sizeof(*a->entries));
    a->spare = calloc(STORE_KEYS_MAX, sizeof(*a->spare));
    a->rows = calloc(STORE_KEYS_MAX, sizeof(*a->rows));
    if (a->entries && a->spare && a->rows)
        return ST_OK;
    auth_close(out);
    return ST_FULL;
}

void auth_close(struct auth **a)
{
    struct auth *it = *a;

    if (!it)
        return;
    pthread_rwlock_destroy(&it->lock);
    free(it->entries);
    free(it->spare);
    free(it->rows);
    free(it);
    *a = NULL;
}

static void take_row(struct auth *a, struct entry *e, const struct store_key *row)
{
    *e = (struct entry){.scopes = row->scopes,
                        .expires_s = row->expires_s,
                        .revoked = row->revoked_s != 0,
                        .tenant = tenant_find(a->tenants, row->tenant)};
    memcpy(e->hash, row->hash, sizeof(e->hash));
    memcpy(e->prefix, row->prefix, sizeof(e->prefix));
    if (e->tenant < 0)
        log_error("tenants", "more than %d tenants were known since the start: key %s is refused",
                  TENANT_MAX, row->prefix);
}

enum status auth_load(struct auth *a, struct store *store, bool *changed, struct why *why)
{
    struct entry *before = a->entries;
    int64_t version;
    int count;
    enum status st = store->ops->version(store, &version, why);

    *changed = false;
    if (st || (a->loaded && version == a->version))
        return st;
    st = store->ops->key_list(store, a->rows, &count, why);
    if (st)
        return st;
    a->version = version; /* asked for before: what came in between is seen the next time */
    a->loaded = *changed = true;
    for (int i = 0; i < count; i++)
        take_row(a, &a->spare[i], &a->rows[i]);
    pthread_rwlock_wrlock(&a->lock);
    a->entries = a->spare;
    a->count = count;
    pthread_rwlock_unlock(&a->lock);
    a->spare = before;
    return ST_OK;
}

int auth_count(struct auth *a)
{
    int count;

    pthread_rwlock_rdlock(&a->lock);
    count = a->count;
    pthread_rwlock_unlock(&a->lock);
    return count;
}

/* ---- the check ---- */

/* What stands behind "Bearer"; data is NULL when that is not what stands there. */
static struct http_text token_of(struct http_text header)
{
    static const char scheme[] = "Bearer ";
    struct http_text token = {NULL, 0};

    if (!header.data || header.bytes < sizeof(scheme) - 1 ||
        strncasecmp(header.data, scheme, sizeof(scheme) - 1))
        return token;
    token.data = header.data + sizeof(scheme) - 1;
    token.bytes = header.bytes - (sizeof(scheme) - 1);
    while (token.bytes && token.data[0] == ' ') {
        token.data++;
        token.bytes--;
    }
    return token.bytes ? token : (struct http_text){NULL, 0};
}

/* All of them are compared, whole: time tells nobody how near a guess came. */
static const struct entry *find(const struct auth *a, struct http_text token)
{
    const struct entry *found = NULL;
    uint8_t hash[32];

    crypto_sha256(hash, token.data, token.bytes);
    for (int i = 0; i < a->count; i++) {
        if (crypto_equal(hash, a->entries[i].hash, sizeof(hash)))
            found = &a->entries[i];
    }
    return found;
}

static enum auth_verdict judge(const struct entry *e, unsigned scopes, int64_t now_s)
{
    if (!e)
        return AUTH_UNKNOWN;
    if (e->revoked)
        return AUTH_REVOKED;
    if (e->expires_s && now_s >= e->expires_s)
        return AUTH_EXPIRED;
    if (e->tenant < 0 || (scopes && !(e->scopes & scopes)))
        return AUTH_SCOPE;
    return AUTH_OK;
}

enum auth_verdict auth_check(struct auth *a, struct http_text authorization, unsigned scopes,
                             int64_t now_s, struct auth_caller *out)
{
    struct http_text token = token_of(authorization);
    enum auth_verdict verdict = AUTH_ABSENT;
    const struct entry *e;

    *out = (struct auth_caller){.tenant = -1};
    pthread_rwlock_rdlock(&a->lock);
    if (a->count == 0) {
        verdict = AUTH_OPEN;
        out->tenant = a->tenant_default;
    } else if (token.data) {
        e = find(a, token);
        verdict = judge(e, scopes, now_s);
        if (e)
            memcpy(out->prefix, e->prefix, sizeof(out->prefix));
        if (verdict == AUTH_OK) {
            out->tenant = e->tenant;
            out->scopes = e->scopes;
        }
    }
    pthread_rwlock_unlock(&a->lock);
    return verdict;
}

/* ---- no ---- */

static const struct {
    int status;
    const char *code, *error, *message; /* `error` as RFC 6750 names it */
} refusals[] = {
    [AUTH_ABSENT] = {401, "missing_api_key", NULL,
                     "this server needs an API key: send it as Authorization: Bearer KEY"},
    [AUTH_UNKNOWN] = {401, "invalid_api_key", "invalid_token", "this API key is not known"},
    [AUTH_REVOKED] = {401, "invalid_api_key", "invalid_token", "this API key was revoked"},
    [AUTH_EXPIRED] = {401, "invalid_api_key", "invalid_token", "this API key has expired"},
    [AUTH_SCOPE] = {403, "insufficient_permissions", "insufficient_scope", NULL},
};

void auth_refuse(struct answer *answer, enum auth_verdict verdict, unsigned scopes)
{
    struct failure failure = {.code = refusals[verdict].code};
    char names[SCOPE_TEXT_MAX], message[SCOPE_TEXT_MAX + 64];

    scope_print(names, scopes);
    snprintf(message, sizeof(message), "this API key may not do this: it needs the scope %s",
             names);
    answer_fail_http(answer, refusals[verdict].status, failure,
                     refusals[verdict].message ? refusals[verdict].message : message);
    if (verdict == AUTH_SCOPE)
        answer_header(answer, "www-authenticate",
                      "Bearer realm=\"limner\", error=\"%s\", scope=\"%s\"",
                      refusals[verdict].error, names);
    else if (refusals[verdict].error)
        answer_header(answer, "www-authenticate", "Bearer realm=\"limner\", error=\"%s\"",
                      refusals[verdict].error);
    else
        answer_header(answer, "www-authenticate", "Bearer realm=\"limner\"");
}
