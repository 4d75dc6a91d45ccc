/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - The group norm in front has epsilon 1e-6 whatever the config's norm_eps says; layer norms 1e-5.
 * - to_q, to_k and to_v have no bias, to_out.0 has one.
 * - proj_in and proj_out are 1x1 convolutions or linear layers (use_linear_projection): over
 *   channels-last pixels that is the same product, so only the file's shape differs.
 * - GEGLU: the first half of ff.net.0.proj is the value, the second half goes through GELU (erf).
 */
#include "models/parts/transformer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct attention {
    struct weight query, key, value, out;
};

struct layer {
    struct norm norm1, norm2, norm3;
    struct attention self, cross;
    struct weight ff_in, ff_out;
};

struct transformer {
    struct transformer_shape shape;
    struct norm norm;
    struct weight in, out;
    struct layer layer[]; /* depth of them */
};

static void load_attention(struct params *p, struct attention *a, int width, int context_width,
                           const char *name)
{
    params_linear(p, &a->query, width, width, false, "%s.to_q", name);
    params_linear(p, &a->key, width, context_width, false, "%s.to_k", name);
    params_linear(p, &a->value, width, context_width, false, "%s.to_v", name);
    params_linear(p, &a->out, width, width, true, "%s.to_out.0", name);
}

static void load_layer(struct params *p, struct layer *l, struct transformer_shape shape,
                       const char *name)
{
    int width = shape.channels;
    char part[192];

    params_norm(p, &l->norm1, width, "%s.norm1", name);
    snprintf(part, sizeof(part), "%s.attn1", name);
    load_attention(p, &l->self, width, width, part);
    params_norm(p, &l->norm2, width, "%s.norm2", name);
    snprintf(part, sizeof(part), "%s.attn2", name);
    load_attention(p, &l->cross, width, shape.context_width, part);
    params_norm(p, &l->norm3, width, "%s.norm3", name);
    params_linear(p, &l->ff_in, 8 * width, width, true, "%s.ff.net.0.proj", name);
    params_linear(p, &l->ff_out, width, 4 * width, true, "%s.ff.net.2", name);
}

struct transformer *transformer_open(struct params *p, struct transformer_shape shape,
                                     const char *name)
{
    struct transformer *t;
    char part[160];

    if (p->status)
        return NULL;
    t = calloc(1, sizeof(*t) + (size_t)shape.depth * sizeof(t->layer[0]));
    if (!t) {
        p->status = why_fail(p->why, ST_FULL, "no memory for %s", name);
        return NULL;
    }
    t->shape = shape;
    params_norm(p, &t->norm, shape.channels, "%s.norm", name);
    params_linear(p, &t->in, shape.channels, shape.channels, true, "%s.proj_in", name);
    for (int i = 0; i < shape.depth; i++) {
        snprintf(part, sizeof(part), "%s.transformer_blocks.%d", name, i);
        load_layer(p, &t->layer[i], shape, part);
    }
    params_linear(p, &t->out, shape.channels, shape.channels, true, "%s.proj_out", name);
    return t;
}

void transformer_close(struct transformer **t)
{
    free(*t);
    *t = NULL;
}

int transformer_prompt_width(struct transformer_shape shape)
{
    return 2 * shape.depth * shape.channels;
}

/* Columns of layer i: its keys, and behind them as many values. */
static int64_t keys_at(const struct transformer *t, int i)
{
    return t->shape.prompt_at + 2 * (int64_t)i * t->shape.channels;
}

void transformer_read_prompt(const struct transformer *t, struct device *d, struct tensor prompt,
                             struct tensor context)
{
    int64_t width = t->shape.channels;

    for (int i = 0; i < t->shape.depth; i++) {
        const struct attention *a = &t->layer[i].cross;

        d->ops.linear(d, tensor_columns(prompt, keys_at(t, i), width), context, &a->key, NULL);
        d->ops.linear(d, tensor_columns(prompt, keys_at(t, i) + width, width), context, &a->value,
                      NULL);
    }
}

