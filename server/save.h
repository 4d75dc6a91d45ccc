/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save.h - a file that appears whole or not at all.
 */
#ifndef SERVER_SAVE_H
#define SERVER_SAVE_H

#include "base/status.h"

#include <stddef.h>

/* Written beside its place, brought to the disk, then moved there. ST_IO names path and reason. */
MUST_USE enum status save_file(const char *path, const void *data, size_t bytes, struct why *why);

#endif /* SERVER_SAVE_H */
