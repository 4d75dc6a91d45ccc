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

/* In place: a large file moves to where there is room by its pages, and is not copied. */
static enum status put(struct bytes *file, const struct container *c, enum chunks_kind kind,
                       struct span data, struct chunks_range *range, struct why *why)
{
    const size_t count = c->size(kind, data.count);
    struct place place;
    size_t at, rest;
    enum status st = c->find(&place, kind, (struct span){file->data, file->count}, why);

    if (st)
        return st;
    at = place.cut.count ? place.cut.start : place.at;
    rest = file->count - place.cut.count;
    if (count > place.cut.count) {
        uint8_t *more = realloc(file->data, rest + count);

        if (!more)
            return why_fail(why, ST_FULL, "no memory for what stands beside the pixels");
        file->data = more;
    }
    memmove(file->data + at + count, file->data + at + place.cut.count, rest - at);
    file->count = rest + count;
    c->write(file->data + at, kind, data);
    *range = (struct chunks_range){at, count};
    return ST_OK;
}

/* Into a copy that was made ready. */
static enum status put_ready(struct bytes *file, const struct container *c, enum chunks_kind kind,
                             struct span data, struct chunks_range *range, struct why *why)
{
    struct bytes ready = {NULL, 0};
    enum status st = c->prepare(&ready, (struct span){file->data, file->count}, kind, why);

    if (!st)
        st = put(&ready, c, kind, data, range, why);
    if (st) {
        bytes_close(&ready);
        return st;
    }
    c->settle(&ready);
    bytes_close(file);
    *file = ready;
    return ST_OK;
}

enum status chunks_put(struct bytes *file, enum chunks_kind kind, const void *data, size_t bytes,
                       struct chunks_range *range, struct why *why)
{
    const struct container *c = container_of(file->data, file->count);
    const struct span block = {data, bytes};

    if (!c)
        return why_fail(why, ST_INVALID, "this is no PNG, JPEG or WebP file");
    if (kind == CHUNKS_C2PA && bytes <= BOX_HEAD)
        return why_fail(why, ST_INVALID, "a manifest is a box with something in it");
    if (bytes > (kind == CHUNKS_XMP ? CHUNKS_XMP_MAX : CHUNKS_BYTES_MAX))
        return why_fail(why, ST_INVALID, "%zu bytes beside the pixels are too many", bytes);
    return c->prepare ? put_ready(file, c, kind, block, range, why)
                      : put(file, c, kind, block, range, why);
}
