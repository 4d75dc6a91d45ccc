/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.c - what a file is, its size, and how it is turned.
 */
#include "codec/stranger/parts.h"

#include <string.h>

/* What people send as well, by its first bytes from `at`. */
static const struct {
    const char *name, *magic;
    size_t at, bytes;
} others[] = {
    {"a GIF", "GIF8", 0, 4},      {"a BMP", "BM", 0, 2},           {"a TIFF", "II*", 0, 4},
    {"a TIFF", "MM\0*", 0, 4},    {"an AVIF", "ftypavif", 4, 8},   {"a HEIC", "ftypheic", 4, 8},
    {"a HEIC", "ftypmif1", 4, 8}, {"a JPEG XL", "\xff\x0a", 0, 2}, {"a PDF", "%PDF", 0, 4},
    {"an SVG", "<svg", 0, 4},
};

static bool has(struct stranger_bytes file, size_t at, const char *magic, size_t bytes)
{
    return file.count >= at + bytes && !memcmp(file.data + at, magic, bytes);
}

enum status stranger_check_size(uint64_t width, uint64_t height, struct why *why)
{
    if (!width || !height)
        return why_fail(why, ST_INVALID, "the file is damaged: it says it has no pixels");
    if (width > STRANGER_SIDE_MAX || height > STRANGER_SIDE_MAX ||
        width * height > STRANGER_PIXELS_MAX)
        return why_fail(why, ST_INVALID,
                        "the picture says it is %llu x %llu pixels; at most %d on a side and %d "
                        "million in all are taken: make it smaller",
                        (unsigned long long)width, (unsigned long long)height, STRANGER_SIDE_MAX,
                        STRANGER_PIXELS_MAX / 1000000);
    return ST_OK;
}

static enum status refuse(struct stranger_bytes file, struct why *why)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (has(file, others[i].at, others[i].magic, others[i].bytes))
            return why_fail(why, ST_UNSUPPORTED, "this is %s; send a PNG, JPEG or WebP",
                            others[i].name);
    }
    return why_fail(why, ST_INVALID, "this is no picture that is known; send a PNG, JPEG or WebP");
}

enum status stranger_look(struct stranger *out, const void *bytes, size_t count, struct why *why)
{
    struct stranger_bytes file = {bytes, count};

    *out = (struct stranger){.bits = 8, .orientation = 1};
    if (!count)
        return why_fail(why, ST_INVALID, "the file is empty; send a PNG, JPEG or WebP");
    if (count > STRANGER_BYTES_MAX)
        return why_fail(why, ST_INVALID, "the file has %zu bytes; at most %d million are taken",
                        count, STRANGER_BYTES_MAX / 1000000);
    if (has(file, 0, "\x89PNG\r\n\x1a\n", 8))
        return stranger_look_png(out, file, why);
    if (has(file, 0, "\xff\xd8\xff", 3))
        return stranger_look_jpeg(out, file, why);
    if (has(file, 0, "RIFF", 4) && has(file, 8, "WEBP", 4))
        return stranger_look_webp(out, file, why);
    return refuse(file, why);
}

static unsigned number(const uint8_t *at, int bytes, bool big)
{
    unsigned value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (unsigned)at[i] << 8 * (big ? bytes - 1 - i : i);
    return value;
}

int stranger_orientation(struct stranger_bytes tiff)
{
    bool big = tiff.count >= 8 && tiff.data[0] == 'M';
    size_t at;
    unsigned entries;

    if (tiff.count < 8 || (memcmp(tiff.data, "II*\0", 4) && memcmp(tiff.data, "MM\0*", 4)))
        return 1;
    at = number(tiff.data + 4, 4, big);
    if (at > tiff.count - 2) /* 8 at least are there */
        return 1;
    entries = number(tiff.data + at, 2, big);
    at += 2;
    for (unsigned i = 0; i < entries && tiff.count - at >= 12; i++, at += 12) {
        const uint8_t *entry = tiff.data + at;
        unsigned value = number(entry + 8, 2, big);

        /* tag 0x0112, one SHORT */
        if (number(entry, 2, big) == 0x0112 && number(entry + 2, 2, big) == 3)
            return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
