/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - Attention is causal; there is no mask for padding: every one of the T tokens is read.
 * - last_hidden_state comes after final_layer_norm.
 * - Where layers are skipped, what comes out is not normalised.
 * - A text's end is the first eos_token_id. The configurations of the first CLIPs say 2, which no
 *   text holds: it means the largest id.
 * - hidden_act "quick_gelu" (SD 1.x) is x sigmoid(1.702 x), "gelu" (SD 2.x) is the erf form.
 * - Older files carry embeddings.position_ids, newer ones do not; some lack the prefix
 * "text_model.".
 */
#include "models/text_encoder.h"

#include "models/params.h"
#include "models/parts/keys.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 256

struct layer {
    struct norm norm1, norm2;
    struct weight query, key, value, out;
    struct weight fc1, fc2;
};

struct text_encoder {
    struct device *device;
    struct params params;
    int width, inner, heads, layers, length, vocabulary;
    int projection, eos; /* projection 0: none */
    float epsilon;
    enum act act;
    struct tensor tokens, positions;
    struct layer *layer;
    struct norm norm;
    struct weight project;
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

/* Defaults are those of transformers' CLIPTextConfig. */
static enum status read_config(struct text_encoder *e, const char *folder, bool project,
                               struct why *why)
{
    const char *wanted = project ? "CLIPTextModelWithProjection" : "CLIPTextModel";
    const char *class[1] = {wanted};
    enum status st;
    struct keys c;

    keys_open(&c, folder, "config.json", why);
    if (keys_strings(&c, "architectures", class, 1) == 1 && strcmp(class[0], wanted))
        keys_fail(&c, ST_UNSUPPORTED, "the class %.60s is not %s", class[0], wanted);
    keys_refuse(&c, "text_config", NULL);
    e->width = keys_int(&c, "hidden_size", 512, (struct range){1, 16384});
    e->inner = keys_int(&c, "intermediate_size", 2048, (struct range){1, 65536});
    e->heads = keys_int(&c, "num_attention_heads", 8, (struct range){1, 1024});
    e->layers = keys_int(&c, "num_hidden_layers", 12, (struct range){1, LAYERS_MAX});
    e->length = keys_int(&c, "max_position_embeddings", 77, (struct range){1, 4096});
    e->vocabulary = keys_int(&c, "vocab_size", 49408, (struct range){1, 1 << 20});
    e->epsilon = (float)keys_real(&c, "layer_norm_eps", 1e-5);
    e->eos = keys_int(&c, "eos_token_id", 49407, (struct range){0, 1 << 20});
    if (project)
        e->projection = keys_int(&c, "projection_dim", 512, (struct range){1, 16384});
    e->act = read_act(&c);
    if (!c.status && e->width % e->heads)
        keys_fail(&c, ST_INVALID, "hidden_size %d is not a multiple of num_attention_heads %d",
                  e->width, e->heads);
    if (!(e->epsilon > 0 && e->epsilon < 1))
        keys_fail(&c, ST_INVALID, "layer_norm_eps must be between 0 and 1");
    st = c.status;
    keys_close(&c);
    return st;
}

static void load_layer(struct text_encoder *e, struct layer *l, const char *prefix, int index)
{
    struct params *p = &e->params;
    char name[96];

    snprintf(name, sizeof(name), "%sencoder.layers.%d", prefix, index);
    params_norm(p, &l->norm1, e->width, "%s.layer_norm1", name);
    params_linear(p, &l->query, e->width, e->width, true, "%s.self_attn.q_proj", name);
    params_linear(p, &l->key, e->width, e->width, true, "%s.self_attn.k_proj", name);
    params_linear(p, &l->value, e->width, e->width, true, "%s.self_attn.v_proj", name);
    params_linear(p, &l->out, e->width, e->width, true, "%s.self_attn.out_proj", name);
    params_norm(p, &l->norm2, e->width, "%s.layer_norm2", name);
    params_linear(p, &l->fc1, e->inner, e->width, true, "%s.mlp.fc1", name);
    params_linear(p, &l->fc2, e->width, e->inner, true, "%s.mlp.fc2", name);
}

static void load(struct text_encoder *e)
{
    struct params *p = &e->params;
    const char *prefix = "text_model.";
    struct tensor probe;

    if (!p->status && weights_find(p->file, "embeddings.token_embedding.weight", &probe, NULL) == 0)
        prefix = "";
    params_table(p, &e->tokens, e->vocabulary, e->width, "%sembeddings.token_embedding.weight",
                 prefix);
    params_table(p, &e->positions, e->length, e->width, "%sembeddings.position_embedding.weight",
                 prefix);
    for (int i = 0; i < e->layers; i++)
        load_layer(e, &e->layer[i], prefix, i);
    params_norm(p, &e->norm, e->width, "%sfinal_layer_norm", prefix);
    if (e->projection)
        params_linear(p, &e->project, e->projection, e->width, false, "text_projection");
    params_finish(p);
}

enum status text_encoder_open(struct text_encoder **out, struct device *d, const char *folder,
                              bool project, struct why *why)
{
    struct text_encoder *e = calloc(1, sizeof(*e));
    char path[KEYS_PATH_MAX];
    enum status st;

    *out = NULL;
    if (!e)
        return why_fail(why, ST_FULL, "no memory for a text encoder");
    e->device = d;
    st = read_config(e, folder, project, why);
    if (st)
        goto fail;
    st = keys_path(path, folder, "model.safetensors", why);
    if (st)
        goto fail;
    e->layer = calloc((size_t)e->layers, sizeof(e->layer[0]));
    if (!e->layer) {
        st = why_fail(why, ST_FULL, "no memory for a text encoder");
        goto fail;
    }
    params_open(&e->params, d, path, why);
    load(e);
    st = e->params.status;
    if (st)
        goto fail;
    *out = e;
    return ST_OK;
fail:
    text_encoder_close(&e);
    return st;
}

void text_encoder_close(struct text_encoder **e)
{
    if (!*e)
        return;
    params_close(&(*e)->params);
    free((*e)->layer);
    free(*e);
    *e = NULL;
}

int text_encoder_width(const struct text_encoder *e)
{
    return e->width;
}

int text_encoder_length(const struct text_encoder *e)
{
    return e->length;
}

int text_encoder_vocabulary(const struct text_encoder *e)
{
    return e->vocabulary;
}

int text_encoder_projection(const struct text_encoder *e)
{
    return e->projection;
}

/* h += attention of n to itself; n is overwritten. */
static void attend(const struct text_encoder *e, const struct layer *l, struct tensor h,
                   struct tensor n)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor q = tensor_carve_like(&d->arena, n);
    struct tensor k = tensor_carve_like(&d->arena, n);
    struct tensor v = tensor_carve_like(&d->arena, n);
    float scale = 1 / sqrtf((float)(e->width / e->heads));

