/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/seesaw.h"

#include <assert.h>

size_t seesaw_bytes(int64_t count, enum dtype dtype)
{
    size_t bytes = (size_t)count * dtype_bytes(dtype);

    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

void seesaw_init(struct seesaw *s, struct arena *a, size_t size)
{
    *s = (struct seesaw){.size = size, .high = true};
    s->base = arena_carve(a, size);
}

struct tensor seesaw_put(struct seesaw *s, enum dtype dtype, const int64_t dim[4])
{
    struct tensor t = tensor_view(NULL, dtype, dim[0], dim[1], dim[2], dim[3]);
    size_t bytes = seesaw_bytes(tensor_count(t), dtype);

    assert(bytes + s->last <= s->size);
    s->high = !s->high;
    s->last = bytes;
    if (s->base)
        t.data = s->high ? s->base + s->size - bytes : s->base;
    return t;
}
