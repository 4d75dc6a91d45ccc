/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trie.h - the words of a rules file, and where each of them is used.
 *
 * One trie with several roots. Following a byte is one look into a hash of edges, so a word costs
 * its bytes, however many words there are. Where a word ends stand its uses, apart for those that
 * want the whole word and those that take any word that begins so.
 */
#ifndef MODERATION_TRIE_H
#define MODERATION_TRIE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIE_USES_MAX      500000
#define TRIE_WORD_USES_MAX 256 /* of one word: what a token can cost */

struct trie_node {
    uint32_t exact, prefix; /* first use; 0: none */
};

/* A word is step `step` of entry `entry`, whatever these are to the caller. */
struct trie_use {
    uint32_t entry, step;
    uint32_t next; /* 0: the last */
};

struct trie_edge {
    uint32_t from, to; /* to 0: free, as nothing leads to the first root */
    unsigned char byte;
};

struct trie {
    struct trie_node *nodes;
    size_t node_count, node_size;
    struct trie_edge *edges; /* open addressing */
    size_t edge_count, edge_size;
    struct trie_use *uses; /* [0] is none */
    size_t use_count, use_size;
};

/* Roots are nodes 0 to roots - 1. ST_FULL: no memory. Reset it in any case. */
MUST_USE enum status trie_init(struct trie *t, uint32_t roots);
void trie_reset(struct trie *t);

/* The node where the word ends, made if need be; 0: no memory. The word is not empty. */
uint32_t trie_insert(struct trie *t, uint32_t root, const char *word, size_t bytes);

/* ST_REFUSED: one of the two limits. ST_FULL: no memory. */
MUST_USE enum status trie_use(struct trie *t, uint32_t node, bool prefix, uint32_t entry,
                              uint32_t step);

/* The node behind `byte`; 0: none. */
uint32_t trie_follow(const struct trie *t, uint32_t node, unsigned char byte);

#endif /* MODERATION_TRIE_H */
