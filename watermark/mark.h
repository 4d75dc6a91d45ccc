/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.h - an invisible mark in the pixels: put it in, and find it again without the original.
 *
 * A tile of 128 x 128 pixels repeats over the luma of the whole picture. It is a sum of waves: a
 * secret three quarters of those with 4 to 18 periods per tile. A quarter of them are pilots, whose
 * phases the key gives: they tell where the tile lies. The others carry a 64-bit id with its check
 * sum and error correction (payload.h) in their phases. Where the waves stand in the spectrum tells
 * how the picture was scaled and turned. A mask puts the mark where eyes do not see it.
 *
 * Detection answers with probabilities: how often a picture without a mark of these keys would look
 * as marked as this one. They hold because a key is random to whoever does not have it: every
 * statistic is divided by what the picture itself gives, and the result is multiplied by all that
 * was tried. "Not found" is never "not made by a machine".
 *
 * It survives ordinary handling: JPEG, scaling, crops, small turns, mirrors. It does not survive
 * whoever sets out to remove it, or a picture that is drawn anew by a model.
 */
#ifndef WATERMARK_MARK_H
#define WATERMARK_MARK_H

#include "base/image.h"
#include "base/status.h"
#include "watermark/payload.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MARK_SECRET_BYTES 32
#define MARK_SIDE_MIN     96    /* pixels: a smaller picture has no room for the waves */
#define MARK_SIDE_MAX     16384 /* pixels */
#define MARK_KEYS_MAX     16    /* in one detection */
#define MARK_P_MAX        1e-9  /* a verdict needs a p value of at most this */

/* What a secret says of the waves. Never changes: any thread may use it. */
struct mark_key;

/* ST_FULL without memory. */
MUST_USE enum status mark_key_open(struct mark_key **out, const uint8_t secret[MARK_SECRET_BYTES],
                                   struct why *why);
void mark_key_close(struct mark_key **k);

/* Names the key without telling it: the first 4 bytes of SHA-256("limner mark key", NUL, secret) as
   a big-endian number. */
uint32_t mark_key_id(const struct mark_key *k);

struct mark_options {
    double psnr; /* dB; 0: what mark_psnr says */
};

/* The strength that a picture of this size needs: 42 dB at 512 x 512 pixels, 45 dB at 1024 x 1024
   and above, 38 dB at 256 x 256: a smaller picture has fewer tiles that repeat. */
double mark_psnr(int width, int height);

struct mark_result {
    double psnr;     /* dB, of all three channels; above what was asked for when the caps said so */
    double strength; /* grey levels per unit of the mask */
    double activity; /* mean local contrast, grey levels: flat art has next to none */
    bool weak;       /* little hides a mark here: read it back, and say so when that fails */
};

/* Marks the picture in place: the same amount in all three channels, so that colours stay.
   ST_UNSUPPORTED: smaller than MARK_SIDE_MIN or larger than MARK_SIDE_MAX on a side; ST_FULL
   without memory. The picture is as it was when this fails. */
MUST_USE enum status mark_embed(struct image *image, const struct mark_key *key, uint64_t id,
                                const struct mark_options *options, struct mark_result *out,
                                struct why *why);

enum mark_verdict {
    MARK_ABSENT,  /* nothing was found, which does not say that nothing is there */
    MARK_PRESENT, /* a mark of this key, and its id can't be read */
    MARK_ID       /* the id is certain */
};

struct mark_finding {
    enum mark_verdict verdict;
    uint64_t id; /* only with MARK_ID */
    int key;     /* index into the keys; -1 with MARK_ABSENT */
    double p_present, p_id;
    double z_pilot, z_id;  /* in standard deviations of a picture without a mark */
    double scale, degrees; /* what was done to the marked picture: resized by, turned by */
    bool mirrored;
    /* For mark_p_asserted: the words that were read, and what the best one said, bit by bit. */
    int words;
    float soft[PAYLOAD_BITS];
    double energy;
};

/* Blind: the picture may have been scaled to 0.45 to 2.2 of its size, turned by up to 10 degrees
   around each quarter turn, mirrored and cut. keys: 1 to MARK_KEYS_MAX, all that are not retired.
   The p values count all keys and everything else that was tried. A picture too small to hold a
   mark is MARK_ABSENT with p values of 1. ST_FULL without memory. */
MUST_USE enum status mark_detect(struct mark_finding *out, const struct image *image,
                                 const struct mark_key *const *keys, int count, struct why *why);

/* The same for a picture of which it is known that nobody has handled it since it was marked, so
   that nothing has to be searched: some milliseconds. */
MUST_USE enum status mark_read_back(struct mark_finding *out, const struct image *image,
                                    const struct mark_key *key, struct why *why);

/* p value of the claim that the picture carries this id, which was found in another way, for
   example by its fingerprint in the log, as one of `candidates`. Needs no readable id. */
double mark_p_asserted(const struct mark_finding *finding, uint64_t id, int64_t candidates);

#ifdef __cplusplus
}
#endif

#endif /* WATERMARK_MARK_H */
