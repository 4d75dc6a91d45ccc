/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

/* The functions of before OpenSSL 3 that hash in memory of the caller's: the new ones allocate, so
   that a hash could fail. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <assert.h>
#include <string.h>

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
    SHA256_CTX hash;

    SHA256_Init(&hash);
    SHA256_Update(&hash, data, bytes);
    SHA256_Final(out, &hash);
}

/* RFC 2104: hash(key ^ outer | hash(key ^ inner | data)). */
void crypto_hmac(struct crypto_hmac *h, const void *key, size_t bytes)
{
    uint8_t inner[SHA256_CBLOCK] = {0};

    static_assert(sizeof(SHA256_CTX) <= sizeof(h->hash), "room for OpenSSL's state");
    if (bytes > sizeof(inner))
        crypto_sha256(inner, key, bytes);
    else
        memcpy(inner, key, bytes);
    for (size_t i = 0; i < sizeof(inner); i++) {
        h->outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    SHA256_Init((SHA256_CTX *)h->hash);
    SHA256_Update((SHA256_CTX *)h->hash, inner, sizeof(inner));
    crypto_wipe(inner, sizeof(inner));
}

void crypto_hmac_add(struct crypto_hmac *h, const void *data, size_t bytes)
{
    SHA256_Update((SHA256_CTX *)h->hash, data, bytes);
}

void crypto_hmac_add_text(struct crypto_hmac *h, const char *text)
{
    crypto_hmac_add(h, text, strlen(text) + 1);
}

void crypto_hmac_end(struct crypto_hmac *h, uint8_t out[32])
{
    SHA256_CTX hash;

    SHA256_Final(out, (SHA256_CTX *)h->hash);
    SHA256_Init(&hash);
    SHA256_Update(&hash, h->outer, sizeof(h->outer));
    SHA256_Update(&hash, out, 32);
    SHA256_Final(out, &hash);
    crypto_wipe(h, sizeof(*h));
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

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool crypto_base64_decode(void *out, size_t size, size_t *bytes, const char *text, size_t length)
{
    size_t padding = 0, used = 0;
    unsigned char *to = out;
    unsigned held = 0;

    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    if (length % 4 || length / 4 * 3 - padding > size)
        return false;
    for (size_t i = 0; i < length - padding; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return false;
        held = held << 6 | (unsigned)digit;
        if (i % 4)
            to[used++] = (unsigned char)(held >> (6 - 2 * (i % 4)));
    }
    *bytes = used;
    return true;
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
