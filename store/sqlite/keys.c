/* SPDX-License-Identifier: Apache-2.0 */
#include "store/scope.h"
#include "store/sqlite/guest.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS "prefix, hash, tenant, scopes, note, created_s, expires_s, revoked_s"

static enum status read_row(struct sqlite *s, struct store_key *key, sqlite3_stmt *row,
                            struct why *why)
{
    char scopes[SCOPE_TEXT_MAX];

    *key = (struct store_key){.created_s = sqlite3_column_int64(row, 5),
                              .expires_s = sqlite3_column_int64(row, 6),
                              .revoked_s = sqlite3_column_int64(row, 7)};
    if (sqlite3_column_bytes(row, 1) != (int)sizeof(key->hash) ||
        sqlite_text(key->prefix, sizeof(key->prefix), row, 0) ||
        sqlite_text(key->tenant, sizeof(key->tenant), row, 2) ||
        sqlite_text(scopes, sizeof(scopes), row, 3) ||
        sqlite_text(key->note, sizeof(key->note), row, 4) ||
        scope_parse(&key->scopes, scopes, NULL))
        return why_fail(why, ST_INVALID, "%s: the row of key '%.16s' makes no sense", s->path,
                        key->prefix);
    memcpy(key->hash, sqlite3_column_blob(row, 1), sizeof(key->hash));
    return ST_OK;
}

static enum status list(struct sqlite *s, struct store_key *out, int *count, struct why *why)
{
    sqlite3_stmt *rows;
    enum status st = sqlite_prepare(s, &rows, why,
                                    "SELECT " COLUMNS " FROM keys ORDER BY created_s, prefix", "");
    int step = SQLITE_DONE;

    *count = 0;
    if (st)
        return st;
    while (!st && *count < STORE_KEYS_MAX && (step = sqlite3_step(rows)) == SQLITE_ROW)
        st = read_row(s, &out[(*count)++], rows, why);
    if (!st && step != SQLITE_ROW && step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    sqlite3_finalize(rows);
    return st;
}

enum status keys_list(struct store *store, struct store_key *out, int *count, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = list(s, out, count, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status count_rows(struct sqlite *s, int64_t *out, struct why *why)
{
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(s, &row, why, "SELECT count(*) FROM keys", "");

    if (st)
        return st;
    if (sqlite3_step(row) == SQLITE_ROW)
        *out = sqlite3_column_int64(row, 0);
    else
        st = sqlite_fail(s, why);
    sqlite3_finalize(row);
    return st;
}

/* The table is bounded: the oldest row that opens nothing any more makes room. */
static enum status make_room(struct sqlite *s, int64_t now_s, struct why *why)
{
    int64_t rows = 0;
    enum status st = count_rows(s, &rows, why);

    if (st || rows < STORE_KEYS_MAX)
        return st;
    st = sqlite_do(s, why,
                   "DELETE FROM keys WHERE prefix = (SELECT prefix FROM keys WHERE revoked_s "
                   "OR (expires_s AND expires_s <= ?) ORDER BY created_s LIMIT 1)",
                   "i", now_s);
    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_FULL, "there are %d keys, which is the most; revoke some first",
                      STORE_KEYS_MAX);
    return st;
}

static enum status insert(struct sqlite *s, const struct store_key *key, struct why *why)
{
    sqlite3_stmt *statement;
    char scopes[SCOPE_TEXT_MAX];
    enum status st;
    int step;

    scope_print(scopes, key->scopes);
    st = sqlite_prepare(s, &statement, why,
                        "INSERT INTO keys (prefix, tenant, scopes, note, created_s, expires_s, "
                        "revoked_s, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        "ssssiii", key->prefix, key->tenant, scopes, key->note, key->created_s,
                        key->expires_s, key->revoked_s);
    if (st)
        return st;
    sqlite3_bind_blob(statement, 8, key->hash, sizeof(key->hash), SQLITE_STATIC);
    step = sqlite3_step(statement);
    if ((step & 0xff) == SQLITE_CONSTRAINT)
        st = why_fail(why, ST_INVALID, "there is a key %s already; try again", key->prefix);
    else if (step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    sqlite3_finalize(statement);
    return st;
}

enum status keys_add(struct store *store, const struct store_key *key, int64_t now_s,
                     struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = make_room(s, now_s, why);
    if (!st)
        st = insert(s, key, why);
    return sqlite_end(s, st, why);
}

static enum status find(struct sqlite *s, const char *prefix, struct store_key *out,
                        struct why *why)
{
    sqlite3_stmt *row;
    enum status st =
        sqlite_prepare(s, &row, why, "SELECT " COLUMNS " FROM keys WHERE prefix = ?", "s", prefix);

    if (st)
        return st;
    st = sqlite_row(s, row, why, "there is no key %.16s", prefix);
    if (!st)
        st = read_row(s, out, row, why);
    sqlite3_finalize(row);
    return st;
}

static enum status revoke(struct sqlite *s, const char *prefix, int64_t now_s, struct why *why)
{
    return sqlite_do(s, why, "UPDATE keys SET revoked_s = ? WHERE prefix = ? AND revoked_s = 0",
                     "is", now_s, prefix);
}

enum status keys_revoke(struct store *store, const char *prefix, int64_t now_s,
                        struct store_key *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = revoke(s, prefix, now_s, why);
    if (!st)
        st = find(s, prefix, out, why);
    return sqlite_end(s, st, why);
}
