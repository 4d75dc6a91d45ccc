/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safety.h - the safety checker that Stable Diffusion checkpoints bring: CLIP's image tower, 17
 * concepts that nobody names, and 3 that ask for special care.
 *
 * The rule is diffusers' (StableDiffusionSafetyChecker): a margin is the cosine of picture and
 * concept less the concept's own threshold, rounded to three decimals. The special concepts come
 * first; from the first one whose margin is above 0, 0.01 is added to every margin that follows. A
 * picture is flagged when a concept's margin is above 0.
 */
#ifndef MODERATION_SAFETY_H
#define MODERATION_SAFETY_H

#include "base/image.h"
#include "kernels/device.h"

struct safety;

/* From a folder as "safety_checker/" of a checkpoint is. The device must outlive it. */
MUST_USE enum status safety_open(struct safety **out, struct device *d, const char *folder,
                                 struct why *why);
void safety_close(struct safety **s);

/* margin[i] is picture i's largest over the concepts; no number when the tower makes none. With
   images NULL nothing is scored: for measuring. ST_FULL without memory for the resized pictures,
   ST_DEVICE when the device broke. */
MUST_USE enum status safety_score(struct safety *s, float *margin,
                                  const struct image *const *images, int count, struct why *why);

/* Over the names and numbers of all tensors. */
void safety_sha256(const struct safety *s, uint8_t out[32]);

/* The rule alone: cosines with the special concepts and the others, and their thresholds. */
struct safety_concepts {
    const float *special, *special_threshold;
    int special_count;
    const float *concept, *threshold;
    int count;
};
double safety_margin(const struct safety_concepts *c);

#endif /* MODERATION_SAFETY_H */
