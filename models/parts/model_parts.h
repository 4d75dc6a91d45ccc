/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_parts.h - the five parts of a pipeline folder: what they are, opening each, and whether
 * they fit together.
 */
#ifndef MODELS_PARTS_MODEL_PARTS_H
#define MODELS_PARTS_MODEL_PARTS_H

#include "kernels/device.h"
#include "models/sampler.h"
#include "models/text_encoder.h"
#include "models/tokenizer.h"
#include "models/unet.h"
#include "models/vae.h"

enum model_part { PART_TOKENIZER, PART_TEXT_ENCODER, PART_UNET, PART_VAE, PART_SCHEDULER };
#define PART_COUNT 5

struct model_parts {
    struct tokenizer *tokenizer;
    struct text_encoder *text;
    struct unet *unet;
    struct vae *vae;
    struct schedule schedule;
};

/* The classes that model_index.json names. */
struct model_index {
    char class[PART_COUNT][64];
};

/* The part's folder in a pipeline folder: "unet". */
const char *model_parts_name(enum model_part part);

/* ST_UNSUPPORTED when the pipeline or one of its parts is of a class that limner does not run. */
MUST_USE enum status model_parts_read_index(struct model_index *out, const char *folder,
                                            struct why *why);

/* Open one part; the sentence of a failure starts with the part's name. */
MUST_USE enum status model_parts_open(struct model_parts *p, enum model_part part, struct device *d,
                                      const char *folder, struct why *why);
void model_parts_close(struct model_parts *p); /* half-made ones too */

/* Widths, channels and vocabularies of all five. */
MUST_USE enum status model_parts_agree(const struct model_parts *p, struct why *why);

/* Bytes of a part's weights; 0 for the parts that have none. */
uint64_t model_parts_bytes(enum model_part part, const char *folder);

#endif /* MODELS_PARTS_MODEL_PARTS_H */
