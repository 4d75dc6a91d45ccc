/* SPDX-License-Identifier: Apache-2.0 */
#include "server/shipped.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Behind the folder of the program; `inside` is a file that must be there. */
struct thing {
    const char *built, *installed, *inside, *name, *flag;
};

static const struct thing things[] = {
    [SHIPPED_STARTER] = {"../../starter", "../share/limner/starter", "/model_index.json",
                         "the starter model is not where it belongs", "name a folder with --model"},
    [SHIPPED_CLASSIFIERS] = {"../../moderation/weights", "../share/limner/classifiers",
                             "/hashes.txt", "the classifiers are not where they belong",
                             "name their folder with --classifiers"},
    [SHIPPED_POLICY] = {"../../moderation/policies/default.json",
                        "../share/limner/policies/default.json", "",
                        "the default policy is not where it belongs", "name a file with --policy"},
};

static bool take(char *out, size_t bytes, const char *self, const char *place, const char *inside)
{
    char tried[PATH_MAX + 64], file[PATH_MAX + 128], *real;
    bool taken;

    snprintf(tried, sizeof(tried), "%s/%s", self, place);
    snprintf(file, sizeof(file), "%s%s", tried, inside);
    if (access(file, R_OK))
        return false;
    real = realpath(tried, NULL);
    taken = real && strlen(real) < bytes;
    if (taken)
        memcpy(out, real, strlen(real) + 1);
    free(real);
    return taken;
}

enum status shipped_find(char *out, size_t bytes, enum shipped what, struct why *why)
{
    const struct thing *t = &things[what];
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length < 0)
        return why_fail(why, ST_IO, "cannot tell where this program lies: %s", strerror(errno));
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    if (take(out, bytes, self, t->built, t->inside) ||
        take(out, bytes, self, t->installed, t->inside))
        return ST_OK;
    return why_fail(why, ST_MISSING, "%s (%s from %s); %s", t->name, t->built, self, t->flag);
}
