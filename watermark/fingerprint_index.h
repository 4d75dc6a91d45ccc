/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_index.h - the pictures of the log, searched by fingerprint.
 *
 * In memory, 40 bytes a picture, filled from the log when limner starts. A search compares with all
 * of them, which no clever order of 256 bits beats at the distances that are asked for; a million
 * take some ten milliseconds. One thread at a time changes an index; many may search while none
 * does.
 */
#ifndef WATERMARK_FINGERPRINT_INDEX_H
#define WATERMARK_FINGERPRINT_INDEX_H

#include "watermark/fingerprint.h"

#define FINGERPRINT_INDEX_MAX (1 << 26) /* pictures */
#define FINGERPRINT_FOUND_MAX 100

struct fingerprint_index;

struct fingerprint_found {
    int64_t leaf; /* its number in the log */
    int distance;
};

/* For at most `limit` pictures, 1 to FINGERPRINT_INDEX_MAX; their memory is taken as they come.
   ST_FULL without it. */
MUST_USE enum status fingerprint_index_open(struct fingerprint_index **out, int limit,
                                            struct why *why);
void fingerprint_index_close(struct fingerprint_index **x);
int fingerprint_index_count(const struct fingerprint_index *x);

/* ST_FULL: the limit is reached, or there is no memory; what was added stays. */
MUST_USE enum status fingerprint_index_add(struct fingerprint_index *x,
                                           const uint8_t print[FINGERPRINT_BYTES], int64_t leaf,
                                           struct why *why);
/* Drops the leaves below `first`: what retention took out of the log. */
void fingerprint_index_forget(struct fingerprint_index *x, int64_t first);

/* The nearest at a distance of at most `most`, nearest first and the older leaf first among equals,
   into room for `room`, 1 to FINGERPRINT_FOUND_MAX. Returns how many. */
int fingerprint_index_search(const struct fingerprint_index *x,
                             const uint8_t print[FINGERPRINT_BYTES], int most,
                             struct fingerprint_found *out, int room);

#endif /* WATERMARK_FINGERPRINT_INDEX_H */
