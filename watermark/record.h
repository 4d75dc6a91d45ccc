/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - one record of the log: a struct here, one line of canonical JSON where it is hashed.
 *
 * A record has exactly one line: the keys in the order below, what is absent left out, integers
 * only, printable ASCII only, no blanks, no line's end. So what was read back and is written again
 * is the same bytes, and a line of which that is not true is not one of ours.
 *
 *     v index time_ns seq kind id sha256 pixels_sha256 unmarked_sha256 fingerprint width height
 *     format quality model weights_sha256 system mark{alg key psnr strength z verdict weak}
 *     manifest manifest_sha256 request endpoint tenant decision policy_version parents commitment
 *     note
 *
 * Nothing in it is a person's: the tenant is a pseudonym, and the prompt, the user and the address
 * are behind the commitment, SHA-256 of a salt and a text that the store can forget.
 */
#ifndef WATERMARK_RECORD_H
#define WATERMARK_RECORD_H

#include "base/status.h"
#include "store/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_BYTES_MAX   STORE_LEAF_BYTES_MAX /* of a line, without the NUL that is put behind */
#define RECORD_HASH_MAX    65                   /* a SHA-256 in lower-case hexadecimal and a NUL */
#define RECORD_NAME_MAX    STORE_LEAF_NAME_MAX
#define RECORD_NOTE_MAX    1024
#define RECORD_PARENTS_MAX 16
#define RECORD_SIDE_MAX    65535

/* Numbers that are in the store: only ever added to. */
enum record_kind {
    RECORD_EMBED,     /* a picture was marked, and goes out once this is durable */
    RECORD_VERIFY,    /* somebody's proof or export was verified */
    RECORD_DETECT,    /* the detector found us in a picture */
    RECORD_READ,      /* an officer looked at records */
    RECORD_EXPORT,    /* records were exported */
    RECORD_KEY,       /* a key was made, took over, or was retired */
    RECORD_ERASE,     /* a clear text was erased */
    RECORD_CONFIG,    /* what is logged or marked was configured otherwise */
    RECORD_RETENTION, /* old segments expired; note "FIRST-LAST" */
    RECORD_OVERRIDE,  /* two people let something happen that is not allowed by itself */
    RECORD_START,     /* a server began to write here */
    RECORD_CLOCK,     /* the wall clock jumped, or went back */
    RECORD_KINDS
};

/* What became of the mark. Absent when `alg` is empty. */
struct record_mark {
    char alg[24]; /* "limner-tile/1" */
    uint32_t key; /* mark_key_id */
    int psnr;     /* thousandths of a dB */
    int strength; /* millionths */
    int z;        /* of the read-back, thousandths */
    char verdict[STORE_LEAF_VERDICT_MAX];
    bool weak;
};

/* Texts are empty and numbers 0 where a thing is absent, but for what has a `has_`. */
struct record {
    enum record_kind kind;
    int64_t index, time_ns, seq; /* the ledger fills these: wall clock, and the time since boot */
    bool has_id, has_fingerprint;
    uint64_t id;
    char sha256[RECORD_HASH_MAX]; /* of the bytes that are returned */
    char pixels_sha256[RECORD_HASH_MAX];
    char unmarked_sha256[RECORD_HASH_MAX];
    uint8_t fingerprint[32];
    int width, height;
    char format[8];
    int quality;
    char model[RECORD_NAME_MAX];
    char weights_sha256[RECORD_HASH_MAX];
    char system[RECORD_NAME_MAX]; /* "limner/1.2.3" */
    struct record_mark mark;
    char manifest[128]; /* its URN */
    char manifest_sha256[RECORD_HASH_MAX];
    char request[RECORD_NAME_MAX], endpoint[RECORD_NAME_MAX];
    char tenant[STORE_LEAF_TENANT_MAX]; /* a pseudonym: 16 hexadecimal digits */
    char decision[STORE_LEAF_DECISION_MAX];
    int policy_version;
    int parent_count;
    uint64_t parents[RECORD_PARENTS_MAX];
    char commitment[RECORD_HASH_MAX]; /* the ledger fills this, too */
    char note[RECORD_NOTE_MAX];       /* for people; of every kind but embed */
};

const char *record_kind_name(enum record_kind kind);
bool record_kind_of(enum record_kind *out, const char *name);

/* A text as a record can hold it: cut to `size` with its NUL, what is not printable ASCII as '?'.
 */
void record_text(char *out, size_t size, const char *text);

/* Its line and a NUL, of *bytes bytes without it. ST_INVALID: a field is none (a hash that is not
   hexadecimal, a text that is not printable ASCII, a number out of its range), which is named. */
MUST_USE enum status record_write(char out[RECORD_BYTES_MAX + 1], size_t *bytes,
                                  const struct record *r, struct why *why);

/* Strangers' bytes. ST_INVALID: not a line that record_write makes; ST_UNSUPPORTED: of a newer
   version; ST_FULL: no memory. */
MUST_USE enum status record_parse(struct record *out, const char *line, size_t bytes,
                                  struct why *why);

/* The columns of its leaf; record bytes and hash are not touched. */
void record_columns(struct store_leaf *out, const struct record *r);

#endif /* WATERMARK_RECORD_H */
