/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - what a policy would have done with pictures that were scored before.
 *
 * A record is a line of JSON: "id", "scores" (as scores.h prints them; null: the picture could not
 * be judged), and when they are known "tenant", "context", "model" (that made it) and "action"
 * (what was done). Other keys are not looked at. No breaker is open in a replay: what people said
 * of a policy's blocks is no part of the policy.
 */
#ifndef MODERATION_REPLAY_H
#define MODERATION_REPLAY_H

#include "moderation/policy.h"

#include <stdio.h>

#define REPLAY_LINE_MAX 65536

/* Policy, baseline and the callback are the caller's; the counts begin as 0. */
struct replay {
    const struct policy *policy;
    const struct policy *baseline; /* NULL: compared with the recorded action, when there is one */
    void (*moved)(void *arg, const char *id, enum band from, enum band to); /* NULL: nobody asks */
    void *arg;

    long pictures;
    long action[BAND_COUNT];
    long held_for[CAUSE_COUNT];
    long held[POLICY_CATEGORIES_MAX], blocked[POLICY_CATEGORIES_MAX];
    long compared, moves[BAND_COUNT][BAND_COUNT]; /* [from][to] */
    double audits; /* how many would be drawn for the blind audit, in the mean */
};

MUST_USE enum status replay_line(struct replay *r, const char *text, size_t bytes, struct why *why);

/* All lines; empty ones are skipped. What is wrong is "NAME:LINE: sentence". */
MUST_USE enum status replay_file(struct replay *r, FILE *file, const char *name, struct why *why);

/* The share of pictures that a person has to look at: held, or drawn. */
double replay_review_share(const struct replay *r);

#endif /* MODERATION_REPLAY_H */
