/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.h - CLIP's byte-pair encoding, token for token as the reference has it.
 *
 * Everything comes from the model's own folder: vocab.json, merges.txt, tokenizer_config.json
 * (length, special tokens, lower-casing, pad token), special_tokens_map.json. The reference is
 * transformers' CLIPTokenizer (the slow one without ftfy: BasicTokenizer clean-up, NFC) where the
 * two differ from CLIPTokenizerFast, see tokenizer.c.
 */
#ifndef MODELS_TOKENIZER_H
#define MODELS_TOKENIZER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tokenizer;

MUST_USE enum status tokenizer_open(struct tokenizer **out, const char *folder, struct why *why);
void tokenizer_close(struct tokenizer **t);

int tokenizer_length(const struct tokenizer *t);     /* ids per prompt: 77 for CLIP */
int tokenizer_vocabulary(const struct tokenizer *t); /* ids are below this */

/* `length` ids: start, the text's tokens, end, padding. ids_wanted is what the text would have
   needed, start and end included, so the prompt was cut when it is above `length`. The text is
   `bytes` bytes of UTF-8; ST_INVALID when it is not, or longer than 256 KiB. ST_FULL without
   memory. Any number of threads may encode at once. Takes O(bytes log bytes) whatever the text. */
MUST_USE enum status tokenizer_encode(const struct tokenizer *t, int32_t *ids, const char *text,
                                      size_t bytes, int *ids_wanted, struct why *why);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_TOKENIZER_H */
