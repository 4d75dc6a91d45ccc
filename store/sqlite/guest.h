/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h - how a store lives on SQLite. Private to sqlite.c and here.
 *
 * One connection, and a lock that is held for a whole operation. SQLite's own lock is left out.
 */
#ifndef STORE_SQLITE_GUEST_H
#define STORE_SQLITE_GUEST_H

#include "store/store.h"

#include <sqlite3.h>

#include <pthread.h>

struct sqlite {
    struct store super;
    sqlite3 *db;
    pthread_mutex_t lock;
    char path[4096];
};

/* What SQLite said last, as a status of ours and a sentence. */
enum status sqlite_fail(struct sqlite *s, struct why *why);

/* Take the lock and begin to write: other writers wait until sqlite_end, which takes it all back
   when `st` is a failure, lets the lock go, and tells `st`, or why it could not be kept. */
MUST_USE enum status sqlite_begin(struct sqlite *s, struct why *why);
MUST_USE enum status sqlite_end(struct sqlite *s, enum status st, struct why *why);

/* A statement of ours with its parameters bound, one character of `types` each: 'i' an int64_t,
   's' a text, 'b' bytes and a size_t; both outlive the statement, and NULL is null. Under the lock.
 */
MUST_USE enum status sqlite_prepare(struct sqlite *s, sqlite3_stmt **out, struct why *why,
                                    const char *sql, const char *types, ...);
/* Step to the one row of a statement; when there is none, ST_MISSING in these words. Finalising is
   the caller's. */
MUST_USE enum status sqlite_row(struct sqlite *s, sqlite3_stmt *row, struct why *why,
                                const char *missing, ...) PRINTF_LIKE(4, 5);
/* Step to the end and finalise. */
MUST_USE enum status sqlite_run(struct sqlite *s, sqlite3_stmt *statement, struct why *why);

/* `text` of at most `size` bytes, NUL included; what is longer was not written by us: ST_INVALID.
 */
MUST_USE enum status sqlite_text(char *out, size_t size, sqlite3_stmt *row, int column);

/* keys.c */
enum status keys_add(struct store *s, const struct store_key *key, int64_t now_s, struct why *why);
enum status keys_list(struct store *s, struct store_key *out, int *count, struct why *why);
enum status keys_revoke(struct store *s, const char *prefix, int64_t now_s, struct store_key *out,
                        struct why *why);

/* usage.c */
enum status usage_put(struct store *s, const struct store_usage *rows, int count, struct why *why);
enum status usage_list(struct store *s, int64_t day, struct store_usage *out, int *count,
                       struct why *why);

/* jobs.c */
enum status jobs_add(struct store *s, struct store_job *job, const void *body, size_t bytes,
                     struct why *why);
enum status jobs_find(struct store *s, const char *id, struct store_job *out, struct why *why);
enum status jobs_find_key(struct store *s, const char *tenant, const char *key,
                          struct store_job *out, struct why *why);
enum status jobs_next(struct store *s, int64_t seq, struct store_job *out, struct store_bytes *body,
                      struct why *why);
enum status jobs_start(struct store *s, const struct store_job *job, struct why *why);
enum status jobs_end(struct store *s, const struct store_job *job,
                     const struct store_picture *pictures, int count, struct why *why);
enum status jobs_picture(struct store *s, const struct store_job *job, int k,
                         struct store_picture *out, struct why *why);
enum status jobs_sweep(struct store *s, int64_t now_s, struct store_keep keep, struct why *why);

#endif /* STORE_SQLITE_GUEST_H */
