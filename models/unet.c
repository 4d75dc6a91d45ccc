/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - A skip is kept after every layer of the way down: after conv_in, after each resnet (with its
 *   transformer, where there is one) and after each downsampling. The way up takes them from the
 *   end, one per layer, and has one layer more per block.
 * - The last layer of an up block takes a skip of the next finer level, which is why its inputs
 *   have another width than its neighbours'.
 * - Upsampling goes to the size of the next skip, not to twice the size: odd sizes halve to their
 *   upper half on the way down.
 * - downsample_padding 0 means zeros at the bottom and right only.
 * - SiLU comes twice: inside the time embedding, between its two linear layers, and again before
 *   the linear layer of every resnet. The second one is the same for all, so it is applied once.
 * - What the pooled prompt and the sizes come to is added to the time embedding before that second
 *   SiLU. Sizes turn into waves exactly as timesteps do, flipped and shifted alike.
 * - The mid block's resnets divide their sum by mid_block_scale_factor, nobody else does.
 */
#include "models/unet.h"

#include "models/parts/blocks.h"
#include "models/parts/keys.h"
#include "models/parts/seesaw.h"
#include "models/parts/transformer.h"
#include "models/parts/unet_config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SKIPS_MAX (UNET_LEVELS_MAX * (UNET_LAYERS_MAX + 1))

struct layer {
    struct resnet resnet;
    struct transformer *transformer; /* NULL: none */
};

struct level {
    struct layer down[UNET_LAYERS_MAX], up[UNET_LAYERS_MAX + 1];
    struct weight shrink, grow; /* to the coarser level, and from here to the finer one */
};

struct unet {
    struct device *device;
    struct params params;
    struct unet_config config;
    struct weight conv_in, time1, time2;
    struct weight added1, added2;        /* if pooled_width */
    struct level level[UNET_LEVELS_MAX]; /* finest first */
    struct resnet mid1, mid2;
    struct transformer *mid;
    int prompt_width; /* columns of keys and values of all transformers */
    int shift_width;  /* outputs of all resnets */
    struct norm norm_out;
    struct weight conv_out;
};

/* Loading */

static void load_resnet(struct unet *u, struct resnet *r, struct resnet_shape shape,
                        const char *name)
{
    const struct unet_config *c = &u->config;

    shape.groups = c->groups;
    shape.time_width = c->time_width;
    shape.shift_at = u->shift_width;
    shape.epsilon = c->epsilon;
    u->shift_width += shape.outputs;
    blocks_resnet_load(&u->params, r, shape, name);
}

static struct transformer *load_transformer(struct unet *u, int level, const char *name)
{
    const struct unet_config *c = &u->config;
    struct transformer_shape shape = {.channels = c->channels[level],
                                      .heads = c->heads[level],
                                      .depth = c->depth[level],
                                      .context_width = c->context_width,
                                      .groups = c->groups,
                                      .prompt_at = u->prompt_width};

    u->prompt_width += transformer_prompt_width(shape);
    return transformer_open(&u->params, shape, name);
}

static void load_down(struct unet *u, int level)
{
    const struct unet_config *c = &u->config;
    struct level *l = &u->level[level];
    int width = c->channels[level];
    int inputs = level ? c->channels[level - 1] : width;
    struct conv_shape shrink = {.outputs = width,
                                .inputs = width,
                                .kernel = 3,
                                .stride = 2,
                                .pad = {c->down_pad, c->down_pad, 1, 1},
                                .bias = true};
    char name[96];

    for (int i = 0; i < c->layers[level]; i++) {
        snprintf(name, sizeof(name), "down_blocks.%d.resnets.%d", level, i);
        load_resnet(
            u, &l->down[i].resnet,
            (struct resnet_shape){.inputs = i ? width : inputs, .outputs = width, .scale = 1},
            name);
        snprintf(name, sizeof(name), "down_blocks.%d.attentions.%d", level, i);
        if (c->down_attention[level])
            l->down[i].transformer = load_transformer(u, level, name);
    }
    if (level < c->levels - 1)
        params_conv(&u->params, &l->shrink, shrink, "down_blocks.%d.downsamplers.0.conv", level);
}

static void load_up(struct unet *u, int level)
{
    const struct unet_config *c = &u->config;
    struct level *l = &u->level[level];
    int block = c->levels - 1 - level, width = c->channels[level];
    int below = block ? c->channels[level + 1] : width;
    int last = c->layers[level];
    char name[96];

    for (int i = 0; i <= last; i++) {
        int skip = i == last && level ? c->channels[level - 1] : width;
        snprintf(name, sizeof(name), "up_blocks.%d.resnets.%d", block, i);
        load_resnet(u, &l->up[i].resnet,
                    (struct resnet_shape){
                        .inputs = (i ? width : below) + skip, .outputs = width, .scale = 1},
                    name);
        snprintf(name, sizeof(name), "up_blocks.%d.attentions.%d", block, i);
        if (c->up_attention[level])
            l->up[i].transformer = load_transformer(u, level, name);
    }
    snprintf(name, sizeof(name), "up_blocks.%d.upsamplers.0.conv", block);
    if (level)
        blocks_conv3_up(&u->params, &l->grow, width, name);
}

