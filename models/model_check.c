/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at a folder: every part is opened by its own loader on a device that only measures, so
 * what is checked is what will be loaded, and no number is packed or copied.
 */
#include "models/model.h"
#include "models/parts/model_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MIB ((double)(1 << 20))

struct text {
    char *out;
    size_t bytes, used;
};

static void line(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void line(struct text *t, const char *format, ...)
{
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(t->out + t->used, t->bytes - t->used, format, list);
    va_end(list);
    if (n > 0)
        t->used += (size_t)n < t->bytes - t->used ? (size_t)n : t->bytes - t->used - 1;
}

static void device_init(struct device *d)
{
    memset(d, 0, sizeof(*d));
    ops_fill_measure(&d->ops);
    arena_init(&d->arena, "check");
    d->threads = 1;
}

static void describe(struct text *t, const struct model_parts *p, enum model_part part)
{
    const struct tokenizer *words;
    const struct text_encoder *text;
    struct unet_info unet;
    struct vae_info vae;

    switch (part) {
    case PART_TOKENIZER:
    case PART_TOKENIZER_2:
        words = p->tokenizer[part == PART_TOKENIZER_2];
        line(t, ", %d tokens, %d per prompt", tokenizer_vocabulary(words), tokenizer_length(words));
        break;
    case PART_TEXT_ENCODER:
    case PART_TEXT_ENCODER_2:
        text = p->text[part == PART_TEXT_ENCODER_2];
        line(t, ", width %d, %d positions", text_encoder_width(text), text_encoder_length(text));
        break;
    case PART_UNET:
        unet = unet_info(p->unet);
        line(t, ", latents %d x %d x %d", unet.sample_size, unet.sample_size, unet.channels);
        break;
    case PART_VAE:
        vae = vae_info(p->vae);
        line(t, ", %d pixels per latent", vae.scale);
        break;
    case PART_SCHEDULER:
        line(t, ", sampled by %s%s", sampler_name(p->schedule.sampler),
             p->schedule.stand_in ? " in its place" : "");
        break;
    }
}

/* One line per part. The first failure is the answer, but all parts are looked at. */
static enum status check_parts(struct text *t, struct model_parts *p, struct device *d,
                               const char *folder, struct why *why)
{
    enum status first = model_parts_read_index(p, folder, why);

    if (first) {
        line(t, "model_index.json: cannot run: %s\n", why->text);
        return first;
    }
    line(t, "model_index.json: %s\n", p->index.pipeline);
    for (int i = 0; i < PART_COUNT; i++) {
        enum model_part part = (enum model_part)i;
        struct why own = {{0}};
        enum status st = model_parts_open(p, part, d, folder, &own);
        double mib = st ? 0 : (double)model_parts_bytes(p, part, folder) / MIB;

        if (!model_parts_has(p, part))
            continue;
        line(t, "%s: %s", model_parts_name(part), p->index.class[i]);
        if (st)
            line(t, ": cannot run: %s", own.text);
        else
            describe(t, p, part);
        if (mib > 0)
            line(t, ", weights %.1f MiB", mib);
        line(t, "\n");
        if (st && !first) {
            first = st;
            *why = own;
        }
    }
    return first;
}

/* The whole model with its default size: limits, and what a picture needs in memory. */
static enum status check_whole(struct text *t, struct device *d, const char *folder,
                               struct why *why)
{
    const struct model_info *info;
    struct model *m;
    struct latent seat;
    enum status st = model_open(&m, d, folder, why);

    if (st)
        return st;
    info = model_info(m);
    model_latent_carve(m, &seat, info->size_default, info->size_default);
    st = model_rehearse(m, 1, info->size_default, info->size_default, why);
    if (!st)
        line(t,
             "pictures: %d x %d unless asked otherwise, %d to %d in steps of %d; "
             "%d steps, guidance %g\n"
             "memory: weights %.1f MiB, one picture %.1f MiB\n",
             info->size_default, info->size_default, info->size_min, info->size_max,
             info->size_multiple, info->steps_default, info->guidance_default,
             (double)info->weight_bytes / MIB, (double)d->arena.peak / MIB);
    model_close(&m);
    return st;
}

enum status model_check_folder(const char *folder, char *out, size_t bytes, struct why *why)
{
    struct text t = {.out = out, .bytes = bytes};
    struct model_parts parts = {0};
    struct why own = {{0}};
    struct device d;
    enum status st;

    if (!bytes)
        return why_fail(why, ST_INVALID, "no room for the report");
    out[0] = 0;
    device_init(&d);
    st = check_parts(&t, &parts, &d, folder, &own);
    model_parts_close(&parts);
    if (!st) {
        st = check_whole(&t, &d, folder, &own);
        if (st)
            line(&t, "parts: cannot run together: %s\n", own.text);
    }
    if (st && why)
        *why = own;
    return st;
}
