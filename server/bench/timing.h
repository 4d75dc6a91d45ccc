/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timing.h - the header Server-Timing of an answer: which stage took how long.
 *
 *     Server-Timing: queue;dur=1.5, text;dur=0.2;desc="prompt", cached
 */
#ifndef SERVER_BENCH_TIMING_H
#define SERVER_BENCH_TIMING_H

#include "server/bench/labels.h"

/* Write the milliseconds of every stage that states a duration to its number of `stages`; the other
   places of `ms` stay as they were. Entries that make no sense are passed over: the answer is a
   stranger's. */
void timing_read(float ms[LABELS_MAX], struct labels *stages, const char *text, size_t bytes);

/* A number from 0 that is all of `bytes` bytes, or -1. */
double timing_number(const char *text, size_t bytes);

#endif /* SERVER_BENCH_TIMING_H */
