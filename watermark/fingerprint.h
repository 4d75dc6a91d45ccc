/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint.h - find a picture again when its mark is gone: 256 bits that stay nearly the same
 * when a picture is compressed, scaled, lit or trimmed a little (fingerprint_index.h searches
 * them).
 *
 * How. The luma is averaged over a grid of 32 x 32 whatever the picture's size is, and its low
 * frequencies (DCT, without the mean) are weighted so that none rules. The sum of them with signs
 * that only the key tells gives one bit; 256 sums, 256 bits. Sums of one picture and of an
 * unrelated one agree by chance, so about half of the bits do.
 *
 * What the key is for. Who doesn't have it can't tell which bits a change will turn, can't search
 * a stolen index with a picture, and can't make two pictures collide by trying. What it can't
 * prevent: pictures that look the same when blurred to a dozen cells a side have the same
 * fingerprint under any key. So a near fingerprint is a reason to look, and never says alone that a
 * picture was made here.
 */
#ifndef WATERMARK_FINGERPRINT_H
#define WATERMARK_FINGERPRINT_H

#include "base/image.h"

#include <stdbool.h>
#include <stdint.h>

#define FINGERPRINT_BYTES     32
#define FINGERPRINT_KEY_BYTES 32
#define FINGERPRINT_BITS      256

/* Distance up to which two fingerprints are near. Measured (bench/fingerprint.c, 4 keys, mirror
   images too): unrelated pictures lie 121 to 126 apart with a standard deviation of 13 to 15, of
   which a normal tail at 40 is 3e-10 to 4e-9; so a search of a million pictures brings up a
   stranger once in 200 to 3,000 searches, and a wider bound soon brings up many. That counts chance
   alone. Pictures that do look alike when blurred are near with reason: of all pairs 3e-5 of 7,613
   icons, 1e-4 of 6,842 emoji and clip art of several drawers, 2e-3 of 64 medical drawings.
   The drawings stay near after JPEG 50, half size and brightness 0.6, each; trimming to 95 in 100
   of their area loses a tenth, brightness 1.4, which clips, a fifth, and a crop to 80 in 100 most.
 */
#define FINGERPRINT_NEAR 40

/* For one picture whose number its mark has told already: no search, so a wider bound will do.
   Unrelated pictures pass in 6 to 14 of a thousand. A crop to half of the area doesn't pass. */
#define FINGERPRINT_AGREES 88

/* Any thread. False: the picture is flat, there is nothing in it to find it by, and the bits are
   all 0: don't keep or search them. */
bool fingerprint_make(uint8_t out[FINGERPRINT_BYTES], const struct image *image,
                      const uint8_t key[FINGERPRINT_KEY_BYTES]);
/* Of the picture as a mirror shows it: search for both. */
bool fingerprint_make_mirrored(uint8_t out[FINGERPRINT_BYTES], const struct image *image,
                               const uint8_t key[FINGERPRINT_KEY_BYTES]);

/* Bits that differ: 0 to 256. */
int fingerprint_distance(const uint8_t a[FINGERPRINT_BYTES], const uint8_t b[FINGERPRINT_BYTES]);

#endif /* WATERMARK_FINGERPRINT_H */
