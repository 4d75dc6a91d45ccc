/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plane.h - the luma of a picture, how lively it is from place to place, and what is left of it
 * when shapes, brightness and contrast are taken away: the residual, in which the mark is looked
 * for.
 */
#ifndef WATERMARK_MARK_PLANE_H
#define WATERMARK_MARK_PLANE_H

#include "base/image.h"

#define GRID_CELL 4 /* pixels: what changes slowly is kept in cells of 4 x 4 */

struct grid {
    int width, height;
    float *at;
};

MUST_USE enum status grid_open(struct grid *g, int plane_width, int plane_height);
void grid_close(struct grid *g);

/* One row of the grid at full size, bilinear. cells: room for the grid's width. */
void grid_row(float *out, float *cells, const struct grid *g, int y, int plane_width);

struct plane {
    int width, height;
    float *luma, *residual;
    struct grid mean;                 /* of the luma */
    struct grid narrow, middle, wide; /* standard deviation of the high-passed luma, blurred by 5, 8
                                         and 12 pixels */
};

/* The picture shrunk by whole factor `shrink`: each pixel the mean of shrink x shrink. ST_FULL
   without memory. */
MUST_USE enum status plane_open(struct plane *out, const struct image *image, int shrink);
void plane_close(struct plane *p);

/* Added to the standard deviation by which the residual is divided, so that a flat area's noise
   stays small. */
#define PLANE_FLOOR 1.5f
#define PLANE_SIGMA 3.0f /* of the blur that is the shapes */

#endif /* WATERMARK_MARK_PLANE_H */
