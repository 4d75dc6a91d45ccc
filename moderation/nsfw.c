/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - A number of the file is q * scale + min in double, then rounded to float: TensorFlow.js does so
 *   because JavaScript has nothing but doubles.
 * - Where the picture is halved, zeros are added below and to the right only, as TensorFlow's SAME
 *   does for even sizes.
 * - The first block has no expansion.
 * - The main model wants pixels in [-1, 1] and the second one in [0, 1]. That cannot be folded into
 *   the first convolution, because its zeros are added after it.
 */
#include "moderation/nsfw.h"

#include "models/weights.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKS = 17,
    DENSE_MAX = 4,
    CHANNELS_MAX = 1 << 14,
    NAME_BYTES = 64,
};

/* A convolution or a linear layer, with the numbers that its weight shows. */
struct layer {
    struct weight weight;
    float *numbers;
    int64_t outputs, inputs;
};

struct block {
    struct layer expand, depthwise, project;
    bool expands, adds; /* has the first; adds its input to its output */
};

struct nsfw {
    struct device *device;
    float pixel_scale, pixel_shift;
    double epsilon;
    struct layer stem, head, dense[DENSE_MAX];
    int dense_count;
    struct block block[BLOCKS];
};

/* What is passed around while a file is read: the first trouble sticks. */
struct reader {
    struct nsfw *n;
    const struct weights *file;
    enum status status;
    struct why *why;
};

static void fail(struct reader *r, enum status st, const char *format, ...) PRINTF_LIKE(3, 4);
static void fail(struct reader *r, enum status st, const char *format, ...)
{
    char text[256];
    va_list list;

    if (r->status)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    r->status = why_fail(r->why, st, "%s", text);
}

/* A number of the metadata: KEY, or NAME.KEY when a name is given. */
static double read_number(struct reader *r, const char *name, const char *key)
{
    char full[2 * NAME_BYTES], *end;
    const char *text;
    double value;

    snprintf(full, sizeof(full), "%s%s%s", name, *name ? "." : "", key);
    text = r->status ? NULL : weights_metadata(r->file, full);
    value = text ? strtod(text, &end) : 0;
    if (!text)
        fail(r, ST_INVALID, "the metadata has no %s", full);
    else if (end == text || *end || !isfinite(value))
        fail(r, ST_INVALID, "%s is \"%.40s\", not a number", full, text);
    return value;
}

/* Widen the 8-bit tensor NAME.kind, which must have this shape. */
static void read_tensor(struct reader *r, float *out, const char *name, const char *kind,
                        const int64_t dim[4])
{
    char full[NAME_BYTES + 16];
    struct tensor t = {0};
    double scale, min;
    int64_t count;

    if (r->status)
        return;
    snprintf(full, sizeof(full), "%s.%s", name, kind);
    r->status = weights_need(r->file, full, dim, &t, r->why);
    scale = read_number(r, full, "scale");
    min = read_number(r, full, "min");
    if (!r->status && t.dtype != DTYPE_U8)
        fail(r, ST_INVALID, "%s is %s, not u8", full, dtype_name(t.dtype));
    count = r->status ? 0 : tensor_count(t);
    for (int64_t i = 0; i < count; i++) {
        out[i] = (float)(((const uint8_t *)t.data)[i] * scale + min);
        if (!isfinite(out[i])) {
            fail(r, ST_INVALID, "%s holds a number that is not finite", full);
            return;
        }
    }
}

/* w and b [outputs] behind it become what the convolution and the normalisation behind it do. */
static void fold(struct reader *r, const char *name, float *w, int64_t outputs, int64_t inputs)
{
    float *beta = w + outputs * inputs, *norm = calloc((size_t)outputs * 3, sizeof(float));
    const float *gamma = norm, *mean = norm + outputs, *variance = norm + 2 * outputs;
    const int64_t dim[4] = {1, 1, 1, outputs};

    if (!norm) {
        fail(r, ST_FULL, "no memory");
        return;
    }
    read_tensor(r, norm, name, "norm.gamma", dim);
    read_tensor(r, beta, name, "norm.beta", dim);
    read_tensor(r, norm + outputs, name, "norm.mean", dim);
    read_tensor(r, norm + 2 * outputs, name, "norm.variance", dim);
    for (int64_t o = 0; o < outputs && !r->status; o++) {
        double factor = gamma[o] / sqrt(variance[o] + r->n->epsilon);

        if (!isfinite(factor))
            fail(r, ST_INVALID, "%s.norm.variance holds %g", name, (double)variance[o]);
        beta[o] = (float)(beta[o] - mean[o] * factor);
        for (int64_t i = 0; i < inputs; i++)
            w[o * inputs + i] = (float)(w[o * inputs + i] * factor);
    }
    free(norm);
}

