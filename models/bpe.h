/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe.h - byte-pair encoding of one word, with the vocabulary and merges of a CLIP tokenizer.
 *
 * A word starts as its bytes, each written as one printable character, the last one with "</w>"
 * behind it. Then the pair of neighbours that stands highest in merges.txt is merged, everywhere
 * from left to right, until no pair of the word is in the list. What is left are tokens; those that
 * vocab.json does not know become the unknown token.
 */
#ifndef MODELS_BPE_H
#define MODELS_BPE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bpe;

/* vocab.json and merges.txt of a folder. */
MUST_USE enum status bpe_open(struct bpe **out, const char *folder, struct why *why);
void bpe_close(struct bpe **b);

size_t bpe_count(const struct bpe *b);                  /* tokens that have an id */
int32_t bpe_limit(const struct bpe *b);                 /* ids are below this */
int32_t bpe_id(const struct bpe *b, const char *token); /* below 0: not in the vocabulary */

#define BPE_IDS_MAX (1 << 20) /* ids are below this in any vocabulary */

/* Give a token an id, new or another one. ST_FULL without memory. */
MUST_USE enum status bpe_set_id(struct bpe *b, const char *token, int32_t id);

/* Working memory for words, made to grow; zeroed before the first use. */
struct bpe_work {
    int32_t *symbols, *next, *before; /* of `room` */
    uint64_t *heap, *round;           /* of 3 * room and room */
    int32_t *ids;                     /* the result of bpe_word */
    size_t room;
};

void bpe_work_close(struct bpe_work *work);

/* The ids of a word of at least one byte into work->ids, *count of them. Takes O(bytes log bytes).
   ST_FULL without memory. */
MUST_USE enum status bpe_word(const struct bpe *b, struct bpe_work *work, const unsigned char *word,
                              size_t bytes, int32_t unknown, size_t *count);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_BPE_H */
