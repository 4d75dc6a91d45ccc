/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certs.h"

#include "base/crypto.h"
#include "base/keyfile.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S            86400
#define CLAIM_SIGNING    "1.3.6.1.4.1.62558.2.1" /* C2PA's purpose of a key */
#define EMAIL_PROTECTION "1.3.6.1.5.5.7.3.4"
#define DOCUMENT_SIGNING "1.3.6.1.5.5.7.3.36"
#define ANY_PURPOSE      "2.5.29.37.0"
#define AUTHORITY_NAME   "limner development authority (not trusted)"
#define AUTHORITY_DAYS   3650
#define CERTIFICATE_DAYS 1825

/* ---- making one for development ---- */

/* Who it is for, who says so, and what it may do. */
struct draft {
    const char *organisation, *name;
    EVP_PKEY *key, *issuer_key;
    X509 *issuer; /* NULL: itself */
    int days;
};

static bool add_extension(X509 *c, X509 *issuer, int what, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool good;

    X509V3_set_ctx(&context, issuer, c, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
    good = extension && X509_add_ext(c, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_extensions(X509 *c, const struct draft *d)
{
    X509 *issuer = d->issuer ? d->issuer : c;
    bool good = add_extension(c, issuer, NID_subject_key_identifier, "hash");

    if (!d->issuer)
        return good && add_extension(c, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
               add_extension(c, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    return good && add_extension(c, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(c, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(c, issuer, NID_ext_key_usage, "emailProtection," CLAIM_SIGNING) &&
           add_extension(c, issuer, NID_authority_key_identifier, "keyid:always");
}

static bool set_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const uint8_t *)value, -1, -1,
                                      0) == 1;
}

static bool set_serial(X509 *c)
{
    BIGNUM *number = BN_new();
    bool good = number && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c));

    BN_free(number);
    return good;
}

static X509 *issue(const struct draft *d)
{
    X509 *c = X509_new();
    X509_NAME *name = c ? X509_get_subject_name(c) : NULL;

    if (c && X509_set_version(c, X509_VERSION_3) && set_serial(c) &&
        X509_gmtime_adj(X509_getm_notBefore(c), -DAY_S) &&
        X509_gmtime_adj(X509_getm_notAfter(c), (long)d->days * DAY_S) &&
        set_name(name, "O", d->organisation) && set_name(name, "CN", d->name) &&
        X509_set_issuer_name(c, d->issuer ? X509_get_subject_name(d->issuer) : name) &&
        X509_set_pubkey(c, d->key) && add_extensions(c, d) &&
        X509_sign(c, d->issuer_key, EVP_sha256()))
        return c;
    X509_free(c);
    return NULL;
}

/* Leaf and authority as PEM. */
static int write_pair(char text[KEYFILE_BYTES_MAX], EVP_PKEY *key, const char *organisation)
{
    EVP_PKEY *authority_key = EVP_EC_gen("P-256");
    const struct draft top = {.organisation = "limner",
                              .name = AUTHORITY_NAME,
                              .key = authority_key,
                              .issuer_key = authority_key,
                              .days = AUTHORITY_DAYS};
    X509 *authority = authority_key ? issue(&top) : NULL, *leaf = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    int bytes = 0;

    if (authority)
        leaf = issue(&(struct draft){.organisation = organisation,
                                     .name = "limner claim signing",
                                     .key = key,
                                     .issuer_key = authority_key,
                                     .issuer = authority,
                                     .days = CERTIFICATE_DAYS});
    if (leaf && bio && PEM_write_bio_X509(bio, leaf) && PEM_write_bio_X509(bio, authority))
        bytes = BIO_read(bio, text, KEYFILE_BYTES_MAX - 1);
    text[bytes > 0 ? bytes : 0] = '\0';
    BIO_free(bio);
    X509_free(leaf);
    X509_free(authority);
    EVP_PKEY_free(authority_key);
    return bytes;
}

static EVP_PKEY *read_key(const char *path, struct why *why)
{
    char text[KEYFILE_BYTES_MAX];
    EVP_PKEY *key = NULL;
    BIO *bio;

    if (keyfile_read(text, path, "", why))
        return NULL;
    bio = BIO_new_mem_buf(text, -1);
    if (bio)
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    BIO_free(bio);
    crypto_wipe(text, sizeof(text));
    if (!key)
        why_fail(why, ST_INVALID, "%s holds no private key", path);
    return key;
}

enum status certs_create(const char *path, const char *key_path, const char *organisation,
                         struct why *why)
{
    char fresh[KEYFILE_BYTES_MAX], text[KEYFILE_BYTES_MAX], name[65];
    EVP_PKEY *key;
    int bytes;

    if (!access(path, F_OK))
        return ST_OK;
    key = read_key(key_path, why);
    if (!key)
        return ST_INVALID;
    snprintf(name, sizeof(name), "%.64s", organisation); /* X.509's own limit */
    bytes = write_pair(fresh, key, name);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (bytes <= 0)
        return why_fail(why, ST_INVALID,
                        "no certificate can be made for '%s': no memory, or the name is no UTF-8",
                        name);
    return keyfile_read(text, path, fresh, why);
}

/* ---- reading one ---- */

static int64_t unix_s(const ASN1_TIME *time)
{
    struct tm at;

    return ASN1_TIME_to_tm(time, &at) == 1 ? (int64_t)timegm(&at) : 0;
}

/* The key that it certifies. */
static bool read_public(struct certs_leaf *out, X509 *c)
{
    EVP_PKEY *key = X509_get0_pubkey(c);
    char group[32];
    size_t bytes;

    out->pub_bytes = sizeof(out->pub);
    if (!key)
        return false;
    if (EVP_PKEY_is_a(key, "ED25519")) {
        out->kind = SIGN_ED25519;
        return EVP_PKEY_get_raw_public_key(key, out->pub, &out->pub_bytes) == 1;
    }
    out->kind = SIGN_ES256;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), &bytes) == 1 &&
           !strcmp(group, "prime256v1") &&
           EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, out->pub, sizeof(out->pub),
                                           &out->pub_bytes) == 1 &&
           out->pub_bytes == SIGN_ES256_PUB && out->pub[0] == 4;
}

