/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - the bytes of a PNG back to pixels.
 *
 * For files that limner wrote itself and kept, such as a held picture that a person lets go. They
 * are checked like a stranger's all the same: the size comes before any memory is taken.
 */
#ifndef CODEC_DECODE_H
#define CODEC_DECODE_H

#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DECODE_SIDE_MAX 16384 /* pixels */

/* ST_INVALID: this is no PNG, or a damaged one, or it has another size than pictures have; ST_FULL
   without memory. On failure *out is empty. Slow work, as encoding is. */
MUST_USE enum status decode_png(struct image *out, const void *bytes, size_t count,
                                struct why *why);

#ifdef __cplusplus
}
#endif

#endif /* CODEC_DECODE_H */
