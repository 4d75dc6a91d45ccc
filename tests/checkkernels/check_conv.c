/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

#include <math.h>
#include <string.h>

struct shape {
    int64_t batch, height, width, inputs, outputs, kernel;
    int stride;
    int pad[4];
};

/* SD 1.5's UNet at 64x64 latents and its autoencoder at 512x512; the starter model; the first
   layers of classifiers. */
static const struct shape convs[] = {
    {2, 64, 64, 4, 320, 3, 1, {1, 1, 1, 1}},     {2, 64, 64, 320, 320, 3, 1, {1, 1, 1, 1}},
    {2, 64, 64, 960, 320, 3, 1, {1, 1, 1, 1}},   {2, 64, 64, 640, 320, 3, 1, {1, 1, 1, 1}},
    {2, 64, 64, 320, 4, 3, 1, {1, 1, 1, 1}},     {2, 64, 64, 320, 320, 3, 2, {1, 1, 1, 1}},
    {2, 32, 32, 320, 640, 3, 1, {1, 1, 1, 1}},   {2, 32, 32, 640, 640, 3, 1, {1, 1, 1, 1}},
    {2, 32, 32, 1920, 640, 3, 1, {1, 1, 1, 1}},  {2, 32, 32, 640, 640, 3, 2, {1, 1, 1, 1}},
    {2, 16, 16, 640, 1280, 3, 1, {1, 1, 1, 1}},  {2, 16, 16, 1280, 1280, 3, 1, {1, 1, 1, 1}},
    {2, 16, 16, 2560, 1280, 3, 1, {1, 1, 1, 1}}, {2, 16, 16, 1280, 1280, 3, 2, {1, 1, 1, 1}},
    {2, 8, 8, 1280, 1280, 3, 1, {1, 1, 1, 1}},   {2, 8, 8, 2560, 1280, 3, 1, {1, 1, 1, 1}},
    {2, 64, 64, 960, 320, 1, 1, {0, 0, 0, 0}},   {2, 64, 64, 320, 320, 1, 1, {0, 0, 0, 0}},
    {2, 8, 8, 2560, 1280, 1, 1, {0, 0, 0, 0}},   {1, 64, 64, 4, 4, 1, 1, {0, 0, 0, 0}},
    {1, 64, 64, 512, 512, 3, 1, {1, 1, 1, 1}},   {1, 256, 256, 512, 256, 3, 1, {1, 1, 1, 1}},
    {1, 256, 256, 256, 256, 3, 1, {1, 1, 1, 1}}, {1, 512, 512, 256, 128, 3, 1, {1, 1, 1, 1}},
    {1, 512, 512, 128, 128, 3, 1, {1, 1, 1, 1}}, {1, 512, 512, 128, 3, 3, 1, {1, 1, 1, 1}},
    {1, 512, 512, 3, 128, 3, 1, {1, 1, 1, 1}},   {1, 512, 512, 128, 128, 3, 2, {0, 0, 1, 1}},
    {1, 256, 256, 128, 256, 1, 1, {0, 0, 0, 0}}, {2, 16, 16, 4, 64, 3, 1, {1, 1, 1, 1}},
    {2, 16, 16, 64, 64, 3, 1, {1, 1, 1, 1}},     {2, 16, 16, 192, 64, 3, 1, {1, 1, 1, 1}},
    {2, 8, 8, 128, 128, 3, 1, {1, 1, 1, 1}},     {2, 4, 4, 192, 192, 3, 1, {1, 1, 1, 1}},
    {2, 4, 4, 384, 192, 3, 1, {1, 1, 1, 1}},     {2, 8, 8, 128, 128, 3, 2, {1, 1, 1, 1}},
    {1, 128, 128, 48, 48, 3, 1, {1, 1, 1, 1}},   {1, 64, 64, 48, 48, 3, 1, {1, 1, 1, 1}},
    {1, 128, 128, 48, 3, 3, 1, {1, 1, 1, 1}},    {1, 224, 224, 3, 32, 3, 2, {0, 0, 1, 1}},
};

