/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h - files that belong together, into a new folder or one archive (ustar).
 *
 *     st = sink_open(&sink, "log.tar", time_s, &why);
 *     st = sink_put(&sink, "tile/0/000", hashes, bytes, &why);
 *     st = sink_close(&sink, st, &why);
 */
#ifndef WATERMARK_SINK_H
#define WATERMARK_SINK_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sink {
    const char *root; /* the folder, or the archive; borrowed */
    FILE *tar;        /* NULL: a folder */
    int64_t time_s;   /* of files in an archive */
};

/* A name that ends in .tar becomes an archive. ST_REFUSED: it is there already. */
MUST_USE enum status sink_open(struct sink *s, const char *path, int64_t time_s, struct why *why);
/* `name`: below 100 bytes, no dots; folders in it are made. */
MUST_USE enum status sink_put(struct sink *s, const char *name, const void *data, size_t bytes,
                              struct why *why);
/* `st` is how all went until now: an archive that failed is removed, a folder stays for whoever
   looks. Gives back how all went. */
MUST_USE enum status sink_close(struct sink *s, enum status st, struct why *why);

#endif /* WATERMARK_SINK_H */
