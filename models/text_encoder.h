/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_encoder.h - CLIPTextModel: token ids to one vector per token; with a projection, to one
 * vector for the whole text besides (CLIPTextModelWithProjection).
 */
#ifndef MODELS_TEXT_ENCODER_H
#define MODELS_TEXT_ENCODER_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct text_encoder;

/* From a folder with config.json and model.safetensors; `project`: as CLIPTextModelWithProjection.
   ST_UNSUPPORTED names what it cannot do. */
MUST_USE enum status text_encoder_open(struct text_encoder **out, struct device *d,
                                       const char *folder, bool project, struct why *why);
void text_encoder_close(struct text_encoder **e);

int text_encoder_width(const struct text_encoder *e);
int text_encoder_length(const struct text_encoder *e); /* positions there are */
int text_encoder_vocabulary(const struct text_encoder *e);
int text_encoder_projection(const struct text_encoder *e); /* width of a pooled text; 0: none */

/* y[B, 1, T, width] of ids[B, 1, 1, T] (I32, on the device, within the vocabulary). Causal. With
   skip 0, y is last_hidden_state, after the final norm; else what the last layer but `skip` leaves,
   not normalised: hidden_states[-1 - skip]. */
void text_encoder_forward(const struct text_encoder *e, struct tensor y, struct tensor ids,
                          int skip);

/* pooled[B, 1, 1, projection] of what forward left in hidden[B, 1, T, width] with a `skip` above 0:
   through the layers that it skipped and the final norm, the token at the text's end, projected.
   ids[B][T] are the same, on the host. */
void text_encoder_pool(const struct text_encoder *e, struct tensor pooled, struct tensor hidden,
                       int skip, const int32_t *ids);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_TEXT_ENCODER_H */
