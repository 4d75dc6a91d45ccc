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

enum status crypto_id(char *out, size_t size, const char *mark, struct why *why)
{
    uint8_t chance[CRYPTO_ID_DIGITS / 2];
    size_t used = strlen(mark);

    assert(used + CRYPTO_ID_DIGITS < size);
    if (crypto_random(chance, sizeof(chance)))
        return why_fail(why, ST_IO, "the system has no random numbers");
    memcpy(out, mark, used);
    crypto_hex(out + used, chance, sizeof(chance));
    return ST_OK;
}

void crypto_sha256(uint8_t out[32], const void *data, size_t bytes)
{
    SHA256_CTX hash;

    SHA256_Init(&hash);
    SHA256_Update(&hash, data, bytes);
    SHA256_Final(out, &hash);
}

void crypto_hash(struct crypto_hash *h)
{
    static_assert(sizeof(SHA256_CTX) <= sizeof(h->state), "room for OpenSSL's state");
    SHA256_Init((SHA256_CTX *)(void *)h->state);
}

void crypto_hash_add(struct crypto_hash *h, const void *data, size_t bytes)
{
    SHA256_Update((SHA256_CTX *)(void *)h->state, data, bytes);
}

void crypto_hash_end(struct crypto_hash *h, uint8_t out[32])
{
    SHA256_Final(out, (SHA256_CTX *)(void *)h->state);
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

/* ---- sealing ---- */

#define NONCE_BYTES 12
#define TAG_BYTES   16

/* Runs the cipher over all of `data`, in pieces that an int can count. */
static bool run_cipher(EVP_CIPHER_CTX *c, unsigned char *out, const unsigned char *data,
                       size_t bytes)
{
    int done;

    while (bytes > 0) {
        size_t piece = piece_bytes(bytes);

        if (EVP_CipherUpdate(c, out, &done, data, (int)piece) != 1 || done != (int)piece)
            return false;
        data += piece;
        bytes -= piece;
        out += out ? piece : 0; /* without: it is authenticated only */
    }
    return true;
}

static bool begin_cipher(EVP_CIPHER_CTX *c, bool seal, const uint8_t *key, const uint8_t *nonce,
                         const void *aad, size_t aad_bytes)
{
    return EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
           run_cipher(c, NULL, aad, aad_bytes);
}

enum status crypto_seal(void *out, const uint8_t key[CRYPTO_KEY_BYTES], const void *aad,
                        size_t aad_bytes, const void *data, size_t bytes)
{
    unsigned char *to = out, rest[TAG_BYTES];
    EVP_CIPHER_CTX *c;
    int none;
    bool good;

    if (crypto_random(to, NONCE_BYTES))
        return ST_IO;
    c = EVP_CIPHER_CTX_new();
    good = c && begin_cipher(c, true, key, to, aad, aad_bytes) &&
           run_cipher(c, to + NONCE_BYTES, data, bytes) &&
           EVP_CipherFinal_ex(c, rest, &none) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, to + NONCE_BYTES + bytes) == 1;
    EVP_CIPHER_CTX_free(c); /* wipes what it knew of the key */
    return good ? ST_OK : ST_FULL;
}

enum status crypto_unseal(void *out, const uint8_t key[CRYPTO_KEY_BYTES], const void *aad,
                          size_t aad_bytes, const void *sealed, size_t bytes)
{
    const unsigned char *from = sealed;
    unsigned char tag[TAG_BYTES], rest[TAG_BYTES];
    size_t count = bytes - CRYPTO_SEAL_BYTES;
    EVP_CIPHER_CTX *c;
    int none;
    bool ready, good;

    if (bytes < CRYPTO_SEAL_BYTES)
        return ST_INVALID;
    memcpy(tag, from + NONCE_BYTES + count, sizeof(tag));
    c = EVP_CIPHER_CTX_new();
    ready = c && begin_cipher(c, false, key, from, aad, aad_bytes) &&
            run_cipher(c, out, from + NONCE_BYTES, count) &&
            EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1;
    good = ready && EVP_CipherFinal_ex(c, rest, &none) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!good)
        crypto_wipe(out, count);
    return good ? ST_OK : ready ? ST_INVALID : ST_FULL;
}

enum status crypto_stream(void *out, size_t bytes, const uint8_t key[CRYPTO_KEY_BYTES],
                          const uint8_t nonce[CRYPTO_STREAM_NONCE_BYTES])
{
    uint8_t start[16] = {0}; /* the counter in four bytes, then the nonce */
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int written = 0;
    bool done;

    assert(bytes <= 1u << 30);
    if (!cipher)
        return ST_FULL;
    memcpy(start + 4, nonce, CRYPTO_STREAM_NONCE_BYTES);
    memset(out, 0, bytes); /* the stream is what zeros are enciphered to */
    done = EVP_EncryptInit_ex(cipher, EVP_chacha20(), NULL, key, start) == 1 &&
           EVP_EncryptUpdate(cipher, out, &written, out, (int)bytes) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return done ? ST_OK : ST_FULL;
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

size_t crypto_base64url_length(size_t bytes)
{
    return bytes / 3 * 4 + (bytes % 3 ? bytes % 3 + 1 : 0);
}

void crypto_base64url_encode(char *out, const void *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *from = data;
    unsigned held = 0;
    int bits = 0;

    for (size_t i = 0; i < bytes; i++) {
        held = held << 8 | from[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *out++ = digits[held >> (bits - 6) & 63];
    }
    if (bits)
        *out++ = digits[held << (6 - bits) & 63];
    *out = '\0';
}

static int url_digit_of(char c)
{
    return c == '-' ? 62 : c == '_' ? 63 : c == '+' || c == '/' ? -1 : digit_of(c);
}

bool crypto_base64url_decode(void *out, size_t bytes, const char *text)
{
    size_t length = crypto_base64url_length(bytes);
    unsigned char *to = out;
    unsigned held = 0;
    int bits = 0;

    if (strlen(text) != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int digit = url_digit_of(text[i]);

        if (digit < 0)
            return false;
        held = held << 6 | (unsigned)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(held >> bits);
        }
    }
    return !(held & ((1u << bits) - 1)); /* else another text would mean the same */
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

static int hex_digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool crypto_unhex(void *out, size_t bytes, const char *text, size_t length)
{
    unsigned char *to = out;

    if (length != 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit_of(text[2 * i]), low = hex_digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
