/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

static size_t round_up(size_t n)
{
    assert(n <= SIZE_MAX - ARENA_ALIGN);
    return (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void arena_init(struct arena *a, const char *name)
{
    *a = (struct arena){.name = name};
}

void *arena_carve(struct arena *a, size_t n)
{
    void *p;

    if (!a->base) {
        a->used += round_up(n);
        if (a->used > a->peak)
            a->peak = a->used;
        return NULL;
    }
    p = arena_try(a, n);
    if (!p)
        fprintf(stderr, "arena %s: %zu of %zu bytes used, %zu more asked\n", a->name, a->used,
                a->size, n);
    assert(p && "arena is full: it was measured for less than this run");
    return p;
}

void *arena_try(struct arena *a, size_t n)
{
    size_t bytes;
    char *p;

    if (n > a->size - a->used) /* before rounding, which a stranger's number could overflow */
        return NULL;
    bytes = round_up(n);
    if (bytes > a->size - a->used)
        return NULL;
    p = a->base + a->used;
    a->used += bytes;
    if (a->used > a->peak)
        a->peak = a->used;
    return p;
}

size_t arena_mark(const struct arena *a)
{
    return a->used;
}

void arena_rewind(struct arena *a, size_t mark)
{
    assert(mark <= a->used);
    a->used = mark;
}
