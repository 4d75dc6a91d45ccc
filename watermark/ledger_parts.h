/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_parts.h - what the files named ledger*.c share, and nobody else.
 *
 * ledger.c is who waits and the thread, ledger_batch.c what a transaction is made of, ledger_read.c
 * what is read, ledger_check.c whether it is as it was written.
 */
#ifndef WATERMARK_LEDGER_PARTS_H
#define WATERMARK_LEDGER_PARTS_H

#include "watermark/ledger.h"

#include <pthread.h>

#define LEDGER_TILES_MAX 16 /* that one transaction completes or lets grow */

/* What somebody waits for; on his stack. */
struct ledger_wish {
    struct record *record; /* NULL: none */
    const char *clear;     /* NULL: none */
    const int64_t *erase;  /* a record whose clear text goes; NULL: none */
    int64_t expire_first;  /* with a count above 0: records that expire */
    int64_t expire_count;
    bool sign;
    enum status st;
    struct why why;
    bool done;
    pthread_cond_t told;
    struct ledger_wish *next;
};

/* What one transaction is made of; its memory is taken once. */
struct ledger_batch {
    struct store_growth growth;
    struct store_leaf leaves[LEDGER_BATCH + 1]; /* and a record of the clock */
    char lines[LEDGER_BATCH + 1][RECORD_BYTES_MAX + 1];
    struct store_tile tiles[LEDGER_TILES_MAX];
    struct store_clear clears[LEDGER_BATCH];
    uint8_t salted[STORE_SALT_BYTES + STORE_CLEAR_MAX];
    struct store_checkpoint checkpoint;
    struct tree tree; /* after it */
    int64_t wall_ns, boot_ns;
    struct record clock;
};

struct ledger {
    struct store *store;
    const struct sign_key *key;
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct ledger_clock clock;
    int gather_us, checkpoint_ms;

    /* Of those who wait, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct ledger_wish *first, **last;
    int waiting;
    bool closing;

    /* The thread's own. */
    pthread_t thread;
    bool started;
    struct tree tree;     /* as it is on the disk */
    int64_t signed_size;  /* of the newest head; -1: nothing was ever signed */
    int64_t signed_us;    /* when it was tried last */
    int64_t last_wall_ns; /* of the last record; 0: there is none */
    int64_t offset_ns;    /* of the wall clock to the other one, */
    bool offset_known;    /* once there was a record */
    struct ledger_batch *batch;
};

int64_t ledger_now_us(void); /* never jumps */

/* All wishes of the list in one transaction; each is told in its `st` and `why`. A head with it
   when `sign`, or one of them wants one. */
void ledger_serve(struct ledger *l, struct ledger_wish *list, bool sign);

/* The tree, and what the thread knows beside it, from the disk. */
MUST_USE enum status ledger_reload(struct ledger *l, struct why *why);

/* Tiles of a `struct store`: a tree_reader. */
enum status ledger_read_tile(void *store, int level, int64_t number, int count,
                             uint8_t (*out)[TREE_HASH], struct why *why);

/* Records before this one may have expired: it is what the newest record of retention says. */
MUST_USE enum status ledger_expired(struct store *s, int64_t *out, struct why *why);

/* The newest head against the tiles and the records behind it. */
MUST_USE enum status ledger_check_edge(struct ledger *l, struct why *why);

#endif /* WATERMARK_LEDGER_PARTS_H */
