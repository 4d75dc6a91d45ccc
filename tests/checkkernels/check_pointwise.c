/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding ops: each number of y comes from one number, or one of each input. */
#include "tests/checkkernels/draw.h"

#include <string.h>

/* Pictures and tokens as the models have them, [B, H, W, C]. */
static const int64_t shapes[][4] = {{2, 64, 64, 320}, {2, 8, 8, 1280}, {1, 128, 128, 48},
                                    {2, 1, 77, 3072}, {1, 64, 64, 4},  {2, 1, 1, 1280}};

static const int64_t latents[][4] = {{1, 64, 64, 4}, {32, 64, 64, 4}, {8, 128, 128, 4}};

/* rows are tokens; channels are those of y */
static const int64_t gates[][3] = {
    {2, 4096, 1280}, {2, 1024, 2560}, {2, 256, 5120}, {2, 64, 512}, {2, 16, 768}};

/* batch, height, width, channels of x1 and x2 */
static const int64_t skips[][5] = {{2, 64, 64, 320, 320},
                                   {2, 64, 64, 640, 320},
                                   {2, 32, 32, 1280, 640},
                                   {2, 8, 8, 1280, 1280},
                                   {2, 16, 16, 128, 64}};

static struct ask draw_shape(struct check *c, const char *name)
{
    struct ask ask = {.name = name,
                      .dim = {draw_size(c, 1, 5), draw_size(c, 1, 17), draw_size(c, 1, 17),
                              draw_size(c, 1, 300)}};

    if (c->listed >= 0)
        memcpy(ask.dim, shapes[c->listed], sizeof(ask.dim));
    return ask;
}

static struct ask named(struct ask ask, const char *name)
{
    ask.name = name;
    return ask;
}

/* An input that may be of any float type, on any device. */
static struct ask draw_any(struct check *c, struct ask ask)
{
    if (draw_chance(c, 25)) {
        ask.typed = true;
        ask.dtype = draw_any_dtype(c);
    }
    return ask;
}

void check_activate(struct check *c)
{
    while (check_next_case(c, COUNT(shapes))) {
        struct ask ask = draw_shape(c, "x");
        enum act act = c->listed < 0 ? draw_act(c) : c->listed % 2 ? ACT_GELU_QUICK : ACT_SILU;
        struct twin *x, *y;

        ask.scale = draw_chance(c, 50) ? 1 : 8; /* far out, where the curves are flat */
        x = draw_input(c, ask);
        y = draw_output_or_over(c, "y", x);
        check_note(c, "%s", draw_act_name(act));
        while (check_next_run(c))
            c->device->ops.activate(c->device, y->t, x->t, act);
    }
}

void check_geglu(struct check *c)
{
    while (check_next_case(c, COUNT(gates))) {
        int64_t b = draw_size(c, 1, 5), rows = draw_size(c, 1, 65), cols = draw_size(c, 1, 400);
        struct twin *x, *y;

        if (c->listed >= 0) {
            b = gates[c->listed][0];
            rows = gates[c->listed][1];
            cols = gates[c->listed][2];
        }
        x = draw_input(c, (struct ask){.name = "x", .dim = {b, 1, rows, 2 * cols}, .summed = true});
        y = draw_output(c, (struct ask){.name = "y", .dim = {b, 1, rows, cols}});
        while (check_next_run(c))
            c->device->ops.geglu(c->device, y->t, x->t);
    }
}

void check_add(struct check *c)
{
    while (check_next_case(c, COUNT(shapes))) {
        struct ask ask = draw_shape(c, "x");
        struct twin *x = draw_input(c, ask), *z, *y;

        ask.name = "z";
        z = draw_input(c, ask);
        y = draw_output_or_over(c, "y", draw_chance(c, 50) ? x : z);
        while (check_next_run(c))
            c->device->ops.add(c->device, y->t, x->t, z->t);
    }
}

void check_affine(struct check *c)
{
    while (check_next_case(c, COUNT(shapes))) {
        struct twin *x = draw_input(c, draw_any(c, draw_shape(c, "x")));
        struct twin *y = draw_wide_or_over(c, "y", x);
        float scale = (float)draw_normal(c), shift = (float)draw_normal(c);

        check_note(c, "scale %g, shift %g", (double)scale, (double)shift);
        while (check_next_run(c))
            c->device->ops.affine(c->device, y->t, x->t, scale, shift);
    }
}

/* The factors of one picture; some of them 0. */
static void draw_factors(struct check *c, struct advance *a)
{
    float *const lists[] = {a->guide, a->estimate, a->next};
    const int counts[] = {2, 2, 4};

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < counts[i]; j++)
            lists[i][j] = draw_chance(c, 80) ? (float)draw_normal(c) : 0;
}

/* The tensors of a picture, of those that are shown now. */
static struct tensor one_of(const struct twin *twin, int picture)
{
    return twin->t.data ? tensor_slice(twin->t, picture, 1) : (struct tensor){0};
}

/* What the rows of a step are gathered from: latents, shifts and prompts of SD 1.5. */
static const int64_t steps[][4] = {{32, 64, 64, 4}, {64, 1, 1, 20160}, {2, 1, 77, 24960}};