struct shape {
    int kernel, stride;
    bool depthwise, linear;
};

static bool is_there(struct reader *r, const char *name)
{
    char full[NAME_BYTES + 16];
    struct tensor t;

    snprintf(full, sizeof(full), "%s.weight", name);
    return !r->status && weights_find(r->file, full, &t, NULL) == ST_OK;
}

/* Outputs of the layer of this name: [N, C, KH, KW], or [N, K] in the last two places. */
static int64_t outputs_of(struct reader *r, const char *name, bool linear)
{
    char full[NAME_BYTES + 16];
    struct tensor t = {0};
    int64_t outputs;

    snprintf(full, sizeof(full), "%s.weight", name);
    if (!r->status)
        r->status = weights_find(r->file, full, &t, r->why);
    outputs = t.dim[linear ? 2 : 0];
    if (!r->status && outputs > CHANNELS_MAX)
        fail(r, ST_INVALID, "%s has more than %d outputs", full, CHANNELS_MAX);
    return outputs;
}

/* The layer takes `inputs` channels; returns how many it puts out. */
static int64_t read_layer(struct reader *r, struct layer *l, int64_t inputs, struct shape shape,
                          const char *name)
{
    const int64_t own = shape.depthwise ? 1 : inputs, area = (int64_t)shape.kernel * shape.kernel;
    const int64_t outputs = shape.depthwise ? inputs : outputs_of(r, name, shape.linear);
    const bool halves = shape.kernel == 3 && shape.stride == 2;
    const int before = shape.kernel == 3 && !halves, after = shape.kernel == 3;
    char bias[NAME_BYTES + 16];
    struct tensor probe;

    if (r->status)
        return 0;
    l->outputs = outputs;
    l->inputs = inputs;
    l->numbers = calloc((size_t)(outputs * (own * area + 1)), sizeof(float));
    if (!l->numbers) {
        fail(r, ST_FULL, "no memory");
        return 0;
    }
    l->weight = (struct weight){.stride = shape.stride, .pad = {before, before, after, after}};
    l->weight.w =
        shape.linear ? tensor_view(l->numbers, DTYPE_F32, 1, 1, outputs, own)
                     : tensor_view(l->numbers, DTYPE_F32, outputs, own, shape.kernel, shape.kernel);
    l->weight.b = tensor_view(l->numbers + outputs * own * area, DTYPE_F32, 1, 1, 1, outputs);
    read_tensor(r, l->numbers, name, "weight", l->weight.w.dim);
    snprintf(bias, sizeof(bias), "%s.bias", name);
    if (!r->status && weights_find(r->file, bias, &probe, NULL) == ST_OK)
        read_tensor(r, l->weight.b.data, name, "bias", l->weight.b.dim);
    else
        fold(r, name, l->numbers, outputs, own * area);
    if (!r->status)
        r->status = r->n->device->ops.weight_pack(r->n->device, &l->weight, r->why);
    return outputs;
}

static int stride_of(int block)
{
    return block == 1 || block == 3 || block == 6 || block == 13 ? 2 : 1;
}

static int64_t read_block(struct reader *r, struct block *b, int64_t inputs, int index)
{
    const struct shape point = {.kernel = 1, .stride = 1};
    const struct shape depthwise = {.kernel = 3, .stride = stride_of(index), .depthwise = true};
    int64_t wide = inputs, outputs;
    char name[NAME_BYTES];

    b->expands = index > 0;
    if (b->expands) {
        snprintf(name, sizeof(name), "blocks.%d.expand", index);
        wide = read_layer(r, &b->expand, inputs, point, name);
    }
    snprintf(name, sizeof(name), "blocks.%d.depthwise", index);
    read_layer(r, &b->depthwise, wide, depthwise, name);
    snprintf(name, sizeof(name), "blocks.%d.project", index);
    outputs = read_layer(r, &b->project, wide, point, name);
    b->adds = index > 0 && depthwise.stride == 1 && inputs == outputs;
    return outputs;
}

static void read_all(struct reader *r)
{
    struct nsfw *n = r->n;
    int64_t channels;
    char name[NAME_BYTES] = "dense.0";

    n->pixel_scale = (float)read_number(r, "", "pixel_scale");
    n->pixel_shift = (float)read_number(r, "", "pixel_shift");
    n->epsilon = read_number(r, "", "norm_epsilon");
    channels = read_layer(r, &n->stem, 3, (struct shape){.kernel = 3, .stride = 2}, "stem");
    for (int i = 0; i < BLOCKS; i++)
        channels = read_block(r, &n->block[i], channels, i);
    channels = read_layer(r, &n->head, channels, (struct shape){.kernel = 1, .stride = 1}, "head");
    while (!r->status && n->dense_count < DENSE_MAX && is_there(r, name)) {
        channels = read_layer(r, &n->dense[n->dense_count], channels,
                              (struct shape){.kernel = 1, .stride = 1, .linear = true}, name);
        n->dense_count++;
        snprintf(name, sizeof(name), "dense.%d", n->dense_count);
    }
    if (!n->dense_count || channels != NSFW_CLASSES)
        fail(r, ST_INVALID, "the last layer does not tell %d classes apart", NSFW_CLASSES);
}

