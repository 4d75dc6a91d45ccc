/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode.h - pixels to PNG, WebP or JPEG bytes.
 *
 * The one room (with decode) where libpng, libwebp and libjpeg-turbo are guests. Encoding is slow
 * work: it runs on finish threads, never on an io or engine thread.
 */
#ifndef CODEC_ENCODE_H
#define CODEC_ENCODE_H

#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

enum format { FORMAT_PNG, FORMAT_WEBP, FORMAT_JPEG };

struct bytes {
    uint8_t *data; /* owned; bytes_close gives it back */
    size_t count;
};

/* One text chunk of metadata: PNG tEXt/iTXt; WebP and JPEG have no such chunks and ignore it. The
   key is 1 to 79 printable ASCII characters, without spaces at its ends or side by side; the value
   is UTF-8. */
struct text_chunk {
    const char *key, *value;
};

struct encode_options {
    enum format format;
    int quality;                     /* 0..100 for WebP and JPEG; PNG has no loss */
    const struct text_chunk *chunks; /* NULL when chunk_count is 0 */
    size_t chunk_count;
};

/* PNG: zlib level 1 with the SUB filter (the fast point); WebP: method 2; JPEG: 4:2:0 below
   quality 90, 4:4:4 from there. ST_FULL without memory, ST_INVALID for a chunk's key,
   ST_UNSUPPORTED for a picture beyond the format's limits. On failure *out is empty. */
MUST_USE enum status encode_image(struct bytes *out, const struct image *image,
                                  struct encode_options options);
void bytes_close(struct bytes *b);

const char *encode_media_type(enum format format); /* "image/png", ... */

/* "png", "webp", "jpeg" or "jpg". ST_INVALID otherwise. */
MUST_USE enum status encode_format_from_name(enum format *out, const char *name);

#ifdef __cplusplus
}
#endif

#endif /* CODEC_ENCODE_H */
