/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree over n nodes of any one level has the same shape as over n leaves, also when its last node
 * is not complete: so the root is found tile by tile, from the leaves up, each level's last tile
 * with what is below it as one node more.
 */
#include "watermark/tree.h"

#include "base/crypto.h"

#include <assert.h>
#include <string.h>

#define TILE_BITS 8

void tree_leaf(uint8_t out[TREE_HASH], const void *record, size_t bytes)
{
    uint8_t both[1 + TREE_RECORD_MAX];

    assert(bytes <= TREE_RECORD_MAX);
    both[0] = 0;
    if (bytes)
        memcpy(both + 1, record, bytes);
    crypto_sha256(out, both, 1 + bytes);
}

void tree_node(uint8_t out[TREE_HASH], const uint8_t left[TREE_HASH],
               const uint8_t right[TREE_HASH])
{
    uint8_t both[1 + 2 * TREE_HASH] = {1};

    memcpy(both + 1, left, TREE_HASH);
    memcpy(both + 1 + TREE_HASH, right, TREE_HASH);
    crypto_sha256(out, both, sizeof(both));
}

/* The largest power of two below n, of 2 and more. */
static int64_t split(int64_t n)
{
    int64_t k = 1;

    while (k * 2 < n)
        k *= 2;
    return k;
}

/* Pairs from the left, level after level; a node that is left over goes up as it is: the same as
   splitting at the largest power of two. */
void tree_root_of(uint8_t out[TREE_HASH], const uint8_t (*hashes)[TREE_HASH], int count)
{
    uint8_t level[TREE_TILE + 1][TREE_HASH];

    assert(count >= 0 && count <= TREE_TILE + 1);
    if (!count) {
        crypto_sha256(out, "", 0);
        return;
    }
    memcpy(level, hashes, (size_t)count * TREE_HASH);
    for (; count > 1; count = (count + 1) / 2) {
        for (int i = 0; i + 1 < count; i += 2)
            tree_node(level[i / 2], level[i], level[i + 1]);
        if (count % 2)
            memcpy(level[count / 2], level[count - 1], TREE_HASH);
    }
    memcpy(out, level[0], TREE_HASH);
}

/* ---- the right edge ---- */

void tree_init(struct tree *t)
{
    memset(t, 0, sizeof(*t));
}

int tree_tile_count(const struct tree *t, int level)
{
    return (int)(t->size >> (TILE_BITS * level)) & (TREE_TILE - 1);
}

void tree_append(struct tree *t, const uint8_t leaf[TREE_HASH], tree_full *full, void *to)
{
    uint8_t up[TREE_HASH];

    assert(t->size < TREE_SIZE_MAX);
    memcpy(up, leaf, TREE_HASH);
    for (int level = 0; level < TREE_LEVELS; level++) {
        int at = tree_tile_count(t, level);

        memcpy(t->tile[level][at], up, TREE_HASH);
        if (at + 1 < TREE_TILE)
            break;
        full(to, level, t->size >> (TILE_BITS * (level + 1)),
             (const uint8_t(*)[TREE_HASH])t->tile[level]);
        tree_root_of(up, (const uint8_t(*)[TREE_HASH])t->tile[level], TREE_TILE);
    }
    t->size++;
}

void tree_root(const struct tree *t, uint8_t out[TREE_HASH])
{
    uint8_t nodes[TREE_TILE + 1][TREE_HASH];
    bool below = false; /* *out is the root of the levels below */

    for (int level = 0; level < TREE_LEVELS; level++) {
        int count = tree_tile_count(t, level);

        if (!count)
            continue;
        memcpy(nodes, t->tile[level], (size_t)count * TREE_HASH);
        if (below)
            memcpy(nodes[count++], out, TREE_HASH);
        tree_root_of(out, (const uint8_t(*)[TREE_HASH])nodes, count);
        below = true;
    }
    if (!below)
        tree_root_of(out, NULL, 0);
}

enum status tree_load(struct tree *t, int64_t size, tree_reader *read, void *from, struct why *why)
{
    enum status st = ST_OK;

    assert(size >= 0 && size <= TREE_SIZE_MAX);
    tree_init(t);
    t->size = size;
    for (int level = 0; level < TREE_LEVELS && !st; level++) {
        int count = tree_tile_count(t, level);

        if (count)
            st = read(from, level, size >> (TILE_BITS * (level + 1)), count, t->tile[level], why);
    }
    return st;
}

/* ---- proofs ---- */

/* The last tile that was read of each level: a proof reads neighbours. */
struct view {
    tree_reader *read;
    void *from;
    struct why *why;
    enum status st;
    int64_t size;                /* of the tree: no tile is read beyond it */
    int64_t number[TREE_LEVELS]; /* -1: none */
    uint8_t tile[TREE_LEVELS][TREE_TILE][TREE_HASH];
};

static void look(struct view *v, int64_t size, tree_reader *read, void *from, struct why *why)
{
    v->read = read;
    v->from = from;
    v->why = why;
    v->st = ST_OK;
    v->size = size;
    for (int level = 0; level < TREE_LEVELS; level++)
        v->number[level] = -1;
}

static const uint8_t (*tile(struct view *v, int level, int64_t number))[TREE_HASH]
{
    if (v->number[level] != number && !v->st) {
        int64_t count = (v->size >> (TILE_BITS * level)) - number * TREE_TILE;

        v->st = v->read(v->from, level, number, count < TREE_TILE ? (int)count : TREE_TILE,
                        v->tile[level], v->why);
        v->number[level] = v->st ? -1 : number;
    }
    return (const uint8_t(*)[TREE_HASH])v->tile[level];
}

