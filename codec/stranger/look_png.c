/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_png.c - the chunks of a PNG: IHDR first, IEND last, and no second picture.
 */
#include "codec/stranger/parts.h"

#include <string.h>

#define CHUNK 12 /* length, type and check sum */

struct chunk {
    const char *type; /* 4 bytes */
    struct stranger_bytes data;
};

static uint32_t big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* False: the file ends before the chunk does. */
static bool next(struct chunk *out, size_t *at, struct stranger_bytes file)
{
    size_t left = file.count - *at;
    uint32_t bytes;

    if (left < CHUNK)
        return false;
    bytes = big(file.data + *at);
    if (bytes > left - CHUNK)
        return false;
    out->type = (const char *)file.data + *at + 4;
    out->data = (struct stranger_bytes){file.data + *at + 8, bytes};
    *at += CHUNK + bytes;
    return true;
}

static bool is(const struct chunk *c, const char *type)
{
    return !memcmp(c->type, type, 4);
}

/* Which depths a type of colour may have, as bits. */
static unsigned depths(int colour)
{
    switch (colour) {
    case 0:
        return 1 | 2 | 4 | 8 | 16;
    case 3:
        return 1 | 2 | 4 | 8;
    case 2:
    case 4:
    case 6:
        return 8 | 16;
    default:
        return 0;
    }
}

static enum status take_head(struct stranger *out, const struct chunk *c, struct why *why)
{
    const uint8_t *d = c->data.data;
    enum status st;

    if (!is(c, "IHDR") || c->data.count != 13)
        return why_fail(why, ST_INVALID, "the PNG is damaged: it does not begin with its size");
    if ((d[8] & (d[8] - 1)) || !(depths(d[9]) & d[8]) || d[10] || d[11] || d[12] > 1)
        return why_fail(why, ST_INVALID, "the PNG is damaged: it has a type that does not exist");
    st = stranger_check_size(big(d), big(d + 4), why);
    if (st)
        return st;
    out->width = (int)big(d);
    out->height = (int)big(d + 4);
    out->bits = d[8];
    out->alpha = d[9] >= 4;
    return ST_OK;
}

static enum status take(struct stranger *out, const struct chunk *c, struct why *why)
{
    if (is(c, "IHDR"))
        return why_fail(why, ST_INVALID, "the PNG is damaged: it has two sizes");
    if (is(c, "acTL") && (c->data.count < 8 || big(c->data.data) > 1))
        return why_fail(why, ST_UNSUPPORTED, "this PNG moves; send one picture of it");
    if (is(c, "tRNS"))
        out->alpha = true;
    if (is(c, "eXIf"))
        out->orientation = stranger_orientation(c->data);
    return ST_OK;
}

enum status stranger_look_png(struct stranger *out, struct stranger_bytes file, struct why *why)
{
    bool pixels = false;
    struct chunk c = {NULL, {NULL, 0}};
    size_t at = 8;
    enum status st;

    out->format = FORMAT_PNG;
    if (!next(&c, &at, file))
        return why_fail(why, ST_INVALID, "the PNG is damaged: it ends within its head");
    st = take_head(out, &c, why);
    while (!st) {
        if (!next(&c, &at, file))
            return why_fail(why, ST_INVALID, "the PNG is damaged: its end is missing");
        if (is(&c, "IEND"))
            break;
        pixels = pixels || is(&c, "IDAT");
        st = take(out, &c, why);
    }
    if (!st && !pixels)
        st = why_fail(why, ST_INVALID, "the PNG is damaged: there are no pixels in it");
    return st;
}
