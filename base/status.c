/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

enum status why_fail(struct why *why, enum status st, const char *format, ...)
{
    if (why) {
        va_list args;

        va_start(args, format);
        vsnprintf(why->text, sizeof(why->text), format, args);
        va_end(args);
    }
    return st;
}

const char *status_name(enum status st)
{
    switch (st) {
    case ST_OK:
        return "ok";
    case ST_INVALID:
        return "invalid";
    case ST_MISSING:
        return "missing";
    case ST_UNSUPPORTED:
        return "unsupported";
    case ST_FULL:
        return "full";
    case ST_IO:
        return "io";
    case ST_CANCELLED:
        return "cancelled";
    case ST_LATE:
        return "late";
    case ST_REFUSED:
        return "refused";
    case ST_DEVICE:
        return "device";
    }
    return "unknown";
}
