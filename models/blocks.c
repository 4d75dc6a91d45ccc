/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/blocks.h"

#include <stdio.h>

static struct conv_shape conv3(int outputs, int inputs)
{
    return (struct conv_shape){.outputs = outputs,
                               .inputs = inputs,
                               .kernel = 3,
                               .stride = 1,
                               .pad = {1, 1, 1, 1},
                               .bias = true};
}

void blocks_conv3(struct params *p, struct weight *w, int outputs, int inputs, const char *name)
{
    params_conv(p, w, conv3(outputs, inputs), "%s", name);
}

void blocks_conv3_up(struct params *p, struct weight *w, int channels, const char *name)
{
    struct conv_shape shape = conv3(channels, channels);

    shape.up = true;
    params_conv(p, w, shape, "%s", name);
}

void blocks_resnet_load(struct params *p, struct resnet *r, struct resnet_shape shape,
                        const char *name)
{
    char part[160];

    r->shape = shape;
    params_norm(p, &r->norm1, shape.inputs, "%s.norm1", name);
    snprintf(part, sizeof(part), "%s.conv1", name);
    blocks_conv3(p, &r->conv1, shape.outputs, shape.inputs, part);
    if (shape.time_width)
        params_linear(p, &r->time, shape.outputs, shape.time_width, true, "%s.time_emb_proj", name);
    params_norm(p, &r->norm2, shape.outputs, "%s.norm2", name);
    snprintf(part, sizeof(part), "%s.conv2", name);
    blocks_conv3(p, &r->conv2, shape.outputs, shape.outputs, part);
    if (shape.inputs != shape.outputs)
        params_linear(p, &r->shortcut, shape.outputs, shape.inputs, true, "%s.conv_shortcut", name);
}

static struct tensor own_columns(const struct resnet *r, struct tensor shift)
{
    return tensor_columns(shift, r->shape.shift_at, r->shape.outputs);
}

void blocks_resnet_read_time(const struct resnet *r, struct device *d, struct tensor shift,
                             struct tensor time)
{
    d->ops.linear(d, own_columns(r, shift), time, &r->time, NULL);
}

/* What is added is x itself, then y is free until the end and takes the first norm; or a linear
   layer of x, which is written to y first, so that x can be normalised in place. */
void blocks_resnet(const struct resnet *r, struct device *d, struct tensor y, struct tensor x,
                   struct tensor shift, bool spend)
{
    const struct ops *ops = &d->ops;
    size_t mark = arena_mark(&d->arena);
    bool shortcut = r->shape.inputs != r->shape.outputs;
    struct epilogue end1 = {.shift = r->shape.time_width ? own_columns(r, shift) : shift};
    struct tensor residual = shortcut ? y : x, h, n;
    int groups = r->shape.groups;
    float epsilon = r->shape.epsilon;

    if (shortcut)
        ops->linear(d, y, x, &r->shortcut, NULL);
    h = tensor_carve_like(&d->arena, y);
    n = !shortcut ? y : spend ? x : tensor_carve_like(&d->arena, x);
    ops->norm_group(d, n, x, r->norm1.gamma, r->norm1.beta, groups, epsilon, ACT_SILU);
    ops->conv(d, h, n, &r->conv1, &end1);
    ops->norm_group(d, h, h, r->norm2.gamma, r->norm2.beta, groups, epsilon, ACT_SILU);
    ops->conv(d, y, h, &r->conv2, &(struct epilogue){.add = residual});
    if (r->shape.scale != 1)
        ops->affine(d, y, y, 1 / r->shape.scale, 0);
    arena_rewind(&d->arena, mark);
}
