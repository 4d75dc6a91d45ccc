/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - The norm before the layers is called pre_layrnorm in every file.
 * - The vector comes from the class token alone, normalised after the last layer; no other token
 * is.
 * - A safety checker has the tower inside another: vision_model.vision_model.*.
 * - Its config.json may have the sizes twice, as vision_config and vision_config_dict: the second
 *   wins where both are there.
 * - Pixels are multiplied by 1/255 in double, and normalised in float, as transformers does.
 */
#include "models/image_encoder.h"

#include "models/parts/clip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct image_encoder {
    struct device *device;
    struct params params;
    struct clip clip;
    int size, patch, tokens; /* tokens: the patches, and the class before them */
    int projection;
    struct weight patches, project;
    struct tensor class, positions;
    struct norm before, after;
    float *rows; /* one picture as patches */
};

static enum status read_config(struct image_encoder *e, const char *folder, struct why *why)
{
    enum status st;
    struct keys c;

    keys_open(&c, folder, "config.json", why);
    e->projection = keys_int(&c, "projection_dim", 512, (struct range){1, 16384});
    keys_enter(&c, json_get(c.root, "vision_config_dict") ? "vision_config_dict" : "vision_config");
    clip_read(&e->clip, &c, (struct clip_defaults){768, 3072, 12, 12});
    e->size = keys_int(&c, "image_size", 224, (struct range){1, 1024});
    e->patch = keys_int(&c, "patch_size", 32, (struct range){1, 1024});
    if (keys_int(&c, "num_channels", 3, (struct range){1, 1024}) != 3)
        keys_fail(&c, ST_UNSUPPORTED, "num_channels must be 3");
    if (!c.status && (e->size % e->patch || e->size / e->patch > 128))
        keys_fail(&c, ST_UNSUPPORTED, "image_size %d must be 1 to 128 times patch_size %d", e->size,
                  e->patch);
    if (!c.status)
        e->tokens = e->size / e->patch * (e->size / e->patch) + 1;
    st = c.status;
    keys_close(&c);
    return st;
}

static void load(struct image_encoder *e)
{
    struct params *p = &e->params;
    const char *tower = "vision_model.";
    const int width = e->clip.width;
    struct tensor probe;

    if (!p->status &&
        !weights_find(p->file, "vision_model.vision_model.post_layernorm.weight", &probe, NULL))
        tower = "vision_model.vision_model.";
    params_table(p, &e->class, 1, width, "%sembeddings.class_embedding", tower);
    params_patches(p, &e->patches, width, 3, e->patch, "%sembeddings.patch_embedding", tower);
    params_table(p, &e->positions, e->tokens, width, "%sembeddings.position_embedding.weight",
                 tower);
    params_norm(p, &e->before, width, "%spre_layrnorm", tower);
    clip_load(&e->clip, p, tower);
    params_norm(p, &e->after, width, "%spost_layernorm", tower);
    params_linear(p, &e->project, e->projection, width, false, "visual_projection");
    weights_release_pages(p->file);
}

enum status image_encoder_open(struct image_encoder **out, struct device *d, const char *folder,
                               struct why *why)
{
    struct image_encoder *e = calloc(1, sizeof(*e));
    char path[KEYS_PATH_MAX];
    enum status st;

    *out = NULL;
    if (!e)
        return why_fail(why, ST_FULL, "no memory for an image encoder");
    e->device = d;
    st = read_config(e, folder, why);
    if (!st)
        st = keys_path(path, folder, "model.safetensors", why);
    if (st)
        goto fail;
    e->rows = malloc((size_t)e->size * (size_t)e->size * 3 * sizeof(float));
    if (!e->rows) {
        st = why_fail(why, ST_FULL, "no memory for an image encoder");
        goto fail;
    }
    params_open(&e->params, d, path, why);
    if (!e->params.status)
        load(e);
    st = e->params.status;
    if (st)
        goto fail;
    *out = e;
    return ST_OK;
fail:
    image_encoder_close(&e);
    return st;
}

void image_encoder_close(struct image_encoder **e)
{
    if (!*e)
        return;
    if ((*e)->params.device)
        params_close(&(*e)->params);
    clip_close(&(*e)->clip);
    free((*e)->rows);
    free(*e);
    *e = NULL;
}

