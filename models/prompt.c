/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - SDXL's negative prompt, where there is none, is all zeros if the index says so
 *   (force_zeros_for_empty_prompt), and not what the encoders make of an empty text.
 * - Only the second encoder's pooled text is looked at.
 * - Sizes are heights before widths, and those of the picture, not of its latents.
 */
#include "models/parts/prompt.h"

#include <string.h>

/* What the larger pipeline leaves out of its encoders for the context. */
#define XL_SKIP 1

struct texts_shape prompt_texts(const struct model_parts *p)
{
    struct unet_info unet = unet_info(p->unet);

    return (struct texts_shape){.encoders = p->encoders,
                                .length = tokenizer_length(p->tokenizer[0]),
                                .context_width = unet.context_width,
                                .pooled_width = p->index.xl ? unet.pooled_width : 0};
}

int prompt_id_count(const struct model_parts *p)
{
    return p->encoders * 2 * tokenizer_length(p->tokenizer[0]);
}

void prompt_shape(const struct model_parts *p, struct latent *l, enum dtype dtype)
{
    struct unet_info unet = unet_info(p->unet);
    int length = tokenizer_length(p->tokenizer[0]);

    l->context = tensor_view(NULL, dtype, 2, 1, length, unet.context_width);
    l->prompt = tensor_view(NULL, dtype, 2, 1, length, unet.prompt_width);
    if (!p->index.xl)
        return;
    l->pooled = tensor_view(NULL, dtype, 2, 1, 1, unet.pooled_width);
    l->added = tensor_view(NULL, dtype, 2, 1, 1, unet.added_width);
}

void prompt_carve(const struct model_parts *p, struct latent *l, struct device *d)
{
    struct arena *a = &d->arena;

    prompt_shape(p, l, d->dtype);
    l->context = tensor_carve_like(a, l->context);
    l->prompt = tensor_carve_like(a, l->prompt);
    if (!p->index.xl)
        return;
    l->pooled = tensor_carve_like(a, l->pooled);
    l->added = tensor_carve_like(a, l->added);
}

bool prompt_has_negative(const struct picture *picture)
{
    return picture->guidance > 1 && picture->negative && *picture->negative;
}

enum status prompt_tokenize(const struct model_parts *p, int32_t *ids, bool *cut,
                            const struct picture *picture, struct why *why)
{
    const char *text[2] = {prompt_has_negative(picture) ? picture->negative : "", picture->prompt};
    int length = tokenizer_length(p->tokenizer[0]), wanted;
    enum status st = ST_OK;

    *cut = false;
    for (int i = 0; i < 2 * p->encoders && !st; i++) {
        st = tokenizer_encode(p->tokenizer[i / 2], ids + i * length, text[i % 2],
                              strlen(text[i % 2]), &wanted, why);
        if (!st && i % 2)
            *cut |= wanted > length;
    }
    return st;
}

/* hidden[1, 1, T, width] of one encoder. */
static void encode_one(const struct model_parts *p, int encoder, struct device *d,
                       struct tensor hidden, const int32_t *ids)
{
    size_t mark = arena_mark(&d->arena);
    struct tensor own = tensor_carve(&d->arena, DTYPE_I32, 1, 1, 1, hidden.dim[2]);

    d->ops.upload(d, own, ids);
    text_encoder_forward(p->text[encoder], hidden, own, p->index.xl ? XL_SKIP : 0);
    arena_rewind(&d->arena, mark);
}

static void encode_both(const struct model_parts *p, struct device *d, const struct text *text)
{
    size_t mark = arena_mark(&d->arena);
    int64_t length = text->context.dim[2];
    struct tensor hidden[ENCODERS_MAX];

    for (int i = 0; i < p->encoders; i++) {
        hidden[i] = tensor_carve(&d->arena, d->dtype, 1, 1, length, text_encoder_width(p->text[i]));
        encode_one(p, i, d, hidden[i], text->ids + i * length);
    }
    d->ops.concat(d, text->context, hidden[0], hidden[1]);
    text_encoder_pool(p->text[1], text->pooled, hidden[1], XL_SKIP, text->ids + length);
    arena_rewind(&d->arena, mark);
}

/* Into a row of the latent's context and pooled, from the encoders if it is not kept. */
static void read_text(const struct model_parts *p, struct texts *texts, struct latent *l,
                      struct device *d, const int32_t *ids, int row)
{
    struct text text;

    if (!texts_find(texts, ids, row, &text)) {
        if (p->index.xl)
            encode_both(p, d, &text);
        else
            encode_one(p, 0, d, text.context, text.ids);
    }
    d->ops.convert(d, tensor_slice(l->context, row, 1), text.context);
    if (p->index.xl)
        d->ops.convert(d, tensor_slice(l->pooled, row, 1), text.pooled);
}

static void clear_negative(struct latent *l, struct device *d)
{
    struct tensor context = tensor_slice(l->context, 0, 1), pooled = tensor_slice(l->pooled, 0, 1);

    d->ops.affine(d, context, context, 0, 0);
    d->ops.affine(d, pooled, pooled, 0, 0);
}

/* The whole picture is wanted, and of the size that it has. */
static void read_pooled(const struct model_parts *p, struct latent *l, struct device *d)
{
    size_t mark = arena_mark(&d->arena);
    int64_t scale = vae_info(p->vae).scale;
    float height = (float)(scale * l->x.dim[1]), width = (float)(scale * l->x.dim[2]);
    const float host[2][UNET_SIZES] = {{height, width, 0, 0, height, width},
                                       {height, width, 0, 0, height, width}};
    struct tensor sizes = tensor_carve(&d->arena, DTYPE_F32, 2 * UNET_SIZES, 1, 1, 1);

    d->ops.upload(d, sizes, host);
    unet_read_pooled(p->unet, l->added, l->pooled, sizes);
    arena_rewind(&d->arena, mark);
}

void prompt_encode(const struct model_parts *p, struct texts *texts, struct latent *l,
                   struct device *d, const int32_t *ids, bool negative)
{
    for (int row = 0; row < 2; row++)
        read_text(p, texts, l, d, ids, row);
    if (p->index.zeros && !negative)
        clear_negative(l, d);
    unet_read_prompt(p->unet, l->prompt, l->context);
    if (p->index.xl)
        read_pooled(p, l, d);
}
