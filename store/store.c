/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "store/sqlite.h"

#include <stddef.h>

enum status store_open(struct store **out, const char *folder, struct why *why)
{
    return sqlite_open(out, folder, why);
}

void store_close(struct store **s)
{
    if (*s)
        (*s)->ops->close(*s);
    *s = NULL;
}
