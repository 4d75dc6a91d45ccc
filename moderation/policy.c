/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/policy.h"

#include <string.h>

static const char *const band_names[BAND_COUNT] = {"allow", "blur", "hold", "block"};
static const char *const cause_names[CAUSE_COUNT] = {"scores",  "disagreement", "margin",
                                                     "energy",  "unjudged",     "safety",
                                                     "breaker", "prompt",       "precedent"};

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (!strcmp(names[i], name))
            return i;
    }
    return -1;
}

const char *band_name(enum band band)
{
    return band_names[band];
}

const char *cause_name(enum cause cause)
{
    return cause_names[cause];
}

int band_find(const char *name)
{
    return find_name(band_names, BAND_COUNT, name);
}

int cause_find(const char *name)
{
    return find_name(cause_names, CAUSE_COUNT, name);
}
