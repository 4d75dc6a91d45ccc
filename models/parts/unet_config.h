/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unet_config.h - what config.json says about a UNet2DConditionModel, with diffusers' defaults.
 */
#ifndef MODELS_PARTS_UNET_CONFIG_H
#define MODELS_PARTS_UNET_CONFIG_H

#include "base/status.h"
#include "models/unet.h"

#include <stdbool.h>

#define UNET_LEVELS_MAX 8
#define UNET_LAYERS_MAX 8 /* per block on the way down; one more on the way up */
#define UNET_DEPTH_MAX  32

struct unet_config {
    int levels;
    int channels[UNET_LEVELS_MAX]; /* all of these from the finest level to the coarsest */
    int layers[UNET_LEVELS_MAX];
    int heads[UNET_LEVELS_MAX];
    int depth[UNET_LEVELS_MAX]; /* transformer layers */
    bool down_attention[UNET_LEVELS_MAX];
    bool up_attention[UNET_LEVELS_MAX];
    int latent_channels, sample_size, context_width;
    int groups, time_width, down_pad;
    int pooled_width, size_width; /* of a pooled prompt and of each of a picture's six sizes; 0: not
                                     looked at */
    float epsilon, mid_scale, freq_shift;
    bool flip, center;
};

/* ST_UNSUPPORTED names the key that asks for what limner does not do. */
MUST_USE enum status unet_config_read(struct unet_config *u, const char *folder, struct why *why);

#endif /* MODELS_PARTS_UNET_CONFIG_H */
