/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.h - what the two programs of stranger.h share. Private to them and to the fuzzer.
 *
 * limner-decode gets the file as descriptor 0 and its size as the one argument; it answers on
 * descriptor 1 with a struct stranger_reply, and with the pixels when that is ST_OK.
 */
#ifndef CODEC_STRANGER_PARTS_H
#define CODEC_STRANGER_PARTS_H

#include "codec/stranger.h"

#define STRANGER_PROGRAM "limner-decode"
#define STRANGER_MAGIC   0x4c444331u /* "LDC1" */

struct stranger_reply {
    uint32_t magic;
    int32_t status;
    int32_t width, height; /* upright */
    char text[240];        /* why not */
};

/* Bytes of a file, which nobody believes. */
struct stranger_bytes {
    const uint8_t *data;
    size_t count;
};

/* One for each format; the caller has seen its first bytes. */
enum status stranger_look_png(struct stranger *out, struct stranger_bytes file, struct why *why);
enum status stranger_look_jpeg(struct stranger *out, struct stranger_bytes file, struct why *why);
enum status stranger_look_webp(struct stranger *out, struct stranger_bytes file, struct why *why);

/* The orientation in a TIFF structure, as EXIF is; 1 when it says nothing that makes sense. */
int stranger_orientation(struct stranger_bytes tiff);

/* Is the size one that is taken? */
enum status stranger_check_size(uint64_t width, uint64_t height, struct why *why);

/* Decoded, and as it lies in the file. */
struct stranger_pixels {
    uint8_t *data; /* owned, malloc's */
    int channels;  /* 1 grey, 2 grey and alpha, 3, 4 */
};

/* With the guests, in this very process. ST_INVALID, ST_FULL. */
enum status stranger_pixels(struct stranger_pixels *out, const struct stranger *look,
                            struct stranger_bytes file, struct why *why);

/* One upright row: 3 bytes for each of its pixels. */
void stranger_row(uint8_t *rgb, int y, const struct stranger *look,
                  const struct stranger_pixels *pixels);

static inline int stranger_upright_width(const struct stranger *look)
{
    return look->orientation >= 5 ? look->height : look->width;
}

static inline int stranger_upright_height(const struct stranger *look)
{
    return look->orientation >= 5 ? look->width : look->height;
}

#endif /* CODEC_STRANGER_PARTS_H */
