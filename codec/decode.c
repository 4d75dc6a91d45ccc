/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/decode.h"

#include <png.h>

static enum status read_rows(png_image *png, struct image *out, struct why *why)
{
    enum status st;

    if (png->width > DECODE_SIDE_MAX || png->height > DECODE_SIDE_MAX)
        return why_fail(why, ST_INVALID, "a picture of %ux%u is larger than %dx%d",
                        (unsigned)png->width, (unsigned)png->height, DECODE_SIDE_MAX,
                        DECODE_SIDE_MAX);
    st = image_open(out, (int)png->width, (int)png->height);
    if (st)
        return why_fail(why, st, "no memory for a picture of %ux%u", (unsigned)png->width,
                        (unsigned)png->height);
    png->format = PNG_FORMAT_RGB;
    if (png_image_finish_read(png, NULL, out->rgb, 0, NULL))
        return ST_OK;
    image_close(out);
    return why_fail(why, ST_INVALID, "the PNG is damaged: %s", png->message);
}

enum status decode_png(struct image *out, const void *bytes, size_t count, struct why *why)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    enum status st;

    *out = (struct image){0};
    if (!png_image_begin_read_from_memory(&png, bytes, count))
        st = why_fail(why, ST_INVALID, "this is no PNG: %s", png.message);
    else
        st = read_rows(&png, out, why);
    png_image_free(&png);
    return st;
}
