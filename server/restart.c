/* SPDX-License-Identifier: Apache-2.0 */
#include "server/restart.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RESTARTED "LIMNER_RESTARTED" /* "TIMES SINCE": since that second, this often */

bool restart_may(int64_t now_s)
{
    const char *before = getenv(RESTARTED);
    char after[64];
    int64_t since = 0;
    int times = 0;

    if (!before || sscanf(before, "%d %" SCNd64, &times, &since) != 2 || times < 0 ||
        since > now_s || now_s - since >= RESTARTS_SECONDS) {
        times = 0;
        since = now_s;
    }
    if (times >= RESTARTS_MAX)
        return false;
    snprintf(after, sizeof(after), "%d %" PRId64, times + 1, since);
    return setenv(RESTARTED, after, 1) == 0;
}

void restart_run(char **argv)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length < 0)
        return;
    self[length] = '\0';
    execv(self, argv);
}
