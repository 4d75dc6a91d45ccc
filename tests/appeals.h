/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appeals.h - what tests of appeals do all the time, over rows.h: a policy, filing, claiming,
 * deciding. What is expected to succeed must.
 */
#ifndef TESTS_APPEALS_H
#define TESTS_APPEALS_H

#include "moderation/appeal.h"
#include "tests/rows.h"

/* "sexual_explicit" may be appealed, "always" may not; first review in 24 h, final in 72; the
   window is 183 days, a question waits 7, and 30 after the last word things go. */
extern struct policy *appeals_policy;

/* Set-up and tear-down of a test: the policy, and rows_open's folder. */
int appeals_open(void **state);
int appeals_close(void **state);

/* Of "dec_N", which is as it stands now. */
enum status appeals_file(struct store *s, int decision, const char *text, const char *key,
                         struct store_item *out, bool *replayed, enum appeal_refusal *refusal);
/* The same, when it succeeds. */
struct store_item appeals_filed(struct store *s, int decision);

/* An item in somebody's hands. */
struct appeals_hand {
    struct store_item item;
    char reviewer[16], token[APPEAL_TOKEN_MAX];
};

enum status appeals_try_claim(struct store *s, const char *reviewer, unsigned kinds, int64_t now_s,
                              struct appeals_hand *out);
struct appeals_hand appeals_claim(struct store *s, const char *reviewer, unsigned kinds);
struct appeal_lease appeals_lease(const struct appeals_hand *h, int64_t now_s);

struct appeal_ruling appeals_ruling(enum store_outcome outcome);
/* With a picture at hand, when `release` says so. */
enum status appeals_decide(struct store *s, const struct appeals_hand *h,
                           const struct appeal_ruling *ruling, bool release,
                           enum appeal_refusal *refusal);

/* An audit "item_N" of a decision. */
void appeals_audit(struct store *s, int number, int decision);

/* Where an appeal can be: in lmr-1's hands, in others', in his and too long, ... */
enum appeals_place {
    PLACE_QUEUED,
    PLACE_MINE,
    PLACE_OTHERS,
    PLACE_OVER,
    PLACE_ASKED,
    PLACE_DECIDED,
    PLACE_WITHDRAWN,
    PLACE_SUPERSEDED,
    PLACES
};

/* "dec_1" is blocked, and its appeal is there; what lmr-1 had in hand on the way. */
struct appeals_hand appeals_reach(struct store *s, enum appeals_place place);

#endif /* TESTS_APPEALS_H */
