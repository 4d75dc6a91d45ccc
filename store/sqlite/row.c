/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/row.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int64_t row_int(struct row *r)
{
    return sqlite3_column_int64(r->at, r->column++);
}

int row_small(struct row *r)
{
    int64_t n = row_int(r);

    if (n < INT_MIN || n > INT_MAX)
        r->bad = true;
    return (int)n;
}

int row_enum(struct row *r, int count)
{
    int64_t n = row_int(r);

    if (n < 0 || n >= count) {
        r->bad = true;
        return 0;
    }
    return (int)n;
}

void row_text(struct row *r, char *out, size_t size)
{
    if (sqlite_text(out, size, r->at, r->column++))
        r->bad = true;
}

size_t row_some(struct row *r, void *out, size_t max)
{
    const void *data = sqlite3_column_blob(r->at, r->column);
    size_t count = (size_t)sqlite3_column_bytes(r->at, r->column++);

    if (count > max) {
        r->bad = true;
        return 0;
    }
    if (count)
        memcpy(out, data, count);
    return count;
}

void row_bytes(struct row *r, void *out, size_t bytes)
{
    if (row_some(r, out, bytes) != bytes)
        r->bad = true;
}

void row_blob(struct row *r, struct store_bytes *out)
{
    const void *data = sqlite3_column_blob(r->at, r->column);
    size_t count = (size_t)sqlite3_column_bytes(r->at, r->column++);

    *out = (struct store_bytes){malloc(count + 1), 0};
    if (!out->data) {
        r->full = true;
        return;
    }
    out->count = count;
    if (count)
        memcpy(out->data, data, count);
}

void row_number(struct row *r, void *out)
{
    *(int64_t *)out = row_int(r);
}

static enum status read_row(struct sqlite *s, sqlite3_stmt *statement, row_reader *read, void *out,
                            struct why *why)
{
    struct row r = {.store = s, .at = statement};

    read(&r, out);
    assert(r.column == sqlite3_column_count(statement) && "every column that was asked for");
    if (r.full)
        return why_fail(why, ST_FULL, "%s: out of memory", s->path);
    if (r.bad)
        return why_fail(why, ST_INVALID, "%s: a row makes no sense", s->path);
    return ST_OK;
}

enum status row_take(struct sqlite *s, sqlite3_stmt *statement, row_reader *read, void *out,
                     const char *missing, struct why *why)
{
    enum status st = sqlite_row(s, statement, why, "%s", missing);

    if (!st)
        st = read_row(s, statement, read, out, why);
    sqlite3_finalize(statement);
    return st;
}

enum status row_collect(struct sqlite *s, sqlite3_stmt *statement, row_reader *read, void *out,
                        size_t size, int *count, struct why *why)
{
    enum status st = ST_OK;
    char *to = out;
    int room = *count, step = SQLITE_DONE;

    *count = 0;
    while (!st && *count < room && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        st = read_row(s, statement, read, to, why);
        to += size;
        *count += !st;
    }
    if (!st && *count < room && step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    sqlite3_finalize(statement);
    return st;
}

enum status row_find(struct store *store, row_reader *read, void *out, const char *missing,
                     struct why *why, const char *sql, const char *types, ...)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *statement;
    va_list args;
    enum status st;

    pthread_mutex_lock(&s->lock);
    va_start(args, types);
    st = sqlite_prepare_with(s, &statement, why, sql, types, args);
    va_end(args);
    if (!st)
        st = row_take(s, statement, read, out, missing, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

enum status row_list(struct store *store, const struct row_into *into, struct why *why,
                     const char *sql, const char *types, ...)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *statement;
    va_list args;
    enum status st;

    pthread_mutex_lock(&s->lock);
    va_start(args, types);
    st = sqlite_prepare_with(s, &statement, why, sql, types, args);
    va_end(args);
    if (!st)
        st = row_collect(s, statement, into->read, into->out, into->size, into->count, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}
