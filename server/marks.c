/* SPDX-License-Identifier: Apache-2.0 */
#include "server/marks.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

#define SYSTEM "limner"

static enum status open_signer(struct marks *m, const struct marks_options *o, struct why *why)
{
    if (*o->public_url)
        snprintf(m->detector_url, sizeof(m->detector_url), "%s/detect", o->public_url);
    m->signer = (struct manifest_signer){.key = m->keys->c2pa,
                                         .chain = m->keys->certs,
                                         .provider = o->provider,
                                         .system = SYSTEM,
                                         .version = LIMNER_VERSION,
                                         .detector_url = m->detector_url};
    if (m->keys->certs->development)
        log_warn("untrusted",
                 "manifests are signed with certificates for development, which no "
                 "verifier trusts: put your own into %s/" KEYRING_FOLDER,
                 o->state);
    return manifest_check(&m->signer, clock_unix_s(), why);
}

static enum status open_ledger(struct marks *m, const struct marks_options *o, struct why *why)
{
    const struct ledger_options options = {.store = o->store, .key = m->keys->ledger};
    struct record start = {.kind = RECORD_START};
    enum status st = ledger_open(&m->ledger, &options, why);

    if (st)
        return st;
    snprintf(start.system, sizeof(start.system), SYSTEM "/" LIMNER_VERSION);
    return ledger_append(m->ledger, &start, NULL, why);
}

enum status marks_open(struct marks *m, const struct marks_options *o, struct why *why)
{
    struct marker_options options;
    enum status st;

    *m = (struct marks){.keys = NULL};
    st = keyring_open(&m->keys, o->state, o->provider, why);
    if (!st)
        st = open_signer(m, o, why);
    if (!st)
        st = open_ledger(m, o, why);
    if (st)
        return st;
    options = (struct marker_options){.key_count = m->keys->marking_count,
                                      .fingerprint_key = m->keys->fingerprint,
                                      .tenant_key = m->keys->tenant,
                                      .signer = &m->signer,
                                      .ledger = m->ledger};
    if (options.key_count > MARKING_KEYS_MAX)
        options.key_count = MARKING_KEYS_MAX;
    for (int i = 0; i < options.key_count; i++)
        options.key[i] = m->keys->mark[i];
    return marking_open(&m->marker, &options, why);
}

void marks_close(struct marks *m)
{
    marking_close(&m->marker);
    ledger_close(&m->ledger);
    keyring_close(&m->keys);
}
