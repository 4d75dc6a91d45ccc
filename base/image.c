/* SPDX-License-Identifier: Apache-2.0 */
#include "base/image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum status image_open(struct image *image, int width, int height)
{
    struct image opened = {.width = width, .height = height};

    assert(width > 0 && height > 0);
    *image = (struct image){0};
    opened.rgb = calloc((size_t)height, (size_t)width * 3);
    if (!opened.rgb)
        return ST_FULL;
    *image = opened;
    return ST_OK;
}

void image_close(struct image *image)
{
    free(image->rgb);
    *image = (struct image){0};
}

size_t image_bytes(const struct image *image)
{
    return (size_t)image->height * (size_t)image->width * 3;
}

/* The steps and their order are diffusers': x / 2 + 0.5, clamped, times 255, rounded half to even.
   Clamping works on the bits, without a branch: floats above 0 are ordered as their bits are, and
   "greater than 0" is false for NaN. Adding 2^23 leaves the rounded integer in the low bits. */
static uint8_t from_float(float x)
{
    const int32_t one = 0x3f800000; /* the bits of 1.0f */
    float v = x * 0.5f + 0.5f;
    int32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    bits &= -(int32_t)(v > 0.0f);
    bits = bits < one ? bits : one;
    memcpy(&v, &bits, sizeof(v));
    v = v * 255.0f + 0x1p23f;
    memcpy(&bits, &v, sizeof(bits));
    return (uint8_t)bits;
}

void image_from_float(struct image *image, const float *rgb)
{
    uint8_t *restrict out = image->rgb; /* bytes may alias anything, which would forbid vectors */
    size_t count = image_bytes(image);

    for (size_t i = 0; i < count; i++)
        out[i] = from_float(rgb[i]);
}
