/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook.h - words to tenants' own servers: what was decided, and what became of an appeal.
 *
 * A message is a row of the store, written with the decision that it tells of. One thread sends
 * what is due to its tenant's address, signed as Standard Webhooks say:
 *
 *     webhook-id: msg_...            the same at every try: who has seen it forgets it
 *     webhook-timestamp: 1793000000
 *     webhook-signature: v1,base64(HMAC-SHA256(key, id.timestamp.body))
 *
 * An answer of 200 to 299 is the end of it. Anything else is tried again, later and later, until
 * WEBHOOK_GIVE_UP_S after it was written; 410 says that nobody will listen ever. What was given up
 * is counted and stays in the store for a while. Redirects are not followed, and only
 * loopback may be spoken to in the clear. Before a try its next time is written, so two tries do
 * not meet, also when the process falls between them.
 *
 * Messages to a tenant without an address wait, in case that he gets one, as long as others do.
 */
#ifndef SERVER_WEBHOOK_H
#define SERVER_WEBHOOK_H

#include "store/store.h"

#include <stdbool.h>

#define WEBHOOK_SECRET_MAX    64 /* bytes of a key; at least 24 */
#define WEBHOOK_SIGNATURE_MAX 64
#define WEBHOOK_GIVE_UP_S     (3 * 24 * 3600)

struct webhook;

struct webhook_target {
    char tenant[STORE_TENANT_MAX]; /* empty: of all who have none of their own */
    char url[STORE_URL_MAX];
    uint8_t secret[WEBHOOK_SECRET_MAX];
    size_t secret_bytes;
};

struct webhook_options {
    struct store *store;
    int timeout_ms; /* of one try; 0: 10 s */
    const int
        *delay_s;    /* after the first failed try, the second, ...; the last one repeats; NULL: */
    int delay_count; /* 5 s, 30 s, 2 min, 10 min, 1 h, 6 h */
    int give_up_s;   /* 0: WEBHOOK_GIVE_UP_S */
};

struct webhook_stats {
    int64_t delivered, failed /* tries */, given_up; /* since the start */
    int64_t slowest_ms; /* from the writing of a message to its delivery */
};

/* `url` is https, or http to loopback; `secret` is "whsec_" and base64 of 24 to 64 bytes. */
MUST_USE enum status webhook_target_set(struct webhook_target *out, const char *tenant,
                                        const char *url, const char *secret, struct why *why);

/* "v1,..." of a body. */
void webhook_sign(char out[WEBHOOK_SIGNATURE_MAX], const struct webhook_target *t, const char *id,
                  int64_t now_s, const char *body);

/* The thread is started. ST_FULL without memory. */
MUST_USE enum status webhook_open(struct webhook **out, const struct webhook_options *options,
                                  struct why *why);
/* In place of the targets before; what is on its way goes where it went. */
MUST_USE enum status webhook_configure(struct webhook *w, const struct webhook_target *targets,
                                       int count, struct why *why);
/* Has this tenant an address? Any thread. */
bool webhook_reaches(struct webhook *w, const char *tenant);
void webhook_wake(struct webhook *w); /* something was written; any thread */
void webhook_get_stats(struct webhook *w, struct webhook_stats *out);
/* Tries under way are broken off: the next start makes them again. */
void webhook_close(struct webhook **w);

#endif /* SERVER_WEBHOOK_H */
