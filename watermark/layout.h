/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - under which names others look for the log's files (C2SP tlog-tiles), and a proof of
 * consistency as one text.
 *
 *     tile/LEVEL/x001/x234/067       256 hashes of a level
 *     tile/LEVEL/067.p/188           the first 188 of a tile that is not full yet
 *     tile/entries/067               the records under tile 067 of level 0
 *
 * The text is the one that witnesses are sent (C2SP tlog-witness): "old SIZE", the hashes in
 * base64, an empty line, and the newer head.
 */
#ifndef WATERMARK_LAYOUT_H
#define WATERMARK_LAYOUT_H

#include "watermark/checkpoint.h"

#include <stdbool.h>

#define LAYOUT_PATH_MAX 64 /* with its NUL */
#define LAYOUT_RECORDS  (-1)

/* `level`: LAYOUT_RECORDS, or of hashes. `width`: 1 to 256. */
void layout_path(char out[LAYOUT_PATH_MAX], int level, int64_t number, int width);
/* Strangers' bytes. False: no such name, or not as it is written here. */
bool layout_parse(int *level, int64_t *number, int *width, const char *path, size_t bytes);

/* Hashes of a tile in a log of this size: 0 to 256. */
int layout_width(int64_t size, int level, int64_t number);

void layout_consistency(char out[CHECKPOINT_PROOF_MAX], int64_t older,
                        const struct tree_proof *proof, const char *note);

#endif /* WATERMARK_LAYOUT_H */
