/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/chunks/room.h"

#include <stdlib.h>
#include <string.h>

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

/* The file with `count` bytes at place->at, in place of what is cut. */
static enum status splice(struct bytes *file, const struct place *place, size_t count,
                          uint8_t **room, struct why *why)
{
    size_t rest = file->count - place->cut.count, at = place->at;
    uint8_t *data = malloc(rest + count);

    if (!data)
        return why_fail(why, ST_FULL, "no memory for what stands beside the pixels");
    /* What is cut lies wholly before or behind where the new one comes, or there. */
    if (place->cut.count)
        at = place->cut.start;
    memcpy(data, file->data, at);
    *room = data + at;
    memcpy(data + at + count, file->data + at + place->cut.count, rest - at);
    free(file->data);
    *file = (struct bytes){data, rest + count};
    return ST_OK;
}

enum status chunks_put(struct bytes *file, enum chunks_kind kind, const void *data, size_t bytes,
                       struct chunks_range *range, struct why *why)
{
    const struct container *c = container_of(file->data, file->count);
    struct place place;
    uint8_t *room = NULL;
    enum status st;

    if (!c)
        return why_fail(why, ST_INVALID, "this is no PNG, JPEG or WebP file");
    if (kind == CHUNKS_C2PA && bytes < 8)
        return why_fail(why, ST_INVALID, "a manifest is a box, which has eight bytes at least");
    if (bytes > (kind == CHUNKS_XMP ? CHUNKS_XMP_MAX : CHUNKS_BYTES_MAX))
        return why_fail(why, ST_INVALID, "%zu bytes beside the pixels are too many", bytes);
    st = c->prepare ? c->prepare(file, kind, why) : ST_OK;
    if (!st)
        st = c->find(&place, kind, (struct span){file->data, file->count}, why);
    if (!st)
        st = splice(file, &place, c->size(kind, bytes), &room, why);
    if (st)
        return st;
    *range = (struct chunks_range){(size_t)(room - file->data), c->size(kind, bytes)};
    c->write(room, kind, (struct span){data, bytes});
    if (c->settle)
        c->settle(file);
    return ST_OK;
}
