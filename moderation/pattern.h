/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - regular expressions with a bound: the one place where PCRE2 is a guest.
 *
 * A search goes over the text in pieces, and every place where a match may begin has so many steps.
 * What it matches is at most PATTERN_SPAN bytes long, so the end of the subject, as `\z` sees it,
 * may come before the end of the text; `$` and `^` know better. Text is UTF-8 that was checked.
 */
#ifndef MODERATION_PATTERN_H
#define MODERATION_PATTERN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_TEXT_MAX 1024 /* bytes of an expression */
#define PATTERN_SPAN     1024

struct pattern;      /* immutable: any thread */
struct pattern_room; /* what searching takes: one thread at a time */

/* ST_INVALID: the sentence is the compiler's, with the place. */
MUST_USE enum status pattern_open(struct pattern **out, const char *text, struct why *why);
void pattern_close(struct pattern **p);

MUST_USE enum status pattern_room_open(struct pattern_room **out);
void pattern_room_close(struct pattern_room **room);

/* The next match that begins in [from, bytes). ST_FULL: it took too many steps, or memory. */
MUST_USE enum status pattern_find(const struct pattern *p, struct pattern_room *room,
                                  const char *text, size_t bytes, size_t from, bool *found,
                                  size_t *at, size_t *length);

#endif /* MODERATION_PATTERN_H */
