/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/labels.h"

#include <stdio.h>
#include <string.h>

static int add(struct labels *l, const char *name)
{
    for (int i = 0; i < l->count; i++) {
        if (!strcmp(l->name[i], name))
            return i;
    }
    if (l->count == LABELS_MAX - 1) /* the last place is for all who come too late */
        name = LABELS_OTHER;
    if (l->count == LABELS_MAX)
        return LABELS_MAX - 1;
    snprintf(l->name[l->count], LABEL_BYTES, "%s", name);
    return l->count++;
}

int labels_find(struct labels *l, const char *text, size_t bytes)
{
    char name[LABEL_BYTES];
    size_t used = 0;

    while (used < bytes && used < LABEL_BYTES - 1) {
        char c = text[used];

        name[used++] = c;
        if (c < ' ' || c > '~')
            name[used - 1] = '?';
    }
    name[used] = '\0';
    return add(l, name);
}
