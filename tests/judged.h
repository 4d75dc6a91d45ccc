/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judged.h - policies for tests that run limner: they put any picture where a test wants it.
 *
 * There is one category, "plain", whose p is that of the class Neutral: something between 0 and 1
 * for what tiny models make.
 */
#ifndef TESTS_JUDGED_H
#define TESTS_JUDGED_H

#include "store/store.h"

#define JUDGED_NEVER 2 /* a border that is not there */

struct judged {
    double blur, hold, block; /* from which p on; 0: always */
    const char *rules;        /* of prompts: a path; NULL: none */
    int version;
};

/* The file, made or written anew. */
void judged_write(const char *path, const struct judged *p);

/* p of a decision's picture, from the scores in its record. */
double judged_p(const struct store_decision *d);

/* The newest decisions of all tenants, from a store that a server may have open as well. */
int judged_list(const char *folder, struct store_decision *out, int max);
/* Waits until there are so many. */
void judged_wait(const char *folder, int count);

/* A person looks at what waits longest, and lets it go; or he blocks it. */
void judged_let_go(const char *folder);
void judged_uphold(const char *folder);

#endif /* TESTS_JUDGED_H */
