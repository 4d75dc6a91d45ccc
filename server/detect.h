/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detect.h - was this picture made here? What each layer says of a stranger's file, and one
 * sentence that a person understands.
 *
 *     manifest     what the file says of itself, and whether anybody signed that
 *     mark         what is hidden in the pixels, with a p value
 *     log          is there a record of the id that was found, or of this very file?
 *     fingerprint  does the picture look like the one of that record?
 *
 * A picture of which nothing is found is "not found": marks can be lost, so it is never called
 * "not AI". Nothing of the record that is a person's comes out of here: no prompt, no user.
 */
#ifndef SERVER_DETECT_H
#define SERVER_DETECT_H

#include "base/json.h"
#include "watermark/fingerprint.h"
#include "watermark/ledger.h"
#include "watermark/manifest.h"
#include "watermark/mark.h"

#define DETECT_SENTENCE_MAX 768

/* What it looks with. All borrowed; what is NULL or 0 is not looked at. */
struct detect_tools {
    const struct mark_key *const *keys; /* all that find, retired ones too */
    int key_count;
    const uint8_t *fingerprint_key;
    struct ledger *ledger;
    const struct certs *own; /* whose manifests are ours */
    const char *provider;    /* who says so; NULL: "this provider" */
};

enum detect_verdict {
    DETECT_NOT_FOUND,
    DETECT_FOREIGN,   /* somebody else's manifest, and nothing of ours */
    DETECT_PRESENT,   /* a layer found us, and the log does not confirm it */
    DETECT_CONFIRMED, /* the log has it, and nothing speaks against it */
    DETECT_DISAGREE   /* layers say different things: somebody may have moved one */
};

enum detect_manifest {
    DETECT_MANIFEST_NONE,
    DETECT_MANIFEST_UNREADABLE,
    DETECT_MANIFEST_BROKEN, /* the signature or the file is not as it was signed */
    DETECT_MANIFEST_FOREIGN,
    DETECT_MANIFEST_OURS
};

enum detect_print { DETECT_PRINT_NONE, DETECT_PRINT_AGREES, DETECT_PRINT_DIFFERS };

struct detect_result {
    enum detect_verdict verdict;
    int width, height;
    enum detect_manifest manifest;
    struct manifest_found said; /* by the manifest, unless there is none */
    struct mark_finding mark;
    enum detect_print print;
    int distance;      /* of fingerprints, in bits */
    bool has_record;   /* of the log: */
    bool is_same_file; /* it left here with these very bytes */
    struct record record;
    char sentence[DETECT_SENTENCE_MAX];
};

/* Some tenths of a second of a processor, and up to STRANGER_SECONDS: never on an io thread. Fails
   as stranger_decode does, with ST_FULL, and with ST_IO when the log cannot be read. */
MUST_USE enum status detect_run(struct detect_result *out, const struct detect_tools *t,
                                const void *file, size_t bytes, struct why *why);

/* As members of an object that is open. The numbers behind the verdicts are for officers only
   (`raw`): who sees them could take a mark out step by step. Others get p values as powers of ten.
 */
void detect_write(struct json_out *o, const struct detect_result *r, bool raw);

#endif /* SERVER_DETECT_H */
