/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebP: "RIFF", a size, "WEBP", then chunks of type, size and data, filled up to an even length. A
 * file with metadata begins with a VP8X chunk that says so; the simple one gets it.
 */
#include "codec/chunks/room.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN      12
#define HEAD       8
#define VP8X_DATA  10
#define FLAG_XMP   0x04
#define FLAG_ALPHA 0x10

static const char *type_of(enum chunks_kind kind)
{
    return kind == CHUNKS_XMP ? "XMP " : "C2PA";
}

/* Where the chunks end, as the header says; what lies behind is not ours. 0: damaged. */
static size_t end_of(struct span file)
{
    size_t end = (size_t)read_le32(file.data + 4) + 8;

    return end > file.count || end < BEGIN + HEAD ? 0 : end;
}

static enum status find(struct place *out, enum chunks_kind kind, struct span file, struct why *why)
{
    size_t at = BEGIN, end = end_of(file);

    *out = (struct place){.at = end};
    if (!end)
        return why_fail(why, ST_INVALID, "the WebP file ends in the middle");
    while (at < end) {
        size_t whole;

        if (end - at < HEAD)
            return why_fail(why, ST_INVALID, "the WebP file's chunks are damaged");
        whole = HEAD + (size_t)read_le32(file.data + at + 4);
        whole += whole & 1;
        if (whole > end - at)
            return why_fail(why, ST_INVALID, "the WebP file's chunks are damaged");
        if (!memcmp(file.data + at, type_of(kind), 4)) {
            if (out->cut.count)
                return why_fail(why, ST_INVALID, "the WebP file has two blocks where one may be");
            out->cut = (struct chunks_range){at, whole};
        }
        at += whole;
    }
    return ST_OK;
}

static enum status take(uint8_t *out, size_t *count, enum chunks_kind kind, struct span file,
                        struct chunks_range cut, struct why *why)
{
    (void)kind, (void)why;
    *count = read_le32(file.data + cut.start + 4);
    memcpy(out, file.data + cut.start + HEAD, *count);
    return ST_OK;
}

static size_t size(enum chunks_kind kind, size_t bytes)
{
    (void)kind;
    return HEAD + bytes + (bytes & 1);
}

static void write(uint8_t *out, enum chunks_kind kind, struct span data)
{
    memcpy(out, type_of(kind), 4);
    write_le32(out + 4, (uint32_t)data.count);
    memcpy(out + HEAD, data.data, data.count);
    if (data.count & 1)
        out[HEAD + data.count] = 0;
}

/* Of a simple file's only chunk. False: it is damaged. */
static bool dimensions(const uint8_t *chunk, size_t count, uint32_t *width, uint32_t *height,
                       bool *alpha)
{
    const uint8_t *data = chunk + HEAD;
    uint32_t bits;

    *alpha = false;
    if (!memcmp(chunk, "VP8 ", 4) && count >= HEAD + 10 && !memcmp(data + 3, "\x9d\x01\x2a", 3)) {
        *width = (uint32_t)(data[6] | (data[7] & 0x3f) << 8);
        *height = (uint32_t)(data[8] | (data[9] & 0x3f) << 8);
        return *width && *height;
    }
    if (memcmp(chunk, "VP8L", 4) || count < HEAD + 5 || data[0] != 0x2f)
        return false;
    bits = read_le32(data + 1);
    *width = (bits & 0x3fff) + 1;
    *height = (bits >> 14 & 0x3fff) + 1;
    *alpha = bits >> 28 & 1;
    return true;
}

static void write_header(uint8_t *out, uint32_t width, uint32_t height, bool alpha)
{
    memcpy(out, "VP8X", 4);
    write_le32(out + 4, VP8X_DATA);
    write_le32(out + HEAD, alpha ? FLAG_ALPHA : 0);
    for (int i = 0; i < 3; i++) {
        out[HEAD + 4 + i] = (uint8_t)((width - 1) >> (8 * i));
        out[HEAD + 7 + i] = (uint8_t)((height - 1) >> (8 * i));
    }
}

static void settle(struct bytes *file)
{
    write_le32(file->data + 4, (uint32_t)(file->count - 8));
}

/* With a VP8X chunk in front, and without what lies behind the file's own end. */
static enum status prepare(struct bytes *out, struct span file, enum chunks_kind kind,
                           struct why *why)
{
    size_t end = end_of(file), header = 0;
    uint32_t width = 0, height = 0;
    bool alpha = false;

    if (!end)
        return why_fail(why, ST_INVALID, "the WebP file ends in the middle");
    if (memcmp(file.data + BEGIN, "VP8X", 4)) {
        header = HEAD + VP8X_DATA;
        if (!dimensions(file.data + BEGIN, end - BEGIN, &width, &height, &alpha))
            return why_fail(why, ST_INVALID, "the WebP file's pixels are damaged");
    } else if (end < BEGIN + HEAD + VP8X_DATA || read_le32(file.data + BEGIN + 4) < VP8X_DATA)
        return why_fail(why, ST_INVALID, "the WebP file's header is damaged");
    *out = (struct bytes){malloc(end + header), end + header};
    if (!out->data)
        return why_fail(why, ST_FULL, "no memory for what stands beside the pixels");
    memcpy(out->data, file.data, BEGIN);
    if (header)
        write_header(out->data + BEGIN, width, height, alpha);
    memcpy(out->data + BEGIN + header, file.data + BEGIN, end - BEGIN);
    if (kind == CHUNKS_XMP)
        out->data[BEGIN + HEAD] |= FLAG_XMP;
    settle(out);
    return ST_OK;
}

const struct container container_webp = {
    .find = find, .take = take, .size = size, .write = write, .prepare = prepare, .settle = settle};
