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
    int pooled_width;  /* of a pooled prompt; 0: this UNet looks at none, nor at sizes */
    int added_width;   /* numbers that a pooled prompt and a picture's sizes are read into */
    int shift_width;   /* numbers that a timestep is read into */
    int multiple;      /* height and width of latents must be divisible by this */
};

/* What SDXL's UNet is told of a picture's sizes: height and width of the picture that was asked
   for, top and left of the part that is wanted of it, height and width of that part. */
#define UNET_SIZES 6

/* From a folder with config.json and diffusion_pytorch_model.safetensors (or its shards). */
MUST_USE enum status unet_open(struct unet **out, struct device *d, const char *folder,
                               struct why *why);
void unet_close(struct unet **u);
struct unet_info unet_info(const struct unet *u);

/* What all steps need to know of a prompt, once: prompt[B, 1, T, prompt_width] from
   context[B, 1, T, context_width]. */
void unet_read_prompt(const struct unet *u, struct tensor prompt, struct tensor context);

/* The same for added[B, 1, 1, added_width], from pooled[B, 1, 1, pooled_width] and
   sizes[UNET_SIZES * B, 1, 1, 1], f32. Only for a UNet with a pooled_width. */
void unet_read_pooled(const struct unet *u, struct tensor added, struct tensor pooled,
                      struct tensor sizes);

/* What a step needs to know of its time, for any number of steps: shift[B, 1, 1, shift_width] from
   timesteps t[B, 1, 1, 1], f32, and added[B, 1, 1, added_width], absent without a pooled_width. */
void unet_read_time(const struct unet *u, struct tensor shift, struct tensor t,
                    struct tensor added);

/* What all rows of a step are computed from, all on the device. */
struct unet_rows {
    struct tensor x;      /* latents [B, h, w, C] */
    struct tensor shift;  /* [B, 1, 1, shift_width] */
    struct tensor prompt; /* [B, 1, T, prompt_width] */
};

/* y[B, h, w, C], f32, on the device. */
void unet_forward(const struct unet *u, struct tensor y, struct unet_rows rows);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_UNET_H */
