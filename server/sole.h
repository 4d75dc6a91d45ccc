/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sole.h - one server for each state folder.
 *
 * Two would make each other's promised jobs a second time, and count tenants' use apart. The lock
 * is the kernel's: it ends with the process, however that ends, and `limner key` does not ask.
 */
#ifndef SERVER_SOLE_H
#define SERVER_SOLE_H

#include "base/status.h"

/* A file descriptor that holds the folder until it is closed, or below 0: ST_FULL when another
   server has it, which the sentence names by its process; ST_IO when the folder is no place for a
   file. The folder is made if it is not there. */
MUST_USE enum status sole_take(int *fd, const char *folder, struct why *why);
void sole_give(int *fd);

#endif /* SERVER_SOLE_H */
