/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG: markers with lengths until the pixels begin. A manifest does not fit into one piece of 64
 * KiB, so APP11 cuts the box: every piece says "JP", which box it is (En), the number of the piece
 * (Z, from 1) and the box's own head once more (ISO 19566-5, D.2).
 */
#include "codec/chunks/room.h"

#include <string.h>

#define PIECE_HEAD 20 /* marker 2, length 2, "JP" 2, En 2, Z 4, LBox 4, TBox 4 */
#define BOX_HEAD   8
#define TYPE_AT    28 /* in the first piece: behind its head, and that of the description */
#define PIECE_MAX  (65535 + 2 - PIECE_HEAD) /* bytes of the box in a piece, without its head */

static const char name[] = "http://ns.adobe.com/xap/1.0/"; /* with its NUL */
#define XMP_HEAD (4 + sizeof(name))

/* A marker and its piece; count 0: the headers are over. */
static enum status next(struct chunks_range *out, struct span file, size_t at, struct why *why)
{
    size_t length;

    *out = (struct chunks_range){at, 0};
    while (file.count - at > 4 && file.data[at] == 0xff && file.data[at + 1] == 0xff)
        at++; /* a marker may be filled up in front */
    out->start = at;
    if (file.count - at < 4 || file.data[at] != 0xff)
        return why_fail(why, ST_INVALID, "the JPEG's headers are damaged");
    if (file.data[at + 1] == 0xda || file.data[at + 1] == 0xd9) /* pixels, or the end */
        return ST_OK;
    length = (size_t)file.data[at + 2] << 8 | file.data[at + 3];
    if (length < 2 || length + 2 > file.count - at)
        return why_fail(why, ST_INVALID, "the JPEG's headers end in the middle");
    out->count = length + 2;
    return ST_OK;
}

/* Of any JUMBF box; there are others than manifests. */
static bool is_piece(const uint8_t *piece, size_t count)
{
    return piece[1] == 0xeb && count >= PIECE_HEAD && !memcmp(piece + 4, "JP", 2) &&
           !memcmp(piece + 16, "jumb", 4);
}

/* Does a block begin here? The first piece of a manifest says so in its description's type. */
static bool is_first(const uint8_t *piece, size_t count, enum chunks_kind kind)
{
    if (kind == CHUNKS_XMP)
        return piece[1] == 0xe1 && count >= XMP_HEAD && !memcmp(piece + 4, name, sizeof(name));
    return is_piece(piece, count) && read_be32(piece + 8) == 1 && count >= TYPE_AT + 4 &&
           !memcmp(piece + TYPE_AT, "c2pa", 4);
}

/* Pieces of one block stand side by side. The new one comes behind the JFIF header. */
static enum status find(struct place *out, enum chunks_kind kind, struct span file, struct why *why)
{
    struct chunks_range piece;
    size_t at = 2;
    enum status st;

    *out = (struct place){.at = 2};
    while (!(st = next(&piece, file, at, why)) && piece.count) {
        const uint8_t *data = file.data + piece.start;

        at = piece.start + piece.count;
        if (data[1] == 0xe0 && out->at == piece.start)
            out->at = at;
        if (is_first(data, piece.count, kind)) {
            if (out->cut.count)
                return why_fail(why, ST_INVALID, "the JPEG has two blocks where one may be");
            out->cut = piece;
        } else if (kind == CHUNKS_C2PA && out->cut.count &&
                   piece.start == out->cut.start + out->cut.count && is_piece(data, piece.count) &&
                   !memcmp(data + 6, file.data + out->cut.start + 6, 2))
            out->cut.count += piece.count;
    }
    return st;
}

static enum status take_pieces(uint8_t *out, size_t *count, struct span file,
                               struct chunks_range cut, struct why *why)
{
    const uint8_t *first = file.data + cut.start, *end = first + cut.count;
    uint32_t number = 0;

    memcpy(out, first + 12, BOX_HEAD);
    *count = BOX_HEAD;
    for (const uint8_t *at = first; at < end;) {
        size_t whole = ((size_t)at[2] << 8 | at[3]) + 2;

        if (read_be32(at + 8) != ++number || memcmp(at + 6, first + 6, 2) ||
            memcmp(at + 12, first + 12, BOX_HEAD))
            return why_fail(why, ST_INVALID, "the JPEG's manifest is in pieces that do not fit");
        memcpy(out + *count, at + PIECE_HEAD, whole - PIECE_HEAD);
        *count += whole - PIECE_HEAD;
        at += whole;
    }
    if (read_be32(out) != *count)
        return why_fail(why, ST_INVALID, "the JPEG's manifest is not as long as it says");
    return ST_OK;
}

static enum status take(uint8_t *out, size_t *count, enum chunks_kind kind, struct span file,
                        struct chunks_range cut, struct why *why)
{
    if (kind == CHUNKS_C2PA)
        return take_pieces(out, count, file, cut, why);
    *count = cut.count - XMP_HEAD;
    memcpy(out, file.data + cut.start + XMP_HEAD, *count);
    return ST_OK;
}

static size_t size(enum chunks_kind kind, size_t bytes)
{
    size_t inner = bytes - BOX_HEAD;

    if (kind == CHUNKS_XMP)
        return XMP_HEAD + bytes;
    return inner + (inner + PIECE_MAX - 1) / PIECE_MAX * PIECE_HEAD;
}

static void write_head(uint8_t *out, int marker, size_t whole)
{
    out[0] = 0xff;
    out[1] = (uint8_t)marker;
    out[2] = (uint8_t)((whole - 2) >> 8);
    out[3] = (uint8_t)(whole - 2);
}

static void write(uint8_t *out, enum chunks_kind kind, struct span data)
{
    uint32_t number = 1;

    if (kind == CHUNKS_XMP) {
        write_head(out, 0xe1, XMP_HEAD + data.count);
        memcpy(out + 4, name, sizeof(name));
        memcpy(out + XMP_HEAD, data.data, data.count);
        return;
    }
    for (size_t at = BOX_HEAD; at < data.count; number++) {
        size_t count = data.count - at < PIECE_MAX ? data.count - at : PIECE_MAX;

        write_head(out, 0xeb, PIECE_HEAD + count);
        memcpy(out + 4, "JP\0\1", 4);
        write_be32(out + 8, number);
        memcpy(out + 12, data.data, BOX_HEAD);
        memcpy(out + PIECE_HEAD, data.data + at, count);
        out += PIECE_HEAD + count;
        at += count;
    }
}

const struct container container_jpeg = {.find = find, .take = take, .size = size, .write = write};