/* Sizes before doubling. The UNet's, the autoencoder's, the starter model's. */
static const struct shape ups[] = {
    {2, 8, 8, 1280, 1280, 3, 1, {1, 1, 1, 1}},   {2, 16, 16, 1280, 1280, 3, 1, {1, 1, 1, 1}},
    {2, 32, 32, 640, 640, 3, 1, {1, 1, 1, 1}},   {1, 64, 64, 512, 512, 3, 1, {1, 1, 1, 1}},
    {1, 256, 256, 256, 256, 3, 1, {1, 1, 1, 1}}, {1, 64, 64, 48, 48, 3, 1, {1, 1, 1, 1}},
};

static const struct shape depthwises[] = {
    {1, 112, 112, 32, 32, 3, 1, {1, 1, 1, 1}}, {1, 112, 112, 96, 96, 3, 2, {0, 0, 1, 1}},
    {1, 28, 28, 192, 192, 3, 1, {1, 1, 1, 1}}, {1, 14, 14, 576, 576, 3, 1, {1, 1, 1, 1}},
    {1, 7, 7, 960, 960, 3, 1, {1, 1, 1, 1}},   {1, 14, 14, 672, 672, 5, 1, {2, 2, 2, 2}},
};

/* Halve the picture until the judge needs a fraction of a second. */
static void fit(const struct check *c, struct shape *s)
{
    int64_t per_pixel = s->batch * s->inputs * s->outputs * s->kernel * s->kernel;

    while (!c->options->full && s->height > 8 && s->height * s->width * per_pixel > 400000000) {
        s->height /= 2;
        s->width /= 2;
    }
}

static struct shape draw_shape(struct check *c, int64_t channels)
{
    static const int64_t kernels[] = {1, 3, 3, 3, 2, 4, 5, 7};
    struct shape s = {
        .batch = draw_size(c, 1, 4),
        .height = draw_size(c, 1, 20),
        .width = draw_size(c, 1, 20),
        .inputs = draw_size(c, 1, channels),
        .outputs = draw_size(c, 1, channels),
        .kernel = kernels[draw_below(c, COUNT(kernels))],
        .stride = 1 + draw_chance(c, 30),
    };
    int half;

    if (draw_chance(c, 40)) { /* the shape of most layers, and of Winograd */
        s.kernel = 3;
        s.stride = 1;
        s.inputs = (s.inputs + 15) & ~(int64_t)15;
    }
    half = (int)s.kernel / 2;
    for (int i = 0; i < 4; i++)
        s.pad[i] = draw_chance(c, 60) ? half : draw_below(c, (int)s.kernel);
    if (s.height + s.pad[0] + s.pad[2] < s.kernel)
        s.height = s.kernel;
    if (s.width + s.pad[1] + s.pad[3] < s.kernel)
        s.width = s.kernel;
    return s;
}

static struct ending draw_result(struct check *c, const struct shape *s, int64_t outputs, bool wide)
{
    int64_t height = (s->height + s->pad[0] + s->pad[2] - s->kernel) / s->stride + 1;
    int64_t width = (s->width + s->pad[1] + s->pad[3] - s->kernel) / s->stride + 1;

    return draw_ending(
        c, (struct ask){.name = "y", .dim = {s->batch, height, width, outputs}, .wide = wide});
}

