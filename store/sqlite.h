/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite.h - the filling of the store for one machine: a file in the state folder.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "store/store.h"

MUST_USE enum status sqlite_open(struct store **out, const char *folder, struct why *why);

#endif /* STORE_SQLITE_H */
