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

#include "models/parts/clip.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text_encoder {
    struct device *device;
    struct params params;
    struct clip clip;
    int length, vocabulary;
    int projection, eos; /* projection 0: none */
    struct tensor tokens, positions;
    struct norm norm;
    struct weight project;
};

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
    clip_read(&e->clip, &c, (struct clip_defaults){512, 2048, 8, 12});
    e->length = keys_int(&c, "max_position_embeddings", 77, (struct range){1, 4096});
    e->vocabulary = keys_int(&c, "vocab_size", 49408, (struct range){1, 1 << 20});
    e->eos = keys_int(&c, "eos_token_id", 49407, (struct range){0, 1 << 20});
    if (project)
        e->projection = keys_int(&c, "projection_dim", 512, (struct range){1, 16384});
    st = c.status;
    keys_close(&c);
    return st;
}

static void load(struct text_encoder *e)
{
    struct params *p = &e->params;
    const char *prefix = "text_model.";
    struct tensor probe;

    if (!p->status && weights_find(p->file, "embeddings.token_embedding.weight", &probe, NULL) == 0)
        prefix = "";
    params_table(p, &e->tokens, e->vocabulary, e->clip.width, "%sembeddings.token_embedding.weight",
                 prefix);
    params_table(p, &e->positions, e->length, e->clip.width,
                 "%sembeddings.position_embedding.weight", prefix);
    clip_load(&e->clip, p, prefix);
    params_norm(p, &e->norm, e->clip.width, "%sfinal_layer_norm", prefix);
    if (e->projection)
        params_linear(p, &e->project, e->projection, e->clip.width, false, "text_projection");
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
    clip_close(&(*e)->clip);
    free(*e);
    *e = NULL;
}

int text_encoder_width(const struct text_encoder *e)
{
    return e->clip.width;
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

/* y serves as the place for every norm, the last one included. */
void text_encoder_forward(const struct text_encoder *e, struct tensor y, struct tensor ids,
                          int skip)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor h = tensor_carve_like(&d->arena, y);

    assert(ids.dim[3] <= e->length && y.dim[2] == ids.dim[3] && y.dim[3] == e->clip.width);
    assert(skip >= 0 && skip <= e->clip.layers);
    d->ops.embed_tokens(d, h, ids, e->tokens, e->positions);
    clip_run(&e->clip, 0, e->clip.layers - skip, h, y, true);
    if (skip)
        d->ops.convert(d, y, h);
    else
        d->ops.norm_layer(d, y, h, e->norm.gamma, e->norm.beta, e->clip.epsilon);
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
    assert(skip >= 1 && skip <= e->clip.layers);
    d->ops.convert(d, h, hidden);
    clip_run(&e->clip, e->clip.layers - skip, e->clip.layers, h, n, true);
    tokens = tensor_reshape(h, batch * length, 1, 1, e->clip.width);
    last = tensor_carve(&d->arena, d->dtype, 1, 1, 1, e->clip.width);
    for (int64_t i = 0; i < batch; i++) {
        int64_t at = i * length + end_of(e, ids + i * length, length);
        d->ops.norm_layer(d, last, tensor_slice(tokens, at, 1), e->norm.gamma, e->norm.beta,
                          e->clip.epsilon);
        d->ops.linear(d, tensor_slice(pooled, i, 1), last, &e->project, NULL);
    }
    arena_rewind(&d->arena, mark);
}
