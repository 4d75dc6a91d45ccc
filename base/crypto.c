/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <assert.h>

/* OpenSSL counts in int. A multiple of 3, so that only the last piece of base64 is padded. */
#define PIECE_BYTES (3u << 24)

static size_t piece_bytes(size_t bytes)
{
    return bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
}

enum status crypto_random(void *out, size_t bytes)
{
    unsigned char *to = out;

    while (bytes > 0) {
        size_t piece = piece_bytes(bytes);

        if (RAND_bytes(to, (int)piece) != 1)
            return ST_IO;
        to += piece;
        bytes -= piece;
    }
    return ST_OK;
}

void crypto_sha256(uint8_t out[32], const void *data, size_t bytes)
{
    int done = EVP_Digest(data, bytes, out, NULL, EVP_sha256(), NULL);

    assert(done == 1 && "SHA-256 is in every build of OpenSSL");
    (void)done;
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void crypto_wipe(void *secret, size_t bytes)
{
    OPENSSL_cleanse(secret, bytes);
}

size_t crypto_base64_length(size_t bytes)
{
    return bytes / 3 * 4 + (bytes % 3 ? 4 : 0);
}

void crypto_base64_encode(char *out, const void *data, size_t bytes)
{
    const unsigned char *from = data;

    *out = '\0';
    while (bytes > 0) {
        size_t piece = piece_bytes(bytes);

        out += EVP_EncodeBlock((unsigned char *)out, from, (int)piece);
        from += piece;
        bytes -= piece;
    }
}

void crypto_hex(char *out, const void *data, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = data;

    for (size_t i = 0; i < bytes; i++) {
        *out++ = digits[from[i] >> 4];
        *out++ = digits[from[i] & 15];
    }
    *out = '\0';
}
