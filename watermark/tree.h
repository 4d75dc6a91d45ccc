/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - the Merkle tree over the log's records, as RFC 9162 hashes it: a leaf is
 * SHA-256(0x00 | record), a node SHA-256(0x01 | left | right), and n leaves split at the largest
 * power of two below n.
 *
 * Hashes are kept in tiles of 256 (C2SP tlog-tiles): tile n of level 0 are leaves 256 n to
 * 256 n + 255, a hash of level L + 1 is the root of a full tile of level L. A `struct tree` holds
 * the last tile of each level, which is all that appending and the root need; proofs read other
 * tiles through a callback.
 *
 * Nothing here allocates, and verifying needs no tree: what a stranger sends is checked with
 * tree_check_*.
 */
#ifndef WATERMARK_TREE_H
#define WATERMARK_TREE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_HASH       32
#define TREE_TILE       256               /* hashes of a tile */
#define TREE_LEVELS     5                 /* of tiles */
#define TREE_SIZE_MAX   ((1LL << 40) - 1) /* leaves */
#define TREE_PROOF_MAX  42                /* hashes of a proof */
#define TREE_RECORD_MAX 16384

/* At most TREE_RECORD_MAX bytes. */
void tree_leaf(uint8_t out[TREE_HASH], const void *record, size_t bytes);
void tree_node(uint8_t out[TREE_HASH], const uint8_t left[TREE_HASH],
               const uint8_t right[TREE_HASH]);
/* Of `count` neighbours of one level; of none: SHA-256 of nothing. */
void tree_root_of(uint8_t out[TREE_HASH], const uint8_t (*hashes)[TREE_HASH], int count);

/* The right edge. By value; copying one takes a snapshot. */
struct tree {
    int64_t size;
    uint8_t tile[TREE_LEVELS][TREE_TILE][TREE_HASH]; /* the last one of each level, not full */
};

void tree_init(struct tree *t);
int tree_tile_count(const struct tree *t, int level); /* hashes in it: 0 to 255 */

/* A tile that has just become full, while it still stands in the tree. */
typedef void tree_full(void *to, int level, int64_t number, const uint8_t (*hashes)[TREE_HASH]);
void tree_append(struct tree *t, const uint8_t leaf[TREE_HASH], tree_full *full, void *to);
void tree_root(const struct tree *t, uint8_t out[TREE_HASH]);

/* The first `count` hashes of a tile. What it fails with is what the proof fails with. */
typedef enum status tree_reader(void *from, int level, int64_t number, int count,
                                uint8_t (*out)[TREE_HASH], struct why *why);

/* Reads the right edge of a tree of this size. */
MUST_USE enum status tree_load(struct tree *t, int64_t size, tree_reader *read, void *from,
                               struct why *why);

struct tree_proof {
    int count;
    uint8_t hashes[TREE_PROOF_MAX][TREE_HASH];
};

/* ST_INVALID: 0 <= index < size, or 0 < from <= to, does not hold. */
MUST_USE enum status tree_inclusion(struct tree_proof *out, int64_t index, int64_t size,
                                    tree_reader *read, void *from, struct why *why);
MUST_USE enum status tree_consistency(struct tree_proof *out, int64_t older, int64_t newer,
                                      tree_reader *read, void *from, struct why *why);
/* The root of the first `size` leaves of a larger tree. */
MUST_USE enum status tree_root_at(uint8_t out[TREE_HASH], int64_t size, tree_reader *read,
                                  void *from, struct why *why);

/* Does the proof show that this leaf is in the tree of this root; that one tree begins the other?
   Proofs of any length may be handed in. */
bool tree_check_inclusion(const uint8_t leaf[TREE_HASH], int64_t index, int64_t size,
                          const uint8_t (*proof)[TREE_HASH], int count,
                          const uint8_t root[TREE_HASH]);
bool tree_check_consistency(int64_t older, int64_t newer, const uint8_t (*proof)[TREE_HASH],
                            int count, const uint8_t older_root[TREE_HASH],
                            const uint8_t newer_root[TREE_HASH]);

#endif /* WATERMARK_TREE_H */
