/* SPDX-License-Identifier: Apache-2.0 */
/*
 * veil.h - what is shown of a picture that is kept back: a blur, shades of grey, or all of it with
 * the name of who looks and when across it.
 *
 * A blur is made of a grid of means, VEIL_CELLS along the longer side, so nobody can sharpen it.
 * The mark is drawn into the pixels in rows that run on from each other: a photograph of the screen
 * says whose it was, whatever part of it is cut out.
 */
#ifndef SERVER_VEIL_H
#define SERVER_VEIL_H

#include "base/image.h"

#include <stdint.h>

#define VEIL_CELLS 20

enum veil { VEIL_BLUR, VEIL_GREY, VEIL_FULL, VEIL_COUNT };

const char *veil_name(enum veil v); /* "blur", "grey", "full" */
int veil_find(const char *name);    /* below 0: there is none of this name */

/* In place. `mark` is of digits, A to F, R, T, U, Z, '-', ':' and spaces. */
void veil_draw(struct image *image, enum veil v, const char *mark);

/* A small grid of RGB, `side` by `side`, as a smooth picture of `pixels` by `pixels`, which is the
   caller's. ST_FULL without memory. */
MUST_USE enum status veil_spread(struct image *out, const uint8_t *rgb, int side, int pixels);

#endif /* SERVER_VEIL_H */
