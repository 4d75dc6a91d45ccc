/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.h - at which scales and turns do the waves of a key stand out of a picture's spectrum.
 *
 * The spectrum's powers, levelled, are drawn over the logarithm of the frequency and the angle:
 * there a scale and a turn of the picture are shifts, and to try one of them is to add up rows.
 */
#ifndef WATERMARK_MARK_SEARCH_H
#define WATERMARK_MARK_SEARCH_H

#include "watermark/mark/key.h"
#include "watermark/transform.h"

#include <stdbool.h>

#define SEARCH_POSES 128 /* that are worth a closer look */

#define SEARCH_SCALE_MIN 0.45
#define SEARCH_SCALE_MAX 2.2
#define SEARCH_DEGREES   10.0 /* to each side of a quarter turn */

struct pose {
    double scale, turn; /* the picture's size over the marked one's; radians, clockwise */
    bool mirrored;      /* left and right changed, before it was turned */
};

/* Where a line of the key stands in the posed picture, shifted by dx, dy periods per tile: cycles
   per pixel. */
void pose_line(float out[2], const struct pose *p, const struct mark_key *key, int line, float dx,
               float dy);

struct search {
    double step;       /* of the scale's logarithm and of the turn, radians */
    int angles;        /* rows of the map, over half a turn; even */
    int columns;       /* of the map: frequencies, each `step` above the one before */
    int scales, turns; /* tried; turns is odd */
    float *map;        /* [angles][columns] */
    float *scores;     /* [2 mirrored][2 quarter turns][turns][scales] */
};

/* One picture's map. longer: its longer side. ST_FULL without memory. */
MUST_USE enum status search_open(struct search *out, const struct spectrum *soft, int longer);
void search_close(struct search *s);

/* The poses where the key's lines stand out most, best first. How many, which is at most
   SEARCH_POSES. */
int search_run(struct pose out[SEARCH_POSES], struct search *s, const struct mark_key *key);

#endif /* WATERMARK_MARK_SEARCH_H */
