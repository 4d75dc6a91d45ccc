/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

#include <math.h>

struct shape {
    int64_t batch, queries, keys;
    int heads;
    int64_t dim; /* of one head */
    bool causal;
};

/* SD 1.5: the UNet's own and cross attention, the text encoder, the autoencoder's single head; then
   the starter model. */
static const struct shape shapes[] = {
    {2, 4096, 4096, 8, 40, false}, {2, 1024, 1024, 8, 80, false}, {2, 256, 256, 8, 160, false},
    {2, 64, 64, 8, 160, false},    {2, 4096, 77, 8, 40, false},   {2, 1024, 77, 8, 80, false},
    {2, 256, 77, 8, 160, false},   {2, 77, 77, 12, 64, true},     {1, 4096, 4096, 1, 512, false},
    {2, 64, 64, 4, 32, false},     {2, 16, 16, 6, 32, false},     {2, 64, 24, 4, 32, false},
    {2, 24, 24, 4, 64, true},
};

/* Fewer queries, and keys where they are many, until the judge needs a fraction of a second. */
static struct shape listed(const struct check *c)
{
    struct shape s = shapes[c->listed];
    int64_t width = s.batch * s.heads * s.dim;

    while (!c->options->full && s.queries * s.keys * width > 150000000) {
        s.queries /= 2;
        if (s.keys > 1024)
            s.keys /= 2;
    }
    return s;
}

static struct shape draw_shape(struct check *c)
{
    static const int64_t dims[] = {1, 8, 16, 32, 40, 40, 64, 64, 80, 96, 128, 160};
    struct shape s = {.batch = draw_size(c, 1, 4),
                      .queries = draw_size(c, 1, 130),
                      .keys = draw_size(c, 1, 130),
                      .heads = (int)draw_size(c, 1, 8),
                      .dim = dims[draw_below(c, COUNT(dims))],
                      .causal = draw_chance(c, 33)};

    if (draw_chance(c, 25))
        s.dim = draw_size(c, 1, 70);
    if (draw_chance(c, 10)) { /* longer than any tile */
        s.keys = draw_size(c, 300, 1100);
        s.heads = 2;
    }
    return s;
}

/* Two reductions with an exponential between them. Scores stay moderate: an error of one unit in
   the last place of a score of a million is no longer a small one in its weight. Values are of any
   kind. */
void check_attention(struct check *c)
{
    while (check_next_case(c, COUNT(shapes))) {
        struct shape s = c->listed < 0 ? draw_shape(c) : listed(c);
        int64_t columns = s.heads * s.dim;
        float sharp = draw_chance(c, 25) ? 4 : 1; /* nearly all weight on one key */
        float scale = 1 / sqrtf((float)s.dim);
        struct ask ask = {.name = "q",
                          .dim = {s.batch, 1, s.queries, columns},
                          .scale = sharp,
                          .strided = true,
                          .plain = true};
        struct twin *q = draw_input(c, ask), *k, *v, *y;

        ask.name = "k";
        ask.dim[2] = s.keys;
        ask.scale = 1;
        k = draw_input(c, ask);
        ask.name = "v";
        ask.plain = false;
        v = draw_input(c, ask);
        y = draw_output(
            c, (struct ask){.name = "y", .dim = {s.batch, 1, s.queries, columns}, .strided = true});
        check_note(c, "heads %d%s%s", s.heads, s.causal ? ", causal" : "",
                   sharp > 1 ? ", sharp" : "");
        check_flops(c, 4.0 * (double)(s.batch * s.queries * s.keys * columns));
        while (check_next_run(c))
            c->device->ops.attention(c->device, y->t, q->t, k->t, v->t, s.heads, scale, s.causal);
    }
}
