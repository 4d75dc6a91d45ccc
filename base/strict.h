/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strict.h - reads a JSON file that people write: what is not known is a mistake, and a mistake has
 * a line.
 *
 * A reader stands at one object or array and moves in and out. The first failure stays, with its
 * words ("FILE:LINE: sentence") in the caller's `why`; after it everything reads as not there, so
 * code reads straight on and looks at the status once, at the end.
 *
 *     st = strict_load(&s, path, 1 << 20, why);
 *     strict_keys(&s, "version breaker");
 *     version = strict_int(&s, "version", 1, INT_MAX, STRICT_NEEDED);
 *     if (strict_enter(&s, "breaker")) {
 *         strict_keys(&s, "min_n");
 *         min_n = strict_int(&s, "min_n", 1, 1000, 20);
 *         strict_leave(&s);
 *     }
 *     st = s.st;
 *
 * Texts are borrowed from the document, which lives until strict_reset.
 */
#ifndef BASE_STRICT_H
#define BASE_STRICT_H

#include "base/json.h"

#include <limits.h>

#define STRICT_DEPTH_MAX 16
#define STRICT_PATH_MAX  1024
#define STRICT_NEEDED    INT_MIN /* in the place of a default: it has to be there */

struct strict {
    enum status st;
    struct why *why; /* the caller's; may be NULL */
    const char *name;
    char *text; /* ours */
    size_t bytes;
    struct json *root;
    int depth;
    const struct json *at[STRICT_DEPTH_MAX + 1]; /* from the root to where the reader stands */
    size_t path_bytes[STRICT_DEPTH_MAX + 1];
    char path[STRICT_PATH_MAX]; /* JSON pointer to there */
};

/* The text is copied; `name` has to stay as long as the reader. A reader that failed is reset too.
 */
MUST_USE enum status strict_init(struct strict *s, const char *text, size_t bytes, const char *name,
                                 struct why *why);
MUST_USE enum status strict_load(struct strict *s, const char *path, size_t bytes_max,
                                 struct why *why);
void strict_reset(struct strict *s);

/* A mistake in a member (or with NULL in the thing itself) where the reader stands. */
void strict_fail(struct strict *s, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);

/* Every member has one of these names, which stand between single blanks. */
void strict_keys(struct strict *s, const char *names);

bool strict_has(const struct strict *s, const char *key);  /* there, and not null */
bool strict_says(const struct strict *s, const char *key); /* there, null included */

/* Into an object or array that is a member; false when it is not there. What is there and is
   something else is a failure. */
bool strict_enter(struct strict *s, const char *key);
bool strict_enter_list(struct strict *s, const char *key);
bool strict_enter_at(struct strict *s, int index); /* an object in the array here */
void strict_leave(struct strict *s);               /* once for each that was entered */
int strict_count(const struct strict *s);          /* members or elements here */

/* The name of member `index` of the object here, in the order of the file; NULL behind the last. */
const char *strict_key_at(const struct strict *s, int index);

/* Values. What is not there is `otherwise`, or a failure when that is STRICT_NEEDED (0 then). */
int strict_int(struct strict *s, const char *key, int low, int high, int otherwise);
double strict_real(struct strict *s, const char *key, double low, double high, double otherwise);
bool strict_bool(struct strict *s, const char *key, bool otherwise);
/* 1 to bytes_max bytes without control characters; NULL when it is not there. */
const char *strict_text(struct strict *s, const char *key, size_t bytes_max, bool needed);
const char *strict_text_at(struct strict *s, int index, size_t bytes_max); /* of the array here */
double strict_real_at(struct strict *s, int index, double low, double high);
/* The place of a word in a list that ends with NULL. */
int strict_word(struct strict *s, const char *key, const char *const *words, int otherwise);

#endif /* BASE_STRICT_H */
