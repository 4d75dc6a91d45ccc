/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h - a store in a folder of its own, with rows of moderation that have something in every
 * field: decision "dec_N", its object "obj_N" and item "item_N" of tenant "clinic".
 */
#ifndef TESTS_ROWS_H
#define TESTS_ROWS_H

#include "store/store.h"

#define ROWS_NOW 1700000000

extern char rows_folder[128];

/* Set-up and tear-down of a test; the store itself is opened as often as one likes. */
int rows_open(void **state);
int rows_close(void **state);
struct store *rows_store(void);

void rows_good(enum status st, const struct why *why); /* or the test fails, in these words */

struct store_decision rows_decision(int number, enum store_standing standing);
struct store_item rows_item(int number, int decision, enum store_item_kind kind);
struct store_event rows_event(const struct store_item *item, const char *kind);
struct store_object rows_object(int number, int64_t expires_s);

/* A decision with its object, which expires 1,000 s from now, and an item unless `kind` is below 0;
   all of this number. */
void rows_add(struct store *s, int number, enum store_standing standing, int kind);
struct store_item rows_claim(struct store *s, const char *reviewer);
enum store_standing rows_standing(struct store *s, const char *id);

/* Move a claimed item so that its picture goes out; `d` is its decision as it was looked at. */
enum status rows_release(struct store *s, struct store_item item, const struct store_decision *d);
enum status rows_let_go(struct store *s, struct store_item item); /* looks at it first */

struct store_item rows_find(struct store *s, const char *item);
/* How many events of this kind (NULL: any) a decision has. */
int rows_events(struct store *s, const char *decision, const char *kind);

/* How many messages wait; they are delivered then. */
int64_t rows_messages(struct store *s);

#endif /* TESTS_ROWS_H */
