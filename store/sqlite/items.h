/* SPDX-License-Identifier: Apache-2.0 */
/*
 * items.h - rows of items, for the two files that read them.
 */
#ifndef STORE_SQLITE_ITEMS_H
#define STORE_SQLITE_ITEMS_H

#include "store/sqlite/row.h"

#define ITEM_COLUMNS                                                                               \
    "seq, id, kind, decision, tenant, queue, category, severity, state, version, skips, "          \
    "created_s, due_first_s, due_s, escalated_s, asked_s, reason, text, question, reply, "         \
    "ifnull(key, ''), hash, reviewer, lease, lease_until_s, claimed_ms, outcome, expected, code, " \
    "clause, answer, confidence, decided_s, spent_ms, parent"

/* One of these into a struct store_item. */
void items_read(struct row *r, void *to);

#endif /* STORE_SQLITE_ITEMS_H */
