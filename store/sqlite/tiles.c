/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands around the log's records: tiles of the tree, signed heads, clear texts and holds.
 */
#include "store/sqlite/row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- in, with the leaves ---- */

static enum status put_tile(struct sqlite *s, const struct store_tile *t, struct why *why)
{
    assert(t->count > 0 && t->count <= STORE_TILE_HASHES);
    return sqlite_do(s, why,
                     "INSERT OR REPLACE INTO tiles (level, number, hashes) VALUES (?, ?, ?)", "iib",
                     (int64_t)t->level, t->number, t->hashes, (size_t)t->count * 32);
}

static enum status put_clear(struct sqlite *s, const struct store_clear *c, struct why *why)
{
    assert(c->text.count < STORE_CLEAR_MAX);
    return sqlite_do(s, why, "INSERT INTO clears (leaf, salt, text, erased_ns) VALUES (?, ?, ?, 0)",
                     "ibb", c->index, c->salt, sizeof(c->salt), c->text.data, c->text.count);
}

/* One of the same size holds still: its time is another. Old ones go, but for some. */
static enum status put_checkpoint(struct sqlite *s, const struct store_checkpoint *c,
                                  struct why *why)
{
    enum status st = sqlite_do(
        s, why,
        "INSERT INTO checkpoints (size, time_ns, root, note) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (size) DO UPDATE SET time_ns = excluded.time_ns, note = excluded.note",
        "iibs", c->size, c->time_ns, c->root, sizeof(c->root), c->note);

    if (!st)
        st = sqlite_do(s, why,
                       "WITH old AS (SELECT max(seq) - ? AS seq FROM checkpoints) DELETE FROM "
                       "checkpoints WHERE seq > (SELECT seq FROM old) - 64 AND "
                       "seq <= (SELECT seq FROM old) AND seq % 1024 <> 0",
                       "i", (int64_t)STORE_CHECKPOINTS);
    return st;
}

static void read_name(struct row *r, void *to)
{
    row_text(r, to, STORE_LEAF_NAME_MAX);
}

enum status holds_refuse(struct sqlite *s, int64_t first, int64_t last, struct why *why)
{
    char name[STORE_LEAF_NAME_MAX] = "";
    int count = 1;
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(s, &row, why,
                                    "SELECT name FROM holds WHERE first <= ? AND last >= ? LIMIT 1",
                                    "ii", last, first);

    if (!st)
        st = row_collect(s, row, read_name, name, sizeof(name), &count, why);
    if (!st && count)
        st = why_fail(why, ST_REFUSED, "records of %lld to %lld are held for %s: lift that first",
                      (long long)first, (long long)last, name);
    return st;
}

static enum status erase(struct sqlite *s, int64_t index, int64_t now_ns, struct why *why)
{
    enum status st = holds_refuse(s, index, index, why);

    if (!st)
        st = sqlite_do(s, why,
                       "UPDATE clears SET salt = x'', text = x'', erased_ns = ? "
                       "WHERE leaf = ? AND erased_ns = 0",
                       "ii", now_ns, index);
    if (!st && !sqlite3_changes(s->db))
        st = why_fail(why, ST_MISSING, "record %lld has no clear text, or not any more",
                      (long long)index);
    return st;
}

static enum status erase_range(struct sqlite *s, const struct store_growth *g, struct why *why)
{
    return sqlite_do(s, why,
                     "UPDATE clears SET salt = x'', text = x'', erased_ns = ? "
                     "WHERE leaf >= ? AND leaf < ? AND erased_ns = 0",
                     "iii", g->time_ns, g->expire_first, g->expire_first + g->expire_count);
}

enum status tiles_grow(struct sqlite *s, const struct store_growth *g, struct why *why)
{
    enum status st = ST_OK;

    for (int i = 0; i < g->tile_count && !st; i++)
        st = put_tile(s, &g->tiles[i], why);
    for (int i = 0; i < g->clear_count && !st; i++)
        st = put_clear(s, &g->clears[i], why);
    for (int i = 0; i < g->erase_count && !st; i++)
        st = erase(s, g->erase[i], g->time_ns, why);
    if (!st && g->expire_count)
        st = erase_range(s, g, why);
    if (!st && g->checkpoint)
        st = put_checkpoint(s, g->checkpoint, why);
    return st;
}

/* ---- out ---- */

