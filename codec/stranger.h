/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stranger.h - somebody's PNG, JPEG or WebP to pixels, without believing a byte of it.
 *
 * The head is read first, by code of our own that takes no memory: what it is, how large, how many
 * pictures are in it. Only then is it decoded, by a program of its own (limner-decode, which lies
 * beside limner) that can do nothing but read the file, write pixels and end: no files, no network,
 * no other programs, and so much memory and time. Whatever the file does to it, here it is only a
 * sentence.
 *
 *     bytes ---> stranger_look ---> limner-decode (rlimits, seccomp; stb_image, libwebp) ---> RGB
 *
 * The pixels are as people see them: what is transparent lies on white, 16 bits are made 8, and
 * the orientation of EXIF is applied. Not taken: moving pictures, CMYK, anything over the limits.
 */
#ifndef CODEC_STRANGER_H
#define CODEC_STRANGER_H

#include "base/image.h"
#include "codec/encode.h"

#include <stdbool.h>

#define STRANGER_BYTES_MAX  (20 << 20)
#define STRANGER_SIDE_MAX   16384
#define STRANGER_PIXELS_MAX (64 << 20)
#define STRANGER_SECONDS    10 /* for one file, by the clock on the wall */

struct stranger {
    enum format format;
    int width, height; /* as it lies in the file; stranger_decode gives it upright */
    int bits;          /* per channel */
    bool alpha;
    int orientation; /* of EXIF: 1 to 8, 1 is upright */
};

/* The head only. ST_INVALID: damaged, or none that is known; ST_UNSUPPORTED: not for us, such as
   one that moves. The sentence says what to send instead. */
MUST_USE enum status stranger_look(struct stranger *out, const void *file, size_t bytes,
                                   struct why *why);

/* Waits for up to STRANGER_SECONDS: never on an io thread. As stranger_look, and ST_INVALID also:
   the decoder died of it, or took too long; ST_MISSING: there is no limner-decode; ST_UNSUPPORTED:
   this machine does not lock it up; ST_FULL: no memory or no process. On failure *out is empty. */
MUST_USE enum status stranger_decode(struct image *out, const void *file, size_t bytes,
                                     struct why *why);

#endif /* CODEC_STRANGER_H */
