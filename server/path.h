/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h - paths with an id in them, read as they were sent: nothing is decoded and no dots are
 * followed, so a path that is written in another way is another path.
 */
#ifndef SERVER_PATH_H
#define SERVER_PATH_H

#include "server/http.h"

/* The text says exactly this. */
bool path_is(struct http_text text, const char *word);

/* ROOT ID, or ROOT ID / PART: the id, of a to z, 0 to 9 and '_', goes into `id`. Returns which of
   `parts` follows it ("": none); below 0: there is no such path, and the id is empty. */
int path_split(char *id, size_t size, struct http_text path, const char *root,
               const char *const *parts, int count);

#endif /* SERVER_PATH_H */
