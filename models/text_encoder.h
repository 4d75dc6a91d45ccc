/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_encoder.h - CLIPTextModel: token ids to one vector per token.
 */
#ifndef MODELS_TEXT_ENCODER_H
#define MODELS_TEXT_ENCODER_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct text_encoder;

/* From a folder with config.json and model.safetensors. ST_UNSUPPORTED names what it cannot do. */
MUST_USE enum status text_encoder_open(struct text_encoder **out, struct device *d,
                                       const char *folder, struct why *why);
void text_encoder_close(struct text_encoder **e);

int text_encoder_width(const struct text_encoder *e);
int text_encoder_length(const struct text_encoder *e); /* positions there are */
int text_encoder_vocabulary(const struct text_encoder *e);

/* y[B, 1, T, width] = last_hidden_state, after the final norm, of ids[B, 1, 1, T] (I32, on the
   device, within the vocabulary). Causal. */
void text_encoder_forward(const struct text_encoder *e, struct tensor y, struct tensor ids);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_TEXT_ENCODER_H */
