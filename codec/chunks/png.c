/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNG: eight bytes, then chunks of length, type, data and CRC. The blocks come before the first
 * IDAT: readers that stream know of them before they see a pixel.
 */
#include "codec/chunks/room.h"

#include <string.h>

#define FRAME 12 /* length, type, CRC */

static const char keyword[] = "XML:com.adobe.xmp"; /* and behind its NUL: not compressed, no
                                                      language, no translation */
#define HEAD (sizeof(keyword) + 4)

static uint32_t crc32_of(const uint8_t *data, size_t bytes)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static bool is_kind(const uint8_t *chunk, size_t length, enum chunks_kind kind)
{
    if (kind == CHUNKS_C2PA)
        return !memcmp(chunk + 4, "caBX", 4);
    return !memcmp(chunk + 4, "iTXt", 4) && length >= HEAD &&
           !memcmp(chunk + 8, keyword, sizeof(keyword));
}

static enum status find(struct place *out, enum chunks_kind kind, struct span file, struct why *why)
{
    size_t at = 8;

    *out = (struct place){.at = 0};
    while (file.count - at >= FRAME) {
        const uint8_t *chunk = file.data + at;
        size_t length = read_be32(chunk), whole = length + FRAME;

        if (whole > file.count - at)
            break;
        if (!out->at && !memcmp(chunk + 4, "IDAT", 4))
            out->at = at;
        if (is_kind(chunk, length, kind)) {
            if (out->cut.count)
                return why_fail(why, ST_INVALID, "the PNG has two blocks where one may be");
            out->cut = (struct chunks_range){at, whole};
        }
        if (!memcmp(chunk + 4, "IEND", 4))
            return out->at ? ST_OK : why_fail(why, ST_INVALID, "the PNG has no pixels");
        at += whole;
    }
    return why_fail(why, ST_INVALID, "the PNG ends in the middle");
}

static enum status take(uint8_t *out, size_t *count, enum chunks_kind kind, struct span file,
                        struct chunks_range cut, struct why *why)
{
    const uint8_t *data = file.data + cut.start + 8;
    size_t length = cut.count - FRAME, skip = kind == CHUNKS_XMP ? HEAD : 0;

    if (kind == CHUNKS_XMP && memcmp(data + sizeof(keyword), "\0\0\0\0", 4))
        return why_fail(why, ST_INVALID, "the PNG's XMP is compressed, which XMP forbids");
    memcpy(out, data + skip, length - skip);
    *count = length - skip;
    return ST_OK;
}

static size_t size(enum chunks_kind kind, size_t bytes)
{
    return FRAME + (kind == CHUNKS_XMP ? HEAD : 0) + bytes;
}

static void write(uint8_t *out, enum chunks_kind kind, struct span data)
{
    size_t whole = size(kind, data.count), skip = kind == CHUNKS_XMP ? HEAD : 0;

    write_be32(out, (uint32_t)(whole - FRAME));
    memcpy(out + 4, kind == CHUNKS_XMP ? "iTXt" : "caBX", 4);
    if (skip) {
        memcpy(out + 8, keyword, sizeof(keyword));
        memset(out + 8 + sizeof(keyword), 0, 4);
    }
    memcpy(out + 8 + skip, data.data, data.count);
    write_be32(out + whole - 4, crc32_of(out + 4, whole - 8));
}

const struct container container_png = {.find = find, .take = take, .size = size, .write = write};
