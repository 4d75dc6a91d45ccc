/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_encoder.h - CLIP's other tower: the pixels of a picture to one vector.
 */
#ifndef MODELS_IMAGE_ENCODER_H
#define MODELS_IMAGE_ENCODER_H

#include "kernels/device.h"
#include "models/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

struct image_encoder;

/* From a folder with config.json, which has a vision_config, and model.safetensors with
   visual_projection and vision_model.*, as CLIPVisionModelWithProjection and diffusers' safety
   checker have them. ST_UNSUPPORTED names what it cannot do. */
MUST_USE enum status image_encoder_open(struct image_encoder **out, struct device *d,
                                        const char *folder, struct why *why);
void image_encoder_close(struct image_encoder **e);

int image_encoder_size(const struct image_encoder *e);       /* pixels of a side */
int image_encoder_projection(const struct image_encoder *e); /* width of the vector */

/* The other tensors of the file, such as the concepts of a safety checker. */
const struct weights *image_encoder_file(const struct image_encoder *e);

/* y[B, 1, 1, projection] of B pictures of size x size pixels, RGB in [0, 255], on the host. Each is
   divided by 255 and normalised as CLIP was trained. NULL pictures: only measuring. */
void image_encoder_forward(const struct image_encoder *e, struct tensor y,
                           const uint8_t *const *pictures);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_IMAGE_ENCODER_H */
