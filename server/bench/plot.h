/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plot.h - a run as one picture: latency over time, its distribution, the stages.
 *
 * An SVG that needs nothing else and stays small: points that would fall onto each other are drawn
 * once, so an outlier never gets lost and a million samples draw as fast as a thousand.
 */
#ifndef SERVER_BENCH_PLOT_H
#define SERVER_BENCH_PLOT_H

#include "server/bench/report.h"

/* ST_FULL without memory for one number per sample. Whether `out` took it is for the caller to see.
 */
MUST_USE enum status plot_write(FILE *out, const struct report *r, const struct samples *samples,
                                const struct mix *mix, const struct report_about *about);

#endif /* SERVER_BENCH_PLOT_H */