/* A sum over the window and the channels: judged as a reduction. */
void check_conv(struct check *c)
{
    while (check_next_case(c, COUNT(convs))) {
        struct shape s = c->listed < 0 ? draw_shape(c, 100) : convs[c->listed];
        struct twin *x, *w;
        struct ending end;

        fit(c, &s);
        x = draw_input(c, (struct ask){.name = "x",
                                       .dim = {s.batch, s.height, s.width, s.inputs},
                                       .summed = true});
        w = draw_shared(c,
                        (struct ask){.name = "w",
                                     .dim = {s.outputs, s.inputs, s.kernel, s.kernel},
                                     .dtype = draw_dtype(c),
                                     .host = true,
                                     .scale = 1 / sqrtf((float)(s.inputs * s.kernel * s.kernel))});
        end = draw_result(c, &s, s.outputs, true);
        check_weight_is(c, w, end.bias, s.stride, s.pad);
        check_flops(c, 2.0 * (double)(tensor_count(end.y->t) * s.inputs * s.kernel * s.kernel));
        while (check_next_run(c)) {
            struct epilogue e = ending_epilogue(&end);
            c->device->ops.conv(c->device, end.y->t, x->t, check_weight(c), end.none ? NULL : &e);
        }
    }
}

/* As the models have it, which is what fillings make more of. */
static void draw_common(struct check *c, struct shape *s)
{
    s->kernel = 3;
    s->inputs = 8 * draw_size(c, 1, 12);
    s->outputs = 8 * draw_size(c, 1, 12);
    for (int i = 0; i < 4; i++)
        s->pad[i] = 1;
}

/* y is what a picture of twice the size makes, or one that lacks its last line or column. */
static struct ending draw_doubled(struct check *c, const struct shape *s)
{
    struct shape big = *s;

    big.height = 2 * s->height - (c->listed < 0 && draw_chance(c, 30));
    big.width = 2 * s->width - (c->listed < 0 && draw_chance(c, 30));
    return draw_result(c, &big, s->outputs, true);
}

void check_conv_up(struct check *c)
{
    while (check_next_case(c, COUNT(ups))) {
        struct shape s = c->listed < 0 ? draw_shape(c, 100) : ups[c->listed];
        struct twin *x, *w;
        struct ending end;

        s.stride = 1;
        if (c->listed < 0 && draw_chance(c, 50))
            draw_common(c, &s);
        fit(c, &s);
        x = draw_input(c, (struct ask){.name = "x",
                                       .dim = {s.batch, s.height, s.width, s.inputs},
                                       .summed = true});
        w = draw_shared(c,
                        (struct ask){.name = "w",
                                     .dim = {s.outputs, s.inputs, s.kernel, s.kernel},
                                     .dtype = draw_dtype(c),
                                     .host = true,
                                     .scale = 1 / sqrtf((float)(s.inputs * s.kernel * s.kernel))});
        end = draw_doubled(c, &s);
        check_weight_is(c, w, end.bias, 1, s.pad);
        check_weight_is_up(c);
        check_flops(c, 2.0 * (double)(tensor_count(end.y->t) * s.inputs * s.kernel * s.kernel));
        while (check_next_run(c)) {
            struct epilogue e = ending_epilogue(&end);
            c->device->ops.conv_up(c->device, end.y->t, x->t, check_weight(c),
                                   end.none ? NULL : &e);
        }
    }
}

void check_conv_depthwise(struct check *c)
{
    while (check_next_case(c, COUNT(depthwises))) {
        struct shape s = c->listed < 0 ? draw_shape(c, 200) : depthwises[c->listed];
        struct twin *x, *w;
        struct ending end;

        x = draw_input(c, (struct ask){.name = "x",
                                       .dim = {s.batch, s.height, s.width, s.inputs},
                                       .summed = true});
        w = draw_shared(c, (struct ask){.name = "w",
                                        .dim = {s.inputs, 1, s.kernel, s.kernel},
                                        .dtype = draw_dtype(c),
                                        .host = true,
                                        .scale = 1 / (float)s.kernel});
        end = draw_result(c, &s, s.inputs, false);
        check_weight_is(c, w, end.bias, s.stride, s.pad);
        check_flops(c, 2.0 * (double)(tensor_count(end.y->t) * s.kernel * s.kernel));
        while (check_next_run(c)) {
            struct epilogue e = ending_epilogue(&end);
            c->device->ops.conv_depthwise(c->device, end.y->t, x->t, check_weight(c),
                                          end.none ? NULL : &e);
        }
    }
}
