/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.h - the columns of a row, one after another, into the fields of a struct. What was not
 * written by us makes the row bad, which is asked once at its end.
 */
#ifndef STORE_SQLITE_ROW_H
#define STORE_SQLITE_ROW_H

#include "store/sqlite/guest.h"

#include <stdbool.h>

struct row {
    struct sqlite *store;
    sqlite3_stmt *at;
    int column; /* the next one */
    bool bad;
    bool full; /* no memory for a blob */
};

int64_t row_int(struct row *r);
int row_small(struct row *r);
int row_enum(struct row *r, int count); /* 0 to count - 1 */
void row_text(struct row *r, char *out, size_t size);
/* Exactly so many bytes. */
void row_bytes(struct row *r, void *out, size_t bytes);
/* At most so many; how many. */
size_t row_some(struct row *r, void *out, size_t max);
/* A copy, which is the caller's also when it is empty. */
void row_blob(struct row *r, struct store_bytes *out);

/* Fills *out, whose size its caller knows. */
typedef void row_reader(struct row *r, void *out);

/* One number, into an int64_t. */
void row_number(struct row *r, void *out);

/* The only row of a statement, which is finalised; when there is none, ST_MISSING in this word. */
MUST_USE enum status row_take(struct sqlite *s, sqlite3_stmt *statement, row_reader *read,
                              void *out, const char *missing, struct why *why);
/* All its rows, until *count of `size` bytes are there; then *count is how many. */
MUST_USE enum status row_collect(struct sqlite *s, sqlite3_stmt *statement, row_reader *read,
                                 void *out, size_t size, int *count, struct why *why);

/* Where the rows of a list go: up to *count of `size` bytes, read by `read`. */
struct row_into {
    row_reader *read;
    void *out;
    size_t size;
    int *count;
};

/* A statement and its parameters as sqlite_prepare takes them, then row_take or row_collect, all of
   it under the lock, which these two take and let go. */
MUST_USE enum status row_find(struct store *store, row_reader *read, void *out, const char *missing,
                              struct why *why, const char *sql, const char *types, ...);
MUST_USE enum status row_list(struct store *store, const struct row_into *into, struct why *why,
                              const char *sql, const char *types, ...);

#endif /* STORE_SQLITE_ROW_H */
