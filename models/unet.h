/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unet.h - UNet2DConditionModel: what is noise in these latents?
 *
 * Every size comes from config.json; nothing here knows a checkpoint by name.
 */
#ifndef MODELS_UNET_H
#define MODELS_UNET_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct unet;

struct unet_info {
    int channels;      /* of latents, in and out */
    int sample_size;   /* of the latents it was trained at */
    int context_width; /* cross_attention_dim */
    int prompt_width;  /* numbers for each token that a prompt is read into */
    int multiple;      /* height and width of latents must be divisible by this */
};

/* From a folder with config.json and diffusion_pytorch_model.safetensors (or its shards). */
MUST_USE enum status unet_open(struct unet **out, struct device *d, const char *folder,
                               struct why *why);
void unet_close(struct unet **u);
struct unet_info unet_info(const struct unet *u);

/* What all steps need to know of a prompt, once: prompt[B, 1, T, prompt_width] from
   context[B, 1, T, context_width]. */
void unet_read_prompt(const struct unet *u, struct tensor prompt, struct tensor context);

/* y[B, h, w, C], f32, for latents x[B, h, w, C] at timesteps t[B, 1, 1, 1], f32, with
   prompt[B, 1, T, prompt_width]; all on the device. */
void unet_forward(const struct unet *u, struct tensor y, struct tensor x, struct tensor t,
                  struct tensor prompt);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_UNET_H */
