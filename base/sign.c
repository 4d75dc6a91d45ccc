/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sign.h"

#include "base/crypto.h"
#include "base/keyfile.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HALF 32 /* bytes of r, and of s */

struct sign_key {
    EVP_PKEY *key;
    enum sign_kind kind;
    uint8_t pub[SIGN_PUBLIC_MAX];
    size_t pub_bytes;
};

/* ---- files ---- */

static EVP_PKEY *generate(enum sign_kind kind)
{
    return kind == SIGN_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
}

/* The text of a new key, which the caller wipes. */
static enum status write_new(char text[KEYFILE_BYTES_MAX], enum sign_kind kind, struct why *why)
{
    EVP_PKEY *key = generate(kind);
    BIO *bio = BIO_new(BIO_s_secmem());
    int bytes = 0;

    if (key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        bytes = BIO_read(bio, text, KEYFILE_BYTES_MAX - 1);
    text[bytes > 0 ? bytes : 0] = '\0';
    BIO_free(bio);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return bytes > 0 ? ST_OK : why_fail(why, ST_FULL, "no memory or randomness for a new key");
}

enum status sign_create(const char *path, enum sign_kind kind, struct why *why)
{
    char fresh[KEYFILE_BYTES_MAX], text[KEYFILE_BYTES_MAX];
    enum status st = write_new(fresh, kind, why);

    if (!st)
        st = keyfile_read(text, path, fresh, why);
    crypto_wipe(fresh, sizeof(fresh));
    crypto_wipe(text, sizeof(text));
    return st;
}

/* What kind it is, and its public half. */
static bool look(struct sign_key *k)
{
    char group[32];
    size_t bytes = 0;

    k->pub_bytes = sizeof(k->pub);
    if (EVP_PKEY_is_a(k->key, "ED25519")) {
        k->kind = SIGN_ED25519;
        return EVP_PKEY_get_raw_public_key(k->key, k->pub, &k->pub_bytes) == 1;
    }
    k->kind = SIGN_ES256;
    return EVP_PKEY_is_a(k->key, "EC") &&
           EVP_PKEY_get_group_name(k->key, group, sizeof(group), &bytes) == 1 &&
           (!strcmp(group, "prime256v1") || !strcmp(group, "P-256")) &&
           EVP_PKEY_get_octet_string_param(k->key, OSSL_PKEY_PARAM_PUB_KEY, k->pub, sizeof(k->pub),
                                           &k->pub_bytes) == 1 &&
           k->pub_bytes == SIGN_ES256_PUB && k->pub[0] == 4;
}

/* Nobody is there to type a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static enum status parse(struct sign_key *k, const char *text, const char *path, struct why *why)
{
    BIO *bio = BIO_new_mem_buf(text, -1);

    if (!bio)
        return why_fail(why, ST_FULL, "no memory for a key");
    k->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (k->key && look(k))
        return ST_OK;
    return why_fail(why, ST_INVALID,
                    "%s holds no private key of Ed25519 or P-256 as PEM without a passphrase",
                    path);
}

enum status sign_open(struct sign_key **out, const char *path, struct why *why)
{
    char text[KEYFILE_BYTES_MAX];
    struct sign_key *k;
    enum status st;

    *out = NULL;
    if (access(path, F_OK))
        return why_fail(why, ST_MISSING, "%s cannot be read: %s", path, strerror(errno));
    k = calloc(1, sizeof(*k));
    if (!k)
        return why_fail(why, ST_FULL, "no memory for a key");
    st = keyfile_read(text, path, "", why);
    if (!st)
        st = parse(k, text, path, why);
    crypto_wipe(text, sizeof(text));
    if (st)
        sign_close(&k);
    *out = k;
    return st;
}

void sign_close(struct sign_key **k)
{
    if (*k)
        EVP_PKEY_free((*k)->key);
    free(*k);
    *k = NULL;
}

enum sign_kind sign_kind(const struct sign_key *k)
{
    return k->kind;
}

void sign_public(uint8_t out[SIGN_PUBLIC_MAX], size_t *bytes, const struct sign_key *k)
{
    memcpy(out, k->pub, k->pub_bytes);
    *bytes = k->pub_bytes;
}

/* ---- signatures ---- */

/* ECDSA's DER to r and s. */
static bool unpack(uint8_t out[SIGN_BYTES], const uint8_t *der, size_t bytes)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)bytes);
    bool good = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, HALF) == HALF &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + HALF, HALF) == HALF;

    ECDSA_SIG_free(pair);
    return good;
}

/* The other way; the caller frees *der with OPENSSL_free. Below 0: no memory. */
static int pack(uint8_t **der, const uint8_t in[SIGN_BYTES])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(in, HALF, NULL), *s = BN_bin2bn(in + HALF, HALF, NULL);
    int bytes = -1;

    *der = NULL;
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
        r = s = NULL;
        bytes = i2d_ECDSA_SIG(pair, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return bytes;
}

enum status sign_make(uint8_t out[SIGN_BYTES], const struct sign_key *k, const void *data,
                      size_t bytes)
{
    const EVP_MD *hash = k->kind == SIGN_ES256 ? EVP_sha256() : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t made[128];
    size_t count = sizeof(made);
    bool good = context && EVP_DigestSignInit(context, NULL, hash, NULL, k->key) == 1 &&
                EVP_DigestSign(context, made, &count, data, bytes) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (!good)
        return ST_FULL;
    if (k->kind == SIGN_ES256)
        return unpack(out, made, count) ? ST_OK : ST_FULL;
    assert(count == SIGN_BYTES);
    memcpy(out, made, SIGN_BYTES);
    return ST_OK;
}

static EVP_PKEY *public_key(enum sign_kind kind, const uint8_t *pub, size_t bytes)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context;
    OSSL_PARAM params[3];

    if (kind == SIGN_ED25519)
        return bytes == SIGN_ED25519_PUB
                   ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, bytes)
                   : NULL;
    if (bytes != SIGN_ES256_PUB || pub[0] != 4)
        return NULL;
    params[0] =
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"prime256v1"}, 0);
    params[1] =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)pub, bytes);
    params[2] = OSSL_PARAM_construct_end();
    context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

bool sign_check(enum sign_kind kind, const uint8_t *pub, size_t pub_bytes,
                const uint8_t signature[SIGN_BYTES], const void *data, size_t bytes)
{
    EVP_PKEY *key = public_key(kind, pub, pub_bytes);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *hash = kind == SIGN_ES256 ? EVP_sha256() : NULL;
    uint8_t *der = NULL;
    int der_bytes = kind == SIGN_ES256 ? pack(&der, signature) : 0;
    bool good = key && context && der_bytes >= 0 &&
                EVP_DigestVerifyInit(context, NULL, hash, NULL, key) == 1 &&
                EVP_DigestVerify(context, der ? der : signature,
                                 der ? (size_t)der_bytes : SIGN_BYTES, data, bytes) == 1;

    OPENSSL_free(der);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}
