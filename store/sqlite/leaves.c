/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's records. A search is text that is put together from what is asked, so that each has the
 * index that it needs; every value is bound.
 */
#include "store/sqlite/row.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "leaf, hash, kind, time_ns, id, sha256, pixels, fingerprint, coalesce(tenant, ''), "           \
    "coalesce(model, ''), coalesce(verdict, ''), coalesce(decision, ''), weak, record"

/* ---- in ---- */

/* Failures add up: one that has happened is seen when the statement is stepped. */
static void bind_text(sqlite3_stmt *at, int column, const char *text)
{
    if (*text)
        sqlite3_bind_text(at, column, text, -1, SQLITE_STATIC);
}

static void bind_bytes(sqlite3_stmt *at, int column, bool has, const void *bytes, size_t count)
{
    if (has)
        sqlite3_bind_blob64(at, column, count ? bytes : "", count, SQLITE_STATIC);
}

static enum status step(struct sqlite *s, sqlite3_stmt *at, struct why *why)
{
    enum status st = sqlite3_step(at) == SQLITE_DONE ? ST_OK : sqlite_fail(s, why);

    sqlite3_reset(at);
    sqlite3_clear_bindings(at);
    return st;
}

static enum status insert_leaf(struct sqlite *s, sqlite3_stmt *at, const struct store_leaf *l,
                               struct why *why)
{
    assert(l->record.count > 0 && l->record.count <= STORE_LEAF_BYTES_MAX);
    sqlite3_bind_int64(at, 1, l->index);
    bind_bytes(at, 2, true, l->hash, sizeof(l->hash));
    sqlite3_bind_int64(at, 3, l->kind);
    sqlite3_bind_int64(at, 4, l->time_ns);
    if (l->has_id)
        sqlite3_bind_int64(at, 5, (int64_t)l->id);
    bind_bytes(at, 6, l->has_sha256, l->sha256, sizeof(l->sha256));
    bind_bytes(at, 7, l->has_pixels, l->pixels, sizeof(l->pixels));
    bind_bytes(at, 8, l->has_fingerprint, l->fingerprint, sizeof(l->fingerprint));
    bind_text(at, 9, l->tenant);
    bind_text(at, 10, l->model);
    bind_text(at, 11, l->verdict);
    bind_text(at, 12, l->decision);
    sqlite3_bind_int64(at, 13, l->weak);
    bind_bytes(at, 14, true, l->record.data, l->record.count);
    return step(s, at, why);
}

static enum status insert_leaves(struct sqlite *s, const struct store_growth *g, struct why *why)
{
    sqlite3_stmt *at;
    enum status st = sqlite_prepare(
        s, &at, why,
        "INSERT INTO leaves (leaf, hash, kind, time_ns, id, sha256, pixels, fingerprint, tenant, "
        "model, verdict, decision, weak, record) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "");

    if (st)
        return st;
    for (int i = 0; i < g->leaf_count && !st; i++) {
        assert(g->leaves[i].index == g->size + i);
        st = insert_leaf(s, at, &g->leaves[i], why);
    }
    sqlite3_finalize(at);
    return st;
}

/* Their columns go with the bytes; kind and time stay, for who counts. */
static enum status expire(struct sqlite *s, const struct store_growth *g, struct why *why)
{
    return sqlite_do(
        s, why,
        "UPDATE leaves SET record = x'', id = NULL, sha256 = NULL, pixels = NULL, "
        "fingerprint = NULL, tenant = NULL, model = NULL, verdict = NULL, decision = NULL, "
        "weak = 0 WHERE leaf >= ? AND leaf < ?",
        "ii", g->expire_first, g->expire_first + g->expire_count);
}

static enum status size_of(struct sqlite *s, int64_t *out, struct why *why)
{
    sqlite3_stmt *row;
    enum status st =
        sqlite_prepare(s, &row, why, "SELECT coalesce(max(leaf) + 1, 0) FROM leaves", "");

    return st ? st : row_take(s, row, row_number, out, "", why);
}

static enum status grow(struct sqlite *s, const struct store_growth *g, struct why *why)
{
    int64_t size = 0;
    enum status st = size_of(s, &size, why);