/* For signatures, by a purpose that verifiers of manifests take, and no authority. */
static bool signs_claims(X509 *c)
{
    EXTENDED_KEY_USAGE *purposes = X509_get_ext_d2i(c, NID_ext_key_usage, NULL, NULL);
    bool good = false, any = false;
    char name[64];

    for (int i = 0; i < sk_ASN1_OBJECT_num(purposes); i++) {
        OBJ_obj2txt(name, sizeof(name), sk_ASN1_OBJECT_value(purposes, i), 1);
        any = any || !strcmp(name, ANY_PURPOSE);
        good = good || !strcmp(name, CLAIM_SIGNING) || !strcmp(name, EMAIL_PROTECTION) ||
               !strcmp(name, DOCUMENT_SIGNING);
    }
    EXTENDED_KEY_USAGE_free(purposes);
    return good && !any && !X509_check_ca(c) && X509_get_key_usage(c) & KU_DIGITAL_SIGNATURE;
}

static bool describe(struct certs_leaf *out, X509 *c)
{
    *out = (struct certs_leaf){.from_s = unix_s(X509_get0_notBefore(c)),
                               .until_s = unix_s(X509_get0_notAfter(c)),
                               .signs_claims = signs_claims(c)};
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_organizationName, out->organisation,
                                  sizeof(out->organisation)) < 0)
        out->organisation[0] = '\0';
    return read_public(out, c);
}

bool certs_read(struct certs_leaf *out, const uint8_t *der, size_t bytes)
{
    X509 *c = bytes <= CERTS_FILE_BYTES_MAX ? d2i_X509(NULL, &der, (long)bytes) : NULL;
    bool good = c && describe(out, c);

    X509_free(c);
    ERR_clear_error();
    return good;
}

static bool is_development(X509 *c)
{
    char name[CERTS_NAME_MAX];

    return X509_NAME_get_text_by_NID(X509_get_issuer_name(c), NID_commonName, name, sizeof(name)) >
               0 &&
           !strcmp(name, AUTHORITY_NAME);
}

/* An authority that issued itself is not sent along: who trusts it has it. */
static bool is_root(X509 *c)
{
    return X509_NAME_cmp(X509_get_subject_name(c), X509_get_issuer_name(c)) == 0;
}

static enum status add(struct certs *out, X509 *c, const char *path, struct why *why)
{
    uint8_t *der = NULL;
    int bytes;

    if (out->count && is_root(c))
        return ST_OK;
    if (out->count == CERTS_MAX)
        return why_fail(why, ST_INVALID, "%s holds more than %d certificates", path, CERTS_MAX);
    if (!out->count && !describe(&out->leaf, c))
        return why_fail(why, ST_INVALID,
                        "the first certificate of %s is for no key of Ed25519 or P-256", path);
    if (!out->count)
        out->development = is_development(c);
    bytes = i2d_X509(c, &der);
    if (bytes <= 0)
        return why_fail(why, ST_FULL, "no memory for certificates");
    out->certificate[out->count].der = der;
    out->certificate[out->count++].bytes = (size_t)bytes;
    return ST_OK;
}

static enum status parse(struct certs *out, BIO *bio, const char *path, struct why *why)
{
    enum status st = ST_OK;
    X509 *c;

    while (!st && (c = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        st = add(out, c, path, why);
        X509_free(c);
    }
    ERR_clear_error();
    if (!st && !out->count)
        st = why_fail(why, ST_INVALID, "%s holds no certificates as PEM", path);
    return st;
}

enum status certs_open(struct certs **out, const char *path, struct why *why)
{
    struct certs *c = calloc(1, sizeof(*c));
    BIO *bio = c ? BIO_new_file(path, "r") : NULL;
    enum status st;

    *out = NULL;
    if (!c)
        return why_fail(why, ST_FULL, "no memory for certificates");
    if (!bio) {
        ERR_clear_error();
        certs_close(&c);
        return why_fail(why, ST_MISSING, "%s cannot be read: %s", path, strerror(errno));
    }
    st = parse(c, bio, path, why);
    BIO_free(bio);
    if (st)
        certs_close(&c);
    *out = c;
    return st;
}

void certs_close(struct certs **c)
{
    for (int i = 0; *c && i < (*c)->count; i++)
        OPENSSL_free((*c)->certificate[i].der);
    free(*c);
    *c = NULL;
}
