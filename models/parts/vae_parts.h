/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vae_parts.h - what the two autoencoders share, and how each of them is read.
 */
#ifndef MODELS_PARTS_VAE_PARTS_H
#define MODELS_PARTS_VAE_PARTS_H

#include "models/parts/chain.h"
#include "models/parts/keys.h"
#include "models/vae.h"

#define VAE_LEVELS_MAX 8

struct vae {
    struct device *device;
    struct params params;
    struct chain encoder, decoder;
    int latent_channels, levels;
    int tile;    /* as in vae_info */
    int moments; /* channels that the encoder ends with; the mean comes first */
    bool force_upcast;
    bool bend; /* AutoencoderTiny: 3 tanh(z / 3) before decoding, pixels in [0, 1] inside */
    float scaling_factor, shift_factor;
};

/* Read the configuration and fill the chains; failures are in c->status or v->params.status. */
void vae_kl_load(struct vae *v, struct keys *c);
void vae_tiny_load(struct vae *v, struct keys *c);

#endif /* MODELS_PARTS_VAE_PARTS_H */
