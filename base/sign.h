/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign.h - signatures that anybody can check: Ed25519 for the log, ECDSA on P-256 with SHA-256
 * (COSE calls it ES256) for manifests. With crypto and certs, OpenSSL's room.
 *
 * A private key is a PEM file of its owner's alone (PKCS#8); one that others may read is refused.
 *
 *     st = sign_open(&key, "state/keys/ledger.pem", &why);
 *     st = sign_make(signature, key, data, bytes);
 */
#ifndef BASE_SIGN_H
#define BASE_SIGN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_BYTES       64 /* of a signature, of either kind */
#define SIGN_PUBLIC_MAX  65
#define SIGN_ED25519_PUB 32 /* bytes of a public key */
#define SIGN_ES256_PUB   65 /* a point, uncompressed */

enum sign_kind { SIGN_ED25519, SIGN_ES256 };

struct sign_key; /* read-only once it is open: any thread signs with it */

/* ST_MISSING: there is no such file; ST_INVALID: others may read it, or it is no key of these
   kinds. */
MUST_USE enum status sign_open(struct sign_key **out, const char *path, struct why *why);
void sign_close(struct sign_key **k);

/* A new key in a new file; one that is there already stays as it is. */
MUST_USE enum status sign_create(const char *path, enum sign_kind kind, struct why *why);

enum sign_kind sign_kind(const struct sign_key *k);
/* An Ed25519 key's 32 bytes, or the point of the other: 4, x, y. */
void sign_public(uint8_t out[SIGN_PUBLIC_MAX], size_t *bytes, const struct sign_key *k);

/* Ed25519's 64 bytes, or r and s of ECDSA. ST_FULL without memory, ST_IO without randomness. */
MUST_USE enum status sign_make(uint8_t out[SIGN_BYTES], const struct sign_key *k, const void *data,
                               size_t bytes);
/* Strangers' bytes: false also for what is no key. */
bool sign_check(enum sign_kind kind, const uint8_t *pub, size_t pub_bytes,
                const uint8_t signature[SIGN_BYTES], const void *data, size_t bytes);

#endif /* BASE_SIGN_H */
