/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appeal_parts.h - what the files named appeal*.c share, and nobody else.
 *
 * appeal.c is the reviewer's side, appeal_owner.c the owner's, appeal_decide.c what a person says,
 * appeal_words.c what is written into events and messages.
 */
#ifndef MODERATION_APPEAL_PARTS_H
#define MODERATION_APPEAL_PARTS_H

#include "moderation/appeal.h"

#define APPEAL_DAY_S 86400

MUST_USE enum status appeal_refuse(enum appeal_refusal *refusal, enum appeal_refusal r,
                                   struct why *why);

/* At most APPEAL_TEXT_MAX bytes, and something when it is required; ST_INVALID names it. */
MUST_USE enum status appeal_check_text(const char *text, bool required, const char *name,
                                       struct why *why);
/* Behind what was written before, an empty line between them. ST_INVALID: no room for it. */
MUST_USE enum status appeal_append(char to[STORE_SENTENCE_MAX], const char *text, const char *name,
                                   struct why *why);

/* An event about an item, without words. */
void appeal_event(struct store_event *out, const struct store_item *item, const char *actor,
                  const char *kind, int64_t now_ms);
/* {"reason": VALUE} as its words. ST_INVALID: too long; ST_FULL. */
MUST_USE enum status appeal_event_reason(struct store_event *e, const char *value, struct why *why);
/* The words of an item's ruling; standing: NULL when nothing moves. */
MUST_USE enum status appeal_event_ruling(struct store_event *e, const struct store_item *item,
                                         const char *standing, bool second, struct why *why);
const char *appeal_standing(enum store_standing standing); /* "blocked", ... */

/* What an owner's server is told; texts it has to ask for. */
struct appeal_news {
    const char *kind; /* "appeal.decided", ... */
    const char *decision, *tenant;
    const char *appeal; /* NULL: it is about none */
    enum store_standing standing;
    enum store_outcome outcome; /* STORE_UNDECIDED: none yet */
    int64_t now_s;
};

MUST_USE enum status appeal_tell(struct store_message *out, const struct appeal_news *news,
                                 struct why *why);

int64_t appeal_now_ms(const struct appeal_lease *l);
/* A move that came too late is told as what came in between, when that is known. */
MUST_USE enum status appeal_explain(struct store *s, const struct appeal_lease *l, enum status st,
                                    enum appeal_refusal *refusal, struct why *why);

/* It is nobody's. */
void appeal_drop(struct store_item *item);
/* Back to the queue; the time that its owner took is not counted against it. */
void appeal_resume(struct store_item *item, int64_t now_s);

#endif /* MODERATION_APPEAL_PARTS_H */
