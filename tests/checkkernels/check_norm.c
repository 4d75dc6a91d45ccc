/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

/* batch, height, width, channels; in 32 groups. */
static const int64_t groups_of_32[][4] = {
    {2, 64, 64, 320},   {2, 64, 64, 960},   {2, 64, 64, 640},  {2, 32, 32, 640},
    {2, 32, 32, 1920},  {2, 16, 16, 1280},  {2, 16, 16, 2560}, {2, 8, 8, 1280},
    {1, 512, 512, 128}, {1, 256, 256, 256}, {1, 64, 64, 512},  {2, 16, 16, 64},
    {2, 16, 16, 192},   {2, 8, 8, 128},     {2, 4, 4, 192},    {2, 4, 4, 384},
};

/* batch, tokens, channels */
static const int64_t layers[][3] = {{2, 4096, 320}, {2, 1024, 640}, {2, 256, 1280}, {2, 64, 1280},
                                    {2, 77, 768},   {2, 64, 128},   {2, 16, 192},   {2, 24, 256}};

/* batch, rows, columns */

/* Sums over a whole group, so it is judged as a reduction. */
void check_norm_group(struct check *c)
{
    while (check_next_case(c, COUNT(groups_of_32))) {
        int groups = (int)draw_size(c, 1, 33), listed = c->listed;
        int64_t b = draw_size(c, 1, 4), h = draw_size(c, 1, 20), w = draw_size(c, 1, 20);
        int64_t channels = groups * draw_size(c, 1, 17);
        enum act act = draw_chance(c, 50) ? ACT_SILU : draw_act(c);
        float epsilon = draw_chance(c, 50) ? 1e-5f : 1e-6f;
        struct twin *x, *y, *gamma, *beta;

        if (draw_chance(c, 20)) { /* more than a block of a GPU can hold */
            h += 40;
            w += 30;
            channels = groups * 8 > 64 ? 64 : groups * 8;
            groups = channels < 64 ? groups : 8;
        }
        if (listed >= 0) {
            const int64_t *s = groups_of_32[listed];
            groups = 32;
            b = s[0];
            h = s[1];
            w = s[2];
            channels = s[3];
            while (!c->options->full && b * h * w * channels > 4000000)
                h /= 2;
        }
        x = draw_input(c, (struct ask){.name = "x", .dim = {b, h, w, channels}, .stray = true});
        gamma = draw_shared(
            c, (struct ask){.name = "gamma", .dim = {1, 1, 1, channels}, .typed = true});
        beta =
            draw_shared(c, (struct ask){.name = "beta", .dim = {1, 1, 1, channels}, .typed = true});
        y = draw_output_or_over(c, "y", x);
        check_note(c, "groups %d, epsilon %g, %s", groups, (double)epsilon, draw_act_name(act));
        check_flops(c, 8.0 * (double)tensor_count(x->t));
        while (check_next_run(c))
            c->device->ops.norm_group(c->device, y->t, x->t, gamma->t, beta->t, groups, epsilon,
                                      act);
    }
}

void check_norm_layer(struct check *c)
{
    while (check_next_case(c, COUNT(layers))) {
        int64_t b = draw_size(c, 1, 4), tokens = draw_size(c, 1, 65), channels;
        struct twin *x, *y, *gamma, *beta;

        channels = draw_size(c, 1, 800);
        if (c->listed >= 0) {
            b = layers[c->listed][0];
            tokens = layers[c->listed][1];
            channels = layers[c->listed][2];
        }
        x = draw_input(c, (struct ask){.name = "x", .dim = {b, 1, tokens, channels}});
        gamma = draw_shared(
            c, (struct ask){.name = "gamma", .dim = {1, 1, 1, channels}, .typed = true});
        beta =
            draw_shared(c, (struct ask){.name = "beta", .dim = {1, 1, 1, channels}, .typed = true});
        y = draw_output_or_over(c, "y", x);
        check_flops(c, 8.0 * (double)tensor_count(x->t));
        while (check_next_run(c))
            c->device->ops.norm_layer(c->device, y->t, x->t, gamma->t, beta->t, 1e-5f);
    }
}