static void load_mid(struct unet *u)
{
    const struct unet_config *c = &u->config;
    int level = c->levels - 1, width = c->channels[level];
    struct resnet_shape shape = {.inputs = width, .outputs = width, .scale = c->mid_scale};

    load_resnet(u, &u->mid1, shape, "mid_block.resnets.0");
    u->mid = load_transformer(u, level, "mid_block.attentions.0");
    load_resnet(u, &u->mid2, shape, "mid_block.resnets.1");
}

static void load(struct unet *u)
{
    const struct unet_config *c = &u->config;
    struct params *p = &u->params;
    int width = c->channels[0];

    blocks_conv3(p, &u->conv_in, width, c->latent_channels, "conv_in");
    params_linear(p, &u->time1, c->time_width, width, true, "time_embedding.linear_1");
    params_linear(p, &u->time2, c->time_width, c->time_width, true, "time_embedding.linear_2");
    if (c->pooled_width) {
        params_linear(p, &u->added1, c->time_width, c->pooled_width + UNET_SIZES * c->size_width,
                      true, "add_embedding.linear_1");
        params_linear(p, &u->added2, c->time_width, c->time_width, true, "add_embedding.linear_2");
    }
    for (int i = 0; i < c->levels; i++)
        load_down(u, i);
    load_mid(u);
    for (int i = c->levels - 1; i >= 0; i--)
        load_up(u, i);
    params_norm(p, &u->norm_out, width, "conv_norm_out");
    blocks_conv3(p, &u->conv_out, c->latent_channels, width, "conv_out");
    params_finish(p);
}

enum status unet_open(struct unet **out, struct device *d, const char *folder, struct why *why)
{
    struct unet *u = calloc(1, sizeof(*u));
    char path[KEYS_PATH_MAX];
    enum status st;

    *out = NULL;
    if (!u)
        return why_fail(why, ST_FULL, "no memory for a UNet");
    u->device = d;
    st = unet_config_read(&u->config, folder, why);
    if (!st)
        st = keys_path(path, folder, "diffusion_pytorch_model.safetensors", why);
    if (!st) {
        params_open(&u->params, d, path, why);
        load(u);
        st = u->params.status;
    }
    if (st)
        unet_close(&u);
    *out = u;
    return st;
}

void unet_close(struct unet **unet)
{
    struct unet *u = *unet;

    if (!u)
        return;
    if (u->params.device)
        params_close(&u->params);
    for (int i = 0; i < UNET_LEVELS_MAX; i++)
        for (int j = 0; j <= UNET_LAYERS_MAX; j++) {
            if (j < UNET_LAYERS_MAX)
                transformer_close(&u->level[i].down[j].transformer);
            transformer_close(&u->level[i].up[j].transformer);
        }
    transformer_close(&u->mid);
    free(u);
    *unet = NULL;
}

struct unet_info unet_info(const struct unet *u)
{
    return (struct unet_info){.channels = u->config.latent_channels,
                              .sample_size = u->config.sample_size,
                              .context_width = u->config.context_width,
                              .prompt_width = u->prompt_width,
                              .pooled_width = u->config.pooled_width,
                              .added_width = u->config.pooled_width ? u->config.time_width : 0,
                              .shift_width = u->shift_width,
                              .multiple = u->config.down_pad ? 1 : 1 << (u->config.levels - 1)};
}

/* Running */

void unet_read_prompt(const struct unet *u, struct tensor prompt, struct tensor context)
{
    const struct unet_config *c = &u->config;
    struct device *d = u->device;

    assert(prompt.dim[3] == u->prompt_width && context.dim[3] == c->context_width);
    for (int i = 0; i < c->levels; i++) {
        for (int j = 0; j < c->layers[i]; j++)
            if (u->level[i].down[j].transformer)
                transformer_read_prompt(u->level[i].down[j].transformer, d, prompt, context);
        for (int j = 0; j <= c->layers[i]; j++)
            if (u->level[i].up[j].transformer)
                transformer_read_prompt(u->level[i].up[j].transformer, d, prompt, context);
    }
    transformer_read_prompt(u->mid, d, prompt, context);
}

