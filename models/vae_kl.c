/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AutoencoderKL.
 *
 * Details that have caused bugs
 * - Every epsilon is 1e-6; the config has no key for it.
 * - The encoder's downsampling pads with zeros at the bottom and right only.
 * - Decoder blocks have one resnet more than layers_per_block; the encoder's have not.
 * - The attention in the middle has one head over all channels, and a bias on q, k and v. Files
 * from before 2023 call them query, key, value and proj_attn.
 * - Without sample_size a tile is one of 512 pixels; diffusers' default of 32 is no picture at all.
 * - The encoder ends in mean and log variance; quant_conv mixes both before they are split.
 */
#include "models/parts/vae_parts.h"

#include <stdio.h>
#include <string.h>

struct shape {
    int levels, channels[VAE_LEVELS_MAX];
    int layers, groups, latents;
    int sample_size; /* pixels along the pictures that it learned from */
    bool attention, quant, post_quant;
};

static void read_blocks(struct keys *c, const char *key, const char *type, int levels)
{
    const char *name[VAE_LEVELS_MAX];
    int count = keys_strings(c, key, name, VAE_LEVELS_MAX);

    if (!c->status && (count < 0 ? 1 : count) != levels)
        keys_fail(c, ST_INVALID, "%s and block_out_channels are not equally long", key);
    for (int i = 0; i < count && !c->status; i++)
        if (strcmp(name[i], type))
            keys_fail(c, ST_UNSUPPORTED, "%s has %.60s, only %s is supported", key, name[i], type);
}

/* A number, or height and width, the first of which diffusers takes. */
static int read_sample_size(struct keys *c)
{
    const struct range range = {1, 1 << 14};
    int size[2] = {512, 512}, count = 2;

    if (!c->status && json_type_of(json_get(c->root, "sample_size")) == JSON_TYPE_ARRAY)
        keys_ints(c, "sample_size", size, &count, 2, range);
    else
        size[0] = keys_int(c, "sample_size", size[0], range);
    return size[0];
}

static void read_shape(struct keys *c, struct shape *s)
{
    const struct range width = {1, 1 << 14};

    *s = (struct shape){.levels = 1, .channels = {64}};
    keys_ints(c, "block_out_channels", s->channels, &s->levels, VAE_LEVELS_MAX, width);
    read_blocks(c, "down_block_types", "DownEncoderBlock2D", s->levels);
    read_blocks(c, "up_block_types", "UpDecoderBlock2D", s->levels);
    s->layers = keys_int(c, "layers_per_block", 1, (struct range){1, 8});
    s->groups = keys_int(c, "norm_num_groups", 32, width);
    s->latents = keys_int(c, "latent_channels", 4, width);
    s->sample_size = read_sample_size(c);
    s->attention = keys_bool(c, "mid_block_add_attention", true);
    s->quant = keys_bool(c, "use_quant_conv", true);
    s->post_quant = keys_bool(c, "use_post_quant_conv", true);
    keys_refuse(c, "act_fn", "silu");
    keys_refuse(c, "latents_mean", NULL);
    keys_refuse(c, "latents_std", NULL);
    for (int i = 0; i < s->levels; i++)
        if (!c->status && s->channels[i] % s->groups)
            keys_fail(c, ST_INVALID,
                      "block_out_channels %d is not a multiple of norm_num_groups %d",
                      s->channels[i], s->groups);
}

static void add_resnet(struct params *p, struct chain *c, const struct shape *s, int channels[2],
                       const char *name)
{
    struct stage *stage = chain_add(c, STAGE_RESNET, channels[1]);
    struct resnet_shape shape = {.inputs = channels[0],
                                 .outputs = channels[1],
                                 .groups = s->groups,
                                 .epsilon = 1e-6f,
                                 .scale = 1};

    blocks_resnet_load(p, &stage->resnet, shape, name);
}

static void add_attention(struct params *p, struct chain *c, const struct shape *s, int width,
                          const char *name)
{
    static const char *const names[2][4] = {{"to_q", "to_k", "to_v", "to_out.0"},
                                            {"query", "key", "value", "proj_attn"}};
    struct stage *stage = chain_add(c, STAGE_ATTENTION, width);
    struct tensor probe;
    char old[128];
    bool is_old;

    snprintf(old, sizeof(old), "%s.query.weight", name);
    is_old = !p->status && weights_find(p->file, old, &probe, NULL) == ST_OK;
    stage->groups = s->groups;
    params_norm(p, &stage->norm, width, "%s.group_norm", name);
    for (int i = 0; i < 4; i++)
        params_linear(p, &stage->conv[i], width, width, true, "%s.%s", name, names[is_old][i]);
}

static void add_conv(struct params *p, struct chain *c, int channels[2], const char *name)
{
    struct stage *stage = chain_add(c, STAGE_CONV, channels[1]);

    blocks_conv3(p, &stage->conv[0], channels[1], channels[0], name);
}

