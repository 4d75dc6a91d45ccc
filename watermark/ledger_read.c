/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: all of it from the store, so that several threads and processes see the same.
 */
#include "base/crypto.h"
#include "watermark/ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tiles ---- */

enum status ledger_read_tile(void *memory, int level, int64_t number, int count,
                             uint8_t (*out)[TREE_HASH], struct why *why)
{
    struct store *s = memory;
    struct store_tile tile;
    int got = count;
    enum status st = ST_MISSING;

    if (level || count == TREE_TILE)
        st = s->ops->tile_find(s, level, number, &tile, why);
    if (!st) {
        got = tile.count;
        memcpy(out, tile.hashes, (size_t)(got < count ? got : count) * TREE_HASH);
    } else if (st == ST_MISSING && !level) { /* the last one is in the leaves */
        st = s->ops->leaf_hashes(s, number * TREE_TILE, out, &got, why);
    }
    if (st == ST_MISSING)
        got = 0;
    if ((!st || st == ST_MISSING) && got < count)
        st = why_fail(why, ST_INVALID,
                      "the log is damaged: hash %d of tile %" PRId64 " of level %d is missing", got,
                      number, level);
    return st;
}

enum status ledger_size(struct ledger *l, int64_t *out, struct why *why)
{
    return l->store->ops->ledger_size(l->store, out, why);
}

enum status ledger_tile(struct ledger *l, int level, int64_t number, int width,
                        uint8_t (*out)[TREE_HASH], struct why *why)
{
    int64_t size = 0, most = TREE_SIZE_MAX / TREE_TILE;
    enum status st = ledger_size(l, &size, why);

    if (st)
        return st;
    if (level < 0 || level >= TREE_LEVELS || number < 0 || number > most || width < 1 ||
        width > TREE_TILE || number * TREE_TILE + width > size >> (8 * level))
        return why_fail(why, ST_MISSING, "the log has no such tile, or not yet");
    return ledger_read_tile(l->store, level, number, width, out, why);
}

/* ---- records ---- */

void ledger_release(struct store_leaf *leaves, int count)
{
    for (int i = 0; i < count; i++) {
        free(leaves[i].record.data);
        leaves[i].record = (struct store_bytes){NULL, 0};
    }
}

enum status ledger_entries(struct ledger *l, int64_t first, struct store_leaf *out, int *count,
                           struct why *why)
{
    return l->store->ops->leaf_list(l->store, first, out, count, why);
}

enum status ledger_search(struct ledger *l, const struct store_search *search,
                          struct store_leaf *out, int *count, struct why *why)
{
    return l->store->ops->leaf_search(l->store, search, out, count, why);
}

enum status ledger_counts(struct ledger *l, int64_t since_ns, int64_t out[STORE_LEAF_KINDS],
                          struct why *why)
{
    return l->store->ops->leaf_counts(l->store, since_ns, out, why);
}

static enum status parse(struct record *out, struct store_leaf *leaf, int count, struct why *why)
{
    enum status st;

    if (!count)
        return why_fail(why, ST_MISSING, "the log has no such record");
    if (leaf->record.count)
        st = record_parse(out, leaf->record.data, leaf->record.count, why);
    else
        st = why_fail(why, ST_MISSING, "record %" PRId64 " has expired", leaf->index);
    ledger_release(leaf, 1);
    return st;
}

enum status ledger_find(struct ledger *l, int64_t index, struct record *out, struct why *why)
{
    struct store_leaf leaf;
    int count = 1;
    enum status st = ledger_entries(l, index, &leaf, &count, why);

    if (st)
        return st;
    if (count && leaf.index != index) { /* the store begins behind it */
        ledger_release(&leaf, 1);
        count = 0;
    }
    return parse(out, &leaf, count, why);
}

static enum status find(struct ledger *l, const struct store_search *search, struct record *out,
                        struct why *why)
{
    struct store_leaf leaf;
    int count = 1;
    enum status st = ledger_search(l, search, &leaf, &count, why);

    return st ? st : parse(out, &leaf, count, why);
}

enum status ledger_find_id(struct ledger *l, uint64_t id, struct record *out, struct why *why)
{
    return find(l, &(struct store_search){.kind = RECORD_EMBED, .id = &id}, out, why);
}

enum status ledger_find_sha256(struct ledger *l, const uint8_t sha256[32], struct record *out,
                               struct why *why)
{
    return find(l, &(struct store_search){.kind = RECORD_EMBED, .sha256 = sha256}, out, why);
}

enum status ledger_find_pixels(struct ledger *l, const uint8_t sha256[32], struct record *out,
                               struct why *why)
{
    return find(l, &(struct store_search){.kind = RECORD_EMBED, .pixels = sha256}, out, why);
}

enum status ledger_bundle(struct ledger *l, int64_t number, int width, struct store_bytes *out,
                          struct why *why)
{
    struct store_leaf leaves[TREE_TILE];
    int count = width;
    size_t bytes = 0;
    uint8_t *to;
    enum status st = ST_OK;

