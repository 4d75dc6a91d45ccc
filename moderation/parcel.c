/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes: "LMP1", then three lengths of four bytes each, the smallest first (prompt, negative,
 * picture), the preview, then the three themselves, the texts with their NUL.
 */
#include "moderation/parcel.h"

#include <stdlib.h>
#include <string.h>

static const char magic[4] = {'L', 'M', 'P', '1'};

#define HEAD_BYTES (sizeof(magic) + 12 + sizeof(((struct parcel *)0)->preview))

static void put_length(uint8_t *to, size_t length)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(length >> (8 * i));
}

static size_t take_length(const uint8_t *from)
{
    return (size_t)from[0] | (size_t)from[1] << 8 | (size_t)from[2] << 16 | (size_t)from[3] << 24;
}

enum status parcel_pack(struct store_bytes *out, const struct parcel *p)
{
    size_t prompt = strlen(p->prompt), negative = strlen(p->negative);
    uint8_t *to;

    *out = (struct store_bytes){NULL, 0};
    if (prompt > PARCEL_TEXT_MAX || negative > PARCEL_TEXT_MAX ||
        p->picture.count > PARCEL_PICTURE_MAX)
        return ST_FULL;
    out->count = HEAD_BYTES + prompt + 1 + negative + 1 + p->picture.count;
    to = out->data = malloc(out->count);
    if (!to)
        return ST_FULL;
    memcpy(to, magic, sizeof(magic));
    put_length(to + 4, prompt);
    put_length(to + 8, negative);
    put_length(to + 12, p->picture.count);
    memcpy(to + 16, p->preview, sizeof(p->preview));
    to += HEAD_BYTES;
    memcpy(to, p->prompt, prompt + 1);
    to += prompt + 1;
    memcpy(to, p->negative, negative + 1);
    to += negative + 1;
    if (p->picture.count)
        memcpy(to, p->picture.data, p->picture.count);
    return ST_OK;
}

/* A text of so many bytes and a NUL, the first one. */
static bool is_text(const uint8_t *from, size_t length)
{
    return memchr(from, '\0', length + 1) == from + length;
}

enum status parcel_unpack(struct parcel *out, struct store_bytes bytes, struct why *why)
{
    uint8_t *from = bytes.data;
    size_t prompt, negative, picture;

    memset(out, 0, sizeof(*out));
    if (bytes.count < HEAD_BYTES || memcmp(from, magic, sizeof(magic)) != 0)
        return why_fail(why, ST_INVALID, "what is kept of the decision is no parcel");
    prompt = take_length(from + 4);
    negative = take_length(from + 8);
    picture = take_length(from + 12);
    if (prompt > PARCEL_TEXT_MAX || negative > PARCEL_TEXT_MAX || picture > PARCEL_PICTURE_MAX ||
        bytes.count != HEAD_BYTES + prompt + 1 + negative + 1 + picture)
        return why_fail(why, ST_INVALID, "what is kept of the decision has not its length");
    memcpy(out->preview, from + 16, sizeof(out->preview));
    from += HEAD_BYTES;
    if (!is_text(from, prompt) || !is_text(from + prompt + 1, negative))
        return why_fail(why, ST_INVALID, "what is kept of the decision has no end of a text");
    out->prompt = (const char *)from;
    from += prompt + 1;
    out->negative = (const char *)from;
    from += negative + 1;
    out->picture = (struct store_bytes){picture ? from : NULL, picture};
    return ST_OK;
}
