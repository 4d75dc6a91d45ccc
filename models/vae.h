/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vae.h - AutoencoderKL and AutoencoderTiny: latents to pixels and back.
 */
#ifndef MODELS_VAE_H
#define MODELS_VAE_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A quarter of a tile is a whole number of latents. */
#define VAE_TILE_STEP 4

struct vae;

struct vae_info {
    int latent_channels;
    int scale;         /* pixels per latent in each direction: 8 */
    bool force_upcast; /* its activations are known to leave f16 */
    int tile; /* latents along a tile, when it decodes in tiles as it was made to; 0: it cannot */
};

/* From a folder with config.json and diffusion_pytorch_model.safetensors; the class is read from
   the configuration. */
MUST_USE enum status vae_open(struct vae **out, struct device *d, const char *folder,
                              struct why *why);
void vae_close(struct vae **v);
struct vae_info vae_info(const struct vae *v);

/* y[B, H, W, 3] in about [-1, 1] from latents z[B, H / scale, W / scale, C] as the UNet has them
   (scaling and shift factors are undone here). */
void vae_decode(const struct vae *v, struct tensor y, struct tensor z);

/* The same of one picture, f32 to f32, with the memory of a tile of `tile` x `tile` latents: tiles
   overlap by a quarter and fade into each other there, as with enable_vae_tiling of diffusers.
   Each tile is normalised by itself, so it is not the same picture; one that is no larger than a
   tile is decoded whole, to the same bytes. `tile` is a multiple of VAE_TILE_STEP; 0: whole. */
void vae_decode_tiled(const struct vae *v, struct tensor y, struct tensor z, int tile);

/* z = the mean of the distribution, scaled as the UNet wants it, from y[B, H, W, 3] in [-1, 1]. */
void vae_encode(const struct vae *v, struct tensor z, struct tensor y);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_VAE_H */
