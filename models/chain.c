/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/chain.h"

#include "models/parts/seesaw.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum status chain_open(struct chain *c, struct why *why)
{
    c->count = 0;
    c->stage = calloc(CHAIN_STAGES_MAX, sizeof(c->stage[0]));
    return c->stage ? ST_OK : why_fail(why, ST_FULL, "no memory for an autoencoder");
}

void chain_close(struct chain *c)
{
    free(c->stage);
    *c = (struct chain){0};
}

struct stage *chain_add(struct chain *c, enum stage_kind kind, int channels)
{
    struct stage *s;

    assert(c->count < CHAIN_STAGES_MAX);
    s = &c->stage[c->count++];
    s->kind = kind;
    s->channels = channels;
    return s;
}

static void stage_output(const struct stage *s, int64_t *height, int64_t *width)
{
    const struct weight *w = &s->conv[0];

    if (s->kind == STAGE_CONV && w->stride == 2) {
        *height = (*height + w->pad[0] + w->pad[2] - w->w.dim[2]) / 2 + 1;
        *width = (*width + w->pad[1] + w->pad[3] - w->w.dim[3]) / 2 + 1;
    }
    if (s->kind == STAGE_CONV_UP) {
        *height *= 2;
        *width *= 2;
    }
}

void chain_output(const struct chain *c, int64_t *height, int64_t *width)
{
    for (int i = 0; i < c->count; i++)
        stage_output(&c->stage[i], height, width);
}

/* The largest pair of neighbours that both live in the block: x and y are elsewhere. */
static size_t block_size(const struct chain *c, struct tensor x)
{
    int64_t height = x.dim[1], width = x.dim[2];
    size_t before = 0, best = 0;

    for (int i = 0; i < c->count - 1; i++) {
        size_t here;
        stage_output(&c->stage[i], &height, &width);
        here = seesaw_bytes(x.dim[0] * height * width * c->stage[i].channels, x.dtype);
        best = before + here > best ? before + here : best;
        before = here;
    }
    return best;
}

static void attention_forward(const struct stage *s, struct device *d, struct tensor y,
                              struct tensor x)
{
    struct tensor n = tensor_tokens(y), q, k, v, h;

    q = tensor_carve_like(&d->arena, n);
    k = tensor_carve_like(&d->arena, n);
    v = tensor_carve_like(&d->arena, n);
    h = tensor_carve_like(&d->arena, n);
    d->ops.norm_group(d, y, x, s->norm.gamma, s->norm.beta, s->groups, 1e-6f, ACT_NONE);
    d->ops.linear(d, q, n, &s->conv[0], NULL);
    d->ops.linear(d, k, n, &s->conv[1], NULL);
    d->ops.linear(d, v, n, &s->conv[2], NULL);
    d->ops.attention(d, h, q, k, v, 1, 1 / sqrtf((float)n.dim[3]), false);
    d->ops.linear(d, n, h, &s->conv[3], &(struct epilogue){.add = tensor_tokens(x)});
}

static void tiny_forward(const struct stage *s, struct device *d, struct tensor y, struct tensor x)
{
    struct tensor h = tensor_carve_like(&d->arena, y);

    d->ops.conv(d, y, x, &s->conv[0], &(struct epilogue){.act = s->act});
    d->ops.conv(d, h, y, &s->conv[1], &(struct epilogue){.act = s->act});
    d->ops.conv(d, y, h, &s->conv[2], &(struct epilogue){.add = x, .act = ACT_RELU});
}

/* With `spend`, x may be overwritten. */
static void stage_forward(const struct stage *s, struct device *d, struct tensor y, struct tensor x,
                          bool spend)
{
    size_t mark = arena_mark(&d->arena);

    switch (s->kind) {
    case STAGE_CONV:
        d->ops.conv(d, y, x, &s->conv[0], &(struct epilogue){.act = s->act});
        break;
    case STAGE_CONV_UP:
        d->ops.conv_up(d, y, x, &s->conv[0], &(struct epilogue){.act = s->act});
        break;
    case STAGE_NORM_CONV:
        assert(spend);
        d->ops.norm_group(d, x, x, s->norm.gamma, s->norm.beta, s->groups, 1e-6f, ACT_SILU);
        d->ops.conv(d, y, x, &s->conv[0], NULL);
        break;
    case STAGE_RESNET:
        blocks_resnet(&s->resnet, d, y, x, (struct tensor){0}, spend);
        break;
    case STAGE_ATTENTION:
        attention_forward(s, d, y, x);
        break;
    case STAGE_TINY:
        tiny_forward(s, d, y, x);
        break;
    }
    arena_rewind(&d->arena, mark);
}

void chain_forward(const struct chain *c, struct device *d, struct tensor y, struct tensor x)
{
    size_t mark = arena_mark(&d->arena);
    int64_t height = x.dim[1], width = x.dim[2];
    struct seesaw seesaw;

    seesaw_init(&seesaw, &d->arena, block_size(c, x));
    for (int i = 0; i < c->count; i++) {
        const struct stage *s = &c->stage[i];
        struct tensor out = y;
        stage_output(s, &height, &width);
        if (i < c->count - 1) {
            const int64_t dim[4] = {x.dim[0], height, width, s->channels};
            out = seesaw_put(&seesaw, x.dtype, dim);
        }
        stage_forward(s, d, out, x, i > 0);
        x = out;
    }
    arena_rewind(&d->arena, mark);
}
