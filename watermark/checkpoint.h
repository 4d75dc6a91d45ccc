/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.h - a signed head of the log, and proofs that stand on one: C2SP's tlog-checkpoint,
 * signed-note and tlog-proof as text.
 *
 *     ORIGIN
 *     SIZE
 *     base64 of the root
 *     (lines of others, if any)
 *
 *     U+2014 ORIGIN base64 of (4 bytes of key id | 64 bytes of Ed25519)
 *
 * The signature covers all up to the line's end before the empty line. The key id is the first
 * bytes of SHA-256(ORIGIN 0x0A 0x01 public key). Signatures of others (witnesses) may stand beside
 * ours; they are left alone.
 */
#ifndef WATERMARK_CHECKPOINT_H
#define WATERMARK_CHECKPOINT_H

#include "base/status.h"
#include "watermark/tree.h"

#include <stddef.h>
#include <stdint.h>

struct sign_key; /* base/sign.h */

#define CHECKPOINT_BYTES_MAX  1024  /* of ours, with its NUL */
#define CHECKPOINT_READ_MAX   65536 /* of strangers' */
#define CHECKPOINT_ORIGIN_MAX 128   /* with its NUL: printable ASCII without blanks and plus */
#define CHECKPOINT_PUBLIC     32
#define CHECKPOINT_VKEY_MAX   (CHECKPOINT_ORIGIN_MAX + 56)
#define CHECKPOINT_PROOF_MAX  (TREE_PROOF_MAX * 45 + 64 + CHECKPOINT_BYTES_MAX)

struct checkpoint {
    char origin[CHECKPOINT_ORIGIN_MAX];
    int64_t size;
    uint8_t root[TREE_HASH];
};

/* ST_INVALID: no origin, which is said. */
MUST_USE enum status checkpoint_origin_check(const char *origin, struct why *why);

/* Text and a NUL. ST_INVALID: the key is not Ed25519, or the origin is none. */
MUST_USE enum status checkpoint_write(char out[CHECKPOINT_BYTES_MAX], const struct checkpoint *c,
                                      const struct sign_key *key, struct why *why);

/* Strangers' bytes: only their form; nobody's signature is looked at. */
MUST_USE enum status checkpoint_parse(struct checkpoint *out, const char *text, size_t bytes,
                                      struct why *why);
/* And signed for `origin` by this key. ST_REFUSED: well-formed, but not. */
MUST_USE enum status checkpoint_check(struct checkpoint *out, const char *text, size_t bytes,
                                      const char *origin, const uint8_t key[CHECKPOINT_PUBLIC],
                                      struct why *why);

/* The key for people and verifiers: ORIGIN+hex id+base64(0x01 | key). */
void checkpoint_vkey(char out[CHECKPOINT_VKEY_MAX], const char *origin,
                     const uint8_t key[CHECKPOINT_PUBLIC]);
MUST_USE enum status checkpoint_vkey_parse(char origin[CHECKPOINT_ORIGIN_MAX],
                                           uint8_t key[CHECKPOINT_PUBLIC], const char *text,
                                           struct why *why);

/* c2sp.org/tlog-proof@v1: the record's index, its path, and the checkpoint that it leads to. */
void checkpoint_proof_write(char out[CHECKPOINT_PROOF_MAX], int64_t index,
                            const struct tree_proof *proof, const char *note);
/* Strangers' bytes. *note points into `text`, to its end. */
MUST_USE enum status checkpoint_proof_parse(int64_t *index, struct tree_proof *out,
                                            const char **note, const char *text, size_t bytes,
                                            struct why *why);

#endif /* WATERMARK_CHECKPOINT_H */
