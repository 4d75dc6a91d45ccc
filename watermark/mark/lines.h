/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - what the waves of a key say in one picture, at one pose: the pilots where the tile
 * lies, the others which id.
 */
#ifndef WATERMARK_MARK_LINES_H
#define WATERMARK_MARK_LINES_H

#include "watermark/mark/key.h"
#include "watermark/transform.h"

#define LINES_SHIFTS 256 /* places of the tile that are tried, each way */

/* One complex number per line: the phase of the key taken out, in units of the noise beside the
   line. 0: outside the picture's spectrum. */
struct lines {
    float re[KEY_LINES], im[KEY_LINES];
};

/* found: the transform at each line. beside: the mean power half a period beside it. */
void lines_level(struct lines *out, const struct mark_key *key, float found[KEY_LINES][2],
                 const float beside[KEY_LINES]);

/* Turned by half a turn about the point where phases are 0. */
void lines_turn(struct lines *out, const struct lines *in, const struct mark_key *key);

struct pilots {
    float z;  /* the highest point of the correlation, in its own standard deviations */
    int x, y; /* where: in parts of a tile, `side` parts each way */
};

/* t: of length `side`, 128 or 256. room: side * TRANSFORM_LANES * 2 + side * 80 floats. */
void lines_find(struct pilots *out, const struct lines *l, const struct mark_key *key,
                struct transform *t, int side, float *room);

/* The same without a search, where the tile begins at 0, 0. */
float lines_pilot_z(const struct lines *l);

/* What is said of each coded bit when the tile lies there, and the sum of all chips' squares. */
double lines_soft(float soft[PAYLOAD_BITS], const struct lines *l, const struct mark_key *key,
                  int x, int y, int side);

/* The residual of an untouched picture at the lines: folded to two tiles each way, then
   transformed. t: of length 256. room: 2 * 256 * 256 + 2 * 256 * TRANSFORM_LANES floats. */
void lines_fold(float found[KEY_LINES][2], float beside[KEY_LINES], const struct mark_key *key,
                const float *residual, int width, int height, struct transform *t, float *room);

/* Forward, of side x side numbers in rows. lanes: 2 * side * TRANSFORM_LANES floats. */
void lines_square(float *re, float *im, int side, struct transform *t, float *lanes);

#endif /* WATERMARK_MARK_LINES_H */
