/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction: the wishes' records get their numbers and times, hashes go up the tree, and the
 * store takes all of it or nothing. The tree in memory is the next one only when the disk has it.
 */
#include "base/crypto.h"
#include "base/log.h"
#include "watermark/ledger_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_NS   1000000000LL /* of the wall clock against the other one */
#define TRIES_MAX 8            /* when other processes append as well */

/* ---- its parts ---- */

static void keep_tile(void *to, int level, int64_t number, const uint8_t (*hashes)[TREE_HASH])
{
    struct ledger_batch *b = to;
    struct store_tile *t = &b->tiles[b->growth.tile_count++];

    assert(b->growth.tile_count <= LEDGER_TILES_MAX);
    t->level = level;
    t->number = number;
    t->count = TREE_TILE;
    memcpy(t->hashes, hashes, sizeof(t->hashes));
}

/* Above the leaves the last tile is kept as it grows, which it does when one below is full. */
static void keep_edges(struct ledger_batch *b)
{
    if (!b->growth.tile_count)
        return;
    for (int level = 1; level < TREE_LEVELS; level++) {
        int count = tree_tile_count(&b->tree, level);

        if (!count)
            continue;
        keep_tile(b, level, b->tree.size >> (8 * (level + 1)),
                  (const uint8_t(*)[TREE_HASH])b->tree.tile[level]);
        b->tiles[b->growth.tile_count - 1].count = count;
    }
}

static enum status commit_to(struct ledger_batch *b, struct record *r, const char *clear,
                             struct why *why)
{
    struct store_clear *c = &b->clears[b->growth.clear_count];
    size_t bytes = strnlen(clear, STORE_CLEAR_MAX);
    uint8_t hash[32];

    if (bytes == STORE_CLEAR_MAX)
        return why_fail(why, ST_INVALID, "a record's clear text has %d bytes at most",
                        STORE_CLEAR_MAX - 1);
    if (crypto_random(c->salt, sizeof(c->salt)))
        return why_fail(why, ST_IO, "the system has no randomness");
    memcpy(b->salted, c->salt, sizeof(c->salt));
    memcpy(b->salted + sizeof(c->salt), clear, bytes);
    crypto_sha256(hash, b->salted, sizeof(c->salt) + bytes);
    crypto_wipe(b->salted, sizeof(c->salt) + bytes);
    crypto_hex(r->commitment, hash, sizeof(hash));
    c->index = r->index;
    c->erased_ns = 0;
    c->text = (struct store_bytes){(void *)clear, bytes}; /* only read */
    return ST_OK;
}

static enum status place(struct ledger *l, struct record *r, const char *clear, struct why *why)
{
    struct ledger_batch *b = l->batch;
    int at = b->growth.leaf_count;
    struct store_leaf *leaf = &b->leaves[at];
    int64_t boot_ns = l->clock.boot_ns(l->clock.of);
    size_t bytes = 0;
    enum status st = ST_OK;

    r->index = b->tree.size;
    r->time_ns = b->wall_ns + (boot_ns - b->boot_ns); /* the wall clock is read once */
    r->seq = boot_ns;
    r->commitment[0] = '\0';
    if (b->tree.size >= TREE_SIZE_MAX)
        return why_fail(why, ST_FULL, "the log is full");
    if (clear)
        st = commit_to(b, r, clear, why);
    if (!st)
        st = record_write(b->lines[at], &bytes, r, why);
    if (st)
        return st;
    memset(leaf, 0, sizeof(*leaf));
    record_columns(leaf, r);
    leaf->record = (struct store_bytes){b->lines[at], bytes};
    tree_leaf(leaf->hash, b->lines[at], bytes);
    tree_append(&b->tree, leaf->hash, keep_tile, b);
    b->growth.leaf_count++;
    b->growth.clear_count += clear != NULL;
    return ST_OK;
}

/* A clock that went back or jumped is written down before what is stamped by it. */
static enum status place_clock(struct ledger *l, struct why *why)
{
    struct ledger_batch *b = l->batch;
    int64_t back = l->last_wall_ns - b->wall_ns;
    int64_t jump = l->offset_known ? b->wall_ns - b->boot_ns - l->offset_ns : 0;

