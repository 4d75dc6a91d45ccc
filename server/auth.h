/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h - who is at the door: API keys, held in memory, checked without a disk.
 *
 * A key is "lmr-" and 40 hexadecimal digits, 160 random bits. Its first 12 characters may be shown
 * and name it; the store has only a SHA-256 of the whole. The keys are read from the store by the
 * thread that may wait for it, and looked at by io threads; a key that was revoked, or has expired,
 * stays refused by name. As long as no key was ever made nobody needs one: whoever opens a server
 * sees to it that only its own machine can reach it then.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "engine/tenant.h"
#include "server/http.h"
#include "store/scope.h"
#include "store/store.h"

#define AUTH_KEY_MAX        48        /* the text of a key, with a NUL */
#define AUTH_TENANT_DEFAULT "default" /* of keys that name none, and of those who need no key */

enum auth_verdict {
    AUTH_OK,
    AUTH_OPEN,    /* no key was made yet */
    AUTH_ABSENT,  /* no key came with the request */
    AUTH_UNKNOWN, /* or something that is none */
    AUTH_REVOKED,
    AUTH_EXPIRED,
    AUTH_SCOPE, /* a good key, for something else */
};

struct auth_caller {
    int tenant; /* of tenant.h; -1: refused */
    char prefix[STORE_PREFIX_MAX];
    unsigned scopes; /* of the key; 0 without one */
};

struct auth;

/* Makes a key out of nothing but chance: fills prefix and hash, and writes the text, which is
   nowhere else afterwards. ST_IO when the system has no random numbers. */
MUST_USE enum status auth_make(struct store_key *key, char text[AUTH_KEY_MAX]);

/* The prefix of what may be a whole key, or a prefix already. */
void auth_prefix(char out[STORE_PREFIX_MAX], const char *text);

/* `tenants` must outlive it. ST_FULL without memory. */
MUST_USE enum status auth_open(struct auth **out, struct tenants *tenants);
void auth_close(struct auth **a);

/* Read the keys again if they may have changed; *changed tells whether they were read. Waits for
   the disk. When it fails, what was known before goes on. */
MUST_USE enum status auth_load(struct auth *a, struct store *store, bool *changed, struct why *why);
int auth_count(struct auth *a); /* keys that were ever made, as far as the store remembers */

/* May who says `authorization` (the header's value) do what needs one of `scopes`? 0: any key will
   do. From any thread; takes the same time for every wrong key. */
enum auth_verdict auth_check(struct auth *a, struct http_text authorization, unsigned scopes,
                             int64_t now_s, struct auth_caller *out);

/* Begin the 401 or 403 for any verdict but AUTH_OK and AUTH_OPEN. */
void auth_refuse(struct answer *answer, enum auth_verdict verdict, unsigned scopes);

#endif /* SERVER_AUTH_H */
