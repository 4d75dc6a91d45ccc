/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - the log of what was made: rows of the store, and what is done with them.
 *
 *     leaf        one record, a line of JSON that watermark/record.h writes, with its hash and the
 *                 columns that it is searched by. Never changed; its bytes may expire
 *     tile        256 hashes of one level of the tree over the leaves (watermark/tree.h); of level
 *                 0 only full ones, above also the last, which grows
 *     checkpoint  a signed size and root
 *     clear       the text behind a record's commitment, with its salt. Not part of the log: it can
 *                 be erased, and the log stays whole
 *     hold        leaves that neither expire nor lose their clear text, since a court said so
 *
 * The store hashes and signs nothing. It takes what the log has become in one transaction: all of
 * it or nothing. What it is for, and who may write, is said in watermark/ledger.h.
 */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "store/jobs.h"

#define STORE_LEAF_BYTES_MAX    16384 /* of a record; what is longer is not appended */
#define STORE_LEAF_KINDS        16    /* at most; which is which says watermark/record.h */
#define STORE_LEAF_NAME_MAX     64    /* these with a NUL */
#define STORE_LEAF_TENANT_MAX   17
#define STORE_LEAF_VERDICT_MAX  16
#define STORE_LEAF_DECISION_MAX 40
#define STORE_TILE_HASHES       256
#define STORE_CHECKPOINT_MAX    1024 /* a signed note, with a NUL */
#define STORE_CHECKPOINTS       4096 /* the newest that are kept; of older ones each 1024th is */
#define STORE_CLEAR_MAX         65536
#define STORE_SALT_BYTES        32
#define STORE_HOLDS_MAX         1024

struct store_leaf {
    int64_t index;             /* from 0, without gaps */
    struct store_bytes record; /* no bytes: they have expired */
    uint8_t hash[32];
    /* What it is searched by; all of it also in the record; all but kind and time go with its
     * bytes.
     */
    int kind;
    int64_t time_ns;
    bool has_id, has_sha256, has_pixels, has_fingerprint, weak;
    uint64_t id;
    uint8_t sha256[32], pixels[32], fingerprint[32];
    char tenant[STORE_LEAF_TENANT_MAX]; /* these four: empty, there is none */
    char model[STORE_LEAF_NAME_MAX];
    char verdict[STORE_LEAF_VERDICT_MAX];
    char decision[STORE_LEAF_DECISION_MAX];
};

struct store_tile {
    int level; /* of the tiles: a hash of level 1 stands for 256 of level 0 */
    int64_t number;
    int count; /* of hashes */
    uint8_t hashes[STORE_TILE_HASHES][32];
};

struct store_checkpoint {
    int64_t seq; /* given by the store */
    int64_t size, time_ns;
    uint8_t root[32];
    char note[STORE_CHECKPOINT_MAX];
};

/* The text and the salt are empty once they are erased. */
struct store_clear {
    int64_t index;
    int64_t erased_ns; /* 0: it is there */
    uint8_t salt[STORE_SALT_BYTES];
    struct store_bytes text;
};

struct store_hold {
    char name[STORE_LEAF_NAME_MAX]; /* of the case; its key */
    int64_t first, last;            /* leaves, both included */
    int64_t at_ns;
    char note[256]; /* for people */
};

/* What the log becomes, all or nothing. Counts may be 0. */
struct store_growth {
    int64_t size; /* before it, which has to be what is there */
    const struct store_leaf *leaves;
    int leaf_count;
    const struct store_tile *tiles; /* in place of those of the same level and number */
    int tile_count;
    const struct store_clear *clears;
    int clear_count;
    const struct store_checkpoint *checkpoint; /* NULL: none */
    const int64_t *erase;                      /* leaves whose clear text goes */
    int erase_count;
    int64_t expire_first, expire_count; /* leaves whose bytes go, clear texts included */
    int64_t time_ns;                    /* of what is erased */
};

/* All that is said has to hold; the newest come first. */
struct store_search {
    int64_t before;             /* leaves before this one; 0: all of them */
    int kind;                   /* -1: any */
    bool weak;                  /* only pictures whose mark is weak */
    int64_t since_ns, until_ns; /* until is not included; 0: no bound */
    const uint64_t *id;         /* these seven: NULL, any */
    const uint8_t *sha256, *pixels;
    const char *tenant, *model, *verdict, *decision;
};

/* What an index of fingerprints is filled with. */
struct store_print {
    int64_t index;
    uint8_t fingerprint[32];
};

#endif /* STORE_LEDGER_H */
