/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - 8-bit RGB pixels in memory.
 */
#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct image {
    uint8_t *rgb; /* height rows of width pixels of 3 bytes, without gaps; owned */
    int width, height;
};

/* Zeroed pixels. ST_FULL without memory. */
MUST_USE enum status image_open(struct image *image, int width, int height);
void image_close(struct image *image);
size_t image_bytes(const struct image *image);

/* From floats in [-1, 1], [height][width][3]: rounds to nearest, clamps, and treats NaN as black.
 */
void image_from_float(struct image *image, const float *rgb);

#ifdef __cplusplus
}
#endif

#endif /* BASE_IMAGE_H */
