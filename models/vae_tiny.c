/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AutoencoderTiny.
 *
 * Details that have caused bugs
 * - Layers are numbered as in one torch Sequential: activations and upsamplings count, though they
 *   have no numbers in the file.
 * - Latents are bent by 3 tanh(z / 3) before the decoder, whatever latent_magnitude says: that key
 *   only serves scale_latents(), which a pipeline does not call.
 * - Inside, pixels are in [0, 1]: 2 y - 1 after the decoder, (y + 1) / 2 before the encoder.
 * - The convolutions that change the size have no bias, neither do those after an upsampling; the
 *   first and the last ones have.
 * - A block ends in ReLU even if act_fn is another function.
 */
#include "models/parts/vae_parts.h"

#include <stdio.h>
#include <string.h>

struct shape {
    int levels, channels, latents;
    int blocks[VAE_LEVELS_MAX];
    enum act act;
};

/* diffusers builds each level's convolutions from one width to the same, so all must be equal. */
static void read_levels(struct keys *c, struct shape *s, const char *channels_key,
                        const char *blocks_key)
{
    const struct range width = {1, 1 << 14};
    int channels[VAE_LEVELS_MAX] = {64, 64, 64, 64}, levels = 4;

    keys_ints(c, channels_key, channels, &levels, VAE_LEVELS_MAX, width);
    keys_ints(c, blocks_key, s->blocks, &s->levels, VAE_LEVELS_MAX, (struct range){0, 12});
    if (levels != s->levels)
        keys_fail(c, ST_INVALID, "%s and %s are not equally long", channels_key, blocks_key);
    for (int i = 1; i < levels; i++)
        if (channels[i] != channels[0])
            keys_fail(c, ST_UNSUPPORTED, "%s must all be equal", channels_key);
    s->channels = channels[0];
}

static enum act read_act(struct keys *c)
{
    const char *name = keys_string(c, "act_fn", "relu");

    if (!strcmp(name, "relu"))
        return ACT_RELU;
    if (!strcmp(name, "silu") || !strcmp(name, "swish"))
        return ACT_SILU;
    if (!strcmp(name, "gelu"))
        return ACT_GELU;
    keys_fail(c, ST_UNSUPPORTED, "act_fn \"%.40s\" is not relu, silu or gelu", name);
    return ACT_NONE;
}

struct conv {
    int inputs, outputs, stride;
    bool bias, up;
    enum act act;
};

static void add_conv(struct params *p, struct chain *c, struct conv conv, const char *name)
{
    struct stage *stage = chain_add(c, conv.up ? STAGE_CONV_UP : STAGE_CONV, conv.outputs);
    struct conv_shape shape = {.outputs = conv.outputs,
                               .inputs = conv.inputs,
                               .kernel = 3,
                               .stride = conv.stride,
                               .pad = {1, 1, 1, 1},
                               .bias = conv.bias,
                               .up = conv.up};

    stage->act = conv.act;
    params_conv(p, &stage->conv[0], shape, "%s", name);
}

static void add_blocks(struct params *p, struct chain *c, const struct shape *s, int level,
                       const char *part, int *index)
{
    char name[64];

    for (int i = 0; i < s->blocks[level]; i++, ++*index) {
        struct stage *stage = chain_add(c, STAGE_TINY, s->channels);
        stage->act = s->act;
        for (int j = 0; j < 3; j++) {
            snprintf(name, sizeof(name), "%s.layers.%d.conv.%d", part, *index, 2 * j);
            blocks_conv3(p, &stage->conv[j], s->channels, s->channels, name);
        }
    }
}

static void load_encoder(struct params *p, struct chain *c, const struct shape *s)
{
    int index = 0, width = s->channels;
    char name[64];

    for (int i = 0; i < s->levels; i++) {
        struct conv first = {.inputs = 3, .outputs = width, .stride = 1, .bias = true};
        struct conv shrink = {.inputs = width, .outputs = width, .stride = 2};
        snprintf(name, sizeof(name), "encoder.layers.%d", index++);
        add_conv(p, c, i ? shrink : first, name);
        add_blocks(p, c, s, i, "encoder", &index);
    }
    snprintf(name, sizeof(name), "encoder.layers.%d", index);
    add_conv(p, c, (struct conv){.inputs = width, .outputs = s->latents, .stride = 1, .bias = true},
             name);
}

static void load_decoder(struct params *p, struct chain *c, const struct shape *s)
{
    int index = 2, width = s->channels; /* layers.1 is the activation */
    struct conv first = {
        .inputs = s->latents, .outputs = width, .stride = 1, .bias = true, .act = s->act};
    char name[64];

    add_conv(p, c, first, "decoder.layers.0");
    for (int i = 0; i < s->levels; i++) {
        bool last = i == s->levels - 1;
        struct conv conv = {
            .inputs = width, .outputs = last ? 3 : width, .stride = 1, .bias = last};
        add_blocks(p, c, s, i, "decoder", &index);
        conv.up = !last;
        index += conv.up; /* the layer that doubles has no weights */
        snprintf(name, sizeof(name), "decoder.layers.%d", index++);
        add_conv(p, c, conv, name);
    }
}

void vae_tiny_load(struct vae *v, struct keys *c)
{
    struct shape encoder = {.levels = 4, .blocks = {1, 3, 3, 3}};
    struct shape decoder = {.levels = 4, .blocks = {3, 3, 3, 1}};

    read_levels(c, &encoder, "encoder_block_out_channels", "num_encoder_blocks");
    read_levels(c, &decoder, "decoder_block_out_channels", "num_decoder_blocks");
    if (encoder.levels != decoder.levels)
        keys_fail(c, ST_UNSUPPORTED, "encoder and decoder have different numbers of levels");
    encoder.act = decoder.act = read_act(c);
    v->latent_channels = keys_int(c, "latent_channels", 4, (struct range){1, 1 << 14});
    encoder.latents = decoder.latents = v->moments = v->latent_channels;
    keys_refuse(c, "upsample_fn", "nearest");
    if (keys_int(c, "upsampling_scaling_factor", 2, (struct range){1, 64}) != 2)
        keys_fail(c, ST_UNSUPPORTED, "upsampling_scaling_factor must be 2");
    v->levels = decoder.levels;
    v->bend = true;
    v->scaling_factor = (float)keys_real(c, "scaling_factor", 1);
    if (c->status)
        return;
    load_encoder(&v->params, &v->encoder, &encoder);
    load_decoder(&v->params, &v->decoder, &decoder);
}