    if (back <= 0 && jump <= JUMP_NS && jump >= -JUMP_NS)
        return ST_OK;
    memset(&b->clock, 0, sizeof(b->clock));
    b->clock.kind = RECORD_CLOCK;
    if (back > 0)
        snprintf(b->clock.note, sizeof(b->clock.note), "the wall clock went back by %" PRId64 " ns",
                 back);
    else
        snprintf(b->clock.note, sizeof(b->clock.note), "the wall clock jumped by %" PRId64 " ns",
                 jump);
    log_warn("log_clock", "%s", b->clock.note);
    return place(l, &b->clock, NULL, why);
}

static enum status sign(struct ledger *l, struct why *why)
{
    struct ledger_batch *b = l->batch;
    struct checkpoint c = {.size = b->tree.size};
    enum status st;

    static_assert(CHECKPOINT_BYTES_MAX <= STORE_CHECKPOINT_MAX, "the store takes it");
    memcpy(c.origin, l->origin, sizeof(c.origin));
    tree_root(&b->tree, c.root);
    b->checkpoint = (struct store_checkpoint){.size = c.size, .time_ns = b->wall_ns};
    memcpy(b->checkpoint.root, c.root, sizeof(c.root));
    st = checkpoint_write(b->checkpoint.note, &c, l->key, why);
    if (!st)
        b->growth.checkpoint = &b->checkpoint;
    return st;
}

/* ---- the whole ---- */

static void begin(struct ledger *l)
{
    struct ledger_batch *b = l->batch;

    b->tree = l->tree;
    b->boot_ns = l->clock.boot_ns(l->clock.of);
    b->wall_ns = l->clock.wall_ns(l->clock.of);
    b->growth = (struct store_growth){
        .size = l->tree.size,
        .leaves = b->leaves,
        .tiles = b->tiles,
        .clears = b->clears,
        .time_ns = b->wall_ns,
    };
}

/* A wish that cannot be is told so and left out; what comes back are failures of all of them. */
static enum status assemble(struct ledger *l, struct ledger_wish *list, bool sign_it,
                            struct why *why)
{
    struct ledger_batch *b = l->batch;
    bool clocked = false;
    enum status st = ST_OK;

    begin(l);
    for (struct ledger_wish *w = list; w && !st; w = w->next) {
        w->st = ST_OK;
        sign_it |= w->sign;
        if (!w->record)
            continue;
        if (!clocked)
            st = place_clock(l, why);
        clocked = true;
        if (!st)
            w->st = place(l, w->record, w->clear, &w->why);
        if (w->st)
            continue;
        b->growth.erase = w->erase; /* such a wish is alone */
        b->growth.erase_count = w->erase != NULL;
        b->growth.expire_first = w->expire_first;
        b->growth.expire_count = w->expire_count;
    }
    keep_edges(b);
    if (!st && sign_it)
        st = sign(l, why);
    return st;
}

static void have_grown(struct ledger *l)
{
    struct ledger_batch *b = l->batch;
    int count = b->growth.leaf_count;

    l->tree = b->tree;
    if (b->growth.checkpoint)
        l->signed_size = b->tree.size;
    if (!count)
        return;
    l->last_wall_ns = b->leaves[count - 1].time_ns;
    l->offset_ns = b->wall_ns - b->boot_ns;
    l->offset_known = true;
}

static enum status try(struct ledger *l, struct ledger_wish *list, bool sign_it, struct why *why)
{
    struct ledger_batch *b = l->batch;
    enum status st = assemble(l, list, sign_it, why);

    if (st || (!b->growth.leaf_count && !b->growth.checkpoint))
        return st;
    st = l->store->ops->ledger_grow(l->store, &b->growth, why);
    if (!st)
        have_grown(l);
    return st;
}

void ledger_serve(struct ledger *l, struct ledger_wish *list, bool sign_it)
{
    struct why why = {""};
    enum status st = ST_LATE;

    for (int i = 0; i < TRIES_MAX && st == ST_LATE; i++) {
        st = try(l, list, sign_it, &why);
        if (!st)
            break;
        /* Whether a commit that failed is on the disk is known only there. */
        if (ledger_reload(l, &why) && st == ST_LATE)
            st = ST_IO;
    }
    if (st && st != ST_REFUSED && st != ST_MISSING)
        log_error("log_write", "%s", why.text);
    for (struct ledger_wish *w = list; w; w = w->next)
        if (st && !w->st) {
            w->st = st;
            w->why = why;
        }
}
