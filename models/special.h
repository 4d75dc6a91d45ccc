/* SPDX-License-Identifier: Apache-2.0 */
/*
 * special.h - a tokenizer's settings: its length, and the tokens that are no words.
 *
 * They come from tokenizer_config.json; where that has no "added_tokens_decoder", also from
 * special_tokens_map.json, added_tokens.json and the "added_tokens" of tokenizer.json, in the order
 * in which transformers lets one overrule the other. All of these tokens are found in the raw text
 * before anything else is done to it.
 */
#ifndef MODELS_SPECIAL_H
#define MODELS_SPECIAL_H

#include "models/bpe.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SPECIAL_COUNT_MAX 1024
#define SPECIAL_BYTES_MAX 256 /* of one token */

enum special_role {
    SPECIAL_BOS,
    SPECIAL_EOS,
    SPECIAL_UNK,
    SPECIAL_SEP,
    SPECIAL_PAD,
    SPECIAL_CLS,
    SPECIAL_MASK,
    SPECIAL_ROLES
};

struct special_token {
    char *text;
    size_t bytes;
    int32_t id;
};

struct special {
    struct special_token tokens[SPECIAL_COUNT_MAX];
    size_t count;
    bool starts[256];            /* first bytes of tokens */
    int32_t role[SPECIAL_ROLES]; /* ids; below 0: the tokenizer has none */
    int length;                  /* ids per prompt */
};

/* Reads the settings in `folder` and tells `bpe` the ids of tokens. `s` is zeroed before, and reset
   afterwards whatever the outcome. */
MUST_USE enum status special_load(struct special *s, struct bpe *bpe, const char *folder,
                                  struct why *why);
void special_reset(struct special *s);

/* The longest token that stands at the beginning of [text, end), or NULL. */
const struct special_token *special_at(const struct special *s, const char *text, const char *end);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_SPECIAL_H */