void unet_read_pooled(const struct unet *u, struct tensor added, struct tensor pooled,
                      struct tensor sizes)
{
    const struct unet_config *c = &u->config;
    struct device *d = u->device;
    struct arena *a = &d->arena;
    size_t mark = arena_mark(a);
    int64_t rows = pooled.dim[0], width = UNET_SIZES * c->size_width;
    struct tensor waves = tensor_carve(a, d->dtype, UNET_SIZES * rows, 1, 1, c->size_width);
    struct tensor both = tensor_carve(a, d->dtype, rows, 1, 1, c->pooled_width + width);
    struct tensor h = tensor_carve_like(a, added);

    assert(c->pooled_width && pooled.dim[3] == c->pooled_width && added.dim[3] == c->time_width);
    d->ops.embed_time(d, waves, sizes, c->flip, c->freq_shift);
    d->ops.concat(d, both, pooled, tensor_reshape(waves, rows, 1, 1, width));
    d->ops.linear(d, h, both, &u->added1, &(struct epilogue){.act = ACT_SILU});
    d->ops.linear(d, added, h, &u->added2, NULL);
    arena_rewind(a, mark);
}

static struct tensor embed_time(const struct unet *u, struct tensor t, struct tensor added)
{
    struct device *d = u->device;
    const struct unet_config *c = &u->config;
    int64_t batch = t.dim[0];
    struct tensor y = tensor_carve(&d->arena, d->dtype, batch, 1, 1, c->time_width);
    size_t mark = arena_mark(&d->arena);
    struct tensor h = tensor_carve_like(&d->arena, y);
    struct tensor waves = tensor_carve(&d->arena, d->dtype, batch, 1, 1, c->channels[0]);

    d->ops.embed_time(d, waves, t, c->flip, c->freq_shift);
    d->ops.linear(d, h, waves, &u->time1, &(struct epilogue){.act = ACT_SILU});
    d->ops.linear(d, y, h, &u->time2, &(struct epilogue){.add = added, .act = ACT_SILU});
    arena_rewind(&d->arena, mark);
    return y;
}

void unet_read_time(const struct unet *u, struct tensor shift, struct tensor t, struct tensor added)
{
    const struct unet_config *c = &u->config;
    struct device *d = u->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor time;

    assert(shift.dim[3] == u->shift_width && shift.dim[0] == t.dim[0]);
    assert(!c->pooled_width || added.dim[0] == t.dim[0]);
    time = embed_time(u, t, added);
    for (int i = 0; i < c->levels; i++) {
        for (int j = 0; j < c->layers[i]; j++)
            blocks_resnet_read_time(&u->level[i].down[j].resnet, d, shift, time);
        for (int j = 0; j <= c->layers[i]; j++)
            blocks_resnet_read_time(&u->level[i].up[j].resnet, d, shift, time);
    }
    blocks_resnet_read_time(&u->mid1, d, shift, time);
    blocks_resnet_read_time(&u->mid2, d, shift, time);
    arena_rewind(&d->arena, mark);
}

/* One forward pass: what every layer looks at, and the skips with where each one was carved. */
struct pass {
    struct device *d;
    struct tensor shift, prompt;
    struct tensor skip[SKIPS_MAX];
    size_t mark[SKIPS_MAX];
    int skips;
    struct seesaw seesaw; /* of the way up */
};

static struct tensor push(struct pass *p, int64_t batch, int64_t height, int64_t width,
                          int64_t channels)
{
    assert(p->skips < SKIPS_MAX);
    p->mark[p->skips] = arena_mark(&p->d->arena);
    p->skip[p->skips] = tensor_carve(&p->d->arena, p->d->dtype, batch, height, width, channels);
    return p->skip[p->skips++];
}

