/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/cudnn/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX 4
#define CONTEXT    77
#define IMAGES_MAX 64

struct unet {
    int latents; /* pixels of a side */
    int levels, channels[LEVELS_MAX], heads[LEVELS_MAX];
    int attention[LEVELS_MAX]; /* 0 or 1 */
};

static const struct unet unets[] = {
    /* SD 1.5 */
    {64, 4, {320, 640, 1280, 1280}, {8, 8, 8, 8}, {1, 1, 1, 0}},
    /* SD 2.1 base and 768 */
    {64, 4, {320, 640, 1280, 1280}, {5, 10, 20, 20}, {1, 1, 1, 0}},
    {96, 4, {320, 640, 1280, 1280}, {5, 10, 20, 20}, {1, 1, 1, 0}},
    /* SDXL Turbo at 512, SDXL at 1024 */
    {64, 3, {320, 640, 1280}, {5, 10, 20}, {0, 1, 1}},
    {128, 3, {320, 640, 1280}, {5, 10, 20}, {0, 1, 1}},
};

#define LAYERS 2 /* of a block, in all of them */

static const int decoders[] = {64, 96, 128}; /* latents of a side: the KL decoder is one for all */

/* What a walk carries along. */
struct walk {
    struct shapes *shapes;
    int shift_stride; /* of a UNet: its resnets' shifts lie side by side */
    enum dtype dtype;
    int images;
};

static void add(struct walk *w, struct plan_key key)
{
    struct shapes *s = w->shapes;

    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 1024;
        s->keys = realloc(s->keys, (size_t)s->capacity * sizeof(*s->keys));
        if (!s->keys)
            abort();
    }
    s->keys[s->count++] = key;
}

enum extra { ALONE, SHIFT, ADD };

struct conv {
    int size, inputs, outputs, kernel, stride;
    enum extra extra;
};

static void conv(struct walk *w, struct conv c)
{
    int pad = c.kernel / 2;
    struct conv_key key = {
        .x_stride = c.inputs,
        .y_stride = c.outputs,
        .add_stride = c.extra == ADD ? c.outputs : 0,
        .images = w->images,
        .height = c.size,
        .width = c.size,
        .inputs = c.inputs,
        .outputs = c.outputs,
        .kernel = {c.kernel, c.kernel},
        .stride = c.stride,
        .pad = {pad, pad, pad, pad},
        .dtype = (int32_t)w->dtype,
        .bias = PLAN_BIAS_SAME,
        .shift_stride = c.extra == SHIFT ? w->shift_stride : 0,
    };

    add(w, plan_key_conv(&key));
}

static void conv3(struct walk *w, int size, int inputs, int outputs, enum extra extra)
{
    conv(w, (struct conv){size, inputs, outputs, 3, 1, extra});
}

/* As kernels/cuda/doubled.cu convolves the smaller picture. */
static void conv_up(struct walk *w, int size, int width)
{
    conv(w, (struct conv){size, width, 4 * width, 2, 1, ALONE});
}

/* The first convolution is there twice: with the time embedding in its epilogue, and without, for
   who adds that elsewhere. */
static void resnet(struct walk *w, int size, int inputs, int outputs, bool time)
{
    conv3(w, size, inputs, outputs, ALONE);
    if (time)
        conv3(w, size, inputs, outputs, SHIFT);
    conv3(w, size, outputs, outputs, ADD);
}

/* Dense, and with q, k and v (or k and v alone) beside each other in the rows of one product. */
static void attention(struct walk *w, int queries, int keys, int heads, int width)
{
    int64_t row = (int64_t)heads * width;
    bool is_self = queries == keys;
    struct attention_key key = {
        .q_stride = row,
        .k_stride = row,
        .v_stride = row,
        .y_stride = row,
        .images = w->images,
        .heads = heads,
        .queries = queries,
        .keys = keys,
        .width = width,
        .dtype = (int32_t)w->dtype,
    };

    add(w, plan_key_attention(&key));
    key.q_stride = is_self ? 3 * row : row;
    key.k_stride = key.v_stride = is_self ? 3 * row : 2 * row;
    add(w, plan_key_attention(&key));
}

