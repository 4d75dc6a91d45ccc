/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

#include <string.h>

void check_embed_tokens(struct check *c)
{
    while (check_next_case(c, 1)) {
        bool listed = c->listed >= 0; /* SD 1.5's text encoder, with a shorter vocabulary */
        int64_t b = listed ? 2 : draw_size(c, 1, 4), tokens = listed ? 77 : draw_size(c, 1, 80);
        int64_t words = listed ? 4096 : draw_size(c, 1, 200);
        int64_t columns = listed ? 768 : draw_size(c, 1, 300);
        struct ask ask = {.name = "table", .dim = {1, 1, words, columns}, .dtype = draw_dtype(c)};
        struct twin *ids, *table, *position, *y;

        ids = draw_ids(c, (struct ask){.name = "ids", .dim = {b, 1, 1, tokens}}, (int)words);
        table = draw_shared(c, ask);
        ask.name = "position";
        ask.dim[2] = tokens + draw_below(c, 3);
        ask.dtype = draw_dtype(c);
        position = draw_shared(c, ask);
        y = draw_output(c, (struct ask){.name = "y", .dim = {b, 1, tokens, columns}});
        while (check_next_run(c))
            c->device->ops.embed_tokens(c->device, y->t, ids->t, table->t, position->t);
    }
}

/* Whole steps of training, and what samplers put between them. */
static struct twin *draw_times(struct check *c, int64_t batch)
{
    struct twin *t =
        draw_input(c, (struct ask){.name = "t", .dim = {batch, 1, 1, 1}, .typed = true});

    for (int64_t b = 0; b < batch; b++)
        *(float *)tensor_row(t->t, b) =
            draw_chance(c, 50) ? (float)draw_below(c, 1000) : (float)draw_below(c, 1000000) * 1e-3f;
    memcpy(t->pristine, t->bytes, t->size);
    return t;
}

void check_embed_time(struct check *c)
{
    while (check_next_case(c, 0)) {
        int64_t b = draw_size(c, 1, 8), half = draw_size(c, 2, 200);
        bool flip = draw_chance(c, 50);
        float freq_shift = draw_chance(c, 50) ? 0 : 1;
        struct twin *t = draw_times(c, b);
        struct twin *y = draw_output(c, (struct ask){.name = "y", .dim = {b, 1, 1, 2 * half}});

        check_note(c, "flip %d, shift %g", flip, (double)freq_shift);
        while (check_next_run(c))
            c->device->ops.embed_time(c->device, y->t, t->t, flip, freq_shift);
    }
}
