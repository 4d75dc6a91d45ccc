/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs.h - the certificates that say whose a signing key is: the leaf first, then who issued it.
 *
 * An operator has a chain of an authority that verifiers trust. `certs_create` makes one for
 * development, of an authority that nobody trusts and whose key is thrown away.
 */
#ifndef BASE_CERTS_H
#define BASE_CERTS_H

#include "base/sign.h"

#define CERTS_MAX            6
#define CERTS_FILE_BYTES_MAX 65536
#define CERTS_NAME_MAX       128 /* with a NUL */

/* What a certificate says. */
struct certs_leaf {
    enum sign_kind kind;
    uint8_t pub[SIGN_PUBLIC_MAX];
    size_t pub_bytes;
    int64_t from_s, until_s;           /* seconds since 1970 */
    char organisation[CERTS_NAME_MAX]; /* empty: it names none */
    bool signs_claims;                 /* its purposes are those that C2PA asks for */
};

struct certs {
    int count;
    struct {
        uint8_t *der;
        size_t bytes;
    } certificate[CERTS_MAX];
    struct certs_leaf leaf;
    bool development; /* made by certs_create: no verifier trusts it */
};

/* For this key, in a new file; one that is there already stays as it is. */
MUST_USE enum status certs_create(const char *path, const char *key_path, const char *organisation,
                                  struct why *why);

/* A file of PEM. ST_MISSING; ST_INVALID: no certificates, too many, or the leaf's key is of another
   kind than sign.h knows. */
MUST_USE enum status certs_open(struct certs **out, const char *path, struct why *why);
void certs_close(struct certs **c);

/* Strangers' bytes, DER. False: no certificate, or one whose key we do not know. */
bool certs_read(struct certs_leaf *out, const uint8_t *der, size_t bytes);

#endif /* BASE_CERTS_H */
