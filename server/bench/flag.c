/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/flag.h"

#include <math.h>
#include <stdlib.h>

enum status flag_number(double *out, const char *text, struct flag_range range, struct why *why)
{
    char *end;

    *out = strtod(text, &end);
    if (end == text || *end || !isfinite(*out) || *out < range.low || *out > range.high ||
        (range.whole && *out != floor(*out)))
        return why_fail(why, ST_INVALID, "%s takes %s from %.10g to %.16g, not '%.32s'", range.flag,
                        range.whole ? "an integer" : "a number", range.low, range.high, text);
    return ST_OK;
}

enum status flag_int(int64_t *out, const char *text, const char *flag, double low, double high,
                     struct why *why)
{
    double value = 0;
    enum status st = flag_number(&value, text, (struct flag_range){flag, low, high, true}, why);

    *out = st ? 0 : (int64_t)value;
    return st;
}
