/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - a bounded queue of pointers between threads.
 *
 * Putting into a full ring fails at once: a queue that grows is a latency that grows. Taking waits,
 * up to a limit. A closed ring refuses what is put and hands out what it still holds, then says so.
 * Ownership of what a pointer points to moves with it.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ring;

MUST_USE enum status ring_open(struct ring **out, size_t capacity);
void ring_close(struct ring **r); /* frees an empty ring that no thread waits on */

MUST_USE enum status ring_put(struct ring *r, void *item); /* ST_FULL; ST_CANCELLED when shut */

/* The oldest item, or NULL after `wait_us` (0: do not wait, below 0: as long as it takes) or when
   the ring is shut and empty. */
void *ring_take(struct ring *r, int64_t wait_us);

size_t ring_count(struct ring *r);
void ring_shut(struct ring *r);    /* wakes everybody who waits */
bool ring_is_over(struct ring *r); /* shut and empty: nothing comes any more */

#ifdef __cplusplus
}
#endif

#endif /* BASE_RING_H */
