/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docket.h - what is written down of a batch, made ready before the store is asked once.
 *
 * Each decision is a row; what was blocked, held or drawn for an audit brings with it a sealed
 * parcel (the texts, the picture as it was made, a preview), an event, what waits for a person, and
 * a word to its owner where he wants one.
 */
#ifndef ENGINE_JUDGE_DOCKET_H
#define ENGINE_JUDGE_DOCKET_H

#include "base/image.h"
#include "engine/judge.h"

struct docket {
    struct store_decision decision[JUDGE_BATCH_MAX];
    struct store_object object[JUDGE_BATCH_MAX];
    struct store_item item[JUDGE_BATCH_MAX];
    struct store_event event[JUDGE_BATCH_MAX];
    struct store_message message[JUDGE_BATCH_MAX];
    int decisions, objects, items, events, messages;
};

/* What a decision is about. */
struct docket_matter {
    const struct policy *policy;
    const struct verdict *verdict;
    const char *prompt, *negative;
    const struct image *image; /* NULL: only the texts were judged */
};

/* One more. `row` is whole but for what the verdict and the policy say: those are filled in, and
   what has to be kept is sealed. On failure the docket is as it was. */
MUST_USE enum status docket_add(struct docket *d, const struct judge *j,
                                const struct store_decision *row, const struct docket_matter *m,
                                struct why *why);

/* Into the store, all or none. */
MUST_USE enum status docket_commit(struct docket *d, const struct judge *j, struct why *why);

/* Forget it all: what was sealed is wiped. */
void docket_clear(struct docket *d);

#endif /* ENGINE_JUDGE_DOCKET_H */
