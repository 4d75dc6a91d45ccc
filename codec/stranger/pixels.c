/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pixels.c - where stb_image and libwebp are guests.
 */
#include "codec/stranger/parts.h"

#include <webp/decode.h>

#include <string.h>

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS STRANGER_SIDE_MAX
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

static enum status damaged(struct why *why, const char *what)
{
    return why_fail(why, ST_INVALID, "the picture is damaged: %s", what ? what : "unknown");
}

static enum status decode_webp(struct stranger_pixels *out, const struct stranger *look,
                               struct stranger_bytes file, struct why *why)
{
    size_t row = (size_t)look->width * 4;
    size_t bytes = row * (size_t)look->height;
    WebPBitstreamFeatures features;

    if (WebPGetFeatures(file.data, file.count, &features) != VP8_STATUS_OK ||
        features.has_animation || features.width != look->width || features.height != look->height)
        return damaged(why, "not as its head says");
    out->channels = 4;
    out->data = malloc(bytes);
    if (!out->data)
        return why_fail(why, ST_FULL, "no memory for the picture");
    if (WebPDecodeRGBAInto(file.data, file.count, out->data, bytes, (int)row))
        return ST_OK;
    return damaged(why, "its pixels cannot be read");
}

static enum status decode_stb(struct stranger_pixels *out, const struct stranger *look,
                              struct stranger_bytes file, struct why *why)
{
    int width, height, channels;

    out->data = stbi_load_from_memory(file.data, (int)file.count, &width, &height, &channels, 0);
    if (!out->data)
        return damaged(why, stbi_failure_reason());
    if (width != look->width || height != look->height || channels < 1 || channels > 4)
        return damaged(why, "not as its head says");
    out->channels = channels;
    return ST_OK;
}

enum status stranger_pixels(struct stranger_pixels *out, const struct stranger *look,
                            struct stranger_bytes file, struct why *why)
{
    enum status st;

    *out = (struct stranger_pixels){0};
    if (look->format == FORMAT_WEBP)
        st = decode_webp(out, look, file, why);
    else
        st = decode_stb(out, look, file, why);
    if (st) {
        free(out->data);
        *out = (struct stranger_pixels){0};
    }
    return st;
}

/* On white. */
static uint8_t lay(int value, int alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* Which pixel of the file is at (x, y) upright; EXIF says where its row 0 and column 0 are. */
static size_t at(const struct stranger *look, int x, int y)
{
    int last_x = look->width - 1, last_y = look->height - 1;
    int column = look->orientation >= 5 ? y : x, row = look->orientation >= 5 ? x : y;

    switch (look->orientation) {
    case 2:
    case 8:
        column = last_x - column;
        break;
    case 3:
    case 7:
        column = last_x - column;
        row = last_y - row;
        break;
    case 4:
    case 6:
        row = last_y - row;
        break;
    default:
        break;
    }
    return (size_t)row * (size_t)look->width + (size_t)column;
}

void stranger_row(uint8_t *rgb, int y, const struct stranger *look,
                  const struct stranger_pixels *pixels)
{
    int channels = pixels->channels, width = stranger_upright_width(look);
    bool grey = channels < 3, alpha = channels % 2 == 0;

    for (int x = 0; x < width; x++) {
        const uint8_t *from = pixels->data + at(look, x, y) * (size_t)channels;
        int opaque = alpha ? from[channels - 1] : 255;

        for (int c = 0; c < 3; c++)
            rgb[3 * x + c] = lay(from[grey ? 0 : c], opaque);
    }
}
