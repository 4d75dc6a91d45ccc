/* SPDX-License-Identifier: Apache-2.0 */
#include "models/texts.h"

#include <stdlib.h>
#include <string.h>

struct texts {
    struct device *device;
    struct text like; /* shapes of one, without memory */
    char *memory;     /* the device's, `bytes` of it for each text */
    size_t bytes;
    int32_t *ids; /* [TEXTS_MAX][encoders][length] */
    int encoders, length;
    uint64_t clock, used[TEXTS_MAX]; /* when each was last looked at; 0: it is empty */
};

static size_t round_up(size_t bytes)
{
    return (bytes + 255) & ~(size_t)255;
}

static size_t context_bytes(const struct texts *t)
{
    return round_up(tensor_bytes(t->like.context));
}

enum status texts_open(struct texts **out, struct texts_shape shape, struct device *d,
                       struct why *why)
{
    struct texts *t = calloc(1, sizeof(*t));

    *out = t;
    if (!t)
        return why_fail(why, ST_FULL, "no memory for prompts");
    t->device = d;
    t->like.context = tensor_view(NULL, d->dtype, 1, 1, shape.length, shape.context_width);
    t->bytes = context_bytes(t);
    if (shape.pooled_width) {
        t->like.pooled = tensor_view(NULL, d->dtype, 1, 1, 1, shape.pooled_width);
        t->bytes += round_up(tensor_bytes(t->like.pooled));
    }
    t->encoders = shape.encoders;
    t->length = shape.length;
    t->ids = calloc(TEXTS_MAX * (size_t)(t->encoders * t->length), sizeof(*t->ids));
    t->memory = d->ops.memory_take(d, TEXTS_MAX * t->bytes);
    if (t->ids && t->memory)
        return ST_OK;
    texts_close(out);
    return why_fail(why, ST_FULL, "no memory for %d prompts", TEXTS_MAX);
}

void texts_close(struct texts **texts)
{
    struct texts *t = *texts;

    if (!t)
        return;
    if (t->memory)
        t->device->ops.memory_give(t->device, t->memory, TEXTS_MAX * t->bytes);
    free(t->ids);
    free(t);
    *texts = NULL;
}

static int32_t *kept_ids(const struct texts *t, int i)
{
    return t->ids + (size_t)i * (size_t)(t->encoders * t->length);
}

static bool is_text(const struct texts *t, int i, const int32_t *ids, int row)
{
    bool same = t->used[i] > 0;

    for (int e = 0; e < t->encoders && same; e++)
        same = !memcmp(kept_ids(t, i) + e * t->length, ids + (2 * e + row) * t->length,
                       (size_t)t->length * sizeof(*ids));
    return same;
}

static void keep_ids(const struct texts *t, int i, const int32_t *ids, int row)
{
    for (int e = 0; e < t->encoders; e++)
        memcpy(kept_ids(t, i) + e * t->length, ids + (2 * e + row) * t->length,
               (size_t)t->length * sizeof(*ids));
}

bool texts_find(struct texts *t, const int32_t *ids, int row, struct text *text)
{
    int at = 0, oldest = 0;
    bool found;

    while (at < TEXTS_MAX && !is_text(t, at, ids, row)) {
        oldest = t->used[at] < t->used[oldest] ? at : oldest;
        at++;
    }
    found = at < TEXTS_MAX;
    at = found ? at : oldest;
    if (!found)
        keep_ids(t, at, ids, row);
    t->used[at] = ++t->clock;
    *text = t->like;
    text->ids = kept_ids(t, at);
    text->context.data = t->memory + (size_t)at * t->bytes;
    if (text->pooled.dim[3])
        text->pooled.data = (char *)text->context.data + context_bytes(t);
    return found;
}

void texts_forget(struct texts *t)
{
    memset(t->used, 0, sizeof(t->used));
}
