/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunks.h - what stands beside the pixels of a PNG, JPEG or WebP: XMP, and a C2PA manifest.
 *
 * Files are spliced, never decoded. They may be a stranger's: every length is checked before it is
 * believed.
 *
 *     PNG    XMP in an iTXt chunk, C2PA in `caBX`, both before the pixels
 *     JPEG   XMP in APP1; C2PA in APP11 (ISO 19566-5, D.2), in as many pieces as it needs
 *     WebP   chunks `XMP ` and `C2PA` at the end, behind a VP8X header that tells of them
 */
#ifndef CODEC_CHUNKS_H
#define CODEC_CHUNKS_H

#include "codec/encode.h"

#include <stdbool.h>

#define CHUNKS_BYTES_MAX (1 << 20) /* of one block */
#define CHUNKS_XMP_MAX   65000     /* of XMP: a JPEG has one piece for it */

enum chunks_kind { CHUNKS_XMP, CHUNKS_C2PA };

/* Bytes of a file. */
struct chunks_range {
    size_t start, count;
};

/* By its first bytes. False: none of the three. */
bool chunks_format(enum format *out, const void *file, size_t bytes);

/* The block, put together from its pieces, and where it lies, markers and lengths included.
   ST_MISSING: there is none; ST_INVALID: the file is damaged, or has two, or one in pieces that do
   not belong together; ST_FULL. bytes_close(out) afterwards. */
MUST_USE enum status chunks_find(struct bytes *out, struct chunks_range *range,
                                 enum chunks_kind kind, const void *file, size_t bytes,
                                 struct why *why);

/* In place of the one that is there. *range is where it lies in the new file; a block of the same
   size lies in the same place. On failure the file is as it was. */
MUST_USE enum status chunks_put(struct bytes *file, enum chunks_kind kind, const void *data,
                                size_t bytes, struct chunks_range *range, struct why *why);

#endif /* CODEC_CHUNKS_H */
