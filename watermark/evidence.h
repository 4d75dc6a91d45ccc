/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence.h - what has to be in one hand to show years later, without us, that a picture was made
 * here: its record, the proof that leads to a signed head, the key, the program that checks them,
 * and a page for people that says how.
 *
 *     record  proof  checkpoint  key  README.txt  verifier/...  SHA256SUMS
 */
#ifndef WATERMARK_EVIDENCE_H
#define WATERMARK_EVIDENCE_H

#include "watermark/ledger.h"

/* A file that goes along. */
struct evidence_file {
    const char *name;
    const char *data;
    size_t bytes;
};

/* Of record `index`, under the newest head. A name that ends in .tar becomes an archive, any other
   a folder; neither may be there before (ST_REFUSED). ST_MISSING: no such record, or it has
   expired; ST_LATE: it is not under a head yet. */
MUST_USE enum status evidence_write(struct ledger *l, const uint8_t key[CHECKPOINT_PUBLIC],
                                    int64_t index, const struct evidence_file *verifier, int count,
                                    const char *path, struct why *why);

#endif /* WATERMARK_EVIDENCE_H */
