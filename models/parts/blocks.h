/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks.h - what the UNet and the autoencoder are both built of: ResnetBlock2D and the nearest
 * neighbour upsampling in front of a convolution.
 */
#ifndef MODELS_PARTS_BLOCKS_H
#define MODELS_PARTS_BLOCKS_H

#include "models/params.h"

struct resnet_shape {
    int inputs, outputs;
    int groups;
    int time_width; /* 0: no time embedding */
    int shift_at;   /* first of its columns in the shifts of all resnets */
    float epsilon;
    float scale; /* the sum is divided by it: output_scale_factor */
};

struct resnet {
    struct resnet_shape shape;
    struct norm norm1, norm2;
    struct weight conv1, conv2;
    struct weight time;     /* if time_width */
    struct weight shortcut; /* if inputs != outputs */
};

/* A 3x3 convolution that keeps the size, with bias. */
void blocks_conv3(struct params *p, struct weight *w, int outputs, int inputs, const char *name);
/* The same for a picture that conv_up doubles. */
void blocks_conv3_up(struct params *p, struct weight *w, int channels, const char *name);

void blocks_resnet_load(struct params *p, struct resnet *r, struct resnet_shape shape,
                        const char *name);

/* What time adds in it: its columns of shift[B, 1, 1, all columns] from the activated embedding
   time[B, 1, 1, time_width]. Only for a resnet with a time_width. */
void blocks_resnet_read_time(const struct resnet *r, struct device *d, struct tensor shift,
                             struct tensor time);

/* y[B, H, W, outputs] from x[B, H, W, inputs]; shift as above, not looked at without a time_width.
   With `spend`, x may be overwritten: its owner does not need it any more. */
void blocks_resnet(const struct resnet *r, struct device *d, struct tensor y, struct tensor x,
                   struct tensor shift, bool spend);

#endif /* MODELS_PARTS_BLOCKS_H */
