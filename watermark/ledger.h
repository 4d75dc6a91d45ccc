/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - the log of what was made and what was done about it, which nobody can rewrite unseen:
 * records in a Merkle tree (tree.h) with signed heads (checkpoint.h), kept by the store.
 *
 *     st = ledger_open(&ledger, &(struct ledger_options){.store = store, .origin =
 * "example.org/log", .key = key}, &why); st = ledger_append(ledger, &record, clear, &why);   --
 * durable when it comes back ledger_close(&ledger);
 *
 * One thread writes. Who appends waits until the record is on the disk; what comes in meanwhile
 * goes together with the next transaction, so that one sync carries many. A head is signed with the
 * first transaction after `checkpoint_ms`, or by itself when nothing comes, and at the end; each
 * minute that is idle the newest one is said to hold still.
 *
 * The wall clock is written down as it is. Where it went back or jumped, a record of kind `clock`
 * stands before the next one.
 *
 * Several processes may append to one store: who finds the log longer than it knew reads its edge
 * again. Any thread that may wait for a disk may call; the reading half works on what is durable.
 * When a transaction fails, all who wait in it are told so, nothing of it is in the log, and the
 * next is tried afresh: no record, no picture.
 *
 * Opening checks the newest head: its signature, that the tiles give its root, and every record
 * since the last full tile before it again from its bytes. ST_INVALID names the record.
 */
#ifndef WATERMARK_LEDGER_H
#define WATERMARK_LEDGER_H

#include "base/status.h"
#include "store/store.h"
#include "watermark/checkpoint.h"
#include "watermark/record.h"
#include "watermark/tree.h"

#include <stdint.h>

#define LEDGER_CHECKPOINT_MS 1000
#define LEDGER_IDLE_MS       60000
#define LEDGER_BATCH         256  /* records of a transaction */
#define LEDGER_WAITING_MAX   4096 /* appenders; one more is told ST_FULL */
#define LEDGER_ORIGIN        "limner.local/log"

struct ledger;

/* What stands in the place of the clocks, for tests. */
struct ledger_clock {
    int64_t (*wall_ns)(void *of);
    int64_t (*boot_ns)(void *of);
    void *of;
};

struct ledger_options {
    struct store *store; /* outlives the ledger */
    const char *origin;  /* NULL: LEDGER_ORIGIN */
    /* Ed25519, outlives the ledger. NULL: only to read; appending is ST_UNSUPPORTED, no thread is
       started and no signature checked. */
    const struct sign_key *key;
    int gather_us;     /* how long the first of a transaction waits for others; 0: not at all */
    int checkpoint_ms; /* 0: LEDGER_CHECKPOINT_MS */
    const struct ledger_clock *clock; /* NULL: the system's */
};

MUST_USE enum status ledger_open(struct ledger **out, const struct ledger_options *o,
                                 struct why *why);
/* Nobody appends any more. Signs what is not signed yet. */
void ledger_close(struct ledger **l);

/* Waits until it is durable, and fills in index, time_ns, seq and, with a clear text (at most
   STORE_CLEAR_MAX - 1 bytes; NULL: none), commitment. */
MUST_USE enum status ledger_append(struct ledger *l, struct record *r, const char *clear,
                                   struct why *why);
/* A head is signed that covers all that was appended before. */
MUST_USE enum status ledger_sign(struct ledger *l, struct why *why);

/* The clear text of record `index` goes, and `r` (kind erase; its note says who and why) takes its
   place in the log: both or neither. ST_MISSING: there is none (any more); ST_REFUSED: a hold. */
MUST_USE enum status ledger_erase(struct ledger *l, int64_t index, struct record *r,
                                  struct why *why);
/* The bytes and clear texts of whole segments (of 256 records) that are older than `before_ns` go,
   from the oldest on, with one record of kind retention for each piece; their hashes stay. Stops
   before what is held. *count: how many records. */
MUST_USE enum status ledger_expire(struct ledger *l, int64_t before_ns, int64_t *count,
                                   struct why *why);

/* ---- reading: what is on the disk ---- */

MUST_USE enum status ledger_size(struct ledger *l, int64_t *out, struct why *why);

/* Records from `first` on, in their order; and those that were searched for, the newest first.
 *count is room, then how many. Give them back with ledger_release. */
MUST_USE enum status ledger_entries(struct ledger *l, int64_t first, struct store_leaf *out,
                                    int *count, struct why *why);
MUST_USE enum status ledger_search(struct ledger *l, const struct store_search *search,
                                   struct store_leaf *out, int *count, struct why *why);
void ledger_release(struct store_leaf *leaves, int count);
/* How many records of each kind came at `since_ns` or later (0: all of them). */
MUST_USE enum status ledger_counts(struct ledger *l, int64_t since_ns,
                                   int64_t out[STORE_LEAF_KINDS], struct why *why);
/* One record. ST_MISSING: there is none, or its bytes have expired. */
MUST_USE enum status ledger_find(struct ledger *l, int64_t index, struct record *out,
                                 struct why *why);
MUST_USE enum status ledger_find_id(struct ledger *l, uint64_t id, struct record *out,
                                    struct why *why); /* the newest of kind embed */
MUST_USE enum status ledger_find_sha256(struct ledger *l, const uint8_t sha256[32],
                                        struct record *out, struct why *why);
MUST_USE enum status ledger_find_pixels(struct ledger *l, const uint8_t sha256[32],
                                        struct record *out, struct why *why);
/* The text behind a commitment, NUL-terminated, the caller's to free; checked against it. */
MUST_USE enum status ledger_clear(struct ledger *l, int64_t index, char **out, struct why *why);

/* The newest head. ST_MISSING: nothing was ever signed. */
MUST_USE enum status ledger_checkpoint(struct ledger *l, struct store_checkpoint *out,
                                       struct why *why);
/* Of exactly this size. */
MUST_USE enum status ledger_checkpoint_at(struct ledger *l, int64_t size,
                                          struct store_checkpoint *out, struct why *why);

/* Text of a tlog-proof under the head of `size` leaves; 0: the newest. ST_LATE: the record is not
   under that head (yet). */
MUST_USE enum status ledger_proof(struct ledger *l, int64_t index, int64_t size,
                                  char out[CHECKPOINT_PROOF_MAX], struct why *why);
MUST_USE enum status ledger_inclusion(struct ledger *l, int64_t index, int64_t size,
                                      struct tree_proof *out, struct why *why);
MUST_USE enum status ledger_consistency(struct ledger *l, int64_t older, int64_t newer,
                                        struct tree_proof *out, struct why *why);

/* The first `width` (1 to 256) hashes of a tile. ST_MISSING: there are not so many (yet). */
MUST_USE enum status ledger_tile(struct ledger *l, int level, int64_t number, int width,
                                 uint8_t (*out)[TREE_HASH], struct why *why);
/* The records of tile `number` of level 0 as a C2SP bundle: each with its length before it, two
   bytes, the high one first. The bytes are the caller's to free. ST_MISSING: there are not so many,
   or they have expired. */
MUST_USE enum status ledger_bundle(struct ledger *l, int64_t number, int width,
                                   struct store_bytes *out, struct why *why);

/* Every record from its bytes, every tile, the newest head. ST_INVALID: *bad is the first record
   that is not as it was (or -1, when no single one can be named), and the sentence says so. */
MUST_USE enum status ledger_check(struct ledger *l, int64_t *bad, struct why *why);

#endif /* WATERMARK_LEDGER_H */