static void read_tile(struct row *r, void *to)
{
    struct store_tile *t = to;
    size_t bytes;

    t->level = row_small(r);
    t->number = row_int(r);
    bytes = row_some(r, t->hashes, sizeof(t->hashes));
    t->count = (int)(bytes / 32);
    if (!bytes || bytes % 32)
        r->bad = true;
}

enum status tiles_find(struct store *store, int level, int64_t number, struct store_tile *out,
                       struct why *why)
{
    return row_find(store, read_tile, out, "there is no such tile", why,
                    "SELECT level, number, hashes FROM tiles WHERE level = ? AND number = ?", "ii",
                    (int64_t)level, number);
}

static void read_checkpoint(struct row *r, void *to)
{
    struct store_checkpoint *c = to;

    memset(c, 0, sizeof(*c));
    c->seq = row_int(r);
    c->size = row_int(r);
    c->time_ns = row_int(r);
    row_bytes(r, c->root, sizeof(c->root));
    row_text(r, c->note, sizeof(c->note));
}

enum status checkpoints_list(struct store *store, int64_t seq, int64_t size,
                             struct store_checkpoint *out, int *count, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *row;
    enum status st;

    pthread_mutex_lock(&s->lock);
    if (size > 0)
        st = sqlite_prepare(s, &row, why,
                            "SELECT seq, size, time_ns, root, note FROM checkpoints "
                            "WHERE size = ? LIMIT ?",
                            "ii", size, (int64_t)*count);
    else
        st = sqlite_prepare(s, &row, why,
                            "SELECT seq, size, time_ns, root, note FROM checkpoints "
                            "WHERE seq < ? ORDER BY seq DESC LIMIT ?",
                            "ii", seq ? seq : INT64_MAX, (int64_t)*count);
    if (!st)
        st = row_collect(s, row, read_checkpoint, out, sizeof(*out), count, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void read_clear(struct row *r, void *to)
{
    struct store_clear *c = to;

    memset(c, 0, sizeof(*c));
    c->index = row_int(r);
    c->erased_ns = row_int(r);
    row_some(r, c->salt, sizeof(c->salt));
    row_blob(r, &c->text);
}

enum status clears_find(struct store *store, int64_t index, struct store_clear *out,
                        struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *row;
    enum status st;

    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&s->lock);
    st = sqlite_prepare(
        s, &row, why, "SELECT leaf, erased_ns, salt, text FROM clears WHERE leaf = ?", "i", index);
    if (!st)
        st = row_take(s, row, read_clear, out, "the record has no clear text", why);
    pthread_mutex_unlock(&s->lock);
    if (st) {
        free(out->text.data);
        out->text = (struct store_bytes){NULL, 0};
    }
    return st;
}

/* ---- holds ---- */

static enum status put_hold(struct sqlite *s, const struct store_hold *h, struct why *why)
{
    int64_t count = 0;
    sqlite3_stmt *row;
    enum status st = sqlite_do(s, why, "DELETE FROM holds WHERE name = ?", "s", h->name);

    if (st || h->last < h->first)
        return st;
    st = sqlite_prepare(s, &row, why, "SELECT count(*) FROM holds", "");
    if (!st)
        st = row_take(s, row, row_number, &count, "", why);
    if (!st && count >= STORE_HOLDS_MAX)
        st = why_fail(why, ST_FULL, "there are %d holds, the most there may be; lift some",
                      STORE_HOLDS_MAX);
    if (!st)
        st = sqlite_do(s, why,
                       "INSERT INTO holds (name, first, last, at_ns, note) VALUES (?, ?, ?, ?, ?)",
                       "siiis", h->name, h->first, h->last, h->at_ns, h->note);
    return st;
}

enum status holds_put(struct store *store, const struct store_hold *hold, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, put_hold(s, hold, why), why);
}

static void read_hold(struct row *r, void *to)
{
    struct store_hold *h = to;

    memset(h, 0, sizeof(*h));
    row_text(r, h->name, sizeof(h->name));
    h->first = row_int(r);
    h->last = row_int(r);
    h->at_ns = row_int(r);
    row_text(r, h->note, sizeof(h->note));
}

enum status holds_list(struct store *store, struct store_hold *out, int *count, struct why *why)
{
    struct row_into into = {read_hold, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT name, first, last, at_ns, note FROM holds ORDER BY first, name "
                    "LIMIT ?",
                    "i", (int64_t)*count);
}
