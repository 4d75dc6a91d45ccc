/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring.h - the secrets of provenance, in one folder of files that only their owner may read.
 *
 *     mark-NAME.key     64 digits of hex: a key of the mark. All of them find marks; those that are
 *                       not retired also make them, in turns. mark-NAME.retired.key only finds
 *     fingerprint.key   64 digits of hex
 *     tenant.key        64 digits of hex: what makes pseudonyms of tenants
 *     ledger.pem        Ed25519: signs the heads of the log
 *     c2pa.pem          ES256 (or Ed25519): signs manifests
 *     c2pa-chain.pem    its certificates, the leaf first
 *
 * What is missing is made, the certificates by an authority that nobody trusts: that is for
 * development, and is said. An operator puts files of his own in their place.
 */
#ifndef WATERMARK_KEYRING_H
#define WATERMARK_KEYRING_H

#include "base/certs.h"
#include "watermark/fingerprint.h"
#include "watermark/mark.h"

#define KEYRING_FOLDER "keys" /* in the state folder */

struct keyring {
    struct mark_key *mark[MARK_KEYS_MAX]; /* in the order of their names; those that mark first */
    int mark_count, marking_count;
    uint8_t fingerprint[FINGERPRINT_KEY_BYTES], tenant[32];
    struct sign_key *ledger, *c2pa;
    struct certs *certs;
};

/* Of `state`/keys, which is made with what is missing; `provider` stands in certificates that are.
   ST_INVALID: a file is wrong, or others may read it, or the certificates are for another key. */
MUST_USE enum status keyring_open(struct keyring **out, const char *state, const char *provider,
                                  struct why *why);
void keyring_close(struct keyring **k);

#endif /* WATERMARK_KEYRING_H */
