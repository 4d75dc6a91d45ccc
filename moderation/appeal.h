/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appeal.h - the state machine of what waits for people: who may move what, and by when.
 *
 *     queued -> claimed -> decided          a person's word; overturned, partly, upheld, illegal
 *     claimed -> queued                     lease over, released, skipped
 *     claimed -> asked -> queued            the owner was asked, and answered or ran out of time
 *     queued | asked -> withdrawn           by the owner
 *     queued | asked | claimed -> superseded  a precedent or a newer policy let the picture go
 *
 * Held pictures, appeals, audits, second opinions and golden items all move so (store_item). A move
 * is made from the version that was looked at, so of two that collide one is told ST_LATE, and
 * nothing is lost. Nobody decides twice about one decision: not an appeal against his own block,
 * not a second opinion on himself. Reaching a deadline escalates; it never closes anything.
 *
 * Any thread that may wait for a disk. The token of a lease is known to its holder alone.
 */
#ifndef MODERATION_APPEAL_H
#define MODERATION_APPEAL_H

#include "moderation/policy.h"
#include "store/store.h"

#define APPEAL_TOKEN_MAX   48    /* with a NUL */
#define APPEAL_TEXT_MAX    2000  /* bytes of what people write; the policy may say less */
#define APPEAL_LEASE_S     600   /* a claim's, and each heartbeat's */
#define APPEAL_SKIPS_MAX   3     /* then it goes to the queue APPEAL_HARD */
#define APPEAL_ASIDE_S     14400 /* who skipped an item is not given it for so long */
#define APPEAL_HARD        "hard"
#define APPEAL_GENERAL     "general"
#define APPEAL_DECIDED_MAX 2 /* of one decision; the second with other words than the first */
#define APPEAL_FILED_MAX   8 /* of one decision, those that were withdrawn too */

/* Why not, beside ST_REFUSED: what a client is told as the code. What was written wrongly is
   ST_INVALID, what is not there ST_MISSING, and what somebody else moved meanwhile ST_LATE; these
   have none. */
enum appeal_refusal {
    APPEAL_FINE,
    APPEAL_NOT_APPEALABLE, /* the category, or nothing was blocked */
    APPEAL_WINDOW_EXPIRED,
    APPEAL_ALREADY,        /* one is open */
    APPEAL_KEY_REUSED,     /* Idempotency-Key with another request */
    APPEAL_DECIDED_BEFORE, /* by the same person, or he had part in it */
    APPEAL_LEASE_OVER,     /* or another's, or none */
    APPEAL_STATE,          /* not in this state: decided, withdrawn, ... */
    APPEAL_REFUSALS
};

const char *appeal_refusal_code(enum appeal_refusal r); /* "window_expired", ...; or "" */

struct appeal_filing {
    const char *reason, *text; /* reason: medical, art, not_what_it_says, other; text may be "" */
    const char *key;           /* Idempotency-Key; or "" */
    int64_t now_s;
};

/* The owner of `decision` contests it. *out is the item, also of a replay, and of one that is open
   already. */
MUST_USE enum status appeal_file(struct store *s, const struct policy *p,
                                 const struct store_decision *decision,
                                 const struct appeal_filing *filing, struct store_item *out,
                                 bool *replayed, enum appeal_refusal *refusal, struct why *why);
MUST_USE enum status appeal_withdraw(struct store *s, const char *item, int64_t now_s,
                                     enum appeal_refusal *refusal, struct why *why);
/* The owner answers what he was asked. */
MUST_USE enum status appeal_reply(struct store *s, const char *item, const char *text,
                                  int64_t now_s, enum appeal_refusal *refusal, struct why *why);

/* The most urgent item that this reviewer may have, leased to him for APPEAL_LEASE_S. The lease in
   `want` is not looked at. ST_MISSING: there is none. */
MUST_USE enum status appeal_claim(struct store *s, const struct store_want *want,
                                  struct store_item *out, char token[APPEAL_TOKEN_MAX],
                                  struct why *why);
/* What a reviewer shows to prove that an item is his. `reviewer` is a key's prefix: who has two
   keys is two people here. */
struct appeal_lease {
    const char *item, *reviewer, *token;
    int64_t now_s;
    int64_t now_ms; /* the same more exactly, for the time that he took; 0: not known */
};
MUST_USE enum status appeal_beat(struct store *s, const struct appeal_lease *l,
                                 int64_t *lease_until_s, enum appeal_refusal *refusal,
                                 struct why *why);
/* Back to the queue; `skip` says why (NULL: just released), and is kept among the events: others
   come first then. */
MUST_USE enum status appeal_put_back(struct store *s, const struct appeal_lease *l,
                                     const char *skip, enum appeal_refusal *refusal,
                                     struct why *why);
/* Of an appeal alone: of other items there is nobody to ask. */
MUST_USE enum status appeal_ask(struct store *s, const struct appeal_lease *l, const char *question,
                                enum appeal_refusal *refusal, struct why *why);
/* May he look at the item's picture now? */
MUST_USE enum status appeal_holds(struct store *s, const struct appeal_lease *l,
                                  struct store_item *out, enum appeal_refusal *refusal,
                                  struct why *why);

struct appeal_ruling {
    enum store_outcome outcome;
    const char *code, *clause, *answer; /* all required; the answer is what the owner reads */
    int confidence;                     /* 1 to 5; 0: not said */
    bool second; /* a second opinion is wanted before it counts: of holds and appeals */
};

/* Decide, with everything that follows of it in one transaction: the decision's standing, the
   released bytes, the event, the owner's message, how long things are kept.

       hold     lets it go, or blocks it; then its owner may appeal, from now on
       appeal   lets it go, or blocks it finally
       second   the same for the item that it looks at again
       audit    lets go what was stopped wrongly; moves nothing else
       golden   moves nothing

   Illegal seals it, whatever it was, but a golden one. `release` is required where a picture goes
   to its owner, else it is not looked at; without it ST_LATE: it stands not as you believed. *out
   is the item afterwards. */
MUST_USE enum status appeal_decide(struct store *s, const struct policy *p,
                                   const struct appeal_lease *l, const struct appeal_ruling *ruling,
                                   const struct store_release *release, struct store_item *out,
                                   enum appeal_refusal *refusal, struct why *why);

/* What is overdue is escalated; questions that nobody answered in the policy's info_days go back to
   the queue. *count: how many of both. */
MUST_USE enum status appeal_sweep(struct store *s, const struct policy *p, int64_t now_s,
                                  int *count, struct why *why);

/* The item of a held picture, an audit, as they are added with their decision. Without randomness
   it has no id, and no store takes it. */
void appeal_item(struct store_item *out, const struct policy *p,
                 const struct store_decision *decision, enum store_item_kind kind, int64_t now_s);

#endif /* MODERATION_APPEAL_H */
