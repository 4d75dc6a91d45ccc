/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moderated.h - what a caller is told of a decision: which picture, why, by what rule, and what a
 * person can do about it.
 *
 *     {"decision_id","stage","action","status","category","reason","policy","automated",
 *      "retryable","billed","human_review","appeal","statement_url"}        of what was kept back
 *     {"decision_id","action":"allow"}                                      of what was not
 *
 * Nothing here says a score or a threshold: callers get the reason, not the number to aim below.
 * Links are signed (moderation/link.h) and the same every time, so that a decision that is told
 * twice is told alike. The statement of reasons is statement.h's.
 *
 * Any thread; nothing waits.
 */
#ifndef SERVER_MODERATED_H
#define SERVER_MODERATED_H

#include "moderation/policy.h"
#include "server/answer.h"
#include "server/service.h"
#include "store/moderation.h"

#define MODERATED_URL_MAX  768
#define MODERATED_DATE_MAX 24
#define MODERATED_CODE     "moderation_blocked"
#define MODERATED_LINK     "decision" /* the purpose of its links */

/* What is needed beside the decision. Borrowed. */
struct moderated {
    const struct policy *policy;
    const char *public_url; /* how clients reach this server, without a slash at the end; or "" */
    const uint8_t *secret;  /* 32 bytes: signs the links; NULL: they open nothing, as for others
                               than the owner */
    const char *language;   /* the reader's, such as "de"; NULL: the policy's first */
    int64_t now_s;
};

/* As this server does it now, until moderated_close. */
void moderated_open(struct moderated *m, struct service *s);
void moderated_close(struct moderated *m, struct service *s);

/* As a member of an object, or by itself without a name. */
void moderated_write(struct json_out *o, const char *name, const struct moderated *m,
                     const struct store_decision *d);

/* Begin the 400 for a request of which nothing can be delivered: `count` decisions, all blocks. */
void moderated_refuse(struct answer *a, const struct moderated *m,
                      const struct store_decision *const *decisions, int count);
/* The error object itself, {"message","type",...}, for streams. */
void moderated_error(struct json_out *o, const char *name, const struct moderated *m,
                     const struct store_decision *const *decisions, int count);

/* May its owner contest it now? */
bool moderated_is_appealable(const struct moderated *m, const struct store_decision *d);
/* Is it kept from its owner, as it stands now? */
bool moderated_is_withheld(const struct store_decision *d);
const char *moderated_language(const struct moderated *m);
/* Its category in the policy; NULL: it has none, or the policy knows it no more. */
const struct policy_category *moderated_category(const struct moderated *m,
                                                 const struct store_decision *d);
/* "high" for what was blocked, "medium", "low"; "none" */
const char *moderated_severity(const struct moderated *m, const struct store_decision *d);
const char *moderated_standing(enum store_standing standing); /* "allowed", "held", ... */
/* Why, in one word and in a sentence or two of the reader's language. */
const char *moderated_reason_code(const struct store_decision *d);
void moderated_reason(char out[POLICY_REASON_MAX + 256], const struct moderated *m,
                      const struct store_decision *d);

/* PUBLIC/v1/decisions/ID?token=..., PUBLIC/appeal/ID?token=... */
void moderated_statement_url(char out[MODERATED_URL_MAX], const struct moderated *m,
                             const struct store_decision *d);
void moderated_appeal_url(char out[MODERATED_URL_MAX], const struct moderated *m,
                          const struct store_decision *d);
/* 2026-11-30T21:16:00Z */
void moderated_date(char out[MODERATED_DATE_MAX], int64_t time_s);
void moderated_write_date(struct json_out *o, const char *name, int64_t time_s); /* 0: null */
/* When a person will have looked at it for the first time, as the policy promises. */
int64_t moderated_first_review(const struct moderated *m, const struct store_decision *d);

#endif /* SERVER_MODERATED_H */