enum status nsfw_open(struct nsfw **out, struct device *d, const void *data, size_t bytes,
                      struct why *why)
{
    struct reader r = {.why = why};
    struct weights *file = NULL;
    enum status st;

    *out = calloc(1, sizeof(**out));
    if (!*out)
        return why_fail(why, ST_FULL, "no memory for a classifier");
    (*out)->device = d;
    st = weights_open_memory(&file, data, bytes, why);
    if (!st) {
        r.n = *out;
        r.file = file;
        read_all(&r);
        st = r.status;
    }
    weights_close(&file);
    if (st)
        nsfw_close(out);
    return st;
}

static void layer_close(struct nsfw *n, struct layer *l)
{
    if (l->weight.packed)
        n->device->ops.weight_free(n->device, &l->weight);
    free(l->numbers);
}

void nsfw_close(struct nsfw **n)
{
    struct nsfw *closing = *n;

    if (!closing)
        return;
    layer_close(closing, &closing->stem);
    layer_close(closing, &closing->head);
    for (int i = 0; i < DENSE_MAX; i++)
        layer_close(closing, &closing->dense[i]);
    for (int i = 0; i < BLOCKS; i++) {
        layer_close(closing, &closing->block[i].expand);
        layer_close(closing, &closing->block[i].depthwise);
        layer_close(closing, &closing->block[i].project);
    }
    free(closing);
    *n = NULL;
}

/* A picture like x, with another number of channels and perhaps half as high and wide. */
static struct tensor carve(const struct nsfw *n, struct tensor x, int64_t channels, int stride)
{
    struct device *d = n->device;

    return tensor_carve(&d->arena, d->dtype, x.dim[0], x.dim[1] / stride, x.dim[2] / stride,
                        channels);
}

/* y may be x where the block adds. */
static void run_block(const struct nsfw *n, const struct block *b, struct tensor y, struct tensor x)
{
    struct device *d = n->device;
    size_t mark = arena_mark(&d->arena);
    const struct epilogue relu6 = {.act = ACT_RELU6};
    struct tensor wide = x, deep;

    if (b->expands) {
        wide = carve(n, x, b->expand.outputs, 1);
        d->ops.conv(d, wide, x, &b->expand.weight, &relu6);
    }
    deep = carve(n, wide, b->depthwise.outputs, b->depthwise.weight.stride);
    d->ops.conv_depthwise(d, deep, wide, &b->depthwise.weight, &relu6);
    d->ops.conv(d, y, deep, &b->project.weight, b->adds ? &(struct epilogue){.add = x} : NULL);
    arena_rewind(&d->arena, mark);
}

void nsfw_forward(const struct nsfw *n, struct tensor logits, struct tensor x)
{
    const int none[4] = {0};
    struct device *d = n->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor pixels = carve(n, x, 3, 1), h = carve(n, x, n->stem.outputs, 2), y;

    assert(x.dim[1] == NSFW_SIZE && x.dim[2] == NSFW_SIZE && x.dim[3] == 3);
    d->ops.affine(d, pixels, x, n->pixel_scale, n->pixel_shift);
    d->ops.conv(d, h, pixels, &n->stem.weight, &(struct epilogue){.act = ACT_RELU6});
    for (int i = 0; i < BLOCKS; i++) {
        const struct block *b = &n->block[i];

        y = b->adds ? h
                    : carve(n, h, b->project.outputs, stride_of(i)); /* added in place: no copy */
        run_block(n, b, y, h);
        h = y;
    }
    y = carve(n, h, n->head.outputs, 1);
    d->ops.conv(d, y, h, &n->head.weight, &(struct epilogue){.act = ACT_RELU6});
    h = tensor_carve(&d->arena, d->dtype, x.dim[0], 1, 1, n->head.outputs);
    d->ops.pool(d, h, y, POOL_MEAN, 0, 1, none);
    for (int i = 0; i < n->dense_count; i++) {
        bool last = i == n->dense_count - 1;
        y = last ? logits : tensor_carve(&d->arena, d->dtype, x.dim[0], 1, 1, n->dense[i].outputs);
        d->ops.linear(d, y, h, &n->dense[i].weight,
                      last ? NULL : &(struct epilogue){.act = ACT_RELU});
        h = y;
    }
    arena_rewind(&d->arena, mark);
}
