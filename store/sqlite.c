/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details of SQLite that have caused bugs
 *
 * - A transaction that begins with a read and then writes can fail at once when another process
 *   writes, whatever the timeout: so what writes begins IMMEDIATE.
 * - The file is made with the umask's rights; ours is made before, with 0600.
 * - synchronous=FULL: in WAL mode the milder NORMAL may lose the last commits with the power, and a
 *   key that was revoked must stay so.
 * - secure_delete=FAST zeroes what a changed page had before, and costs no page more: a destroyed
 *   key is not found in the file. Whole pages that become free keep their bytes, which is cipher.
 * - The WAL stays as large as the largest commit made it, pictures and all, without a limit.
 */
#include "store/sqlite.h"

#include "store/schema.h"
#include "store/sqlite/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID  0x4c4d4e52 /* "LMNR": this file is ours */
#define BUSY_TIMEOUT_MS 5000

/* ---- what SQLite says, in our words ---- */

enum status sqlite_fail(struct sqlite *s, struct why *why)
{
    switch (sqlite3_extended_errcode(s->db) & 0xff) {
    case SQLITE_FULL:
        return why_fail(why, ST_FULL, "%s: the disk is full", s->path);
    case SQLITE_NOMEM:
        return why_fail(why, ST_FULL, "%s: out of memory", s->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return why_fail(why, ST_IO, "%s: another program has kept it locked for %d s", s->path,
                        BUSY_TIMEOUT_MS / 1000);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return why_fail(why, ST_INVALID,
                        "%s is damaged, or no store of limner's (%s); put a copy back that is "
                        "whole, or move it away to begin with an empty one",
                        s->path, sqlite3_errmsg(s->db));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return why_fail(why, ST_IO, "%s cannot be opened to write: %s", s->path,
                        sqlite3_errmsg(s->db));
    default:
        return why_fail(why, ST_IO, "%s: %s", s->path, sqlite3_errmsg(s->db));
    }
}

/* ---- statements ---- */

enum status sqlite_prepare_with(struct sqlite *s, sqlite3_stmt **out, struct why *why,
                                const char *sql, const char *types, va_list args)
{
    int failed = sqlite3_prepare_v2(s->db, sql, -1, out, NULL);
    enum status st;

    for (int i = 0; types[i] && !failed; i++) {
        if (types[i] == 'i') {
            failed = sqlite3_bind_int64(*out, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 's') {
            failed = sqlite3_bind_text(*out, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *data = va_arg(args, const void *);

            failed = sqlite3_bind_blob64(*out, i + 1, data, va_arg(args, size_t), SQLITE_STATIC);
        }
    }
    if (!failed)
        return ST_OK;
    st = sqlite_fail(s, why);
    sqlite3_finalize(*out);
    *out = NULL;
    return st;
}

enum status sqlite_prepare(struct sqlite *s, sqlite3_stmt **out, struct why *why, const char *sql,
                           const char *types, ...)
{
    va_list args;
    enum status st;

    va_start(args, types);
    st = sqlite_prepare_with(s, out, why, sql, types, args);
    va_end(args);
    return st;
}

enum status sqlite_row(struct sqlite *s, sqlite3_stmt *row, struct why *why, const char *missing,
                       ...)
{
    struct why none;
    va_list words;
    int step = sqlite3_step(row);

    if (step == SQLITE_ROW)
        return ST_OK;
    if (step != SQLITE_DONE)
        return sqlite_fail(s, why);
    va_start(words, missing);
    vsnprintf(none.text, sizeof(none.text), missing, words);
    va_end(words);
    return why_fail(why, ST_MISSING, "%s", none.text);
}

enum status sqlite_run(struct sqlite *s, sqlite3_stmt *statement, struct why *why)
{
    enum status st = ST_OK;
    int step;

    do
        step = sqlite3_step(statement);
    while (step == SQLITE_ROW);
    if (step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    sqlite3_finalize(statement);
    return st;
}

enum status sqlite_do(struct sqlite *s, struct why *why, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    enum status st;

    va_start(args, types);
    st = sqlite_prepare_with(s, &statement, why, sql, types, args);
    va_end(args);
    return st ? st : sqlite_run(s, statement, why);
}

enum status sqlite_text(char *out, size_t size, sqlite3_stmt *row, int column)
{
    size_t bytes = (size_t)sqlite3_column_bytes(row, column);
    const unsigned char *text = sqlite3_column_text(row, column);

    if (!text || bytes >= size || strlen((const char *)text) != bytes)
        return ST_INVALID;
    memcpy(out, text, bytes + 1);
    return ST_OK;
}

static enum status run(struct sqlite *s, const char *sql, struct why *why)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) ? sqlite_fail(s, why) : ST_OK;
}

/* The first number that a statement gives. */
static enum status ask(struct sqlite *s, const char *sql, int64_t *out, struct why *why)
{
    sqlite3_stmt *statement;
    enum status st = sqlite_prepare(s, &statement, why, sql, "");

    if (st)
        return st;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else
        st = sqlite_fail(s, why);
    sqlite3_finalize(statement);
    return st;
}

enum status sqlite_begin(struct sqlite *s, struct why *why)
{
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = run(s, "BEGIN IMMEDIATE", why);
    if (st)
        pthread_mutex_unlock(&s->lock);
    return st;
}

enum status sqlite_end(struct sqlite *s, enum status st, struct why *why)
{
    if (!st)
        st = run(s, "COMMIT", why);
    if (st && !sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL); /* the failure was told already */
    pthread_mutex_unlock(&s->lock);
    return st;
}

void sqlite_cut_log(struct sqlite *s)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
}

/* ---- the table ---- */

static void close_store(struct store *store)
{
    struct sqlite *s = (struct sqlite *)store;

    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static enum status version(struct store *store, int64_t *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = ask(s, "PRAGMA data_version", out, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static const struct store_ops ops = {
    .close = close_store,
    .version = version,
    .key_add = keys_add,
    .key_list = keys_list,
    .key_revoke = keys_revoke,
    .usage_put = usage_put,
    .usage_list = usage_list,
    .job_add = jobs_add,
    .job_find = jobs_find,
    .job_find_key = jobs_find_key,
    .job_next = jobs_next,
    .job_start = jobs_start,
    .job_end = jobs_end,
    .job_picture = jobs_picture,
    .job_decisions = jobs_decisions,
    .job_sweep = jobs_sweep,
    .decision_add = decisions_add,
    .decision_find = decisions_find,
    .decision_list = decisions_list,
    .precedent = decisions_precedent,
    .release_find = releases_find,
    .object_find = objects_find,
    .object_destroy = objects_destroy,
    .object_sweep = objects_sweep,
    .appeal_add = items_appeal,
    .item_add = items_add,
    .item_find = items_find,
    .item_list = items_list,
    .item_open = items_open,
    .item_decided = items_decided,
    .item_asked = items_asked,
    .item_claim = moves_claim,
    .item_beat = moves_beat,
    .item_move = moves_move,
    .item_escalate = moves_escalate,
    .item_counts = items_counts,
    .event_add = events_add,
    .event_list = events_list,
    .event_verify = events_verify,
    .message_next = messages_next,
    .message_put = messages_put,
    .grant_put = grants_put,
    .grant_list = grants_list,
    .note_put = notes_put,
    .note_get = notes_get,
    .note_next = notes_next,
    .ledger_grow = leaves_grow,
    .ledger_size = leaves_size,
    .leaf_list = leaves_list,
    .leaf_search = leaves_search,
    .leaf_hashes = leaves_hashes,
    .leaf_prints = leaves_prints,
    .leaf_counts = leaves_counts,
    .tile_find = tiles_find,
    .checkpoint_list = checkpoints_list,
    .clear_find = clears_find,
    .hold_put = holds_put,
    .hold_list = holds_list,
};

/* ---- opening ---- */

/* The steps that are missing, in one transaction, of which another process sees all or nothing. */
static enum status migrate(struct sqlite *s, struct why *why)
{
    int64_t have = 0;
    char mark[96];
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = ask(s, "PRAGMA user_version", &have, why);
    for (int64_t step = have; !st && step < schema_step_count; step++)
        st = run(s, schema_steps[step], why);
    snprintf(mark, sizeof(mark), "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID,
             schema_step_count);
    if (!st && have < schema_step_count)
        st = run(s, mark, why);
    return sqlite_end(s, st, why);
}

/* Is it ours, and not from the future? */
static enum status recognise(struct sqlite *s, int64_t *have, struct why *why)
{
    int64_t id = 0, tables = 0;
    enum status st = ask(s, "PRAGMA application_id", &id, why);

    if (!st)
        st = ask(s, "SELECT count(*) FROM sqlite_schema", &tables, why);
    if (!st)
        st = ask(s, "PRAGMA user_version", have, why);
    if (st)
        return st;
    if (id != APPLICATION_ID && (id || tables || *have))
        return why_fail(why, ST_INVALID, "%s belongs to another program; name another folder",
                        s->path);
    if (*have > schema_step_count)
        return why_fail(why, ST_UNSUPPORTED,
                        "%s was written by a newer limner (schema %lld, this one knows up to %d); "
                        "run that one, or put an older copy back",
                        s->path, (long long)*have, schema_step_count);
    return ST_OK;
}

static enum status set_up(struct sqlite *s, struct why *why)
{
    int64_t have = 0;
    sqlite3_stmt *mode = NULL;
    enum status st;
    bool wal;

    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    st = recognise(s, &have, why);
    if (!st)
        st = run(s,
                 "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; "
                 "PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=4000; "
                 "PRAGMA secure_delete=FAST",
                 why);
    if (!st)
        st = sqlite_prepare(s, &mode, why, "PRAGMA journal_mode=WAL", "");
    if (st)
        return st;
    if (sqlite3_step(mode) != SQLITE_ROW)
        st = sqlite_fail(s, why);
    wal = !st && !strcmp((const char *)sqlite3_column_text(mode, 0), "wal");
    sqlite3_finalize(mode);
    if (!st && !wal)
        st = why_fail(why, ST_IO,
                      "%s: this file system cannot share memory (WAL); name a folder "
                      "on a local disk",
                      s->path);
    return st || have == schema_step_count ? st : migrate(s, why);
}

/* The folder and an empty file, readable by nobody else. */
static enum status make_file(const struct sqlite *s, const char *folder, struct why *why)
{
    int fd;

    if (mkdir(folder, 0700) && errno != EEXIST)
        return why_fail(why, ST_IO, "cannot make the folder %s: %s; --state names another", folder,
                        strerror(errno));
    fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return why_fail(why, ST_IO, "cannot open %s: %s; --state names another folder", s->path,
                        strerror(errno));
    close(fd);
    return ST_OK;
}

enum status sqlite_open(struct store **out, const char *folder, struct why *why)
{
    struct sqlite *s = calloc(1, sizeof(*s));
    enum status st;

    *out = NULL;
    if (!s)
        return why_fail(why, ST_FULL, "no memory for the store");
    s->super.ops = &ops;
    pthread_mutex_init(&s->lock, NULL);
    if (snprintf(s->path, sizeof(s->path), "%s/%s", folder, STORE_FILE) >= (int)sizeof(s->path))
        st = why_fail(why, ST_INVALID, "the name of the state folder is too long");
    else
        st = make_file(s, folder, why);
    if (!st && sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
        st = sqlite_fail(s, why);
    if (!st)
        st = set_up(s, why);
    if (st)
        close_store(&s->super);
    else
        *out = &s->super;
    return st;
}