    *out = (struct store_bytes){NULL, 0};
    if (number < 0 || number > TREE_SIZE_MAX / TREE_TILE || width < 1 || width > TREE_TILE)
        return why_fail(why, ST_MISSING, "the log has no such records");
    st = ledger_entries(l, number * TREE_TILE, leaves, &count, why);
    if (st)
        return st;
    for (int i = 0; i < count; i++) {
        bytes += 2 + leaves[i].record.count;
        if (!leaves[i].record.count)
            st = why_fail(why, ST_MISSING, "record %" PRId64 " has expired", leaves[i].index);
    }
    if (!st && count < width)
        st = why_fail(why, ST_MISSING, "the log has not so many records yet");
    to = st ? NULL : malloc(bytes);
    if (!st && !to)
        st = why_fail(why, ST_FULL, "no memory for %zu bytes of records", bytes);
    if (!st)
        *out = (struct store_bytes){to, bytes};
    for (int i = 0; i < count && !st; i++) {
        *to++ = (uint8_t)(leaves[i].record.count >> 8);
        *to++ = (uint8_t)leaves[i].record.count;
        memcpy(to, leaves[i].record.data, leaves[i].record.count);
        to += leaves[i].record.count;
    }
    ledger_release(leaves, count);
    return st;
}

/* ---- clear texts ---- */

static enum status expect_commitment(const struct record *r, const struct store_clear *c,
                                     struct why *why)
{
    uint8_t *both = malloc(sizeof(c->salt) + c->text.count), hash[32];
    char hex[2 * sizeof(hash) + 1];

    if (!both)
        return why_fail(why, ST_FULL, "no memory for a clear text");
    memcpy(both, c->salt, sizeof(c->salt));
    memcpy(both + sizeof(c->salt), c->text.data, c->text.count);
    crypto_sha256(hash, both, sizeof(c->salt) + c->text.count);
    crypto_wipe(both, sizeof(c->salt) + c->text.count);
    free(both);
    crypto_hex(hex, hash, sizeof(hash));
    if (strcmp(hex, r->commitment) != 0)
        return why_fail(why, ST_INVALID,
                        "the clear text of record %" PRId64 " is not the one it commits to",
                        r->index);
    return ST_OK;
}

enum status ledger_clear(struct ledger *l, int64_t index, char **out, struct why *why)
{
    struct store_clear c;
    struct record r;
    enum status st = ledger_find(l, index, &r, why);

    *out = NULL;
    if (!st)
        st = l->store->ops->clear_find(l->store, index, &c, why);
    if (st)
        return st;
    if (c.erased_ns)
        st = why_fail(why, ST_MISSING, "the clear text of record %" PRId64 " was erased", index);
    else
        st = expect_commitment(&r, &c, why);
    if (!st)
        *out = malloc(c.text.count + 1);
    if (!st && !*out)
        st = why_fail(why, ST_FULL, "no memory for a clear text");
    if (!st) {
        memcpy(*out, c.text.data, c.text.count);
        (*out)[c.text.count] = '\0';
    }
    free(c.text.data);
    return st;
}

/* ---- heads and proofs ---- */

enum status ledger_checkpoint_at(struct ledger *l, int64_t size, struct store_checkpoint *out,
                                 struct why *why)
{
    int count = 1;
    enum status st = l->store->ops->checkpoint_list(l->store, 0, size, out, &count, why);

    if (!st && !count)
        st = size ? why_fail(why, ST_MISSING, "no head of %" PRId64 " records is kept", size)
                  : why_fail(why, ST_MISSING, "no head of the log was signed yet");
    return st;
}

enum status ledger_checkpoint(struct ledger *l, struct store_checkpoint *out, struct why *why)
{
    return ledger_checkpoint_at(l, 0, out, why);
}

/* No larger than what is there. */
static enum status known_size(struct ledger *l, int64_t size, struct why *why)
{
    int64_t have = 0;
    enum status st = ledger_size(l, &have, why);

    if (!st && size > have)
        st = why_fail(why, ST_INVALID, "the log has %" PRId64 " records, not %" PRId64, have, size);
    return st;
}

enum status ledger_inclusion(struct ledger *l, int64_t index, int64_t size, struct tree_proof *out,
                             struct why *why)
{
    enum status st = known_size(l, size, why);

    out->count = 0;
    return st ? st : tree_inclusion(out, index, size, ledger_read_tile, l->store, why);
}

enum status ledger_consistency(struct ledger *l, int64_t older, int64_t newer,
                               struct tree_proof *out, struct why *why)
{
    enum status st = known_size(l, newer, why);

    out->count = 0;
    return st ? st : tree_consistency(out, older, newer, ledger_read_tile, l->store, why);
}

enum status ledger_proof(struct ledger *l, int64_t index, int64_t size,
                         char out[CHECKPOINT_PROOF_MAX], struct why *why)
{
    struct store_checkpoint head;
    struct tree_proof proof;
    enum status st;

    if (index < 0 || size < 0)
        return why_fail(why, ST_INVALID, "records are counted from 0");
    st = ledger_checkpoint_at(l, size, &head, why);
    if (!st && index >= head.size)
        st = why_fail(why, ST_LATE,
                      "record %" PRId64 " is not under the head of %" PRId64
                      " records; a newer one is signed within seconds",
                      index, head.size);
    if (!st)
        st = ledger_inclusion(l, index, head.size, &proof, why);
    if (!st)
        checkpoint_proof_write(out, index, &proof, head.note);
    return st;
}
