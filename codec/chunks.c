/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/chunks/room.h"

#include <stdlib.h>
#include <string.h>

#define BOX_HEAD 8 /* length and type, which a JPEG repeats in every piece */

bool chunks_format(enum format *out, const void *file, size_t bytes)
{
    const uint8_t *at = file;

    if (bytes >= 8 && !memcmp(at, "\x89PNG\r\n\x1a\n", 8))
        *out = FORMAT_PNG;
    else if (bytes >= 3 && !memcmp(at, "\xff\xd8\xff", 3))
        *out = FORMAT_JPEG;
    else if (bytes >= 12 && !memcmp(at, "RIFF", 4) && !memcmp(at + 8, "WEBP", 4))
        *out = FORMAT_WEBP;
    else
        return false;
    return true;
}

static const struct container *container_of(const void *file, size_t bytes)
{
    static const struct container *const all[] = {[FORMAT_PNG] = &container_png,
                                                  [FORMAT_JPEG] = &container_jpeg,
                                                  [FORMAT_WEBP] = &container_webp};
    enum format format;

    return chunks_format(&format, file, bytes) ? all[format] : NULL;
}

enum status chunks_find(struct bytes *out, struct chunks_range *range, enum chunks_kind kind,
                        const void *file, size_t bytes, struct why *why)
{
    const struct container *c = container_of(file, bytes);
    const struct span all = {file, bytes};
    struct place place;
    enum status st;

    *out = (struct bytes){NULL, 0};
    if (!c)
        return why_fail(why, ST_INVALID, "this is no PNG, JPEG or WebP file");
    st = c->find(&place, kind, all, why);
    if (st)
        return st;
    if (!place.cut.count)
        return why_fail(why, ST_MISSING, "the file has no such block");
    if (place.cut.count > 2 * (size_t)CHUNKS_BYTES_MAX)
        return why_fail(why, ST_INVALID, "the block beside the pixels is too large");
    *range = place.cut;
    out->data = malloc(place.cut.count);
    if (!out->data)
        return why_fail(why, ST_FULL, "no memory for what stands beside the pixels");
    st = c->take(out->data, &out->count, kind, all, place.cut, why);
    if (st)
        bytes_close(out);
    return st;
}

/* The file with `count` bytes where the block comes, in place of what is cut. */
static enum status splice(struct bytes *out, struct span file, const struct place *place,
                          size_t count, struct why *why)
{
    size_t rest = file.count - place->cut.count;
    size_t at = place->cut.count ? place->cut.start : place->at;

    *out = (struct bytes){malloc(rest + count), rest + count};
    if (!out->data)
        return why_fail(why, ST_FULL, "no memory for what stands beside the pixels");
    memcpy(out->data, file.data, at);
    memcpy(out->data + at + count, file.data + at + place->cut.count, rest - at);
    return ST_OK;
}

static enum status put(struct bytes *out, struct span file, enum chunks_kind kind, struct span data,
                       struct chunks_range *range, struct why *why)
{
    const struct container *c = container_of(file.data, file.count);
    struct place place;
    enum status st = c->find(&place, kind, file, why);

    if (!st)
        st = splice(out, file, &place, c->size(kind, data.count), why);
    if (st)
        return st;
    *range = (struct chunks_range){place.cut.count ? place.cut.start : place.at,
                                   c->size(kind, data.count)};
    c->write(out->data + range->start, kind, data);
    if (c->settle)
        c->settle(out);
    return ST_OK;
}

enum status chunks_put(struct bytes *file, enum chunks_kind kind, const void *data, size_t bytes,
                       struct chunks_range *range, struct why *why)
{
    const struct container *c = container_of(file->data, file->count);
    struct bytes ready = {NULL, 0}, out;
    struct span from = {file->data, file->count};
    enum status st = ST_OK;

    if (!c)
        return why_fail(why, ST_INVALID, "this is no PNG, JPEG or WebP file");
    if (kind == CHUNKS_C2PA && bytes <= BOX_HEAD)
        return why_fail(why, ST_INVALID, "a manifest is a box with something in it");
    if (bytes > (kind == CHUNKS_XMP ? CHUNKS_XMP_MAX : CHUNKS_BYTES_MAX))
        return why_fail(why, ST_INVALID, "%zu bytes beside the pixels are too many", bytes);
    if (c->prepare) {
        st = c->prepare(&ready, from, kind, why);
        from = (struct span){ready.data, ready.count};
    }
    if (!st)
        st = put(&out, from, kind, (struct span){data, bytes}, range, why);
    bytes_close(&ready);
    if (st)
        return st;
    bytes_close(file);
    *file = out;
    return ST_OK;
}
