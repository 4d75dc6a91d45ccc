/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flag.h - the numbers behind the flags of `limner bench`. What is wrong is said with the flag's
 * name and what it takes.
 */
#ifndef SERVER_BENCH_FLAG_H
#define SERVER_BENCH_FLAG_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct flag_range {
    const char *flag; /* "--rate" */
    double low, high; /* both allowed */
    bool whole;
};

MUST_USE enum status flag_number(double *out, const char *text, struct flag_range range,
                                 struct why *why);
/* A whole one; the ends are within 2^53. 0 when it fails. */
MUST_USE enum status flag_int(int64_t *out, const char *text, const char *flag, double low,
                              double high, struct why *why);

#endif /* SERVER_BENCH_FLAG_H */
