/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/shifts.h"

#include <assert.h>

#define ROWS_MAX (2 * SHIFTS_STEPS)

/* Rows of one step: as many as can differ. */
static int kinds_of(const struct latent *l)
{
    return (int)(l->shift.dim[0] / SHIFTS_STEPS);
}

void shifts_shape(const struct model_parts *p, struct latent *l, enum dtype dtype)
{
    int kinds = p->index.xl ? 2 : 1;

    l->shift = tensor_view(NULL, dtype, SHIFTS_STEPS * kinds, 1, 1, unet_info(p->unet).shift_width);
}

/* Both rows of l->added, again for each step. */
static struct tensor repeat_added(const struct latent *l, struct device *d, int rows)
{
    struct tensor y = tensor_carve(&d->arena, d->dtype, rows, 1, 1, l->added.dim[3]);
    struct scaled images[ROWS_MAX];

    for (int i = 0; i < rows; i++)
        images[i] = (struct scaled){tensor_slice(l->added, i % 2, 1), 1};
    d->ops.gather(d, y, images);
    return y;
}

static void read_steps(const struct model_parts *p, struct latent *l, struct device *d, int steps)
{
    size_t mark = arena_mark(&d->arena);
    int kinds = kinds_of(l), rows = kinds * steps;
    struct tensor t = tensor_carve(&d->arena, DTYPE_F32, rows, 1, 1, 1), added = {0};
    float host[ROWS_MAX];

    assert(rows <= ROWS_MAX);
    for (int i = 0; i < rows; i++)
        host[i] = l->plan.step[l->step + i / kinds].t;
    d->ops.upload(d, t, host);
    if (kinds == 2)
        added = repeat_added(l, d, rows);
    unet_read_time(p->unet, tensor_slice(l->shift, 0, rows), t, added);
    arena_rewind(&d->arena, mark);
}

void shifts_read(const struct model_parts *p, struct latent *l, struct device *d)
{
    int left = l->plan.count - l->step;

    if (l->step % SHIFTS_STEPS == 0)
        read_steps(p, l, d, left < SHIFTS_STEPS ? left : SHIFTS_STEPS);
}

struct tensor shifts_row(const struct latent *l, int row)
{
    int kinds = kinds_of(l);

    return tensor_slice(l->shift, l->step % SHIFTS_STEPS * kinds + (kinds == 2 ? row : 0), 1);
}
