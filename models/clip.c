/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/clip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 256

struct clip_layer {
    struct norm norm1, norm2;
    struct weight query, key, value, out;
    struct weight fc1, fc2;
};

static enum act read_act(struct keys *c)
{
    const char *name = keys_string(c, "hidden_act", "quick_gelu");

    if (!strcmp(name, "quick_gelu"))
        return ACT_GELU_QUICK;
    if (!strcmp(name, "gelu"))
        return ACT_GELU;
    if (!strcmp(name, "gelu_new") || !strcmp(name, "gelu_pytorch_tanh"))
        return ACT_GELU_TANH;
    keys_fail(c, ST_UNSUPPORTED, "hidden_act \"%.40s\" is not quick_gelu or gelu", name);
    return ACT_NONE;
}

void clip_read(struct clip *t, struct keys *c, struct clip_defaults defaults)
{
    t->width = keys_int(c, "hidden_size", defaults.width, (struct range){1, 16384});
    t->inner = keys_int(c, "intermediate_size", defaults.inner, (struct range){1, 65536});
    t->heads = keys_int(c, "num_attention_heads", defaults.heads, (struct range){1, 1024});
    t->layers = keys_int(c, "num_hidden_layers", defaults.layers, (struct range){1, LAYERS_MAX});
    t->epsilon = (float)keys_real(c, "layer_norm_eps", 1e-5);
    t->act = read_act(c);
    if (!c->status && t->width % t->heads)
        keys_fail(c, ST_INVALID, "hidden_size %d is not a multiple of num_attention_heads %d",
                  t->width, t->heads);
    if (!(t->epsilon > 0 && t->epsilon < 1))
        keys_fail(c, ST_INVALID, "layer_norm_eps must be between 0 and 1");
}

static void load_layer(struct clip *t, struct params *p, struct clip_layer *l, const char *prefix,
                       int index)
{
    char name[96];

    snprintf(name, sizeof(name), "%sencoder.layers.%d", prefix, index);
    params_norm(p, &l->norm1, t->width, "%s.layer_norm1", name);
    params_linear(p, &l->query, t->width, t->width, true, "%s.self_attn.q_proj", name);
    params_linear(p, &l->key, t->width, t->width, true, "%s.self_attn.k_proj", name);
    params_linear(p, &l->value, t->width, t->width, true, "%s.self_attn.v_proj", name);
    params_linear(p, &l->out, t->width, t->width, true, "%s.self_attn.out_proj", name);
    params_norm(p, &l->norm2, t->width, "%s.layer_norm2", name);
    params_linear(p, &l->fc1, t->inner, t->width, true, "%s.mlp.fc1", name);
    params_linear(p, &l->fc2, t->width, t->inner, true, "%s.mlp.fc2", name);
}

void clip_load(struct clip *t, struct params *p, const char *prefix)
{
    t->device = p->device;
    t->layer = calloc((size_t)t->layers, sizeof(t->layer[0]));
    if (!t->layer) {
        if (!p->status)
            p->status = why_fail(p->why, ST_FULL, "no memory for %d layers", t->layers);
        return;
    }
    for (int i = 0; i < t->layers; i++)
        load_layer(t, p, &t->layer[i], prefix, i);
}

void clip_close(struct clip *t)
{
    free(t->layer);
    t->layer = NULL;
}

/* h += attention of n to itself; n is overwritten. */
static void attend(const struct clip *t, const struct clip_layer *l, struct tensor h,
                   struct tensor n, bool causal)
{
    struct device *d = t->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor q = tensor_carve_like(&d->arena, n);
    struct tensor k = tensor_carve_like(&d->arena, n);
    struct tensor v = tensor_carve_like(&d->arena, n);
    float scale = 1 / sqrtf((float)(t->width / t->heads));

    d->ops.linear(d, q, n, &l->query, NULL);
    d->ops.linear(d, k, n, &l->key, NULL);
    d->ops.linear(d, v, n, &l->value, NULL);
    d->ops.attention(d, n, q, k, v, t->heads, scale, causal);
    d->ops.linear(d, h, n, &l->out, &(struct epilogue){.add = h});
    arena_rewind(&d->arena, mark);
}

static void feed_forward(const struct clip *t, const struct clip_layer *l, struct tensor h,
                         struct tensor n)
{
    struct device *d = t->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor wide = tensor_carve(&d->arena, d->dtype, n.dim[0], 1, n.dim[2], t->inner);

    d->ops.linear(d, wide, n, &l->fc1, &(struct epilogue){.act = t->act});
    d->ops.linear(d, h, wide, &l->fc2, &(struct epilogue){.add = h});
    arena_rewind(&d->arena, mark);
}

void clip_run(const struct clip *t, int from, int to, struct tensor h, struct tensor n, bool causal)
{
    struct device *d = t->device;

    for (int i = from; i < to; i++) {
        const struct clip_layer *l = &t->layer[i];
        d->ops.norm_layer(d, n, h, l->norm1.gamma, l->norm1.beta, t->epsilon);
        attend(t, l, h, n, causal);
        d->ops.norm_layer(d, n, h, l->norm2.gamma, l->norm2.beta, t->epsilon);
        feed_forward(t, l, h, n);
    }
}
