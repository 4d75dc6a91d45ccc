/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform.h - Fourier transforms of pictures, and soft blurs.
 *
 * A spectrum is the transform of a plane of floats on a grid finer than its own, with only the low
 * frequencies kept: a plane is real, so half of them say everything. From it the transform at any
 * frequency between the grid's points is had exactly (to 1e-4 of the strongest) by a sum of a few
 * neighbours, when the plane was divided beforehand by the transform of the kernel that sums: a
 * thousand times less work than the sum over all pixels, which the tests compare it with.
 */
#ifndef WATERMARK_TRANSFORM_H
#define WATERMARK_TRANSFORM_H

#include "base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A plan for transforms of one length, with room to work in: one thread at a time. */
struct transform;

#define TRANSFORM_LANES 8 /* transforms that run side by side */

/* side: a power of two, 4 to 65536. ST_FULL without memory. */
MUST_USE enum status transform_open(struct transform **out, int side);
void transform_close(struct transform **t);

/* Forward, in place, of TRANSFORM_LANES sequences: element i of lane j is at [i * lanes + j]. The
   backward one, without its division by the length, is the forward one with re and im swapped. */
void transform_run(struct transform *t, float *re, float *im);

struct spectrum {
    int side;        /* the grid's points per cycle per pixel: a power of two */
    int band;        /* kept are kx 0 to band and ky -band to band, of |k| / side */
    int cx, cy;      /* the pixel where phases are 0 */
    float *re, *im;  /* [kx + SPECTRUM_PAD][ky + band + SPECTRUM_PAD]; owned */
    float *kernel;   /* what sums neighbours, as a table; owned */
    int rows, width; /* of that array */
};

#define SPECTRUM_PAD 4 /* beyond the band, so that a sum of neighbours never leaves the array */

enum spectrum_kind {
    SPECTRUM_SOFT, /* the plane's borders are faded: clean powers on the grid's points */
    SPECTRUM_EXACT /* for spectrum_at */
};

/* plane: height rows of width. side: at least 1.6 times the longer. band: at most side / 2 -
   SPECTRUM_PAD. ST_FULL without memory. */
MUST_USE enum status spectrum_open(struct spectrum *out, const float *plane, int width, int height,
                                   int side, int band, enum spectrum_kind kind);
void spectrum_close(struct spectrum *s);

/* The smallest side that will do. */
int spectrum_side(int width, int height);

/* sum over x, y of plane[y][x] * exp(-2 pi i (fx (x - cx) + fy (y - cy))), of an exact spectrum.
   out: real and imaginary part. A frequency outside the band gives 0. */
void spectrum_at(float out[2], const struct spectrum *s, float fx, float fy);

/* Gaussian blur, borders mirrored. out may be in; scratch: width * height floats. sigma up to 4. */
void transform_blur(float *out, const float *in, float *scratch, int width, int height,
                    float sigma);

#ifdef __cplusplus
}
#endif

#endif /* WATERMARK_TRANSFORM_H */
