/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape.h - text as it may stand inside a JSON string.
 *
 * One character at a time, so that whoever writes into a bounded buffer can stop between two
 * characters and never inside one.
 *
 *     while (text < end) {
 *         size_t bytes = escape_json(out, &text, end);
 *         ...
 *     }
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ESCAPE_MAX 6 /* the longest: a control character as \u001f */

/* Write the character at *text, move *text past it and say how many bytes were written. Needs
 *text < end. A byte that begins no well-formed UTF-8 sequence is written as U+FFFD. */
size_t escape_json(char out[ESCAPE_MAX], const char **text, const char *end);

#ifdef __cplusplus
}
#endif

#endif /* BASE_ESCAPE_H */
