/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks.h - what is needed to mark, sign and log pictures: the keys of the state folder, the log in
 * its store, and the marker that uses them. For a server and for one picture on the command line.
 */
#ifndef SERVER_MARKS_H
#define SERVER_MARKS_H

#include "engine/marking.h"
#include "store/store.h"
#include "watermark/keyring.h"
#include "watermark/ledger.h"
#include "watermark/manifest.h"

struct marks_options {
    const char *state, *provider;
    const char *public_url; /* "": the detector's address is not told */
    struct store *store;    /* of `state`; outlives the marks */
};

struct marks {
    struct keyring *keys;
    struct manifest_signer signer;
    struct ledger *ledger;
    struct marker *marker;
    char detector_url[512];
};

/* What is missing of the keys is made, and said in the log of the server. ST_INVALID: a key, a
   certificate or the log itself is not as it should be; nothing is served then. */
MUST_USE enum status marks_open(struct marks *m, const struct marks_options *o, struct why *why);
void marks_close(struct marks *m); /* also half-opened, or zeroed */

#endif /* SERVER_MARKS_H */
