/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/model_parts.h"

#include "models/parts/keys.h"
#include "models/weights.h"

#include <stdio.h>
#include <string.h>

/* Two classes at most per part; the scheduler's is judged by whoever reads its file. */
static const struct {
    const char *name;
    const char *class[2];
    const char *weights;
} parts[PART_COUNT] = {
    [PART_TOKENIZER] = {"tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"}, NULL},
    [PART_TEXT_ENCODER] = {"text_encoder", {"CLIPTextModel"}, "model.safetensors"},
    [PART_UNET] = {"unet", {"UNet2DConditionModel"}, "diffusion_pytorch_model.safetensors"},
    [PART_VAE] = {"vae",
                  {"AutoencoderKL", "AutoencoderTiny"},
                  "diffusion_pytorch_model.safetensors"},
    [PART_SCHEDULER] = {"scheduler", {NULL}, NULL},
};

const char *model_parts_name(enum model_part part)
{
    return parts[part].name;
}

/* The class in ["library", "Class"], "" for [null, null]. */
static const char *class_of(const struct json *value)
{
    const struct json *name = json_type_of(value) == JSON_TYPE_ARRAY ? json_at(value, 1) : NULL;

    return json_type_of(name) == JSON_TYPE_STRING ? json_as_string(name) : "";
}

static void read_class(struct keys *c, struct model_index *out, enum model_part part)
{
    const char *name = parts[part].name, *const *known = parts[part].class;
    const char *class = class_of(json_get(c->root, name));

    if (!*class)
        keys_fail(c, ST_INVALID, "there is no %s", name);
    else if (known[0] && strcmp(class, known[0]) && (!known[1] || strcmp(class, known[1])))
        keys_fail(c, ST_UNSUPPORTED, "the %s is a %.60s, limner runs %s%s%s", name, class, known[0],
                  known[1] ? " and " : "", known[1] ? known[1] : "");
    snprintf(out->class[part], sizeof(out->class[part]), "%s", class);
}

static bool is_ours(const char *key)
{
    for (int i = 0; i < PART_COUNT; i++)
        if (!strcmp(key, parts[i].name))
            return true;
    return false;
}

/* A second text encoder or a control net would change the picture; these three would not. */
static void refuse_other_parts(struct keys *c)
{
    const struct json *value;
    const char *key;
    void *iter = NULL;

    while (json_next(c->root, &iter, &key, &value)) {
        bool harmless = !strcmp(key, "safety_checker") || !strcmp(key, "feature_extractor") ||
                        !strcmp(key, "image_encoder");
        if (!harmless && !is_ours(key) && *class_of(value))
            keys_fail(c, ST_UNSUPPORTED, "the part %.60s is not supported", key);
    }
}

enum status model_parts_read_index(struct model_index *out, const char *folder, struct why *why)
{
    struct keys c;
    const char *class;

    memset(out, 0, sizeof(*out));
    keys_open(&c, folder, "model_index.json", why);
    class = keys_string(&c, "_class_name", "");
    if (strcmp(class, "StableDiffusionPipeline"))
        keys_fail(&c, ST_UNSUPPORTED,
                  "the pipeline's class is \"%.80s\", limner runs StableDiffusionPipeline", class);
    for (int i = 0; i < PART_COUNT && !c.status; i++)
        read_class(&c, out, (enum model_part)i);
    if (!c.status)
        refuse_other_parts(&c);
    keys_close(&c);
    return c.status;
}

enum status model_parts_open(struct model_parts *p, enum model_part part, struct device *d,
                             const char *folder, struct why *why)
{
    char path[KEYS_PATH_MAX], file[KEYS_PATH_MAX];
    enum status st = keys_path(path, folder, parts[part].name, why);

    if (st)
        return st;
    switch (part) {
    case PART_TOKENIZER:
        return tokenizer_open(&p->tokenizer, path, why);
    case PART_TEXT_ENCODER:
        return text_encoder_open(&p->text, d, path, why);
    case PART_UNET:
        return unet_open(&p->unet, d, path, why);
    case PART_VAE:
        return vae_open(&p->vae, d, path, why);
    case PART_SCHEDULER:
        st = keys_path(file, path, "scheduler_config.json", why);
        return st ? st : schedule_load(&p->schedule, file, why);
    }
    return ST_OK;
}

void model_parts_close(struct model_parts *p)
{
    tokenizer_close(&p->tokenizer);
    text_encoder_close(&p->text);
    unet_close(&p->unet);
    vae_close(&p->vae);
}

enum status model_parts_agree(const struct model_parts *p, struct why *why)
{
    struct unet_info unet = unet_info(p->unet);
    struct vae_info vae = vae_info(p->vae);
    int width = text_encoder_width(p->text), length = text_encoder_length(p->text);
    int vocabulary = text_encoder_vocabulary(p->text);

    if (unet.context_width != width)
        return why_fail(why, ST_INVALID,
                        "the unet's cross_attention_dim is %d, the text encoder's width %d",
                        unet.context_width, width);
    if (unet.channels != vae.latent_channels)
        return why_fail(why, ST_INVALID, "the unet has %d channels, the vae's latents have %d",
                        unet.channels, vae.latent_channels);
    if (tokenizer_vocabulary(p->tokenizer) > vocabulary)
        return why_fail(why, ST_INVALID, "the tokenizer has %d tokens, the text encoder knows %d",
                        tokenizer_vocabulary(p->tokenizer), vocabulary);
    if (tokenizer_length(p->tokenizer) > length)
        return why_fail(why, ST_INVALID,
                        "the tokenizer makes %d tokens per prompt, the text encoder reads %d",
                        tokenizer_length(p->tokenizer), length);
    return ST_OK;
}

uint64_t model_parts_bytes(enum model_part part, const char *folder)
{
    char path[KEYS_PATH_MAX], name[128];
    struct weights *file = NULL;
    uint64_t bytes = 0;

    if (!parts[part].weights)
        return 0;
    snprintf(name, sizeof(name), "%s/%s", parts[part].name, parts[part].weights);
    if (keys_path(path, folder, name, NULL) == ST_OK && weights_open(&file, path, NULL) == ST_OK)
        bytes = weights_bytes(file);
    weights_close(&file);
    return bytes;
}
