/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.h - from two texts to all that a picture's steps know of them.
 *
 * Each text encoder has ids of its own, [encoders][2][T]: for the negative prompt, then the prompt.
 * One encoder's last hidden states are the context. Two encoders' hidden states of the last layer
 * but one are, side by side, and what the second makes of the whole text is pooled; so it is in
 * SDXL. Then the UNet reads both, once for a picture.
 */
#ifndef MODELS_PARTS_PROMPT_H
#define MODELS_PARTS_PROMPT_H

#include "models/model.h"
#include "models/parts/model_parts.h"
#include "models/texts.h"

/* The shape of its texts, and a picture's ids. */
struct texts_shape prompt_texts(const struct model_parts *p);
int prompt_id_count(const struct model_parts *p);

/* Shapes of a latent's context, pooled, prompt and added, without memory; absent where the pipeline
   has none. And the same with memory of the device's arena. */
void prompt_shape(const struct model_parts *p, struct latent *l, enum dtype dtype);
void prompt_carve(const struct model_parts *p, struct latent *l, struct device *d);

/* Does the picture have a negative prompt that anybody looks at? */
bool prompt_has_negative(const struct picture *picture);

/* prompt_id_count ids; *cut when a tokenizer would have needed more than it makes. */
MUST_USE enum status prompt_tokenize(const struct model_parts *p, int32_t *ids, bool *cut,
                                     const struct picture *picture, struct why *why);

/* Fill context, pooled, prompt and added from these ids and the size of l->x. */
void prompt_encode(const struct model_parts *p, struct texts *texts, struct latent *l,
                   struct device *d, const int32_t *ids, bool negative);

#endif /* MODELS_PARTS_PROMPT_H */
