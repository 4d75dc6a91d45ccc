/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - a process that gives up everything it does not need, for good.
 */
#ifndef CODEC_STRANGER_LOCK_H
#define CODEC_STRANGER_LOCK_H

#include <stdbool.h>

#define LOCK_SECONDS 8 /* of a processor */
/* Addresses, in bytes: 64 million pixels of 16 bits, twice. */
#define LOCK_MEMORY (1536ull << 20)

/* From here on: read, write, memory without code in it, and the end. Anything else is death.
   False: this machine has no such lock. */
bool lock_self(void);

#endif /* CODEC_STRANGER_LOCK_H */
