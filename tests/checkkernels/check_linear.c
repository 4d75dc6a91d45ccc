/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

#include <math.h>

struct shape {
    int64_t batch, rows, outputs, inputs;
};

/* SD 1.5's UNet at 64x64 latents, its text encoder and autoencoder; then the starter model. */
static const struct shape linears[] = {
    {2, 4096, 320, 320},  {2, 4096, 2560, 320}, {2, 4096, 320, 1280}, {2, 1024, 640, 640},
    {2, 1024, 5120, 640}, {2, 1024, 640, 2560}, {2, 256, 1280, 1280}, {2, 256, 10240, 1280},
    {2, 256, 1280, 5120}, {2, 64, 1280, 1280},  {2, 77, 320, 768},    {2, 77, 640, 768},
    {2, 77, 1280, 768},   {2, 1, 1280, 320},    {2, 1, 1280, 1280},   {2, 1, 320, 1280},
    {2, 77, 768, 768},    {2, 77, 3072, 768},   {2, 77, 768, 3072},   {1, 4096, 512, 512},
    {2, 256, 64, 64},     {2, 64, 128, 128},    {2, 64, 1024, 128},   {2, 16, 192, 192},
    {2, 16, 1536, 192},   {2, 16, 192, 768},    {2, 24, 256, 256},    {2, 24, 1024, 256},
    {2, 24, 128, 256},    {2, 1, 256, 64},
};

/* Their feed forward layers, outputs being those of y. */
static const struct shape gated[] = {{2, 4096, 1280, 320}, {2, 1024, 2560, 640},
                                     {2, 256, 5120, 1280}, {2, 64, 5120, 1280},
                                     {2, 64, 512, 128},    {2, 16, 768, 192}};

/* Halve the rows until the judge needs a fraction of a second. */
static int64_t fit(const struct check *c, int64_t rows, int64_t work_per_row)
{
    while (!c->options->full && rows > 32 && rows * work_per_row > 400000000)
        rows /= 2;
    return rows;
}

static struct shape draw_shape(struct check *c, const struct shape *list)
{
    struct shape s = {draw_size(c, 1, 5), draw_size(c, 1, 65), draw_size(c, 1, 330),
                      draw_size(c, 1, 330)};

    if (c->listed >= 0) {
        s = list[c->listed];
        s.rows = fit(c, s.rows, s.batch * s.outputs * s.inputs);
    }
    return s;
}

/* A sum of K products: judged as a reduction. */
void check_linear(struct check *c)
{
    while (check_next_case(c, COUNT(linears))) {
        struct shape s = draw_shape(c, linears);
        struct twin *x = draw_input(c, (struct ask){.name = "x",
                                                    .dim = {s.batch, 1, s.rows, s.inputs},
                                                    .summed = true,
                                                    .strided = true});
        struct twin *w = draw_shared(c, (struct ask){.name = "w",
                                                     .dim = {1, 1, s.outputs, s.inputs},
                                                     .dtype = draw_dtype(c),
                                                     .host = true,
                                                     .scale = 1 / sqrtf((float)s.inputs)});
        struct ending end = draw_ending(c, (struct ask){.name = "y",
                                                        .dim = {s.batch, 1, s.rows, s.outputs},
                                                        .wide = true,
                                                        .strided = true});

        check_weight_is(c, w, end.bias, 1, NULL);
        check_flops(c, 2.0 * (double)(s.batch * s.rows * s.outputs * s.inputs));
        while (check_next_run(c)) {
            struct epilogue e = ending_epilogue(&end);
            c->device->ops.linear(c->device, end.y->t, x->t, check_weight(c), end.none ? NULL : &e);
        }
    }
}

/* Two such sums, one of them gating the other. */
void check_linear_geglu(struct check *c)
{
    while (check_next_case(c, COUNT(gated))) {
        struct shape s = draw_shape(c, gated);
        struct ask b = {
            .name = "bias", .dim = {1, 1, 1, 2 * s.outputs}, .dtype = draw_dtype(c), .host = true};
        struct twin *x = draw_input(c, (struct ask){.name = "x",
                                                    .dim = {s.batch, 1, s.rows, s.inputs},
                                                    .summed = true,
                                                    .strided = true});
        struct twin *w = draw_shared(c, (struct ask){.name = "w",
                                                     .dim = {1, 1, 2 * s.outputs, s.inputs},
                                                     .dtype = draw_dtype(c),
                                                     .host = true,
                                                     .scale = 1 / sqrtf((float)s.inputs)});
        struct twin *bias = draw_chance(c, 75) ? draw_shared(c, b) : draw_absent(c, "bias");
        struct twin *y =
            draw_output(c, (struct ask){.name = "y", .dim = {s.batch, 1, s.rows, s.outputs}});

        check_weight_is(c, w, bias, 1, NULL);
        check_flops(c, 4.0 * (double)(s.batch * s.rows * s.outputs * s.inputs));
        while (check_next_run(c))
            c->device->ops.linear_geglu(c->device, y->t, x->t, check_weight(c));
    }
}
