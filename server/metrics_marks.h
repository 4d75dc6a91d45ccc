/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_marks.h - what the metrics page says of marks and the log.
 */
#ifndef SERVER_METRICS_MARKS_H
#define SERVER_METRICS_MARKS_H

#include <stdio.h>

struct marker;

/* The families. Without a marker there is one that says so. */
void metrics_write_marks(FILE *page, const struct marker *marker);

#endif /* SERVER_METRICS_MARKS_H */
