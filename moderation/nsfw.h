/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nsfw.h - the classifiers of nsfwjs: MobileNetV2 of any width, pixels to five logits.
 *
 * A file as tools/nsfwjs/convert.py writes it: 8-bit numbers with a scale and a minimum for every
 * tensor, widened when they are loaded in the arithmetic of TensorFlow.js. Normalisation over the
 * batch is folded into the convolutions then. How wide the layers are says the file; how many there
 * are and where they halve the picture is MobileNetV2's.
 */
#ifndef MODERATION_NSFW_H
#define MODERATION_NSFW_H

#include "kernels/device.h"

#define NSFW_SIZE    224 /* pixels of a side */
#define NSFW_CLASSES 5   /* in the order of enum scores_class */

struct nsfw;

/* From the bytes of a file, which may go afterwards. The device must outlive the classifier.
   ST_INVALID when they are no such classifier or hold a number that is not finite, ST_MISSING when
   a tensor lacks. */
MUST_USE enum status nsfw_open(struct nsfw **out, struct device *d, const void *data, size_t bytes,
                               struct why *why);
void nsfw_close(struct nsfw **n);

/* logits[B, 1, 1, 5] of x[B, 224, 224, 3], pixels in [0, 1]: as resize_bilinear makes them. */
void nsfw_forward(const struct nsfw *n, struct tensor logits, struct tensor x);

#endif /* MODERATION_NSFW_H */
