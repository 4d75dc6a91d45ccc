/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto.h - randomness, hashes, sealing and base64: the one room (with TLS) where OpenSSL is a
 * guest.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes nobody can guess. ST_IO when the system has none, which is the end of safe work. */
MUST_USE enum status crypto_random(void *out, size_t bytes);

#define CRYPTO_ID_DIGITS 32

/* A name that nobody else has: `mark`, as "job_", and 32 digits of hex, into room for all of it.
   ST_IO as above. */
MUST_USE enum status crypto_id(char *out, size_t size, const char *mark, struct why *why);

void crypto_sha256(uint8_t out[32], const void *data, size_t bytes);

/* SHA-256 of pieces one after another. */
struct crypto_hash {
    uint32_t state[32]; /* OpenSSL's */
};

void crypto_hash(struct crypto_hash *h);
void crypto_hash_add(struct crypto_hash *h, const void *data, size_t bytes);
void crypto_hash_end(struct crypto_hash *h, uint8_t out[32]);

/* HMAC with SHA-256, of pieces one after another: what only who has the key can make or check.

       crypto_hmac(&h, key, sizeof(key));
       crypto_hmac_add_text(&h, purpose);
       crypto_hmac_end(&h, out);

   Ending forgets the key. */
struct crypto_hmac {
    uint8_t outer[64];
    uint32_t hash[32]; /* OpenSSL's state */
};

void crypto_hmac(struct crypto_hmac *h, const void *key, size_t bytes);
void crypto_hmac_add(struct crypto_hmac *h, const void *data, size_t bytes);
/* With its NUL, so that what follows is no part of it. */
void crypto_hmac_add_text(struct crypto_hmac *h, const char *text);
void crypto_hmac_end(struct crypto_hmac *h, uint8_t out[32]);

#define CRYPTO_KEY_BYTES  32
#define CRYPTO_SEAL_BYTES 28 /* what sealing adds: the nonce before, the tag behind */

/* AES-256-GCM with a random nonce: bytes + CRYPTO_SEAL_BYTES bytes to `out`, which only who has the
   key can read, or make for the same `aad`. Seal no more than a few thousand millions of times with
   one key. ST_IO without randomness, ST_FULL without memory. `out` may not be `data`. */
MUST_USE enum status crypto_seal(void *out, const uint8_t key[CRYPTO_KEY_BYTES], const void *aad,
                                 size_t aad_bytes, const void *data, size_t bytes);
/* bytes - CRYPTO_SEAL_BYTES bytes to `out`, which is wiped when it fails. ST_INVALID: another key
   or `aad`, or it was altered. */
MUST_USE enum status crypto_unseal(void *out, const uint8_t key[CRYPTO_KEY_BYTES], const void *aad,
                                   size_t aad_bytes, const void *sealed, size_t bytes);

#define CRYPTO_STREAM_NONCE_BYTES 12

/* ChaCha20's stream of a key and a nonce from its beginning (RFC 8439, counter 0): random to
   whoever has not got the key, and always the same. At most 1 GiB. ST_FULL without memory. */
MUST_USE enum status crypto_stream(void *out, size_t bytes, const uint8_t key[CRYPTO_KEY_BYTES],
                                   const uint8_t nonce[CRYPTO_STREAM_NONCE_BYTES]);

/* Compares all `bytes` bytes in any case, so that the time it takes tells nothing of where they
   differ. */
bool crypto_equal(const void *a, const void *b, size_t bytes);

void crypto_wipe(void *secret, size_t bytes); /* also when nobody reads it afterwards */

/* Characters of base64 for `bytes` bytes, padding included, without the NUL. */
size_t crypto_base64_length(size_t bytes);

/* Writes crypto_base64_length(bytes) characters and a NUL. */
void crypto_base64_encode(char *out, const void *data, size_t bytes);

/* Bytes of a base64 text, into room for `size`; *bytes is how many. False: it is none, in one piece
   with its padding, or is more. */
bool crypto_base64_decode(void *out, size_t size, size_t *bytes, const char *text, size_t length);

/* The same in the alphabet of links, without padding: crypto_base64url_length(bytes) characters and
   a NUL. */
size_t crypto_base64url_length(size_t bytes);
void crypto_base64url_encode(char *out, const void *data, size_t bytes);
/* Exactly `bytes` bytes. False: it is none of so many, or not as it is written here. */
bool crypto_base64url_decode(void *out, size_t bytes, const char *text);

/* Lower-case hex and a NUL: 2 * bytes + 1 characters. */
void crypto_hex(char *out, const void *data, size_t bytes);
/* Exactly `bytes` bytes of hex, of either case. False: it is none of so many. */
bool crypto_unhex(void *out, size_t bytes, const char *text, size_t length);

#ifdef __cplusplus
}
#endif

#endif /* BASE_CRYPTO_H */
