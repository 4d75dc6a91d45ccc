/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/unet_config.h"

#include "models/parts/keys.h"

#include <string.h>

static const struct range width_range = {1, 1 << 14};

/* Keys of other architectures. Absent, null, false and diffusers' default mean "not that". */
static void refuse_others(struct keys *c)
{
    static const char *const keys[][2] = {
        {"class_embed_type", NULL},
        {"num_class_embeds", NULL},
        {"addition_embed_type", "text_time"},
        {"encoder_hid_dim", NULL},
        {"encoder_hid_dim_type", NULL},
        {"time_cond_proj_dim", NULL},
        {"time_embedding_type", "positional"},
        {"time_embedding_act_fn", NULL},
        {"timestep_post_act", NULL},
        {"resnet_time_scale_shift", "default"},
        {"resnet_skip_time_act", NULL},
        {"dual_cross_attention", NULL},
        {"attention_type", "default"},
        {"class_embeddings_concat", NULL},
        {"mid_block_only_cross_attention", NULL},
        {"cross_attention_norm", NULL},
        {"reverse_transformer_layers_per_block", NULL},
        {"mid_block_type", "UNetMidBlock2DCrossAttn"},
        {"act_fn", "silu"},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        keys_refuse(c, keys[i][0], keys[i][1]);
    if (keys_int(c, "conv_in_kernel", 3, width_range) != 3)
        keys_fail(c, ST_UNSUPPORTED, "conv_in_kernel must be 3");
    if (keys_int(c, "conv_out_kernel", 3, width_range) != 3)
        keys_fail(c, ST_UNSUPPORTED, "conv_out_kernel must be 3");
    if (keys_real(c, "resnet_out_scale_factor", 1) != 1)
        keys_fail(c, ST_UNSUPPORTED, "resnet_out_scale_factor must be 1");
}

/* A list of false is as good as false. */
static void refuse_only_cross_attention(struct keys *c)
{
    const struct json *value = json_get(c->root, "only_cross_attention");

    if (c->status || json_type_of(value) != JSON_TYPE_ARRAY) {
        keys_refuse(c, "only_cross_attention", NULL);
        return;
    }
    for (size_t i = 0; i < json_size(value); i++)
        if (json_type_of(json_at(value, i)) != JSON_TYPE_BOOL || json_as_bool(json_at(value, i)))
            keys_fail(c, ST_UNSUPPORTED, "only_cross_attention is not supported");
}

/* Which blocks have attention; `plain` and `cross` are the two types there are. */
static void read_blocks(struct keys *c, const char *key, const char *const type[2], bool *out,
                        int levels)
{
    const char *name[UNET_LEVELS_MAX];
    int count = keys_strings(c, key, name, UNET_LEVELS_MAX);

    if (!c->status && count != levels)
        keys_fail(c, ST_INVALID, "%s and block_out_channels are not equally long", key);
    for (int i = 0; i < levels && !c->status; i++) {
        out[i] = !strcmp(name[i], type[1]);
        if (!out[i] && strcmp(name[i], type[0]))
            keys_fail(c, ST_UNSUPPORTED, "%s has %.60s, only %s and %s are supported", key, name[i],
                      type[0], type[1]);
    }
}

/* diffusers calls the number of heads attention_head_dim, for the sake of old files; the key
   num_attention_heads means what it says where it is given. */
static void read_heads(struct keys *c, struct unet_config *u)
{
    const struct range range = {1, 1024};
    bool given = !c->status && json_type_of(json_get(c->root, "num_attention_heads"));
    const char *key = given ? "num_attention_heads" : "attention_head_dim";

    keys_ints_each(c, key, u->heads, u->levels, 8, range);
    for (int i = 0; i < u->levels && !c->status; i++) {
        bool attention = u->down_attention[i] || u->up_attention[i] || i == u->levels - 1;
        if (attention && u->channels[i] % u->heads[i])
            keys_fail(c, ST_INVALID, "%s %d does not divide block_out_channels %d", key,
                      u->heads[i], u->channels[i]);
    }
}

static void read_context(struct keys *c, struct unet_config *u)
{
    int width[UNET_LEVELS_MAX];

    keys_ints_each(c, "cross_attention_dim", width, u->levels, 1280, width_range);
    u->context_width = width[0];
    for (int i = 1; i < u->levels; i++)
        if (width[i] != width[0])
            keys_fail(c, ST_UNSUPPORTED, "cross_attention_dim must be the same in all blocks");
}

static void read_levels(struct keys *c, struct unet_config *u)
{
    static const char *const down[] = {"DownBlock2D", "CrossAttnDownBlock2D"};
    static const char *const up[] = {"UpBlock2D", "CrossAttnUpBlock2D"};
    bool reversed[UNET_LEVELS_MAX] = {false};

    keys_ints(c, "block_out_channels", u->channels, &u->levels, UNET_LEVELS_MAX, width_range);
    read_blocks(c, "down_block_types", down, u->down_attention, u->levels);
    read_blocks(c, "up_block_types", up, reversed, u->levels);
    for (int i = 0; i < u->levels; i++)
        u->up_attention[i] = reversed[u->levels - 1 - i];
    keys_ints_each(c, "layers_per_block", u->layers, u->levels, 2,
                   (struct range){1, UNET_LAYERS_MAX});
    keys_ints_each(c, "transformer_layers_per_block", u->depth, u->levels, 1,
                   (struct range){1, UNET_DEPTH_MAX});
    read_heads(c, u);
    read_context(c, u);
    for (int i = 0; i < u->levels; i++)
        if (!c->status && u->channels[i] % u->groups)
            keys_fail(c, ST_INVALID,
                      "block_out_channels %d is not a multiple of "
                      "norm_num_groups %d",
                      u->channels[i], u->groups);
}

static int read_sample_size(struct keys *c)
{
    const struct range range = {1, 4096};
    int size[2] = {64, 64}, count = 2;

    if (!c->status && json_type_of(json_get(c->root, "sample_size")) == JSON_TYPE_ARRAY)
        keys_ints(c, "sample_size", size, &count, 2, range);
    else
        size[0] = keys_int(c, "sample_size", 64, range);
    return size[0];
}

static void read_time(struct keys *c, struct unet_config *u)
{
    int width = u->channels[0];

    u->time_width = keys_int(c, "time_embedding_dim", 4 * width, (struct range){1, 1 << 16});
    u->flip = keys_bool(c, "flip_sin_to_cos", true);
    u->freq_shift = (float)keys_real(c, "freq_shift", 0);
    if (!c->status && (width % 2 || !(u->freq_shift >= 0 && u->freq_shift < (float)width / 2)))
        keys_fail(c, ST_INVALID, "freq_shift must be from 0 to half of an even width");
}

/* SDXL: the pooled prompt and six sizes of the picture, each as many sines and cosines. */
static void read_added(struct keys *c, struct unet_config *u)
{
    const char *type = keys_string(c, "addition_embed_type", "");
    int inputs;

    if (c->status || !*type)
        return;
    u->size_width = keys_int(c, "addition_time_embed_dim", 0, (struct range){2, 1 << 12});
    inputs = keys_int(c, "projection_class_embeddings_input_dim", 0, (struct range){1, 1 << 16});
    u->pooled_width = inputs - UNET_SIZES * u->size_width;
    if (c->status)
        return;
    if (!u->size_width || !inputs)
        keys_fail(c, ST_INVALID,
                  "addition_embed_type %s needs addition_time_embed_dim and "
                  "projection_class_embeddings_input_dim",
                  type);
    else if (u->pooled_width < 1)
        keys_fail(c, ST_INVALID,
                  "projection_class_embeddings_input_dim %d leaves nothing for the prompt beside "
                  "%d sizes of addition_time_embed_dim %d",
                  inputs, UNET_SIZES, u->size_width);
    else if (u->size_width % 2 || u->freq_shift >= (float)u->size_width / 2)
        keys_fail(c, ST_INVALID,
                  "addition_time_embed_dim %d must be even and above twice freq_shift",
                  u->size_width);
}

enum status unet_config_read(struct unet_config *u, const char *folder, struct why *why)
{
    int out_channels;
    struct keys c;

    *u = (struct unet_config){.levels = 4, .channels = {320, 640, 1280, 1280}};
    keys_open(&c, folder, "config.json", why);
    keys_refuse(&c, "_class_name", "UNet2DConditionModel");
    refuse_others(&c);
    refuse_only_cross_attention(&c);
    u->latent_channels = keys_int(&c, "in_channels", 4, width_range);
    out_channels = keys_int(&c, "out_channels", 4, width_range);
    if (u->latent_channels != out_channels)
        keys_fail(&c, ST_UNSUPPORTED, "in_channels %d and out_channels %d differ",
                  u->latent_channels, out_channels);
    u->sample_size = read_sample_size(&c);
    u->groups = keys_int(&c, "norm_num_groups", 32, width_range);
    u->down_pad = keys_int(&c, "downsample_padding", 1, (struct range){0, 1});
    u->epsilon = (float)keys_real(&c, "norm_eps", 1e-5);
    u->mid_scale = (float)keys_real(&c, "mid_block_scale_factor", 1);
    u->center = keys_bool(&c, "center_input_sample", false);
    if (!(u->epsilon > 0 && u->epsilon < 1))
        keys_fail(&c, ST_INVALID, "norm_eps must be between 0 and 1");
    if (!(u->mid_scale > 1e-6f && u->mid_scale < 1e6f))
        keys_fail(&c, ST_INVALID, "mid_block_scale_factor must be positive");
    read_levels(&c, u);
    read_time(&c, u);
    read_added(&c, u);
    keys_close(&c);
    return c.status;
}
