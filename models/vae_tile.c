/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding in tiles.
 *
 * Tiles begin every three quarters of their size, and where two overlap, the earlier fades into the
 * later. Each is blended with the tile above, then with the tile to the left, both as they came out
 * of their own blending: the order that diffusers has. So what is kept of a tile, besides its part
 * of the picture, are its last lines, until the tile below has come, and its last columns, until
 * the next one has.
 *
 * Details that have caused bugs
 * - The last tiles of a row or column are cut off where the picture ends, and may be smaller than
 *   the overlap; then the tile before them ends there too, and both fade over what is left.
 * - The corner where four tiles meet is blended twice: the lines kept for the tile below have been
 *   blended with the tile to the left.
 */
#include "models/parts/vae_parts.h"

#include <assert.h>

struct tiling {
    const struct vae *vae;
    struct tensor y, z;
    int64_t side, step;     /* latents along a tile, and from one to the next */
    struct tensor above;    /* last lines of the tiles above, one beside the other */
    struct tensor previous; /* last columns of the tile before */
};

/* A part of a picture, in the picture's own unit. */
struct part {
    int64_t top, left, height, width;
};

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* That part of a picture [1, H, W, C], as lines [1, height, 1, width * C]. */
static struct tensor lines_of(struct tensor picture, struct part p)
{
    int64_t channels = picture.dim[3];
    struct tensor t =
        tensor_reshape(picture, picture.dim[1], 1, 1, picture.dim[2] * picture.dim[3]);

    t = tensor_columns(tensor_slice(t, p.top, p.height), p.left * channels, p.width * channels);
    t.dim[0] = 1;
    t.dim[1] = p.height;
    return t;
}

static void copy(struct device *d, struct tensor to, struct part to_part, struct tensor from,
                 struct part from_part)
{
    d->ops.convert(d, lines_of(to, to_part), lines_of(from, from_part));
}

/* Where the tile whose first latent is `at` of `count` ends. */
static int64_t extent(const struct tiling *t, int64_t at, int64_t count)
{
    return at_most(t->side, count - at);
}

/* The tile's first lines, and then its first columns, out of those before. */
static void blend(const struct tiling *t, struct tensor pixels, struct part p)
{
    struct device *d = t->vae->device;
    int64_t scale = pixels.dim[1] / p.height, fade = scale * (t->side - t->step);
    struct part first = {0, 0, at_most(fade, pixels.dim[1]), pixels.dim[2]}, kept = first;
    struct tensor lines = lines_of(pixels, first);

    kept.left = p.left / t->step * scale * t->side;
    if (p.top)
        d->ops.blend(d, lines, lines_of(t->above, kept), lines, FADE_DOWN);
    first = (struct part){0, 0, pixels.dim[1], at_most(fade, pixels.dim[2])};
    lines = lines_of(pixels, first);
    if (p.left)
        d->ops.blend(d, lines, lines_of(t->previous, first), lines, FADE_ACROSS);
}

/* What the tiles below and to the right will ask for, and the picture's own part. */
static void keep(const struct tiling *t, struct tensor pixels, struct part p)
{
    struct device *d = t->vae->device;
    int64_t scale = pixels.dim[1] / p.height, step = scale * t->step;
    int64_t height = pixels.dim[1], width = pixels.dim[2];
    struct part own = {0, 0, at_most(step, height), at_most(step, width)}, from, to;

    if (p.top + t->step < t->z.dim[1]) {
        from = to = (struct part){step, 0, height - step, width};
        to.top = 0;
        to.left = p.left / t->step * scale * t->side;
        copy(d, t->above, to, pixels, from);
    }
    if (p.left + t->step < t->z.dim[2]) {
        from = to = (struct part){0, step, height, width - step};
        to.left = 0;
        copy(d, t->previous, to, pixels, from);
    }
    to = own;
    to.top = scale * p.top;
    to.left = scale * p.left;
    copy(d, t->y, to, pixels, own);
}

static void decode_tile(const struct tiling *t, struct part p)
{
    struct device *d = t->vae->device;
    size_t mark = arena_mark(&d->arena);
    int64_t scale = t->y.dim[1] / t->z.dim[1], channels = t->z.dim[3];
    struct tensor latents = tensor_carve(&d->arena, t->z.dtype, 1, p.height, p.width, channels);
    struct tensor pixels =
        tensor_carve(&d->arena, DTYPE_F32, 1, scale * p.height, scale * p.width, 3);

    copy(d, latents, (struct part){0, 0, p.height, p.width}, t->z, p);
    vae_decode(t->vae, pixels, latents);
    blend(t, pixels, p);
    keep(t, pixels, p);
    arena_rewind(&d->arena, mark);
}

void vae_decode_tiled(const struct vae *v, struct tensor y, struct tensor z, int tile)
{
    struct arena *a = &v->device->arena;
    size_t mark = arena_mark(a);
    int64_t height = z.dim[1], width = z.dim[2], scale = y.dim[1] / height, fade;
    struct tiling t = {.vae = v, .y = y, .z = z, .side = tile};

    if (!tile || (height <= tile && width <= tile)) {
        vae_decode(v, y, z);
        return;
    }
    assert(tile > 0 && tile % VAE_TILE_STEP == 0 && y.dim[0] == 1 && y.dtype == DTYPE_F32);
    t.step = tile - tile / 4;
    fade = scale * (tile - t.step);
    t.above = tensor_carve(a, DTYPE_F32, 1, fade, ((width - 1) / t.step + 1) * scale * tile, 3);
    t.previous = tensor_carve(a, DTYPE_F32, 1, scale * tile, fade, 3);
    for (int64_t top = 0; top < height; top += t.step)
        for (int64_t left = 0; left < width; left += t.step)
            decode_tile(&t,
                        (struct part){top, left, extent(&t, top, height), extent(&t, left, width)});
    arena_rewind(a, mark);
}
