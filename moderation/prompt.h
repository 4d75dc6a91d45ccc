/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.h - may this text become a picture: judged before any device time is spent.
 *
 * Rules are a JSON file (moderation/policies/README.md has its fields): categories, each with rules
 * of words, phrases and expressions, and for each rule the words beside which it says nothing
 * ("breast cancer", "statue"). Texts are read twice: as they stand, and without what is used to
 * disguise a word (moderation/normal.h). What a finding means is up to the policy.
 *
 * Time is linear in the text whatever the rules: words and phrases are found in one pass, and every
 * expression has a limit of steps. Nothing here keeps or logs the text.
 */
#ifndef MODERATION_PROMPT_H
#define MODERATION_PROMPT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PROMPT_BYTES_MAX (32000 * 4) /* of a text: 32,000 characters of UTF-8 */
#define PROMPT_FILE_MAX  ((size_t)1 << 20)
#define PROMPT_NAME_MAX  48 /* of a category, a rule or a context, with a NUL */

struct prompt_rules; /* immutable after opening: any thread may score */

/* Read a rules file. ST_MISSING or ST_IO: no such file; ST_INVALID: the sentence begins with
   FILE:LINE: and says what to do; ST_FULL: no memory. *out is NULL unless ST_OK. */
MUST_USE enum status prompt_open(struct prompt_rules **out, const char *path, struct why *why);

/* The same from memory; `name` stands in the sentences for the path. */
MUST_USE enum status prompt_open_text(struct prompt_rules **out, const char *text, size_t bytes,
                                      const char *name, struct why *why);
void prompt_close(struct prompt_rules **r); /* NULL inside is fine */

struct prompt_finding {
    bool found;
    char category[PROMPT_NAME_MAX];
    char rule[PROMPT_NAME_MAX];
    size_t at, bytes; /* in the normalised text */
    char
        harmless[PROMPT_NAME_MAX]; /* what excused a hit, or the context that did: for the record */
};

/* Score `bytes` bytes of UTF-8, which may hold anything. The finding is the one of the category
   that stands first in the file. `context` is NULL, or one that the tenant was granted, such as
   "medical"; a name that the rules do not know relaxes nothing. ST_FULL: it could not be judged, as
   an expression reached its limit, the text is longer than PROMPT_BYTES_MAX or unfolds beyond all
   measure, or memory ran out: hold the request. *out says found == false then. */
MUST_USE enum status prompt_score(const struct prompt_rules *r, struct prompt_finding *out,
                                  const char *text, size_t bytes, const char *context,
                                  struct why *why);

/* Whether the rules have something to say of a context with this name. */
bool prompt_knows_context(const struct prompt_rules *r, const char *context);

/* Of the file's bytes, as 64 characters of lower-case hex: for the decision's record. */
const char *prompt_sha256(const struct prompt_rules *r);
const char *prompt_version(const struct prompt_rules *r); /* as the file says it */

#endif /* MODERATION_PROMPT_H */
