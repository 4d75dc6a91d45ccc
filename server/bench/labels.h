/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels.h - a short list of names, learned as they are met: stages of a server, codes of errors.
 *
 * A sample keeps the number of a name instead of the name. What strangers send cannot make the list
 * grow: a name that finds no more room is counted as "other".
 */
#ifndef SERVER_BENCH_LABELS_H
#define SERVER_BENCH_LABELS_H

#include <stddef.h>

#define LABELS_MAX   12
#define LABEL_BYTES  48 /* a longer name is cut; with its NUL */
#define LABELS_OTHER "other"

struct labels {
    char name[LABELS_MAX][LABEL_BYTES];
    int count;
};

/* The number of a name, 0 to LABELS_MAX - 1. What would not print is kept as '?'. */
int labels_find(struct labels *l, const char *text, size_t bytes);

#endif /* SERVER_BENCH_LABELS_H */
