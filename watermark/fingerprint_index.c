/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/fingerprint_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024 };

struct fingerprint_index {
    uint8_t (*prints)[FINGERPRINT_BYTES]; /* apart from the leaves: a search reads these alone */
    int64_t *leaves;
    int count, room, limit;
};

enum status fingerprint_index_open(struct fingerprint_index **out, int limit, struct why *why)
{
    struct fingerprint_index *x = calloc(1, sizeof(*x));

    assert(limit > 0 && limit <= FINGERPRINT_INDEX_MAX);
    *out = x;
    if (!x)
        return why_fail(why, ST_FULL, "no memory for the index of fingerprints");
    x->limit = limit;
    return ST_OK;
}

void fingerprint_index_close(struct fingerprint_index **x)
{
    if (!*x)
        return;
    free((*x)->prints);
    free((*x)->leaves);
    free(*x);
    *x = NULL;
}

int fingerprint_index_count(const struct fingerprint_index *x)
{
    return x->count;
}

static bool grow(struct fingerprint_index *x)
{
    int room = x->room ? 2 * x->room : FIRST_ROOM;
    void *prints, *leaves;

    if (room > x->limit)
        room = x->limit;
    prints = realloc(x->prints, (size_t)room * sizeof(*x->prints));
    if (prints)
        x->prints = prints;
    leaves = prints ? realloc(x->leaves, (size_t)room * sizeof(*x->leaves)) : NULL;
    if (!leaves)
        return false;
    x->leaves = leaves;
    x->room = room;
    return true;
}

enum status fingerprint_index_add(struct fingerprint_index *x,
                                  const uint8_t print[FINGERPRINT_BYTES], int64_t leaf,
                                  struct why *why)
{
    if (x->count == x->limit)
        return why_fail(why, ST_FULL, "the index holds %d fingerprints, which is its limit",
                        x->limit);
    if (x->count == x->room && !grow(x))
        return why_fail(why, ST_FULL, "no memory for more than %d fingerprints", x->count);
    memcpy(x->prints[x->count], print, FINGERPRINT_BYTES);
    x->leaves[x->count++] = leaf;
    return ST_OK;
}

void fingerprint_index_forget(struct fingerprint_index *x, int64_t first)
{
    int kept = 0;

    for (int i = 0; i < x->count; i++) {
        if (x->leaves[i] < first)
            continue;
        if (kept < i) {
            memcpy(x->prints[kept], x->prints[i], FINGERPRINT_BYTES);
            x->leaves[kept] = x->leaves[i];
        }
        kept++;
    }
    x->count = kept;
}

static bool before(const struct fingerprint_found *a, const struct fingerprint_found *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->leaf < b->leaf);
}

/* Into a sorted list that keeps the first `room`; returns how many it holds now. */
static int insert(struct fingerprint_found *out, int count, int room,
                  struct fingerprint_found found)
{
    int at = count < room ? count++ : room - 1;

    for (; at > 0 && before(&found, &out[at - 1]); at--)
        out[at] = out[at - 1];
    out[at] = found;
    return count;
}

int fingerprint_index_search(const struct fingerprint_index *x,
                             const uint8_t print[FINGERPRINT_BYTES], int most,
                             struct fingerprint_found *out, int room)
{
    int found = 0;

    assert(room > 0 && room <= FINGERPRINT_FOUND_MAX);
    for (int i = 0; i < x->count; i++) {
        struct fingerprint_found f = {.distance = fingerprint_distance(x->prints[i], print)};

        if (f.distance > most)
            continue;
        f.leaf = x->leaves[i];
        if (found < room || before(&f, &out[room - 1]))
            found = insert(out, found, room, f);
    }
    return found;
}