    d->ops.linear(d, q, n, &l->query, NULL);
    d->ops.linear(d, k, n, &l->key, NULL);
    d->ops.linear(d, v, n, &l->value, NULL);
    d->ops.attention(d, n, q, k, v, e->heads, scale, true);
    d->ops.linear(d, h, n, &l->out, &(struct epilogue){.add = h});
    arena_rewind(&d->arena, mark);
}

static void feed_forward(const struct text_encoder *e, const struct layer *l, struct tensor h,
                         struct tensor n)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor wide = tensor_carve(&d->arena, d->dtype, n.dim[0], 1, n.dim[2], e->inner);

    d->ops.linear(d, wide, n, &l->fc1, &(struct epilogue){.act = e->act});
    d->ops.linear(d, h, wide, &l->fc2, &(struct epilogue){.add = h});
    arena_rewind(&d->arena, mark);
}

/* Layers [from, to) over h; n takes every norm. */
static void run_layers(const struct text_encoder *e, int from, int to, struct tensor h,
                       struct tensor n)
{
    struct device *d = e->device;

    for (int i = from; i < to; i++) {
        const struct layer *l = &e->layer[i];
        d->ops.norm_layer(d, n, h, l->norm1.gamma, l->norm1.beta, e->epsilon);
        attend(e, l, h, n);
        d->ops.norm_layer(d, n, h, l->norm2.gamma, l->norm2.beta, e->epsilon);
        feed_forward(e, l, h, n);
    }
}

/* y serves as the place for every norm, the last one included. */
void text_encoder_forward(const struct text_encoder *e, struct tensor y, struct tensor ids,
                          int skip)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor h = tensor_carve_like(&d->arena, y);

    assert(ids.dim[3] <= e->length && y.dim[2] == ids.dim[3] && y.dim[3] == e->width);
    assert(skip >= 0 && skip <= e->layers);
    d->ops.embed_tokens(d, h, ids, e->tokens, e->positions);
    run_layers(e, 0, e->layers - skip, h, y);
    if (skip)
        d->ops.convert(d, y, h);
    else
        d->ops.norm_layer(d, y, h, e->norm.gamma, e->norm.beta, e->epsilon);
    arena_rewind(&d->arena, mark);
}

/* Which of a text's tokens is its end; the first one where there is none. */
static int64_t end_of(const struct text_encoder *e, const int32_t *ids, int64_t count)
{
    int64_t end = 0;

    for (int64_t i = 0; i < count; i++) {
        if (e->eos != 2 && ids[i] == e->eos)
            return i;
        if (e->eos == 2 && ids[i] > ids[end])
            end = i;
    }
    return end;
}

void text_encoder_pool(const struct text_encoder *e, struct tensor pooled, struct tensor hidden,
                       int skip, const int32_t *ids)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor h = tensor_carve_like(&d->arena, hidden);
    struct tensor n = tensor_carve_like(&d->arena, hidden), tokens, last;
    int64_t batch = hidden.dim[0], length = hidden.dim[2];

    assert(e->projection && pooled.dim[0] == batch && pooled.dim[3] == e->projection);
    assert(skip >= 1 && skip <= e->layers);
    d->ops.convert(d, h, hidden);
    run_layers(e, e->layers - skip, e->layers, h, n);
    tokens = tensor_reshape(h, batch * length, 1, 1, e->width);
    last = tensor_carve(&d->arena, d->dtype, 1, 1, 1, e->width);
    for (int64_t i = 0; i < batch; i++) {
        int64_t at = i * length + end_of(e, ids + i * length, length);
        d->ops.norm_layer(d, last, tensor_slice(tokens, at, 1), e->norm.gamma, e->norm.beta,
                          e->epsilon);
        d->ops.linear(d, tensor_slice(pooled, i, 1), last, &e->project, NULL);
    }
    arena_rewind(&d->arena, mark);
}
