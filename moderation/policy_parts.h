/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_parts.h - the inside of a policy, for the files named policy_*.c and nobody else.
 *
 * policy_file.c and policy_numbers.c fill it from the file, policy_check.c looks for what
 * contradicts itself, policy_decide.c reads it.
 */
#ifndef MODERATION_POLICY_PARTS_H
#define MODERATION_POLICY_PARTS_H

#include "base/strict.h"
#include "moderation/policy.h"

enum policy_method { POLICY_IDENTITY, POLICY_TEMPERATURE, POLICY_PLATT };

/* From logits to a p that can be believed. */
struct policy_calibration {
    enum policy_method method;
    double temperature; /* 1 unless it is the method */
    double a[POLICY_CATEGORIES_MAX],
        b[POLICY_CATEGORIES_MAX]; /* p = 1 / (1 + exp(-a*logit(p)-b)) */
};

struct policy_abstain {
    double energy_min, energy_max, disagreement, margin; /* NAN: not looked at */
    bool thin_allow_holds; /* just below a border is too close as well */
};

struct policy_override {
    const char *tenant;
    struct policy_bands bands[POLICY_CATEGORIES_MAX]; /* NAN: says nothing */
};

struct policy_relaxed {
    struct policy_bands bands[POLICY_CATEGORIES_MAX]; /* whole: what it does not say is filled in */
    enum band prompt[POLICY_CATEGORIES_MAX];
};

struct policy {
    struct strict file; /* all texts are in its document */
    char sha256[65];
    char *folder, *rules; /* ours; NULL: none */
    const char *id;
    int version;
    struct policy_settings settings;
    struct policy_calibration calibration[SCORES_MODELS];
    struct policy_abstain abstain;
    enum band on_error;
    enum band prompt; /* what is done where a category says nothing */
    unsigned ignored; /* classes, as in policy_category */
    int category_count, context_count, override_count;
    struct policy_category category[POLICY_CATEGORIES_MAX];
    struct policy_context context[POLICY_CONTEXTS_MAX];
    struct policy_relaxed relaxed[POLICY_CONTEXTS_MAX]; /* one for each context */
    struct policy_override override[POLICY_OVERRIDES_MAX];
};

#define POLICY_DAYS_MAX 3660

/* They leave what is wrong in p->file. */
void policy_file_read(struct policy *p);
void policy_numbers_read(struct policy *p);
void policy_check(struct policy *p);

/* The members "dsa_category" and "dsa_keyword" (NULL: none) where the reader stands. */
const char *policy_dsa_category(struct strict *s);
const char *policy_dsa_keyword(struct strict *s);

int policy_find_context(const struct policy *p, const char *id); /* below 0: none */

#endif /* MODERATION_POLICY_PARTS_H */
