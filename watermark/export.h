/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - a copy of the log for those who check it elsewhere (tools/verify_log): its newest
 * head, the key, all tiles and all records under that head, laid out as layout.h says.
 *
 *     st = export_write(ledger, public_key, "log.tar", &done, &why);
 *
 * A name that ends in .tar becomes one archive, any other a folder. Neither may be there before.
 * What was appended meanwhile is not under the head and stays out; records that have expired are
 * left out by whole bundles, as the log itself says.
 */
#ifndef WATERMARK_EXPORT_H
#define WATERMARK_EXPORT_H

#include "watermark/ledger.h"

struct export_done {
    struct store_checkpoint head;
    int64_t expired; /* records that are not in it */
};

/* ST_MISSING: no head was signed yet. ST_REFUSED: `path` is there already. ST_INVALID: the log is
   damaged. An archive that could not be finished is removed, a folder stays for whoever looks. */
MUST_USE enum status export_write(struct ledger *l, const uint8_t key[CHECKPOINT_PUBLIC],
                                  const char *path, struct export_done *out, struct why *why);

#endif /* WATERMARK_EXPORT_H */
