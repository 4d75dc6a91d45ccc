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
    bool xl; /* only in the larger pipeline */
} parts[PART_COUNT] = {
    [PART_TOKENIZER] = {"tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"}, NULL, false},
    [PART_TEXT_ENCODER] = {"text_encoder", {"CLIPTextModel"}, "model.safetensors", false},
    [PART_TOKENIZER_2] = {"tokenizer_2", {"CLIPTokenizer", "CLIPTokenizerFast"}, NULL, true},
    [PART_TEXT_ENCODER_2] = {"text_encoder_2",
                             {"CLIPTextModelWithProjection"},
                             "model.safetensors",
                             true},
    [PART_UNET] = {"unet", {"UNet2DConditionModel"}, "diffusion_pytorch_model.safetensors", false},
    [PART_VAE] = {"vae",
                  {"AutoencoderKL", "AutoencoderTiny"},
                  "diffusion_pytorch_model.safetensors",
                  false},
    [PART_SCHEDULER] = {"scheduler", {NULL}, NULL, false},
};

static const char *const pipelines[] = {"StableDiffusionPipeline", "StableDiffusionXLPipeline"};

const char *model_parts_name(enum model_part part)
{
    return parts[part].name;
}

bool model_parts_has(const struct model_parts *p, enum model_part part)
{
    return p->index.xl || !parts[part].xl;
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
        keys_fail(c, ST_INVALID, "there is no %s, which a %s has", name, out->pipeline);
    else if (known[0] && strcmp(class, known[0]) && (!known[1] || strcmp(class, known[1])))
        keys_fail(c, ST_UNSUPPORTED, "the %s is a %.60s, limner runs %s%s%s", name, class, known[0],
                  known[1] ? " and " : "", known[1] ? known[1] : "");
    snprintf(out->class[part], sizeof(out->class[part]), "%s", class);
}

static bool is_ours(const struct model_parts *p, const char *key)
{
    for (int i = 0; i < PART_COUNT; i++)
        if (model_parts_has(p, (enum model_part)i) && !strcmp(key, parts[i].name))
            return true;
    return false;
}

/* A third text encoder or a control net would change the picture; these three would not. */
static void refuse_other_parts(struct keys *c, const struct model_parts *p)
{
    const struct json *value;
    const char *key;
    void *iter = NULL;

    while (json_next(c->root, &iter, &key, &value)) {
        bool harmless = !strcmp(key, "safety_checker") || !strcmp(key, "feature_extractor") ||
                        !strcmp(key, "image_encoder");
        if (!harmless && !is_ours(p, key) && *class_of(value))
            keys_fail(c, ST_UNSUPPORTED, "the part %.60s is not supported", key);
    }
}

static void read_pipeline(struct keys *c, struct model_index *out)
{
    const char *class = keys_string(c, "_class_name", "");

    out->xl = !strcmp(class, pipelines[1]);
    out->pipeline = pipelines[out->xl];
    if (strcmp(class, out->pipeline))
        keys_fail(c, ST_UNSUPPORTED, "the pipeline's class is \"%.80s\", limner runs %s and %s",
                  class, pipelines[0], pipelines[1]);
    out->zeros = out->xl && keys_bool(c, "force_zeros_for_empty_prompt", true);
}

enum status model_parts_read_index(struct model_parts *p, const char *folder, struct why *why)
{
    struct keys c;

    memset(p, 0, sizeof(*p));
    keys_open(&c, folder, "model_index.json", why);
    read_pipeline(&c, &p->index);
    p->encoders = p->index.xl ? 2 : 1;
    for (int i = 0; i < PART_COUNT && !c.status; i++)
        if (model_parts_has(p, (enum model_part)i))
            read_class(&c, &p->index, (enum model_part)i);
    if (!c.status)
        refuse_other_parts(&c, p);
    keys_close(&c);
    return c.status;
}

