/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canary.h - pictures whose scores are known, to be asked at the start and every few minutes.
 *
 * A classifier that answers otherwise than it did is found by nobody's eye: a bad kernel, a bit of
 * memory that flipped, a library that was exchanged. So fifteen pictures, drawn by code and with
 * nothing explicit in them, are scored again and held against a table that ships with the program
 * (canary_table.h, written by `test_canary --write`). What they are of is what such classifiers are
 * wrong about: anatomy, tissue, skin of several tones, a statue, and nonsense.
 */
#ifndef MODERATION_CANARY_H
#define MODERATION_CANARY_H

#include "base/image.h"
#include "moderation/vision.h"

#define CANARY_COUNT     15
#define CANARY_SIZE      256  /* pixels of a side */
#define CANARY_TOLERANCE 1e-2 /* in probability */

const char *canary_name(int index);

/* The same bytes on every machine. ST_FULL without memory. */
MUST_USE enum status canary_draw(struct image *out, int index);

/* Score all of them, about a second of one core. ST_DEVICE names the first picture whose score is
   not what it was, and nothing that this vision says may be believed. */
MUST_USE enum status canary_run(struct vision *v, struct why *why);

#endif /* MODERATION_CANARY_H */