    if (!st && size != g->size)
        st = why_fail(why, ST_LATE, "the log has %lld records by now, not %lld", (long long)size,
                      (long long)g->size);
    if (!st && g->leaf_count)
        st = insert_leaves(s, g, why);
    if (!st && g->expire_count)
        st = holds_refuse(s, g->expire_first, g->expire_first + g->expire_count - 1, why);
    if (!st && g->expire_count)
        st = expire(s, g, why);
    return st ? st : tiles_grow(s, g, why);
}

enum status leaves_grow(struct store *store, const struct store_growth *g, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = sqlite_end(s, grow(s, g, why), why);
    if (!st && (g->erase_count || g->expire_count))
        sqlite_cut_log(s);
    return st;
}

/* ---- out ---- */

static void read_leaf(struct row *r, void *to)
{
    struct store_leaf *l = to;

    memset(l, 0, sizeof(*l));
    l->index = row_int(r);
    row_bytes(r, l->hash, sizeof(l->hash));
    l->kind = row_enum(r, STORE_LEAF_KINDS);
    l->time_ns = row_int(r);
    l->has_id = sqlite3_column_type(r->at, r->column) != SQLITE_NULL;
    l->id = (uint64_t)row_int(r);
    l->has_sha256 = row_some(r, l->sha256, sizeof(l->sha256)) > 0;
    l->has_pixels = row_some(r, l->pixels, sizeof(l->pixels)) > 0;
    l->has_fingerprint = row_some(r, l->fingerprint, sizeof(l->fingerprint)) > 0;
    row_text(r, l->tenant, sizeof(l->tenant));
    row_text(r, l->model, sizeof(l->model));
    row_text(r, l->verdict, sizeof(l->verdict));
    row_text(r, l->decision, sizeof(l->decision));
    l->weak = row_int(r) != 0;
    row_blob(r, &l->record);
}

/* A statement's rows; when it fails nobody has to free some of them. */
static enum status collect(struct sqlite *s, sqlite3_stmt *statement, struct store_leaf *out,
                           int *count, struct why *why)
{
    int room = *count;
    enum status st;

    for (int i = 0; i < room; i++)
        out[i].record = (struct store_bytes){NULL, 0};
    st = row_collect(s, statement, read_leaf, out, sizeof(*out), count, why);
    for (int i = 0; i < room && st; i++) {
        free(out[i].record.data);
        out[i].record = (struct store_bytes){NULL, 0};
    }
    *count = st ? 0 : *count;
    return st;
}

enum status leaves_size(struct store *store, int64_t *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = size_of(s, out, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

enum status leaves_list(struct store *store, int64_t first, struct store_leaf *out, int *count,
                        struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *row;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = sqlite_prepare(s, &row, why,
                        "SELECT " COLUMNS " FROM leaves WHERE leaf >= ? ORDER BY leaf LIMIT ?",
                        "ii", first, (int64_t)*count);
    if (!st)
        st = collect(s, row, out, count, why);
    else
        *count = 0;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- searching ---- */

#define TERMS_MAX 16

struct query {
    bool parts; /* its index is in parts (schema/0005_ledger.sql) */
    char where[1024];
    size_t bytes;
    int count;
    struct term {
        char type; /* as in sqlite_prepare */
        int64_t number;
        const void *data;
    } terms[TERMS_MAX];
};

static void term(struct query *q, const char *text, char type, int64_t number, const void *data)
{
    int n = snprintf(q->where + q->bytes, sizeof(q->where) - q->bytes, "%s%s",
                     q->bytes ? " AND " : "", text);

    assert(n > 0 && (size_t)n < sizeof(q->where) - q->bytes && q->count < TERMS_MAX);
    q->bytes += (size_t)n;
    q->terms[q->count++] = (struct term){type, number, data};
}

/* What may use an index is said to one term, the most telling one; `+` keeps the others from
   theirs: SQLite does not know that one id is less than all of a kind. */
static const char *plus(const struct query *q)
{
    return q->count ? "+" : "";
}

static void text_term(struct query *q, const char *column, const char *text)
{
    char words[64];

    snprintf(words, sizeof(words), "%s%s = ?", plus(q), column);
    if (text)
        term(q, words, 's', 0, text);
}

static void number_term(struct query *q, const char *words, int64_t number)
{
    char all[64];

    snprintf(all, sizeof(all), "%s%s", plus(q), words);
    term(q, all, 'i', number, NULL);
}

/* By its first eight bytes, which have an index, and by all of it. */
static void hash_term(struct query *q, const char *column, const uint8_t *hash)
{
    char words[96];

    if (!hash)
        return;
    snprintf(words, sizeof(words), "%ssubstr(%s, 1, 8) = ?", plus(q), column);
    term(q, words, 'b', 8, hash);
    snprintf(words, sizeof(words), "%s = ?", column);
    term(q, words, 'b', 32, hash);
}

static struct query query_of(const struct store_search *f)
{
    struct query q = {.bytes = 0};

    if (f->id)
        number_term(&q, "id = ?", (int64_t)*f->id);
    hash_term(&q, "sha256", f->sha256);
    hash_term(&q, "pixels", f->pixels);
    text_term(&q, "decision", f->decision);
    q.parts = q.count > 0;
    if (f->weak)
        term(&q, q.count ? "+weak = ?" : "weak <> 0 AND weak = ?", 'i', 1, NULL);
    text_term(&q, "tenant", f->tenant);
    text_term(&q, "model", f->model);
    text_term(&q, "verdict", f->verdict);
    if (f->kind >= 0)
        number_term(&q, "kind = ?", f->kind);
    if (f->since_ns)
        number_term(&q, "time_ns >= ?", f->since_ns);
    if (f->until_ns)
        term(&q, q.count > (f->since_ns != 0) ? "+time_ns < ?" : "time_ns < ?", 'i', f->until_ns,
             NULL);
    if (f->before || !q.count)
        number_term(&q, "leaf < ?", f->before ? f->before : INT64_MAX);
    return q;
}

static enum status bind(struct sqlite *s, sqlite3_stmt *at, const struct query *q, int64_t room,
                        struct why *why)
{
    int failed = 0;

    for (int i = 0; i < q->count && !failed; i++) {
        const struct term *t = &q->terms[i];

        if (t->type == 'i')
            failed = sqlite3_bind_int64(at, i + 1, t->number);
        else if (t->type == 's')
            failed = sqlite3_bind_text(at, i + 1, t->data, -1, SQLITE_STATIC);
        else
            failed =
                sqlite3_bind_blob64(at, i + 1, t->data, (sqlite3_uint64)t->number, SQLITE_STATIC);
    }
    if (!failed)
        failed = sqlite3_bind_int64(at, q->count + 1, room);
    return failed ? sqlite_fail(s, why) : ST_OK;
}

/* Numbers are found first: what is sorted then is small, also when a time of millions is asked. */
static enum status search(struct sqlite *s, const struct store_search *f, struct store_leaf *out,
                          int *count, struct why *why)
{
    struct query q = query_of(f);
    char sql[2048];
    sqlite3_stmt *row;
    enum status st;

    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE parts (part) AS (SELECT max(leaf) >> 13 FROM leaves UNION ALL "
             "SELECT part - 1 FROM parts WHERE part > 0) "
             "SELECT " COLUMNS " FROM leaves WHERE leaf IN (SELECT leaf FROM %s WHERE %s%s "
             "ORDER BY leaf DESC LIMIT ?) ORDER BY leaf DESC",
             q.parts ? "parts CROSS JOIN leaves" : "leaves",
             q.parts ? "leaf >> 13 = part AND " : "", q.where);
    st = sqlite_prepare(s, &row, why, sql, "");
    if (!st)
        st = bind(s, row, &q, *count, why);
    if (!st)
        return collect(s, row, out, count, why);
    sqlite3_finalize(row);
    *count = 0;
    return st;
}

enum status leaves_search(struct store *store, const struct store_search *f, struct store_leaf *out,
                          int *count, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = search(s, f, out, count, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- columns of many ---- */

static void read_hash(struct row *r, void *to)
{
    row_bytes(r, to, 32);
}

enum status leaves_hashes(struct store *store, int64_t first, uint8_t (*out)[32], int *count,
                          struct why *why)
{
    struct row_into into = {read_hash, out, 32, count};

    return row_list(store, &into, why,
                    "SELECT hash FROM leaves WHERE leaf >= ? AND leaf < ? ORDER BY leaf", "ii",
                    first, first + *count);
}

static void read_print(struct row *r, void *to)
{
    struct store_print *p = to;

    p->index = row_int(r);
    row_bytes(r, p->fingerprint, sizeof(p->fingerprint));
}

enum status leaves_prints(struct store *store, int64_t first, struct store_print *out, int *count,
                          struct why *why)
{
    struct row_into into = {read_print, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT leaf, fingerprint FROM leaves WHERE leaf >= ? AND "
                    "fingerprint IS NOT NULL ORDER BY leaf LIMIT ?",
                    "ii", first, (int64_t)*count);
}

struct tally {
    int kind;
    int64_t count;
};

static void read_tally(struct row *r, void *to)
{
    struct tally *t = to;

    t->kind = row_enum(r, STORE_LEAF_KINDS);
    t->count = row_int(r);
}

enum status leaves_counts(struct store *store, int64_t since_ns, int64_t *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    struct tally tallies[STORE_LEAF_KINDS];
    int count = STORE_LEAF_KINDS;
    sqlite3_stmt *row;
    enum status st;

    memset(out, 0, STORE_LEAF_KINDS * sizeof(*out));
    pthread_mutex_lock(&s->lock);
    st = sqlite_prepare(s, &row, why,
                        "SELECT kind, count(*) FROM leaves WHERE time_ns >= ? GROUP BY kind", "i",
                        since_ns);
    if (!st)
        st = row_collect(s, row, read_tally, tallies, sizeof(tallies[0]), &count, why);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < count && !st; i++)
        out[tallies[i].kind] = tallies[i].count;
    return st;
}
