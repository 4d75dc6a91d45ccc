/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledgers.h - a log in a store of its own (tests/rows.h) with a key beside it, and records with
 * something in every field: record N has id 1000 + N, hashes of N and tenant "000000000000000T".
 */
#ifndef TESTS_LEDGERS_H
#define TESTS_LEDGERS_H

#include "base/sign.h"
#include "store/store.h"
#include "watermark/ledger.h"

#define LEDGERS_ORIGIN "example.org/test"

extern struct sign_key *ledgers_key;
extern uint8_t ledgers_public[SIGN_PUBLIC_MAX];

/* Set-up and tear-down of a test. */
int ledgers_open_all(void **state);
int ledgers_close_all(void **state);

/* Of the store, which is opened as often as one likes; a head each `checkpoint_ms`. */
struct ledger *ledgers_open(struct store *s, int checkpoint_ms);
/* Its words, when it does not open. */
enum status ledgers_try(struct store *s, struct why *why);

struct record ledgers_record(int number);
void ledgers_append(struct ledger *l, int number); /* or the test fails */

/* Every record, tile and head is as it was written; how many there are. */
int64_t ledgers_sound(struct ledger *l);
/* A proof of record `index` leads to a head that the key signed. */
void ledgers_proved(struct ledger *l, int64_t index);

#endif /* TESTS_LEDGERS_H */
