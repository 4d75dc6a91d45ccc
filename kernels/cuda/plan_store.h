/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_store.h - which plan was fastest, remembered from one start to the next.
 *
 * A library offers many ways to do one piece of work, and only timing them on the device tells
 * which is best. That takes minutes, so the winners are written down. A record is only true for the
 * device, driver and library that it was measured with: it is found again when all of them are the
 * same, and otherwise kept for the machine that it belongs to.
 *
 *     limner-plans 1
 *     3f2a91c0  cudnn  NVIDIA H100 80GB HBM3  900  13000  91900  41.20  conv/bf16/...  41:2=4
 *
 * One record a line, fields between tabs: checksum of the rest, room, device, compute capability,
 * driver, library, microseconds, key, value. Keys and values are words of the rooms. The file is
 * nobody's to trust: a damaged line is skipped with a warning and costs no more than timing again,
 * and a room must survive a value that is wrong. Saving replaces the file in one step; of two
 * programs that save to one file the later wins.
 *
 * No CUDA in here. One thread at a time.
 */
#ifndef KERNELS_CUDA_PLAN_STORE_H
#define KERNELS_CUDA_PLAN_STORE_H

#include "base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLAN_STORE_RECORDS_MAX 8192
#define PLAN_STORE_LINE_MAX    2048 /* bytes of a record, all fields together */
#define PLAN_STORE_FILE_MAX    (PLAN_STORE_RECORDS_MAX * PLAN_STORE_LINE_MAX)

struct plan_store;

/* Whose records are looked for and put. */
struct plan_store_machine {
    const char *device; /* its name; copied, tabs and control characters as '?' */
    int capability;     /* 90 is 9.0 */
    int driver;         /* its version as CUDA tells it */
};

/* One winner. Strings are printable ASCII without blanks at either end. */
struct plan_store_record {
    const char *room;  /* "cudnn", "cublaslt" */
    long library;      /* its version */
    const char *key;   /* the work */
    const char *value; /* the way to do it */
    double us;         /* that it took */
};

/* Reads the file at `path`; one that is missing or cannot be read is an empty store, with a warning
   for the latter. ST_FULL: no memory. */
MUST_USE enum status plan_store_open(struct plan_store **out, const char *path,
                                     const struct plan_store_machine *machine, struct why *why);
void plan_store_close(struct plan_store **s);

/* Adds the records of a text in the file's format to the store; a later one replaces an earlier one
   of the same machine, room, library and key. Returns how many lines were damaged. */
int plan_store_read(struct plan_store *s, const char *text, size_t bytes);

/* The value of this machine's record, borrowed until the next put or read; NULL when none. */
const char *plan_store_find(const struct plan_store *s, const char *room, long library,
                            const char *key);

/* Replaces or adds this machine's record. When the store is full, a record of another machine
   or library makes room. ST_FULL: all are ours, or no memory. ST_INVALID: a string has characters
   that a record cannot have, or is too long. */
MUST_USE enum status plan_store_put(struct plan_store *s, const struct plan_store_record *record,
                                    struct why *why);

/* Writes the file anew if anything was put. ST_IO: it could not, and the old file is as it was. */
MUST_USE enum status plan_store_save(struct plan_store *s, struct why *why);

size_t plan_store_count(const struct plan_store *s); /* records of all machines */

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_PLAN_STORE_H */