/* The root of leaves a to b - 1, where a is a multiple of the power of two that b - a fits in. */
static void range(struct view *v, int64_t a, int64_t b, uint8_t out[TREE_HASH])
{
    int64_t n = b - a, k;
    uint8_t left[TREE_HASH], right[TREE_HASH];

    if (n & (n - 1)) {
        k = split(n);
        range(v, a, a + k, left);
        range(v, a + k, b, right);
        if (!v->st)
            tree_node(out, left, right);
        return;
    }
    for (int level = 0; level < TREE_LEVELS; level++, n >>= TILE_BITS, a >>= TILE_BITS)
        if (n < TREE_TILE) {
            const uint8_t(*hashes)[TREE_HASH] = tile(v, level, a >> TILE_BITS);

            if (!v->st)
                tree_root_of(out, hashes + (a & (TREE_TILE - 1)), (int)n);
            return;
        }
    assert(false && "a tree has so many levels");
}

static void put(struct tree_proof *proof, struct view *v, int64_t a, int64_t b)
{
    assert(proof->count < TREE_PROOF_MAX);
    range(v, a, b, proof->hashes[proof->count++]);
}

/* Found from the root down, told from the leaf up. */
static void reverse(struct tree_proof *proof)
{
    for (int i = 0, j = proof->count - 1; i < j; i++, j--) {
        uint8_t hash[TREE_HASH];

        memcpy(hash, proof->hashes[i], TREE_HASH);
        memcpy(proof->hashes[i], proof->hashes[j], TREE_HASH);
        memcpy(proof->hashes[j], hash, TREE_HASH);
    }
}

enum status tree_inclusion(struct tree_proof *out, int64_t index, int64_t size, tree_reader *read,
                           void *from, struct why *why)
{
    struct view v;
    int64_t a = 0, b = size;

    out->count = 0;
    if (index < 0 || index >= size || size > TREE_SIZE_MAX)
        return why_fail(why, ST_INVALID, "a tree of %lld records has no record %lld",
                        (long long)size, (long long)index);
    look(&v, size, read, from, why);
    while (b - a > 1 && !v.st) {
        int64_t k = a + split(b - a);

        if (index < k) {
            put(out, &v, k, b);
            b = k;
        } else {
            put(out, &v, a, k);
            a = k;
        }
    }
    reverse(out);
    return v.st;
}

enum status tree_consistency(struct tree_proof *out, int64_t older, int64_t newer,
                             tree_reader *read, void *from, struct why *why)
{
    struct view v;
    int64_t a = 0, b = newer;
    bool whole = true; /* what is left of the older tree begins at 0: its root is known */

    out->count = 0;
    if (older < 1 || older > newer || newer > TREE_SIZE_MAX)
        return why_fail(why, ST_INVALID, "a tree of %lld records does not begin one of %lld",
                        (long long)older, (long long)newer);
    look(&v, newer, read, from, why);
    while (older != b && !v.st) {
        int64_t k = a + split(b - a);

        if (older <= k) {
            put(out, &v, k, b);
            b = k;
        } else {
            put(out, &v, a, k);
            a = k;
            whole = false;
        }
    }
    if (!whole && !v.st)
        put(out, &v, a, b);
    reverse(out);
    return v.st;
}

enum status tree_root_at(uint8_t out[TREE_HASH], int64_t size, tree_reader *read, void *from,
                         struct why *why)
{
    struct view v;

    assert(size >= 0 && size <= TREE_SIZE_MAX);
    look(&v, size, read, from, why);
    if (size)
        range(&v, 0, size, out);
    else
        tree_root_of(out, NULL, 0);
    return v.st;
}

/* ---- checking (RFC 9162, 2.1.3.2 and 2.1.4.2) ---- */

bool tree_check_inclusion(const uint8_t leaf[TREE_HASH], int64_t index, int64_t size,
                          const uint8_t (*proof)[TREE_HASH], int count,
                          const uint8_t root[TREE_HASH])
{
    uint8_t r[TREE_HASH];
    int64_t at = index, last = size - 1;

    if (index < 0 || index >= size)
        return false;
    memcpy(r, leaf, TREE_HASH);
    for (int i = 0; i < count; i++) {
        if (!last)
            return false;
        if (at & 1 || at == last) {
            tree_node(r, proof[i], r);
            while (!(at & 1) && at) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            tree_node(r, r, proof[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return !last && crypto_equal(r, root, TREE_HASH);
}

bool tree_check_consistency(int64_t older, int64_t newer, const uint8_t (*proof)[TREE_HASH],
                            int count, const uint8_t older_root[TREE_HASH],
                            const uint8_t newer_root[TREE_HASH])
{
    uint8_t a[TREE_HASH], b[TREE_HASH];
    int64_t at = older - 1, last = newer - 1;
    int i = 0;

    if (older < 1 || older > newer)
        return false;
    if (older == newer)
        return !count && crypto_equal(older_root, newer_root, TREE_HASH);
    if (!count)
        return false;
    memcpy(a, older & (older - 1) ? proof[i++] : older_root, TREE_HASH);
    memcpy(b, a, TREE_HASH);
    while (at & 1) {
        at >>= 1;
        last >>= 1;
    }
    for (; i < count; i++) {
        if (!last)
            return false;
        if (at & 1 || at == last) {
            tree_node(a, proof[i], a);
            tree_node(b, proof[i], b);
            while (!(at & 1) && at) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            tree_node(b, b, proof[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return !last && crypto_equal(a, older_root, TREE_HASH) &&
           crypto_equal(b, newer_root, TREE_HASH);
}
