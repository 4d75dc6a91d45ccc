/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_jpeg.c - the segments of a JPEG, around its pixels and to its end.
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

/* Tables of Huffman codes: stb_image believes that there are at most 256 codes in one. */
static enum status check_codes(struct stranger_bytes data, struct why *why)
{
    size_t at = 0;

    while (at < data.count) {
        size_t codes = 0;

        if (data.count - at < 17)
            return damaged(why, "a table of its codes is cut off");
        for (size_t i = 1; i <= 16; i++)
            codes += data.data[at + i];
        if (codes > 256 || codes > data.count - at - 17)
            return damaged(why, "a table of its codes is larger than any can be");
        at += 17 + codes;
    }
    return ST_OK;
}

static enum status take(struct stranger *out, int marker, struct stranger_bytes data,
                        struct why *why)
{
    if (is_frame(marker))
        return take_frame(out, marker, data, why);
    if (marker == DHT)
        return check_codes(data, why);
    if (marker == DHP)
        return why_fail(why, ST_UNSUPPORTED,
                        "this JPEG is hierarchical; save it as an ordinary one");
    if (marker == APP1 && data.count > 6 && !memcmp(data.data, "Exif\0\0", 6))
        out->orientation =
            stranger_orientation((struct stranger_bytes){data.data + 6, data.count - 6});
    return ST_OK;
}

/* A marker from *at on, and what it holds; the end holds nothing. */
static enum status next(int *marker, struct stranger_bytes *data, size_t *at,
                        struct stranger_bytes file, struct why *why)
{
    size_t bytes;

    if (*at >= file.count || file.data[*at] != 0xff)
        return damaged(why, "its segments do not follow each other");
    while (*at < file.count && file.data[*at] == 0xff) /* as many as one likes */
        ++*at;
    if (*at == file.count)
        return damaged(why, "its end is missing");
    *marker = file.data[(*at)++];
    if (*marker == EOI)
        return ST_OK;
    if (file.count - *at < 2)
        return damaged(why, "it ends within its head");
    if (!*marker || (*marker >= RST0 && *marker < SOS))
        return damaged(why, "it has a marker where none can be");
    bytes = (size_t)file.data[*at] << 8 | file.data[*at + 1];
    if (bytes < 2 || bytes > file.count - *at)
        return damaged(why, "it ends within its head");
    *data = (struct stranger_bytes){file.data + *at + 2, bytes - 2};
    *at += bytes;
    return ST_OK;
}

/* Over coded pixels, to the marker behind them: FF that has neither 00 nor RSTn behind it. False:
   there is none. */
static bool skip_pixels(size_t *at, struct stranger_bytes file)
{
    for (; file.count - *at >= 2; ++*at) {
        int code = file.data[*at + 1];

        if (file.data[*at] == 0xff && code && code != 0xff && (code < RST0 || code > RST7))
            return true;
    }
    return false;
}

enum status stranger_look_jpeg(struct stranger *out, struct stranger_bytes file, struct why *why)
{
    struct stranger_bytes data = {NULL, 0};
    bool pixels = false;
    size_t at = 2;
    int marker = 0;

    out->format = FORMAT_JPEG;
    while (marker != EOI) {
        enum status st = next(&marker, &data, &at, file, why);

        if (!st && marker != EOI)
            st = take(out, marker, data, why);
        if (st)
            return st;
        if (marker != SOS)
            continue;
        if (!out->width)
            return damaged(why, "its size is missing");
        pixels = true;
        if (!skip_pixels(&at, file))
            return damaged(why, "its end is missing");
    }
    return pixels ? ST_OK : damaged(why, "there are no pixels in it");
}
