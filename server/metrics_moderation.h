/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_moderation.h - how often what was decided, and what of it was told with its reasons.
 *
 * Categories are those of the policies since the start, and at most METRICS_CATEGORIES_MAX: what
 * comes after them is counted as "other". Counting is one atomic addition, from any thread.
 */
#ifndef SERVER_METRICS_MODERATION_H
#define SERVER_METRICS_MODERATION_H

#include "moderation/policy.h"
#include "store/moderation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define METRICS_CATEGORIES_MAX 32

struct hook;
struct judge;

struct metrics_moderation {
    pthread_mutex_t lock; /* of new names; those that are there stay as they are */
    atomic_int name_count;
    char name[METRICS_CATEGORIES_MAX][STORE_NAME_MAX];
    /* of prompts and of pictures; the last category is what has no place */
    atomic_ullong decided[2][METRICS_CATEGORIES_MAX + 1][BAND_COUNT][CAUSE_COUNT];
    atomic_ullong withheld, stated; /* kept back, and told so with a statement of reasons */
};

void metrics_moderation_init(struct metrics_moderation *m);

/* `category` may be empty: none was decisive. */
void metrics_decided(struct metrics_moderation *m, enum store_stage stage, const char *category,
                     enum band action, enum cause cause);
/* So many were kept back; were their owners told why? */
void metrics_stated(struct metrics_moderation *m, int count, bool told);

/* The families; `hook` may be NULL. */
void metrics_write_moderation(FILE *page, const struct metrics_moderation *m, struct judge *judge,
                              struct hook *hook, int64_t now_s);

#endif /* SERVER_METRICS_MODERATION_H */