/* A 1x1 convolution between the latents and the rest. */
static void add_quant(struct params *p, struct chain *c, int width, const char *name)
{
    struct stage *stage = chain_add(c, STAGE_CONV, width);
    struct conv_shape shape = {
        .outputs = width, .inputs = width, .kernel = 1, .stride = 1, .bias = true};

    params_conv(p, &stage->conv[0], shape, "%s", name);
}

static void add_shrink(struct params *p, struct chain *c, int width, const char *name)
{
    struct stage *stage = chain_add(c, STAGE_CONV, width);
    struct conv_shape shape = {.outputs = width,
                               .inputs = width,
                               .kernel = 3,
                               .stride = 2,
                               .pad = {0, 0, 1, 1},
                               .bias = true};

    params_conv(p, &stage->conv[0], shape, "%s", name);
}

static void add_end(struct params *p, struct chain *c, const struct shape *s, int channels[2],
                    const char *part)
{
    struct stage *stage = chain_add(c, STAGE_NORM_CONV, channels[1]);
    char name[64];

    stage->groups = s->groups;
    params_norm(p, &stage->norm, channels[0], "%s.conv_norm_out", part);
    snprintf(name, sizeof(name), "%s.conv_out", part);
    blocks_conv3(p, &stage->conv[0], channels[1], channels[0], name);
}

static void add_mid(struct params *p, struct chain *c, const struct shape *s, const char *part)
{
    int width = s->channels[s->levels - 1];
    char name[96];

    snprintf(name, sizeof(name), "%s.mid_block.resnets.0", part);
    add_resnet(p, c, s, (int[2]){width, width}, name);
    snprintf(name, sizeof(name), "%s.mid_block.attentions.0", part);
    if (s->attention)
        add_attention(p, c, s, width, name);
    snprintf(name, sizeof(name), "%s.mid_block.resnets.1", part);
    add_resnet(p, c, s, (int[2]){width, width}, name);
}

static void load_encoder(struct params *p, struct chain *c, const struct shape *s)
{
    int inputs = s->channels[0], last = s->levels - 1;
    char name[96];

    add_conv(p, c, (int[2]){3, inputs}, "encoder.conv_in");
    for (int i = 0; i < s->levels; i++) {
        int width = s->channels[i];
        for (int j = 0; j < s->layers; j++) {
            snprintf(name, sizeof(name), "encoder.down_blocks.%d.resnets.%d", i, j);
            add_resnet(p, c, s, (int[2]){j ? width : inputs, width}, name);
        }
        inputs = width;
        snprintf(name, sizeof(name), "encoder.down_blocks.%d.downsamplers.0.conv", i);
        if (i < last)
            add_shrink(p, c, width, name);
    }
    add_mid(p, c, s, "encoder");
    add_end(p, c, s, (int[2]){s->channels[last], 2 * s->latents}, "encoder");
    if (s->quant)
        add_quant(p, c, 2 * s->latents, "quant_conv");
}

static void load_decoder(struct params *p, struct chain *c, const struct shape *s)
{
    int inputs = s->channels[s->levels - 1];
    char name[96];

    if (s->post_quant)
        add_quant(p, c, s->latents, "post_quant_conv");
    add_conv(p, c, (int[2]){s->latents, inputs}, "decoder.conv_in");
    add_mid(p, c, s, "decoder");
    for (int i = 0; i < s->levels; i++) {
        int width = s->channels[s->levels - 1 - i];
        for (int j = 0; j <= s->layers; j++) {
            snprintf(name, sizeof(name), "decoder.up_blocks.%d.resnets.%d", i, j);
            add_resnet(p, c, s, (int[2]){j ? width : inputs, width}, name);
        }
        inputs = width;
        if (i == s->levels - 1)
            break;
        snprintf(name, sizeof(name), "decoder.up_blocks.%d.upsamplers.0.conv", i);
        blocks_conv3_up(p, &chain_add(c, STAGE_CONV_UP, width)->conv[0], width, name);
    }
    add_end(p, c, s, (int[2]){s->channels[0], 3}, "decoder");
}

/* Latents along a tile that shows as much as a picture that it learned from. */
static int tile_of(const struct shape *s)
{
    int tile = (s->sample_size >> (s->levels - 1)) / VAE_TILE_STEP * VAE_TILE_STEP;

    return tile < 2 * VAE_TILE_STEP ? 2 * VAE_TILE_STEP : tile;
}

void vae_kl_load(struct vae *v, struct keys *c)
{
    struct shape s;

    read_shape(c, &s);
    v->latent_channels = s.latents;
    v->levels = s.levels;
    v->moments = 2 * s.latents;
    v->tile = tile_of(&s);
    v->scaling_factor = (float)keys_real(c, "scaling_factor", 0.18215);
    if (c->status)
        return;
    load_encoder(&v->params, &v->encoder, &s);
    load_decoder(&v->params, &v->decoder, &s);
}
