/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_names.h - labels and numbers that writing and reading a manifest share.
 */
#ifndef WATERMARK_MANIFEST_NAMES_H
#define WATERMARK_MANIFEST_NAMES_H

#define MANIFEST_ASSERTIONS "c2pa.assertions"
#define MANIFEST_CLAIM      "c2pa.claim.v2"
#define MANIFEST_SIGNATURE  "c2pa.signature"
#define MANIFEST_ACTIONS    "c2pa.actions.v2"
#define MANIFEST_HASH       "c2pa.hash.data"
#define MANIFEST_OURS       "limner.picture"

#define MANIFEST_BOX_HEAD 8 /* of a superbox, which its hash leaves out */

/* RFC 9052 and 9360. */
#define MANIFEST_COSE_SIGN1   18
#define MANIFEST_COSE_ALG     1
#define MANIFEST_COSE_X5CHAIN 33
#define MANIFEST_ES256        (-7)
#define MANIFEST_EDDSA        (-8)

#endif /* WATERMARK_MANIFEST_NAMES_H */
