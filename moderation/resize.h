/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resize.h - pictures of any size to the size that a classifier was trained on, exactly as those
 * who trained it do.
 *
 * Both read the source in place and only what the result needs of it, so a picture of 16384 x 16384
 * costs no more memory than a small one. Pictures are not empty.
 */
#ifndef MODERATION_RESIZE_H
#define MODERATION_RESIZE_H

#include "base/image.h"

#define RESIZE_WIDTH_MAX 1024 /* of a result */

/* y[height][width][3] in [0, 1], as TensorFlow.js: bytes / 255, then bilinear with the corners of
   both pictures on one another. The aspect ratio is not kept. A picture that already has this size
   is only divided. Every number is computed in double and rounded once. */
void resize_bilinear(float *y, int height, int width, const struct image *image);

/* y[size][size][3] bytes, as CLIP's image processor with Pillow: the shorter side becomes `size` by
   an antialiased bicubic in whole numbers, then the middle is cut out. ST_FULL without memory. */
MUST_USE enum status resize_bicubic_middle(uint8_t *y, int size, const struct image *image,
                                           struct why *why);

#endif /* MODERATION_RESIZE_H */