static int64_t shrunk(const struct unet_config *c, int64_t size)
{
    return (size + c->down_pad + 1 - 3) / 2 + 1;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The largest pair of neighbours in the mid block and on the way up. */
static size_t seesaw_size(const struct unet_config *c, struct tensor x, enum dtype dtype)
{
    int64_t pixels[UNET_LEVELS_MAX], height = x.dim[1], width = x.dim[2];
    size_t before, best;

    for (int i = 0; i < c->levels; i++) {
        pixels[i] = x.dim[0] * height * width;
        height = shrunk(c, height);
        width = shrunk(c, width);
    }
    before = seesaw_bytes(pixels[c->levels - 1] * c->channels[c->levels - 1], dtype);
    best = 2 * before;
    for (int i = c->levels - 1; i >= 0; i--) {
        size_t here = seesaw_bytes(pixels[i] * c->channels[i], dtype);
        best = larger(best, here + larger(here, before));
        if (i)
            before = seesaw_bytes(pixels[i - 1] * c->channels[i], dtype);
        best = i ? larger(best, here + before) : best;
    }
    return best;
}

static void down_layer(struct pass *p, const struct layer *l, struct tensor y, struct tensor x)
{
    size_t mark = arena_mark(&p->d->arena);
    struct tensor h = l->transformer ? tensor_carve_like(&p->d->arena, y) : y;

    blocks_resnet(&l->resnet, p->d, h, x, p->shift, false);
    if (l->transformer)
        transformer_forward(l->transformer, p->d, y, h, p->prompt);
    arena_rewind(&p->d->arena, mark);
}

static void run_down(const struct unet *u, struct pass *p, struct tensor x)
{
    const struct unet_config *c = &u->config;
    struct tensor h = push(p, x.dim[0], x.dim[1], x.dim[2], c->channels[0]);

    p->d->ops.conv(p->d, h, x, &u->conv_in, NULL);
    for (int i = 0; i < c->levels; i++) {
        for (int j = 0; j < c->layers[i]; j++) {
            struct tensor y = push(p, h.dim[0], h.dim[1], h.dim[2], c->channels[i]);
            down_layer(p, &u->level[i].down[j], y, h);
            h = y;
        }
        if (i < c->levels - 1) {
            struct tensor y = push(p, h.dim[0], shrunk(c, h.dim[1]), shrunk(c, h.dim[2]), h.dim[3]);
            p->d->ops.conv(p->d, y, h, &u->level[i].shrink, NULL);
            h = y;
        }
    }
}

static struct tensor run_mid(const struct unet *u, struct pass *p)
{
    struct tensor x = p->skip[p->skips - 1];
    struct tensor a = seesaw_put(&p->seesaw, x.dtype, x.dim);
    struct tensor b = seesaw_put(&p->seesaw, x.dtype, x.dim);

    blocks_resnet(&u->mid1, p->d, a, x, p->shift, false);
    transformer_forward(u->mid, p->d, b, a, p->prompt);
    a = seesaw_put(&p->seesaw, x.dtype, x.dim);
    blocks_resnet(&u->mid2, p->d, a, b, p->shift, false);
    return a;
}

/* Takes the last skip; what was carved since that one was goes with it. */
static struct tensor up_layer(struct pass *p, const struct layer *l, struct tensor h)
{
    struct tensor skip = p->skip[--p->skips], both, y;
    const int64_t dim[4] = {h.dim[0], h.dim[1], h.dim[2], l->resnet.shape.outputs};

    both =
        tensor_carve(&p->d->arena, h.dtype, h.dim[0], h.dim[1], h.dim[2], h.dim[3] + skip.dim[3]);
    p->d->ops.concat(p->d, both, h, skip);
    y = seesaw_put(&p->seesaw, h.dtype, dim);
    blocks_resnet(&l->resnet, p->d, y, both, p->shift, true);
    arena_rewind(&p->d->arena, p->mark[p->skips]);
    if (!l->transformer)
        return y;
    h = y;
    y = seesaw_put(&p->seesaw, h.dtype, dim);
    transformer_forward(l->transformer, p->d, y, h, p->prompt);
    return y;
}

static struct tensor run_up(const struct unet *u, struct pass *p, struct tensor h)
{
    const struct unet_config *c = &u->config;

    for (int i = c->levels - 1; i >= 0; i--) {
        for (int j = 0; j <= c->layers[i]; j++)
            h = up_layer(p, &u->level[i].up[j], h);
        if (i) {
            struct tensor next = p->skip[p->skips - 1];
            const int64_t dim[4] = {h.dim[0], next.dim[1], next.dim[2], h.dim[3]};
            struct tensor y = seesaw_put(&p->seesaw, h.dtype, dim);
            p->d->ops.conv_up(p->d, y, h, &u->level[i].grow, NULL);
            h = y;
        }
    }
    assert(p->skips == 0);
    return h;
}

void unet_forward(const struct unet *u, struct tensor y, struct unet_rows rows)
{
    const struct unet_config *c = &u->config;
    struct device *d = u->device;
    size_t mark = arena_mark(&d->arena);
    struct pass p = {.d = d, .shift = rows.shift, .prompt = rows.prompt};
    struct tensor x = rows.x, h;

    assert(x.dim[3] == c->latent_channels && rows.prompt.dim[3] == u->prompt_width);
    assert(x.dim[0] == rows.prompt.dim[0] && tensor_same_shape(x, y));
    assert(rows.shift.dim[0] == x.dim[0] && rows.shift.dim[3] == u->shift_width);
    seesaw_init(&p.seesaw, &d->arena, seesaw_size(c, x, d->dtype));
    if (c->center) {
        h = tensor_carve_like(&d->arena, x);
        d->ops.affine(d, h, x, 2, -1);
        x = h;
    }
    run_down(u, &p, x);
    h = run_up(u, &p, run_mid(u, &p));
    d->ops.norm_group(d, h, h, u->norm_out.gamma, u->norm_out.beta, c->groups, c->epsilon,
                      ACT_SILU);
    d->ops.conv(d, y, h, &u->conv_out, NULL);
    arena_rewind(&d->arena, mark);
}
