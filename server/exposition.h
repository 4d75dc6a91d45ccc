/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition.h - Prometheus' text format 0.0.4, line by line into a stream.
 *
 * Whoever writes says the head of a family once and then its series; errors stay with the stream.
 */
#ifndef SERVER_EXPOSITION_H
#define SERVER_EXPOSITION_H

#include "base/histogram.h"

#include <stdio.h>

#define EXPOSITION_LABEL_MAX 192 /* of one value, escaped; longer ones are cut */

/* The upper bounds of a family of histograms. Each is a border of the histogram, so that what is
   told of it is exact. */
struct exposition_bounds {
    const uint64_t *of;
    int count;
    double unit; /* of a recorded value, in what the family tells: 1e-6 for microseconds */
};

void exposition_head(FILE *page, const char *name, const char *type, const char *help);

/* A value as it may stand between quotes. */
void exposition_label(char out[EXPOSITION_LABEL_MAX], const char *value);

/* All lines of one series. `labels` as in `stage="text",model="a"`. */
void exposition_histogram(FILE *page, const char *name, const char *labels,
                          const struct exposition_bounds *bounds, const struct histogram *h);

#endif /* SERVER_EXPOSITION_H */
