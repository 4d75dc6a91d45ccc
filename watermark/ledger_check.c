/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the log as it was written? At the start only its edge is looked at: the head's signature, its
 * root from the tiles, and the records behind the last full tile before it. All of it is looked at
 * when somebody asks, or when the edge is wrong and a record has to be named.
 */
#include "base/sign.h"
#include "watermark/ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 64 /* records at once: nobody waits for the store while all are read */

/* ---- what the thread knows ---- */

enum status ledger_reload(struct ledger *l, struct why *why)
{
    struct store_checkpoint head;
    struct store_leaf leaf;
    struct tree tree;
    int64_t size = 0;
    int heads = 1, leaves = 1;
    enum status st = ledger_size(l, &size, why);

    if (!st)
        st = tree_load(&tree, size, ledger_read_tile, l->store, why);
    if (!st)
        st = l->store->ops->checkpoint_list(l->store, 0, 0, &head, &heads, why);
    if (!st)
        st = ledger_entries(l, size ? size - 1 : 0, &leaf, &leaves, why);
    if (st)
        return st;
    l->tree = tree;
    l->signed_size = heads ? head.size : -1;
    l->last_wall_ns = leaves ? leaf.time_ns : 0;
    ledger_release(&leaf, leaves);
    return ST_OK;
}

enum status ledger_expired(struct store *s, int64_t *out, struct why *why)
{
    const struct store_search search = {.kind = RECORD_RETENTION};
    struct store_leaf leaf;
    struct record r;
    long long last = -1;
    int count = 1;
    enum status st = s->ops->leaf_search(s, &search, &leaf, &count, why);

    *out = 0;
    if (st || !count)
        return st;
    if (!leaf.record.count) { /* it expired with its own segment */
        *out = (leaf.index / TREE_TILE + 1) * TREE_TILE;
        return ST_OK;
    }
    st = record_parse(&r, leaf.record.data, leaf.record.count, why);
    ledger_release(&leaf, 1);
    if (!st && (sscanf(r.note, "0-%lld", &last) != 1 || last < 0 || last >= r.index))
        st = why_fail(why, ST_INVALID,
                      "the log is damaged: record %" PRId64 " does not say what expired", r.index);
    *out = st ? 0 : last + 1;
    return st;
}

/* ---- records again from their bytes ---- */

struct walk {
    struct store *store;
    int64_t expired; /* records before this one may be without bytes */
    bool tiles;      /* full ones are compared with what is kept */
    struct tree tree;
    int64_t bad; /* the first that is wrong; -1: none */
    enum status st;
    struct why *why;
};

static void blame(struct walk *w, int64_t index, const char *what)
{
    if (w->st)
        return;
    w->bad = index;
    w->st = why_fail(w->why, ST_INVALID, "the log was altered: record %" PRId64 " %s", index, what);
}

static void compare_tile(void *to, int level, int64_t number, const uint8_t (*hashes)[TREE_HASH])
{
    struct walk *w = to;
    struct store_tile kept;
    int64_t span = 1;
    enum status st;

    if (w->st || !w->tiles)
        return;
    for (int i = 0; i < level; i++)
        span *= TREE_TILE;
    st = w->store->ops->tile_find(w->store, level, number, &kept, w->why);
    if (st && st != ST_MISSING) {
        w->st = st;
        return;
    }
    for (int i = 0; i < TREE_TILE && !w->st; i++)
        if (st || i >= kept.count || memcmp(kept.hashes[i], hashes[i], TREE_HASH) != 0)
            blame(w, (number * TREE_TILE + i) * span,
                  level ? "or one of those behind it is not what its tile was made of"
                        : "is not the one of its tile");
}

/* What it is searched by is what it says. */
static bool same_columns(const struct store_leaf *leaf, const struct record *r)
{
    struct store_leaf again = {0};

    record_columns(&again, r);
    return again.kind == leaf->kind && again.time_ns == leaf->time_ns &&
           again.has_id == leaf->has_id && again.id == leaf->id &&
           again.has_sha256 == leaf->has_sha256 && again.has_pixels == leaf->has_pixels &&
           again.has_fingerprint == leaf->has_fingerprint && again.weak == leaf->weak &&
           !memcmp(again.sha256, leaf->sha256, sizeof(again.sha256)) &&
           !memcmp(again.pixels, leaf->pixels, sizeof(again.pixels)) &&
           !memcmp(again.fingerprint, leaf->fingerprint, sizeof(again.fingerprint)) &&
           !strcmp(again.tenant, leaf->tenant) && !strcmp(again.model, leaf->model) &&
           !strcmp(again.verdict, leaf->verdict) && !strcmp(again.decision, leaf->decision);
}

static void look_at(struct walk *w, const struct store_leaf *leaf)
{
    int64_t index = w->tree.size;
    uint8_t hash[TREE_HASH];
    struct record r;

    if (leaf->index != index) {
        blame(w, index, "is missing");
    } else if (!leaf->record.count) {
        if (index >= w->expired)
            w->st = ledger_expired(w->store, &w->expired, w->why); /* meanwhile, perhaps */
        if (index >= w->expired)
            blame(w, index, "has lost its bytes, and no record says that it expired");
    } else if (leaf->record.count > RECORD_BYTES_MAX) {
        blame(w, index, "is too long");
    } else {
        tree_leaf(hash, leaf->record.data, leaf->record.count);
        if (memcmp(hash, leaf->hash, TREE_HASH) != 0)
            blame(w, index, "is not as it was written");
        else if (record_parse(&r, leaf->record.data, leaf->record.count, NULL) || r.index != index)
            blame(w, index, "is none, or stands in another's place");
        else if (!same_columns(leaf, &r))
            blame(w, index, "is searched by something else than it says");
    }
    if (!w->st)
        tree_append(&w->tree, leaf->hash, compare_tile, w);
}

