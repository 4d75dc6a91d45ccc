/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unicode.h - what Python's str and its `regex` module know about characters, as far as CLIP asks.
 *
 * Text is arrays of code points. The data are utf8proc's (2.8: Unicode 15.0). A Python of another
 * Unicode version differs in the characters that one of the two does not know yet: an unassigned
 * character counts as control and vanishes from a prompt.
 */
#ifndef MODELS_UNICODE_H
#define MODELS_UNICODE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UNICODE_NFC_GROWTH   4 /* code points that one can become on the way through NFC */
#define UNICODE_LOWER_GROWTH 2 /* and through lower-casing: only U+0130 becomes two */

enum unicode_class { UNICODE_LETTER, UNICODE_NUMBER, UNICODE_OTHER, UNICODE_NOTHING };

/* The next character of [text, end), which is not empty: moves *text behind it. False when what
   stands there is not UTF-8. */
MUST_USE bool unicode_take(const char **text, const char *end, int32_t *point);

/* Writes one to four bytes of UTF-8. */
size_t unicode_put(unsigned char out[4], int32_t point);

bool unicode_is_control(int32_t point); /* category C, tab and line ends included */
bool unicode_is_space(int32_t point);   /* category Z */

/* How `regex` sees a character that is neither control nor space in CLIP's pattern. */
enum unicode_class unicode_classify(int32_t point);

/* Canonical composition (NFC) in place; both buffers have room for UNICODE_NFC_GROWTH times
   `count`. Returns the new count. Takes O(count log count) whatever the text. */
size_t unicode_compose(int32_t *text, size_t count, int32_t *spare);

/* str.lower() of a whole word, U+03A3 at its end included. `out` has room for
   UNICODE_LOWER_GROWTH times `count`. Returns the new count. */
size_t unicode_lower(int32_t *out, const int32_t *text, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_UNICODE_H */
