/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.h - where a picture comes from, signed, inside its file: a C2PA manifest (2.2), and the
 * same facts as XMP.
 *
 *     store > manifest > assertions: actions (created by a trained model), hash of the file,
 *                                    ours (id, model, weights, detector)
 *                      > claim      which assertions, with their hashes
 *                      > signature  COSE_Sign1 over the claim, with the certificates
 *
 * The hash is over the whole file but the manifest itself. No prompt, no user, no address is in it.
 * The mark in the pixels is told as `c2pa.watermarked.unbound`: the official list of algorithms
 * does not have ours, so the id stands in our own assertion.
 */
#ifndef WATERMARK_MANIFEST_H
#define WATERMARK_MANIFEST_H

#include "base/certs.h"
#include "codec/encode.h"

#include <stdbool.h>

#define MANIFEST_URN_MAX  64  /* "urn:c2pa:" and a UUID, with a NUL */
#define MANIFEST_TEXT_MAX 128 /* of what is read from one, with a NUL */

struct manifest_signer {
    const struct sign_key *key;
    const struct certs *chain; /* of this key */
    const char *provider, *system, *version;
    const char *detector_url; /* NULL: none */
    bool gb45438;             /* the Chinese label beside it */
};

/* Is the chain for this key, and has its time come? ST_INVALID says what is not right. */
MUST_USE enum status manifest_check(const struct manifest_signer *s, int64_t now_s,
                                    struct why *why);

struct manifest_facts {
    uint64_t id;
    int64_t time_s;
    const char *model, *weights_sha256; /* empty: not said */
};

struct manifest_made {
    char urn[MANIFEST_URN_MAX];
    uint8_t sha256[32]; /* of the manifest store's bytes */
};

/* Into an encoded picture, which grows by some kilobytes. From any thread. ST_FULL without memory,
   ST_IO without randomness, ST_INVALID: the file is none of ours. Then the file may have its XMP
   already, and is not to be sent. */
MUST_USE enum status manifest_sign(const struct manifest_signer *s, struct bytes *file,
                                   const struct manifest_facts *f, struct manifest_made *out,
                                   struct why *why);

/* What a stranger's file says. */
struct manifest_found {
    char urn[MANIFEST_URN_MAX];
    bool is_signed;    /* the claim's signature is the leaf's, and the assertions are as claimed */
    bool is_bound;     /* the file is the one that was signed */
    bool is_ours;      /* the leaf is that of `own` */
    bool is_generated; /* it says that a trained model made it */
    bool has_id;       /* of our assertion */
    uint64_t id;
    struct certs_leaf leaf;
    char system[MANIFEST_TEXT_MAX], version[MANIFEST_TEXT_MAX]; /* empty: not said */
    char when[MANIFEST_TEXT_MAX];
};

/* The active manifest, which is the last. `own`: our own chain, or NULL. ST_MISSING: the file has
   none; ST_INVALID: it has one that cannot be read, and why. */
MUST_USE enum status manifest_read(struct manifest_found *out, const void *file, size_t bytes,
                                   const struct certs *own, struct why *why);

#endif /* WATERMARK_MANIFEST_H */