enum status model_parts_open(struct model_parts *p, enum model_part part, struct device *d,
                             const char *folder, struct why *why)
{
    char path[KEYS_PATH_MAX], file[KEYS_PATH_MAX];
    enum status st = keys_path(path, folder, parts[part].name, why);

    if (st || !model_parts_has(p, part))
        return st;
    switch (part) {
    case PART_TOKENIZER:
        return tokenizer_open(&p->tokenizer[0], path, why);
    case PART_TOKENIZER_2:
        return tokenizer_open(&p->tokenizer[1], path, why);
    case PART_TEXT_ENCODER:
        return text_encoder_open(&p->text[0], d, path, false, why);
    case PART_TEXT_ENCODER_2:
        return text_encoder_open(&p->text[1], d, path, true, why);
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
    for (int i = 0; i < ENCODERS_MAX; i++) {
        tokenizer_close(&p->tokenizer[i]);
        text_encoder_close(&p->text[i]);
    }
    unet_close(&p->unet);
    vae_close(&p->vae);
}

/* Is this the UNet of such a pipeline? */
static enum status agree_pipeline(const struct model_parts *p, struct why *why)
{
    bool pooled = unet_info(p->unet).pooled_width;

    if (p->index.xl == pooled)
        return ST_OK;
    return why_fail(why, ST_INVALID,
                    "the unet has %saddition_embed_type text_time, a %s has %spooled prompts",
                    pooled ? "" : "no ", p->index.pipeline, p->index.xl ? "" : "no ");
}

static enum status agree_widths(const struct model_parts *p, struct why *why)
{
    struct unet_info unet = unet_info(p->unet);
    struct vae_info vae = vae_info(p->vae);
    int width = 0;

    for (int i = 0; i < p->encoders; i++)
        width += text_encoder_width(p->text[i]);
    if (unet.context_width != width)
        return why_fail(why, ST_INVALID, "the unet's cross_attention_dim is %d, the text %s %d",
                        unet.context_width,
                        p->encoders > 1 ? "encoders' widths come to" : "encoder's width", width);
    if (unet.channels != vae.latent_channels)
        return why_fail(why, ST_INVALID, "the unet has %d channels, the vae's latents have %d",
                        unet.channels, vae.latent_channels);
    return ST_OK;
}

static enum status agree_words(const struct model_parts *p, int encoder, struct why *why)
{
    const struct tokenizer *t = p->tokenizer[encoder];
    const struct text_encoder *e = p->text[encoder];
    const char *maker = parts[encoder ? PART_TOKENIZER_2 : PART_TOKENIZER].name;
    const char *reader = parts[encoder ? PART_TEXT_ENCODER_2 : PART_TEXT_ENCODER].name;
    int vocabulary = text_encoder_vocabulary(e), length = text_encoder_length(e);

    if (tokenizer_vocabulary(t) > vocabulary)
        return why_fail(why, ST_INVALID, "the %s has %d tokens, the %s knows %d", maker,
                        tokenizer_vocabulary(t), reader, vocabulary);
    if (tokenizer_length(t) > length)
        return why_fail(why, ST_INVALID, "the %s makes %d tokens per prompt, the %s reads %d",
                        maker, tokenizer_length(t), reader, length);
    return ST_OK;
}

/* What SDXL asks of its parts besides. */
static enum status agree_xl(const struct model_parts *p, enum dtype dtype, struct why *why)
{
    int pooled = unet_info(p->unet).pooled_width, projection = text_encoder_projection(p->text[1]);
    int length = tokenizer_length(p->tokenizer[0]), second = tokenizer_length(p->tokenizer[1]);

    if (length != second)
        return why_fail(why, ST_INVALID,
                        "the tokenizer makes %d tokens per prompt, tokenizer_2 makes %d", length,
                        second);
    if (pooled != projection)
        return why_fail(why, ST_INVALID,
                        "the unet's projection_class_embeddings_input_dim leaves %d numbers for a "
                        "pooled prompt, text_encoder_2's projection_dim is %d",
                        pooled, projection);
    if (vae_info(p->vae).force_upcast && dtype == DTYPE_F16)
        return why_fail(why, ST_UNSUPPORTED,
                        "the vae's numbers are too large for f16 (force_upcast), bf16 and f32 hold "
                        "them");
    return ST_OK;
}

enum status model_parts_agree(const struct model_parts *p, enum dtype dtype, struct why *why)
{
    enum status st = agree_pipeline(p, why);

    if (!st)
        st = agree_widths(p, why);
    for (int i = 0; i < p->encoders && !st; i++)
        st = agree_words(p, i, why);
    return st || !p->index.xl ? st : agree_xl(p, dtype, why);
}

uint64_t model_parts_bytes(const struct model_parts *p, enum model_part part, const char *folder)
{
    char path[KEYS_PATH_MAX], name[128];
    struct weights *file = NULL;
    uint64_t bytes = 0;

    if (!parts[part].weights || !model_parts_has(p, part))
        return 0;
    snprintf(name, sizeof(name), "%s/%s", parts[part].name, parts[part].weights);
    if (keys_path(path, folder, name, NULL) == ST_OK && weights_open(&file, path, NULL) == ST_OK)
        bytes = weights_bytes(file);
    weights_close(&file);
    return bytes;
}
