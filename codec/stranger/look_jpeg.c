/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_jpeg.c - the segments of a JPEG up to its pixels, and whether its end is there.
 */
#include "codec/stranger/parts.h"

#include <string.h>

enum {
    SOF0 = 0xc0,
    SOF2 = 0xc2,
    DHT = 0xc4,
    SOF15 = 0xcf,
    JPG = 0xc8,
    DAC = 0xcc,
    RST0 = 0xd0,
    RST7 = 0xd7,
    EOI = 0xd9,
    SOS = 0xda,
    DHP = 0xde,
    APP1 = 0xe1
};

static enum status damaged(struct why *why, const char *what)
{
    return why_fail(why, ST_INVALID, "the JPEG is damaged: %s", what);
}

static bool is_frame(int marker)
{
    return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
}

static enum status take_frame(struct stranger *out, int marker, struct stranger_bytes data,
                              struct why *why)
{
    const uint8_t *d = data.data;
    enum status st;

    if (marker > SOF2)
        return why_fail(why, ST_UNSUPPORTED,
                        "this JPEG is of a rare kind (lossless, arithmetic or hierarchical); save "
                        "it as an ordinary one");
    if (out->width)
        return damaged(why, "it has two sizes");
    if (data.count < 6 || data.count < 6 + 3 * (size_t)d[5])
        return damaged(why, "it ends within its head");
    if (d[0] != 8)
        return why_fail(why, ST_UNSUPPORTED, "this JPEG has %d bits in a channel; save it with 8",
                        d[0]);
    if (d[5] == 4)
        return why_fail(why, ST_UNSUPPORTED,
                        "this JPEG is made for printing (CMYK); save it as RGB");
    if (d[5] != 1 && d[5] != 3)
        return damaged(why, "it has a number of colours that does not exist");
    st = stranger_check_size((uint64_t)d[3] << 8 | d[4], (uint64_t)d[1] << 8 | d[2], why);
    if (st)
        return st;
    out->width = d[3] << 8 | d[4];
    out->height = d[1] << 8 | d[2];
    return ST_OK;
}

static enum status take(struct stranger *out, int marker, struct stranger_bytes data,
                        struct why *why)
{
    if (is_frame(marker))
        return take_frame(out, marker, data, why);
    if (marker == DHP)
        return why_fail(why, ST_UNSUPPORTED,
                        "this JPEG is hierarchical; save it as an ordinary one");
    if (marker == APP1 && data.count > 6 && !memcmp(data.data, "Exif\0\0", 6))
        out->orientation =
            stranger_orientation((struct stranger_bytes){data.data + 6, data.count - 6});
    return ST_OK;
}

/* A marker with a length behind it, from *at; *data is what it holds. */
static enum status next(int *marker, struct stranger_bytes *data, size_t *at,
                        struct stranger_bytes file, struct why *why)
{
    size_t bytes;

    if (*at >= file.count || file.data[*at] != 0xff)
        return damaged(why, "its segments do not follow each other");
    while (*at < file.count && file.data[*at] == 0xff) /* as many as one likes */
        ++*at;
    if (file.count - *at < 3)
        return damaged(why, "it ends within its head");
    *marker = file.data[(*at)++];
    if (*marker == EOI)
        return damaged(why, "there are no pixels in it");
    if (!*marker || (*marker >= RST0 && *marker < SOS))
        return damaged(why, "it has a marker where none can be");
    bytes = (size_t)file.data[*at] << 8 | file.data[*at + 1];
    if (bytes < 2 || bytes > file.count - *at)
        return damaged(why, "it ends within its head");
    *data = (struct stranger_bytes){file.data + *at + 2, bytes - 2};
    *at += bytes;
    return ST_OK;
}

enum status stranger_look_jpeg(struct stranger *out, struct stranger_bytes file, struct why *why)
{
    static const uint8_t end[] = {0xff, EOI};
    struct stranger_bytes data = {NULL, 0};
    size_t at = 2;
    int marker = 0;

    out->format = FORMAT_JPEG;
    while (marker != SOS) {
        enum status st = next(&marker, &data, &at, file, why);

        if (!st)
            st = take(out, marker, data, why);
        if (st)
            return st;
    }
    if (!out->width)
        return damaged(why, "its size is missing");
    /* Among coded pixels FF stands for itself only with 00 behind it. */
    if (!memmem(file.data + at, file.count - at, end, sizeof(end)))
        return damaged(why, "its end is missing");
    return ST_OK;
}
