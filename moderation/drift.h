/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drift.h - are the scores still those that the bands were chosen for?
 *
 * For each category the last pictures' p are counted in bins and compared with a reference: the
 * policy file's, or that of the first pictures. The population stability index is the sum of
 * (now - reference) * ln(now / reference) over the bins; by rule of thumb 0.1 is worth a look and
 * 0.25 is another population. Bins are narrow near 0, where the p of most pictures are.
 *
 * Any thread may call anything; there is a lock inside.
 */
#ifndef MODERATION_DRIFT_H
#define MODERATION_DRIFT_H

#include "base/status.h"
#include "moderation/policy.h"

#include <stdbool.h>

#define DRIFT_WINDOW_MAX 65536

enum drift_level { DRIFT_LEARNING, DRIFT_FILLING, DRIFT_CALM, DRIFT_ALERT, DRIFT_PAGE };

struct drift_reading {
    enum drift_level level;
    double psi; /* 0 unless the window is full */
    long pictures;
    double reference[POLICY_BINS], now[POLICY_BINS]; /* shares */
};

struct drift;

/* The reference is the policy's for the main classifier; without one it is learned. */
MUST_USE enum status drift_open(struct drift **out, const struct policy *policy, struct why *why);
void drift_close(struct drift **d);

/* One picture: its verdict's p. What is no number is not counted. */
void drift_add(struct drift *d, const double p[POLICY_CATEGORIES_MAX]);
void drift_read(struct drift *d, int category, struct drift_reading *out);

/* A learned reference outlives the process: taken from a reading, and given back. */
void drift_set_reference(struct drift *d, int category, const double reference[POLICY_BINS]);

int drift_bin(double p); /* 0..POLICY_BINS-1 */
double drift_psi(const double reference[POLICY_BINS], const double now[POLICY_BINS]);
const char *drift_level_name(enum drift_level level);

#endif /* MODERATION_DRIFT_H */