static void transformer(struct walk *w, const struct unet *u, int level)
{
    int tokens = (u->latents >> level) * (u->latents >> level);
    int width = u->channels[level] / u->heads[level];

    attention(w, tokens, tokens, u->heads[level], width);
    attention(w, tokens, CONTEXT, u->heads[level], width);
}

static void walk_down(struct walk *w, const struct unet *u)
{
    conv3(w, u->latents, 4, u->channels[0], ALONE);
    for (int i = 0; i < u->levels; i++) {
        int size = u->latents >> i, width = u->channels[i];

        for (int j = 0; j < LAYERS; j++)
            resnet(w, size, j || !i ? width : u->channels[i - 1], width, true);
        if (u->attention[i])
            transformer(w, u, i);
        if (i < u->levels - 1)
            conv(w, (struct conv){size, width, width, 3, 2, ALONE});
    }
}

static void walk_up(struct walk *w, const struct unet *u)
{
    int last = u->levels - 1;

    resnet(w, u->latents >> last, u->channels[last], u->channels[last], true);
    transformer(w, u, last);
    for (int i = last; i >= 0; i--) {
        int size = u->latents >> i, width = u->channels[i];
        int below = i < last ? u->channels[i + 1] : width;

        for (int j = 0; j <= LAYERS; j++) {
            int skip = j == LAYERS && i ? u->channels[i - 1] : width;
            resnet(w, size, (j ? width : below) + skip, width, true);
        }
        if (i)
            conv_up(w, size, width);
    }
    conv3(w, u->latents, u->channels[0], 4, ALONE);
}

static void walk_decoder(struct walk *w, int latents)
{
    static const int channels[] = {512, 512, 256, 128}; /* coarsest first */

    conv(w, (struct conv){latents, 4, 4, 1, 1, ALONE});
    conv3(w, latents, 4, channels[0], ALONE);
    attention(w, latents * latents, latents * latents, 1, channels[0]);
    for (int i = 0; i < 4; i++) {
        int size = latents << i;

        for (int j = 0; j <= LAYERS; j++)
            resnet(w, size, j || !i ? channels[i] : channels[i - 1], channels[i], false);
        if (i < 3)
            conv_up(w, size, channels[i]);
    }
    conv3(w, 8 * latents, channels[3], 3, ALONE);
}

/* The outputs of all resnets: down, up, and two in the middle. */
static int shift_width(const struct unet *u)
{
    int width = 2 * u->channels[u->levels - 1];

    for (int i = 0; i < u->levels; i++)
        width += (2 * LAYERS + 1) * u->channels[i];
    return width;
}

static void walk_all(struct walk *w)
{
    for (size_t i = 0; i < sizeof(unets) / sizeof(unets[0]); i++) {
        w->shift_stride = shift_width(&unets[i]);
        walk_down(w, &unets[i]);
        walk_up(w, &unets[i]);
    }
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
        if (w->images < IMAGES_MAX) /* two rows of a UNet are one picture */
            walk_decoder(w, decoders[i]);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct plan_key));
}

void shapes_all(struct shapes *s, bool all)
{
    int kept = 0;

    *s = (struct shapes){0};
    for (int images = 1; images <= IMAGES_MAX; images *= 2) {
        walk_all(&(struct walk){.shapes = s, .dtype = DTYPE_BF16, .images = images});
        if (all || images == 1)
            walk_all(&(struct walk){.shapes = s, .dtype = DTYPE_F16, .images = images});
    }
    qsort(s->keys, (size_t)s->count, sizeof(*s->keys), by_bytes);
    for (int i = 0; i < s->count; i++)
        if (!kept || memcmp(&s->keys[kept - 1], &s->keys[i], sizeof(*s->keys)))
            s->keys[kept++] = s->keys[i];
    s->count = kept;
}
