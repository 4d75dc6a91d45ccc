/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_parts.h - the parts of a pipeline folder: what they are, opening each, and whether they fit
 * together.
 *
 * Two pipelines are known, StableDiffusionPipeline with five parts and StableDiffusionXLPipeline
 * with a second tokenizer and text encoder. What they do otherwise is the same.
 */
#ifndef MODELS_PARTS_MODEL_PARTS_H
#define MODELS_PARTS_MODEL_PARTS_H

#include "kernels/device.h"
#include "models/sampler.h"
#include "models/text_encoder.h"
#include "models/tokenizer.h"
#include "models/unet.h"
#include "models/vae.h"

enum model_part {
    PART_TOKENIZER,
    PART_TEXT_ENCODER,
    PART_TOKENIZER_2,
    PART_TEXT_ENCODER_2,
    PART_UNET,
    PART_VAE,
    PART_SCHEDULER,
};
#define PART_COUNT   7
#define ENCODERS_MAX 2

/* What model_index.json says. */
struct model_index {
    const char *pipeline;       /* its class */
    bool xl;                    /* StableDiffusionXLPipeline */
    bool zeros;                 /* an empty negative prompt is not read but all zeros */
    char class[PART_COUNT][64]; /* "": the pipeline has no such part */
};

struct model_parts {
    struct model_index index;
    int encoders; /* text encoders, each with its tokenizer */
    struct tokenizer *tokenizer[ENCODERS_MAX];
    struct text_encoder *text[ENCODERS_MAX];
    struct unet *unet;
    struct vae *vae;
    struct schedule schedule;
};

/* The part's folder in a pipeline folder: "unet". */
const char *model_parts_name(enum model_part part);

/* Start with empty parts and what model_index.json says of them. ST_UNSUPPORTED when the pipeline
   or one of its parts is of a class that limner does not run. */
MUST_USE enum status model_parts_read_index(struct model_parts *p, const char *folder,
                                            struct why *why);

/* Does the pipeline have this part? Opening one that it has not does nothing. */
bool model_parts_has(const struct model_parts *p, enum model_part part);

/* Open one part; the sentence of a failure starts with the part's name. */
MUST_USE enum status model_parts_open(struct model_parts *p, enum model_part part, struct device *d,
                                      const char *folder, struct why *why);
void model_parts_close(struct model_parts *p); /* half-made ones too */

/* Widths, channels and vocabularies of all of them, and whether the autoencoder can do with numbers
   of this type. */
MUST_USE enum status model_parts_agree(const struct model_parts *p, enum dtype dtype,
                                       struct why *why);

/* Bytes of a part's weights; 0 for the parts that have none, or are none. */
uint64_t model_parts_bytes(const struct model_parts *p, enum model_part part, const char *folder);

#endif /* MODELS_PARTS_MODEL_PARTS_H */
