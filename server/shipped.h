/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shipped.h - where the things lie that come with limner: found from where the program itself is,
 * in the tree it was built in or where it was installed.
 */
#ifndef SERVER_SHIPPED_H
#define SERVER_SHIPPED_H

#include "base/status.h"

#include <stddef.h>

enum shipped {
    SHIPPED_STARTER,     /* a model's folder */
    SHIPPED_CLASSIFIERS, /* the folder of what looks at pictures */
    SHIPPED_POLICY,      /* a file */
};

/* ST_MISSING: it is not where it belongs; the sentence names the flag that takes another one. */
MUST_USE enum status shipped_find(char *out, size_t bytes, enum shipped what, struct why *why);

#endif /* SERVER_SHIPPED_H */
