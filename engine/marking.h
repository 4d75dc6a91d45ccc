/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marking.h - from pixels that were allowed to bytes that may leave.
 *
 *     embed   an id of its own into the pixels, and read it back
 *     seal    encode, and sign a manifest into the file
 *     log     its record, on the disk before anybody gets the bytes
 *
 * In this order, and the first "no" ends it: what cannot be marked or logged is not sent. What
 * comes back weak from reading is marked again, stronger, and then says so in its record. Every
 * copy that leaves has an id of its own; the same request still makes the same pixels before that.
 *
 *     struct marking m = {.format = FORMAT_PNG, .model = "sd15", ...};
 *     st = marking_run(marker, &m, &image, &body, &why);
 *
 * One marker serves all threads. Without one (NULL) nothing is marked or logged, and sealing only
 * encodes: whoever runs a server so has said so.
 */
#ifndef ENGINE_MARKING_H
#define ENGINE_MARKING_H

#include "codec/encode.h"
#include "watermark/ledger.h"
#include "watermark/mark.h"

#include <stdbool.h>

struct manifest_signer;
struct marker;

#define MARKING_KEYS_MAX 8

/* All borrowed. */
struct marker_options {
    const struct mark_key *key[MARKING_KEYS_MAX]; /* that mark, in turns */
    int key_count;
    const uint8_t *fingerprint_key, *tenant_key; /* 32 bytes each */
    const struct manifest_signer *signer;
    struct ledger *ledger;
};

/* One picture. What is NULL or 0 was not said; texts are borrowed. */
struct marking {
    enum format format;
    int quality;
    const char *model, *weights_sha256, *unmarked_sha256; /* of the pixels as they were made */
    const char *tenant, *request, *decision;
    const char *endpoint;                 /* "picture", "preview", "release", "generate" */
    const char *prompt, *negative, *user; /* behind the record's commitment, and erasable */
    uint64_t seed;

    uint64_t id; /* what becomes of it: */
    struct record record;
};

struct marking_stats {
    uint64_t marked, weak, failed; /* pictures; failed ones were not sent */
    uint64_t marked_again;
    uint64_t logged;
};

MUST_USE enum status marking_open(struct marker **out, const struct marker_options *o,
                                  struct why *why);
void marking_close(struct marker **m);

/* Smaller pictures cannot carry a mark, so they are not made. 0: any size goes. */
int marking_side_min(const struct marker *m);

/* Any thread, in this order. ST_UNSUPPORTED: too small; ST_IO, ST_FULL: no randomness, no memory,
   no disk. Logging waits for the disk. */
MUST_USE enum status marking_embed(struct marker *m, struct marking *p, struct image *image,
                                   struct why *why);
MUST_USE enum status marking_seal(struct marker *m, struct marking *p, const struct image *image,
                                  struct bytes *body, struct why *why);
MUST_USE enum status marking_log(struct marker *m, struct marking *p, const struct bytes *body,
                                 struct why *why);

/* All three. On failure *body is empty. */
MUST_USE enum status marking_run(struct marker *m, struct marking *p, struct image *image,
                                 struct bytes *body, struct why *why);

void marking_get_stats(const struct marker *m, struct marking_stats *out);

#endif /* ENGINE_MARKING_H */