int image_encoder_size(const struct image_encoder *e)
{
    return e->size;
}

int image_encoder_projection(const struct image_encoder *e)
{
    return e->projection;
}

const struct weights *image_encoder_file(const struct image_encoder *e)
{
    return e->params.file;
}

/* A row for every patch: channel by channel, line by line. */
static void cut_patches(const struct image_encoder *e, const uint8_t *rgb)
{
    static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
    static const float spread[3] = {0.26862954f, 0.26130258f, 0.27577711f};
    const int per_line = e->size / e->patch;
    float *out = e->rows;

    for (int token = 0; token < e->tokens - 1; token++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < e->patch; y++)
                for (int x = 0; x < e->patch; x++) {
                    int line = token / per_line * e->patch + y;
                    int column = token % per_line * e->patch + x;
                    float value = (float)(rgb[(line * e->size + column) * 3 + c] * (1 / 255.0));

                    *out++ = (value - mean[c]) / spread[c];
                }
}

/* h[1, 1, tokens, width] of what lies in e->rows. */
static void embed(const struct image_encoder *e, struct tensor h, struct tensor positions)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    const int64_t count = e->tokens - 1, inputs = (int64_t)3 * e->patch * e->patch;
    struct tensor host = tensor_carve(&d->arena, DTYPE_F32, 1, 1, count, inputs);
    struct tensor rows = tensor_carve(&d->arena, d->dtype, 1, 1, count, inputs);
    struct tensor class = tensor_carve(&d->arena, d->dtype, 1, 1, 1, e->clip.width);
    struct tensor tokens = tensor_reshape(h, e->tokens, 1, 1, e->clip.width);
    struct tensor places = tensor_reshape(positions, e->tokens, 1, 1, e->clip.width);
    struct tensor rest =
        tensor_tokens(tensor_reshape(tensor_slice(tokens, 1, count), 1, count, 1, e->clip.width));
    struct tensor rest_places =
        tensor_tokens(tensor_reshape(tensor_slice(places, 1, count), 1, count, 1, e->clip.width));

    d->ops.upload(d, host, e->rows);
    d->ops.convert(d, rows, host);
    d->ops.convert(d, class, e->class);
    d->ops.add(d, tensor_slice(tokens, 0, 1), class, tensor_slice(places, 0, 1));
    d->ops.linear(d, rest, rows, &e->patches, &(struct epilogue){.add = rest_places});
    arena_rewind(&d->arena, mark);
}

void image_encoder_forward(const struct image_encoder *e, struct tensor y,
                           const uint8_t *const *pictures)
{
    struct device *d = e->device;
    size_t mark = arena_mark(&d->arena);
    const int64_t batch = y.dim[0];
    struct tensor h = tensor_carve(&d->arena, d->dtype, batch, 1, e->tokens, e->clip.width);
    struct tensor n = tensor_carve_like(&d->arena, h);
    struct tensor positions = tensor_carve(&d->arena, d->dtype, 1, 1, e->tokens, e->clip.width);
    struct tensor first = tensor_carve(&d->arena, d->dtype, 1, 1, 1, e->clip.width);
    struct tensor tokens = tensor_reshape(h, batch * e->tokens, 1, 1, e->clip.width);

    assert(y.dim[1] == 1 && y.dim[2] == 1 && y.dim[3] == e->projection);
    d->ops.convert(d, positions, e->positions);
    for (int64_t b = 0; b < batch; b++) {
        if (pictures)
            cut_patches(e, pictures[b]);
        embed(e, tensor_slice(n, b, 1), positions);
    }
    d->ops.norm_layer(d, h, n, e->before.gamma, e->before.beta, e->clip.epsilon);
    clip_run(&e->clip, 0, e->clip.layers, h, n, false);
    for (int64_t b = 0; b < batch; b++) {
        d->ops.norm_layer(d, first, tensor_slice(tokens, b * e->tokens, 1), e->after.gamma,
                          e->after.beta, e->clip.epsilon);
        d->ops.linear(d, tensor_slice(y, b, 1), first, &e->project, NULL);
    }
    arena_rewind(&d->arena, mark);
}
