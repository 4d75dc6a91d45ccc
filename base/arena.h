/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory that is given back all at once.
 *
 * An arena is one block, taken at start-up and carved from the front. There is no free(): the
 * owner rewinds to a mark. The same code carves host and device memory, because carving only
 * does arithmetic on addresses.
 *
 *     size_t mark = arena_mark(a);
 *     struct tensor scores = tensor_carve(a, DTYPE_F32, 1, heads, queries, keys);
 *     ...
 *     arena_rewind(a, mark);
 *
 * With base == NULL an arena only measures: every carve succeeds and returns NULL, and `peak`
 * ends as the number of bytes a real run would need. Models are measured once, then carved.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ARENA_ALIGN 256 /* what cudaMalloc promises, and enough for any vector load */

struct arena {
    char *base;       /* NULL while measuring */
    size_t size;      /* bytes in the block */
    size_t used;      /* bytes carved so far */
    size_t peak;      /* most bytes ever carved */
    const char *name; /* for the message when it is full */
};

/* Start measuring: no block yet, every carve returns NULL and counts. */
void arena_init(struct arena *a, const char *name);

/* Carve n bytes, aligned to ARENA_ALIGN. Running out is a sizing bug, found by measuring, so it
   asserts. The arena owns the bytes; they live until the enclosing rewind. */
void *arena_carve(struct arena *a, size_t n);

/* The same for bytes a stranger asked for: NULL when full. */
MUST_USE void *arena_try(struct arena *a, size_t n);

size_t arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, size_t mark);

#ifdef __cplusplus
}
#endif

#endif /* BASE_ARENA_H */
