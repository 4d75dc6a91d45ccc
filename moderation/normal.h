/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normal.h - a text as it is read, and as it would be read without its disguise.
 *
 * The plain reading is NFKC, case folded, without invisible characters, and without marks that
 * compose with nothing: full-width, mathematical and circled letters become letters, zalgo goes.
 * It is cut into tokens: runs of letters and digits; a Han or kana character is one by itself.
 *
 * A disguised reading (a guise) exists only where something was done to a word that plain writing
 * does not do: a digit or a symbol amid its letters (p0rn, pu$$y), letters of other scripts that
 * look alike, accents, three or more of a letter (pooorn), dots and hyphens inside (po.rn), letters
 * one by one (p o r n). So a text that is written plainly is judged by its words alone, and numbers
 * stay numbers: a run of digits is no guise, nor is one with fewer than two letters, nor one whose
 * digits and symbols are more than twice its letters (1080p, f1.8, 4k, 35mm).
 *
 * A guise is a to z and three marks: '1' is an i or an l, '*' is a vowel, and '+' may repeat the
 * letter before it or say nothing.
 */
#ifndef MODERATION_NORMAL_H
#define MODERATION_NORMAL_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NORMAL_GUISE_MAX 48 /* letters; of a spelled one there may be any number */

struct normal_token {
    uint32_t at, bytes; /* in text */
};

struct normal_guise {
    uint32_t at, bytes;   /* in letters */
    uint32_t first, last; /* tokens that it covers */
    bool spelled;         /* one letter a token: letter i is token first + i */
};

struct normal {
    char *text; /* the plain reading, UTF-8 without a NUL */
    size_t bytes;
    struct normal_token *tokens;
    size_t token_count;
    char *letters;
    struct normal_guise *guises;
    size_t guise_count;
};

/* Takes any bytes; what is not UTF-8 separates words. ST_FULL: no memory, or compatibility forms
   that unfold to more than twice the bytes. Close it in any case. Time is linear. */
MUST_USE enum status normal_open(struct normal *n, const char *text, size_t bytes, struct why *why);
void normal_close(struct normal *n);

/* The letters that a guise of this word would come to, with a NUL: "möse" is "mose". False when it
   has none: digits, letters like no Latin one, fewer than 3 or more than NORMAL_GUISE_MAX. */
bool normal_key(char out[NORMAL_GUISE_MAX + 1], const char *word, size_t bytes);

#endif /* MODERATION_NORMAL_H */