/* From where the tree stands up to `size`. */
static void walk(struct walk *w, int64_t size)
{
    while (!w->st && w->tree.size < size) {
        struct store_leaf leaves[PIECE];
        int count = size - w->tree.size < PIECE ? (int)(size - w->tree.size) : PIECE;

        w->st = w->store->ops->leaf_list(w->store, w->tree.size, leaves, &count, w->why);
        if (w->st)
            return;
        if (!count)
            blame(w, w->tree.size, "is missing");
        for (int i = 0; i < count && !w->st; i++)
            look_at(w, &leaves[i]);
        ledger_release(leaves, count);
    }
}

/* ---- heads ---- */

/* A head that is there is ours, and is what its row says. */
static enum status check_head(const struct ledger *l, const struct store_checkpoint *head,
                              int64_t size, struct why *why)
{
    uint8_t public[SIGN_PUBLIC_MAX];
    struct checkpoint c;
    size_t bytes = 0;
    enum status st;

    if (l->key) {
        sign_public(public, &bytes, l->key);
        st = checkpoint_check(&c, head->note, strlen(head->note), l->origin, public, why);
    } else {
        st = checkpoint_parse(&c, head->note, strlen(head->note), why);
    }
    if (st == ST_REFUSED)
        return why_fail(why, ST_INVALID,
                        "the log's newest head is not signed by this key for %s: its key or its "
                        "name were changed; a log keeps both",
                        l->origin);
    if (!st && (c.size != head->size || memcmp(c.root, head->root, TREE_HASH) != 0))
        st = why_fail(why, ST_INVALID, "the log was altered: its newest head is not as it was");
    if (!st && head->size > size)
        st = why_fail(why, ST_INVALID,
                      "the log was cut: record %" PRId64 " is missing, its newest head has %" PRId64
                      " of them",
                      size, head->size);
    return st;
}

static enum status newest(struct ledger *l, struct store_checkpoint *head, int *count,
                          struct why *why)
{
    *count = 1;
    head->size = 0;
    return l->store->ops->checkpoint_list(l->store, 0, 0, head, count, why);
}

enum status ledger_check(struct ledger *l, int64_t *bad, struct why *why)
{
    struct store_checkpoint head;
    struct walk w = {.store = l->store, .tiles = true, .bad = -1, .why = why};
    uint8_t root[TREE_HASH];
    int64_t size = 0;
    int heads;

    *bad = -1;
    w.st = ledger_size(l, &size, why);
    if (!w.st)
        w.st = newest(l, &head, &heads, why);
    if (!w.st)
        w.st = ledger_expired(l->store, &w.expired, why);
    if (!w.st && heads)
        w.st = check_head(l, &head, size, why);
    if (w.st)
        return w.st;
    tree_init(&w.tree);
    walk(&w, head.size);
    tree_root(&w.tree, root);
    if (!w.st && heads && memcmp(root, head.root, TREE_HASH) != 0)
        w.st = why_fail(why, ST_INVALID,
                        "the log was altered: records %" PRId64 " to %" PRId64
                        " are not those that were signed",
                        head.size & ~(int64_t)(TREE_TILE - 1), head.size - 1);
    walk(&w, size);
    *bad = w.bad;
    return w.st;
}

/* The root that was signed, from the tiles. A wrong one sends somebody to name a record. */
static enum status check_root(struct ledger *l, const struct store_checkpoint *head,
                              struct why *why)
{
    uint8_t root[TREE_HASH];
    int64_t bad;
    enum status st = tree_root_at(root, head->size, ledger_read_tile, l->store, why);

    if (st && st != ST_INVALID)
        return st;
    if (!st && !memcmp(root, head->root, TREE_HASH))
        return ST_OK;
    st = ledger_check(l, &bad, why);
    return st ? st
              : why_fail(why, ST_INVALID, "the log is damaged: its tiles are not its records'");
}

enum status ledger_check_edge(struct ledger *l, struct why *why)
{
    struct store_checkpoint head;
    struct walk w = {.store = l->store, .tiles = true, .bad = -1, .why = why};
    struct tree *edge = &w.tree;
    uint8_t again[TREE_HASH], kept[TREE_HASH];
    int64_t size = 0;
    int heads;

    w.st = ledger_size(l, &size, why);
    if (!w.st)
        w.st = newest(l, &head, &heads, why);
    if (!w.st && heads)
        w.st = check_head(l, &head, size, why);
    if (!w.st && heads)
        w.st = check_root(l, &head, why);
    if (!w.st)
        w.st = ledger_expired(l->store, &w.expired, why);
    if (!w.st)
        w.st =
            tree_load(edge, head.size & ~(int64_t)(TREE_TILE - 1), ledger_read_tile, l->store, why);
    walk(&w, size);
    tree_root(edge, again);
    if (!w.st)
        w.st = tree_root_at(kept, size, ledger_read_tile, l->store, why);
    if (!w.st && memcmp(again, kept, TREE_HASH) != 0)
        w.st = why_fail(why, ST_INVALID, "the log is damaged: its tiles are not its records'");
    return w.st;
}
