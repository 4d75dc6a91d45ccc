/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - is this folder what it was, and how much is in it? Without reading its files.
 */
#ifndef SERVER_FOLDER_H
#define SERVER_FOLDER_H

#include "base/status.h"

#include <stdint.h>

struct folder_look {
    uint64_t mark; /* another one when a file came, went, or was written again */
    int64_t bytes; /* of all files */
};

/* ST_MISSING or ST_IO say why not. Follows links, so one that points elsewhere is a change. */
MUST_USE enum status folder_look(struct folder_look *out, const char *path, struct why *why);

#endif /* SERVER_FOLDER_H */
