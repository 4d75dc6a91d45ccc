/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/sample.h"

const char *sample_fate_name(enum fate fate)
{
    static const char *const names[] = {
        [FATE_UNFINISHED] = "unfinished", [FATE_OK] = "ok",   [FATE_STATUS] = "status",
        [FATE_TIMEOUT] = "timeout",       [FATE_CUT] = "cut", [FATE_ABSENT] = "absent",
        [FATE_GARBAGE] = "garbage",
    };

    return names[fate];
}