/* h += attention of q to k and v; n takes what it comes to. */
static void attend(const struct transformer *t, const struct attention *a, struct device *d,
                   struct tensor h, struct tensor n, const struct tensor qkv[3])
{
    float scale = 1 / sqrtf((float)(t->shape.channels / t->shape.heads));

    d->ops.attention(d, n, qkv[0], qkv[1], qkv[2], t->shape.heads, scale, false);
    d->ops.linear(d, h, n, &a->out, &(struct epilogue){.add = h});
}

/* h += attention of n to itself; n is overwritten. */
static void attend_self(const struct transformer *t, const struct attention *a, struct device *d,
                        struct tensor h, struct tensor n)
{
    size_t mark = arena_mark(&d->arena);
    struct tensor qkv[3];

    for (int i = 0; i < 3; i++)
        qkv[i] = tensor_carve_like(&d->arena, n);
    d->ops.linear(d, qkv[0], n, &a->query, NULL);
    d->ops.linear(d, qkv[1], n, &a->key, NULL);
    d->ops.linear(d, qkv[2], n, &a->value, NULL);
    attend(t, a, d, h, n, qkv);
    arena_rewind(&d->arena, mark);
}

/* h += attention of n to the prompt's columns for layer i; n is overwritten. */
static void attend_prompt(const struct transformer *t, int i, struct device *d, struct tensor h,
                          struct tensor n, struct tensor prompt)
{
    const struct attention *a = &t->layer[i].cross;
    size_t mark = arena_mark(&d->arena);
    int64_t width = t->shape.channels;
    const struct tensor qkv[3] = {tensor_carve_like(&d->arena, n),
                                  tensor_columns(prompt, keys_at(t, i), width),
                                  tensor_columns(prompt, keys_at(t, i) + width, width)};

    d->ops.linear(d, qkv[0], n, &a->query, NULL);
    attend(t, a, d, h, n, qkv);
    arena_rewind(&d->arena, mark);
}

static void feed_forward(const struct layer *l, struct device *d, struct tensor h, struct tensor n)
{
    size_t mark = arena_mark(&d->arena);
    int64_t width = n.dim[3];
    struct tensor gated = tensor_carve(&d->arena, d->dtype, n.dim[0], 1, n.dim[2], 4 * width);

    d->ops.linear_geglu(d, gated, n, &l->ff_in);
    d->ops.linear(d, h, gated, &l->ff_out, &(struct epilogue){.add = h});
    arena_rewind(&d->arena, mark);
}

static void layer_forward(const struct transformer *t, int i, struct device *d, struct tensor h,
                          struct tensor n, struct tensor prompt)
{
    const struct layer *l = &t->layer[i];

    d->ops.norm_layer(d, n, h, l->norm1.gamma, l->norm1.beta, 1e-5f);
    attend_self(t, &l->self, d, h, n);
    d->ops.norm_layer(d, n, h, l->norm2.gamma, l->norm2.beta, 1e-5f);
    attend_prompt(t, i, d, h, n, prompt);
    d->ops.norm_layer(d, n, h, l->norm3.gamma, l->norm3.beta, 1e-5f);
    feed_forward(l, d, h, n);
}

/* y serves as the place for every norm until the last product fills it. */
void transformer_forward(const struct transformer *t, struct device *d, struct tensor y,
                         struct tensor x, struct tensor prompt)
{
    size_t mark = arena_mark(&d->arena);
    struct tensor n = tensor_tokens(y);
    struct tensor h = tensor_carve_like(&d->arena, n);

    d->ops.norm_group(d, y, x, t->norm.gamma, t->norm.beta, t->shape.groups, 1e-6f, ACT_NONE);
    d->ops.linear(d, h, n, &t->in, NULL);
    for (int i = 0; i < t->shape.depth; i++)
        layer_forward(t, i, d, h, n, prompt);
    d->ops.linear(d, n, h, &t->out, &(struct epilogue){.add = tensor_tokens(x)});
    arena_rewind(&d->arena, mark);
}
