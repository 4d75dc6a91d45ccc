/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_webp.c - the chunks of a WebP: one VP8 or VP8L, alone or behind a VP8X that agrees with it.
 */
#include "codec/stranger/parts.h"

#include <string.h>

#define VP8X_ANIMATION 0x02
#define VP8X_ALPHA     0x10

struct chunk {
    const char *type; /* 4 bytes */
    struct stranger_bytes data;
};

static uint32_t little(const uint8_t *at, int bytes)
{
    uint32_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

static enum status damaged(struct why *why, const char *what)
{
    return why_fail(why, ST_INVALID, "the WebP is damaged: %s", what);
}

static bool is(const struct chunk *c, const char *type)
{
    return !memcmp(c->type, type, 4);
}

static enum status next(struct chunk *out, size_t *at, struct stranger_bytes file, struct why *why)
{
    size_t left = file.count - *at;
    uint32_t bytes;

    if (left < 8)
        return damaged(why, "its end is missing");
    bytes = little(file.data + *at + 4, 4);
    if (bytes > left - 8)
        return damaged(why, "its end is missing");
    out->type = (const char *)file.data + *at;
    out->data = (struct stranger_bytes){file.data + *at + 8, bytes};
    *at += 8 + bytes;
    *at += bytes % 2 && *at < file.count; /* the byte that makes it even */
    return ST_OK;
}

static enum status take_size(struct stranger *out, uint32_t width, uint32_t height, struct why *why)
{
    enum status st = stranger_check_size(width, height, why);

    if (st)
        return st;
    if (out->width && ((int)width != out->width || (int)height != out->height))
        return damaged(why, "its pixels have another size than it says");
    out->width = (int)width;
    out->height = (int)height;
    return ST_OK;
}

/* Pixels: *seen says that there were some. */
static enum status take_pixels(struct stranger *out, const struct chunk *c, bool *seen,
                               struct why *why)
{
    const uint8_t *d = c->data.data;
    bool lossless = c->type[3] == 'L';

    if (*seen)
        return damaged(why, "it has two pictures");
    *seen = true;
    if (lossless ? c->data.count < 5 || d[0] != 0x2f
                 : c->data.count < 10 || d[0] & 1 || memcmp(d + 3, "\x9d\x01\x2a", 3))
        return damaged(why, "its pixels do not begin as such do");
    if (!lossless)
        return take_size(out, little(d + 6, 2) & 0x3fff, little(d + 8, 2) & 0x3fff, why);
    out->alpha = out->alpha || (d[4] & 0x10);
    return take_size(out, (little(d + 1, 4) & 0x3fff) + 1, (little(d + 1, 4) >> 14 & 0x3fff) + 1,
                     why);
}

static enum status take(struct stranger *out, const struct chunk *c, bool *seen, struct why *why)
{
    const uint8_t *d = c->data.data;
    struct stranger_bytes exif = c->data;

    if (is(c, "VP8 ") || is(c, "VP8L"))
        return take_pixels(out, c, seen, why);
    if (is(c, "ANIM") || is(c, "ANMF"))
        return why_fail(why, ST_UNSUPPORTED, "this WebP moves; send one picture of it");
    if (is(c, "VP8X")) {
        if (c->data.count < 10 || out->width)
            return damaged(why, "its head is not where it belongs");
        if (d[0] & VP8X_ANIMATION)
            return why_fail(why, ST_UNSUPPORTED, "this WebP moves; send one picture of it");
        out->alpha = d[0] & VP8X_ALPHA;
        return take_size(out, little(d + 4, 3) + 1, little(d + 7, 3) + 1, why);
    }
    if (is(c, "EXIF")) {
        if (exif.count > 6 && !memcmp(d, "Exif\0\0", 6)) /* some write what JPEG needs */
            exif = (struct stranger_bytes){d + 6, exif.count - 6};
        out->orientation = stranger_orientation(exif);
    }
    return ST_OK;
}

enum status stranger_look_webp(struct stranger *out, struct stranger_bytes file, struct why *why)
{
    uint32_t bytes = little(file.data + 4, 4);
    bool seen = false;
    size_t at = 12;

    out->format = FORMAT_WEBP;
    if (bytes < 4 || bytes > file.count - 8)
        return damaged(why, "its end is missing");
    file.count = bytes + 8; /* what lies behind is none of it */
    while (at < file.count) {
        struct chunk c = {NULL, {NULL, 0}};
        enum status st = next(&c, &at, file, why);

        if (!st)
            st = take(out, &c, &seen, why);
        if (st)
            return st;
    }
    return seen ? ST_OK : damaged(why, "there are no pixels in it");
}