/* Images from two tensors, now of the one and now of the other. */
void check_gather(struct check *c)
{
    while (check_next_case(c, COUNT(steps))) {
        enum { IMAGES_MAX = 140 };
        struct ask ask = draw_any(c, draw_shape(c, "x"));
        struct scaled drawn[IMAGES_MAX] = {0}, now[IMAGES_MAX];
        struct twin *x[2], *y;
        bool second[IMAGES_MAX];

        if (c->listed >= 0) {
            memcpy(ask.dim, steps[c->listed], sizeof(ask.dim));
        } else if (draw_chance(c, 10)) {
            ask.dim[0] = draw_size(c, 1, IMAGES_MAX);
            ask.dim[1] = 1;
        }
        x[0] = draw_input(c, ask);
        ask.typed = true;
        ask.dtype = x[0]->t.dtype;
        x[1] = draw_input(c, named(ask, "other x"));
        y = draw_output(c, (struct ask){.name = "y",
                                        .dim = {ask.dim[0], ask.dim[1], ask.dim[2], ask.dim[3]},
                                        .wide = true});
        for (int64_t i = 0; i < ask.dim[0]; i++) {
            second[i] = draw_chance(c, 50);
            drawn[i].scale = draw_chance(c, 50) ? 1 : (float)draw_normal(c);
        }
        while (check_next_run(c)) {
            for (int i = 0; i < (int)y->t.dim[0]; i++) {
                now[i] = drawn[c->image + i];
                now[i].x = one_of(x[second[c->image + i]], i);
            }
            c->device->ops.gather(c->device, y->t, now);
        }
    }
}

void check_advance(struct check *c)
{
    while (check_next_case(c, COUNT(latents))) {
        enum { PICTURES_MAX = 40 };
        struct ask ask = {.name = "x",
                          .dtype = DTYPE_F32,
                          .typed = true,
                          .dim = {draw_size(c, 1, draw_chance(c, 10) ? PICTURES_MAX : 5),
                                  draw_size(c, 1, 17), draw_size(c, 1, 17), draw_size(c, 1, 40)}};
        struct twin *x, *previous, *output, *row[2], *noise, *moved[2];
        struct advance drawn[PICTURES_MAX] = {0}, now[PICTURES_MAX];

        if (c->listed >= 0)
            memcpy(ask.dim, latents[c->listed], sizeof(ask.dim));
        x = draw_input(c, ask);
        previous = draw_input(c, named(ask, "previous"));
        row[0] = draw_chance(c, 75) ? draw_input(c, named(ask, "row 0")) : draw_absent(c, "row 0");
        row[1] = draw_input(c, named(ask, "row 1"));
        noise = draw_input(c, named(ask, "noise"));
        output = draw_output(c, named(ask, "output"));
        moved[0] = draw_over(c, "next x", x);
        moved[1] = draw_over(c, "next previous", previous);
        for (int64_t i = 0; i < ask.dim[0]; i++)
            draw_factors(c, &drawn[i]);
        while (check_next_run(c)) {
            int count = (int)output->t.dim[0];

            for (int i = 0; i < count; i++) {
                now[i] = drawn[c->image + i];
                now[i].x = one_of(moved[0], i);
                now[i].previous = one_of(moved[1], i);
                now[i].output = one_of(output, i);
                now[i].rows[0] = one_of(row[0], i);
                now[i].rows[1] = one_of(row[1], i);
                now[i].noise = one_of(noise, i);
            }
            c->device->ops.advance(c->device, now, count);
        }
    }
}

void check_convert(struct check *c)
{
    while (check_next_case(c, COUNT(shapes))) {
        struct ask ask = draw_shape(c, "x");
        struct twin *x, *y;

        ask.strided = ask.typed = true;
        ask.dtype = draw_any_dtype(c);
        x = draw_input(c, ask);
        ask.name = "y";
        ask.dtype = draw_any_dtype(c);
        y = draw_output(c, ask);
        while (check_next_run(c))
            c->device->ops.convert(c->device, y->t, x->t);
    }
}

void check_concat(struct check *c)
{
    while (check_next_case(c, COUNT(skips))) {
        int64_t drawn[5] = {draw_size(c, 1, 5), draw_size(c, 1, 17), draw_size(c, 1, 17),
                            draw_size(c, 1, 130), draw_size(c, 1, 130)};
        const int64_t *s = c->listed < 0 ? drawn : skips[c->listed];
        struct ask ask = {.name = "x1", .dim = {s[0], s[1], s[2], s[3]}};
        struct twin *x1 = draw_input(c, ask), *x2, *y;

        ask.name = "x2";
        ask.dim[3] = s[4];
        x2 = draw_input(c, ask);
        ask.name = "y";
        ask.dim[3] = s[3] + s[4];
        y = draw_output(c, ask);
        while (check_next_run(c))
            c->device->ops.concat(c->device, y->t, x1->t, x2->t);
    }
}

/* images, lines, columns: the edges of tiles of 512 x 512 and 1024 x 1024 pixels */
static const int64_t edges[][3] = {{1, 128, 512}, {1, 512, 128}, {1, 256, 1024}, {1, 1024, 256}};

void check_blend(struct check *c)
{
    while (check_next_case(c, COUNT(edges))) {
        int64_t drawn[3] = {draw_size(c, 1, 5), draw_size(c, 1, 65), draw_size(c, 1, 65)};
        const int64_t *s = c->listed < 0 ? drawn : edges[c->listed];
        enum fade fade = s[1] < s[2] ? FADE_DOWN : FADE_ACROSS;
        struct ask ask = {.name = "x",
                          .dim = {s[0], s[1], 1, 3 * s[2]},
                          .dtype = DTYPE_F32,
                          .typed = true,
                          .strided = true};
        struct twin *x = draw_input(c, ask), *y, *z;

        ask.name = "z";
        z = draw_input(c, ask);
        ask.name = "y";
        y = draw_chance(c, 50) ? draw_over(c, "y", z) : draw_output(c, ask);
        check_note(c, "%s", fade == FADE_DOWN ? "down" : "across");
        while (check_next_run(c))
            c->device->ops.blend(c->device, y->t, x->t, z->t, fade);
    }
}
