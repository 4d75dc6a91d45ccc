/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.h - the waves of a tile, as a secret chooses them.
 *
 * All of it is drawn from ChaCha20's stream of the secret, in this order: which of the points of
 * the half plane carry a wave, the phases, which coded bit each chip carries, the chips' signs. A
 * change of anything here makes every picture marked before unreadable.
 */
#ifndef WATERMARK_MARK_KEY_H
#define WATERMARK_MARK_KEY_H

#include "watermark/mark.h"

#define KEY_TILE   128 /* pixels */
#define KEY_INNER  4   /* periods per tile */
#define KEY_OUTER  18
#define KEY_POINTS 482 /* of whole periods between these, in a half plane */
#define KEY_LINES  361 /* of these carry a wave */
#define KEY_PILOTS 90  /* the first of these */
#define KEY_CHIPS  (2 * (KEY_LINES - KEY_PILOTS))

struct mark_key {
    uint32_t id;
    int8_t kx[KEY_LINES], ky[KEY_LINES]; /* periods per tile */
    float phase[KEY_LINES][2];           /* cosine and sine */
    uint16_t order[KEY_LINES];           /* the lines from the lowest frequency to the highest */
    /* Chip i is the real part of line KEY_PILOTS + i, and then come all the imaginary parts. */
    uint16_t bit[KEY_CHIPS]; /* which coded bit it carries */
    int8_t sign[KEY_CHIPS];  /* and whether turned round */
};

#endif /* WATERMARK_MARK_KEY_H */
