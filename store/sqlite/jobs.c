/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/row.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 16 /* pictures of a job whose decisions are told */

#define COLUMNS                                                                                    \
    "seq, id, tenant, state, ifnull(key, ''), hash, model, width, height, steps, images, seed, "   \
    "format, raw, cut, created_s, deadline_ms, finished_s, starts, falls, event, status, code, "   \
    "message"

/* ---- rows ---- */

static enum status read_texts(struct store_job *job, sqlite3_stmt *row)
{
    if (sqlite_text(job->id, sizeof(job->id), row, 1) ||
        sqlite_text(job->tenant, sizeof(job->tenant), row, 2) ||
        sqlite_text(job->key, sizeof(job->key), row, 4) ||
        sqlite_text(job->model, sizeof(job->model), row, 6) ||
        sqlite_text(job->code, sizeof(job->code), row, 22) ||
        sqlite_text(job->message, sizeof(job->message), row, 23) ||
        sqlite3_column_bytes(row, 5) != (int)sizeof(job->hash))
        return ST_INVALID;
    memcpy(job->hash, sqlite3_column_blob(row, 5), sizeof(job->hash));
    return ST_OK;
}

static enum status read_row(struct sqlite *s, struct store_job *job, sqlite3_stmt *row,
                            struct why *why)
{
    int state = sqlite3_column_int(row, 3);

    *job = (struct store_job){
        .seq = sqlite3_column_int64(row, 0),
        .state = (enum store_job_state)state,
        .width = sqlite3_column_int(row, 7),
        .height = sqlite3_column_int(row, 8),
        .steps = sqlite3_column_int(row, 9),
        .images = sqlite3_column_int(row, 10),
        .seed = sqlite3_column_int64(row, 11),
        .format = sqlite3_column_int(row, 12),
        .raw = sqlite3_column_int(row, 13) != 0,
        .cut = sqlite3_column_int(row, 14),
        .created_s = sqlite3_column_int64(row, 15),
        .deadline_ms = sqlite3_column_int64(row, 16),
        .finished_s = sqlite3_column_int64(row, 17),
        .starts = sqlite3_column_int(row, 18),
        .falls = sqlite3_column_int(row, 19),
        .event = sqlite3_column_int64(row, 20),
        .status = sqlite3_column_int(row, 21),
    };
    if (read_texts(job, row) || state < STORE_JOB_OPEN || state >= STORE_JOB_STATES)
        return why_fail(why, ST_INVALID, "%s: the row of job %lld makes no sense", s->path,
                        (long long)job->seq);
    return ST_OK;
}

/* The only row of a statement, which is finalised. */
static enum status take_row(struct sqlite *s, sqlite3_stmt *statement, struct store_job *out,
                            struct why *why)
{
    enum status st = sqlite_row(s, statement, why, "there is no such job");

    if (!st)
        st = read_row(s, out, statement, why);
    sqlite3_finalize(statement);
    return st;
}

enum status jobs_find(struct store *store, const char *id, struct store_job *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *row;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = sqlite_prepare(s, &row, why, "SELECT " COLUMNS " FROM jobs WHERE id = ?", "s", id);
    if (!st)
        st = take_row(s, row, out, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

enum status jobs_find_key(struct store *store, const char *tenant, const char *key,
                          struct store_job *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    sqlite3_stmt *row;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = sqlite_prepare(s, &row, why, "SELECT " COLUMNS " FROM jobs WHERE tenant = ? AND key = ?",
                        "ss", tenant, key);
    if (!st)
        st = take_row(s, row, out, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* A copy of a blob, which may be empty. */
static enum status take_blob(struct sqlite *s, struct store_bytes *out, sqlite3_stmt *row,
                             int column, struct why *why)
{
    const void *data = sqlite3_column_blob(row, column);
    size_t count = (size_t)sqlite3_column_bytes(row, column);

    *out = (struct store_bytes){malloc(count + 1), count};
    if (!out->data)
        return why_fail(why, ST_FULL, "%s: out of memory", s->path);
    if (count && data)
        memcpy(out->data, data, count);
    return ST_OK;
}

static enum status next(struct sqlite *s, int64_t seq, struct store_job *out,
                        struct store_bytes *body, struct why *why)
{
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(s, &row, why,
                                    "SELECT " COLUMNS ", body FROM jobs WHERE state = 0 AND "
                                    "seq > ? ORDER BY seq LIMIT 1",
                                    "i", seq);

    if (st)
        return st;
    st = sqlite_row(s, row, why, "no job is to be finished");
    if (!st)
        st = read_row(s, out, row, why);
    if (!st)
        st = take_blob(s, body, row, 24, why);
    sqlite3_finalize(row);
    return st;
}

enum status jobs_next(struct store *store, int64_t seq, struct store_job *out,
                      struct store_bytes *body, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = next(s, seq, out, body, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- the life of a job ---- */

static enum status insert(struct sqlite *s, struct store_job *job, const void *body, size_t bytes,
                          struct why *why)
{
    sqlite3_stmt *statement;
    int64_t room = STORE_JOB_ROW_BYTES + (int64_t)bytes;
    int step;
    enum status st = sqlite_prepare(
        s, &statement, why,
        "INSERT INTO jobs (id, tenant, state, key, hash, body, model, width, height, steps, "
        "images, seed, format, raw, cut, created_s, deadline_ms, finished_s, starts, falls, "
        "event, status, code, message, bytes) VALUES "
        "(?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, 0, '', '', ?)",
        "sssbbsiiiiiiiiiiiii", job->id, job->tenant, job->key[0] ? job->key : NULL, job->hash,
        sizeof(job->hash), body, bytes, job->model, (int64_t)job->width, (int64_t)job->height,
        (int64_t)job->steps, (int64_t)job->images, job->seed, (int64_t)job->format,
        (int64_t)job->raw, (int64_t)job->cut, job->created_s, job->deadline_ms,
        (int64_t)job->starts, (int64_t)job->falls, room);

    if (st)
        return st;
    step = sqlite3_step(statement);
    if ((step & 0xff) == SQLITE_CONSTRAINT)
        st = why_fail(why, ST_INVALID, "there is a job with this key already");
    else if (step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    else
        job->seq = sqlite3_last_insert_rowid(s->db);
    sqlite3_finalize(statement);
    return st;
}

enum status jobs_add(struct store *store, struct store_job *job, const void *body, size_t bytes,
                     struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, insert(s, job, body, bytes, why), why);
}

enum status jobs_start(struct store *store, const struct store_job *job, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = sqlite_do(s, why, "UPDATE jobs SET starts = ?, falls = ? WHERE seq = ? AND state = 0",
                   "iii", (int64_t)job->starts, (int64_t)job->falls, job->seq);
    return sqlite_end(s, st, why);
}

static enum status insert_picture(struct sqlite *s, int64_t seq, int k,
                                  const struct store_picture *picture, struct why *why)
{
    return sqlite_do(
        s, why,
        "INSERT INTO pictures (job, k, seed, sha256, decision, data) VALUES (?, ?, ?, ?, ?, ?)",
        "iiissb", seq, (int64_t)k, picture->seed, picture->sha256, picture->decision,
        picture->data.count ? picture->data.data : "", picture->data.count);
}

static enum status end_row(struct sqlite *s, const struct store_job *job, int64_t bytes,
                           struct why *why)
{
    enum status st = sqlite_do(
        s, why,
        "UPDATE jobs SET state = ?, body = x'', cut = ?, finished_s = ?, event = ?, status = ?, "
        "code = ?, message = ?, bytes = ? WHERE seq = ? AND state = 0",
        "iiiiissii", (int64_t)job->state, (int64_t)job->cut, job->finished_s, job->event,
        (int64_t)job->status, job->code, job->message, STORE_JOB_ROW_BYTES + bytes, job->seq);

    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_MISSING, "job %s is over, or gone", job->id);
    return st;
}

/* How many of a job's pictures wait, and how many may be had. */
struct stand {
    int64_t held, there;
};

static void read_stand(struct row *r, void *to)
{
    struct stand *stand = to;

    stand->held = row_int(r);
    stand->there = row_int(r);
}

static enum status settle_row(struct sqlite *s, int64_t seq, bool any, int64_t now_s,
                              struct why *why)
{
    return sqlite_do(
        s, why,
        "UPDATE jobs SET state = ?, finished_s = ?, event = event + 1, status = ?, code = ?, "
        "message = ? WHERE seq = ? AND state = 3",
        "iiissi", (int64_t)(any ? STORE_JOB_COMPLETED : STORE_JOB_FAILED), now_s,
        (int64_t)(any ? ST_OK : ST_REFUSED), any ? "" : "moderation_blocked",
        any ? "" : "no picture of this job may be shown; each has a decision that says why", seq);
}

/* A held job is over when none of its pictures waits for a person any more. */
static enum status settle(struct sqlite *s, int64_t seq, int64_t now_s, struct why *why)
{
    struct stand stand;
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(
        s, &row, why,
        "SELECT ifnull(sum(d.standing = 2), 0), ifnull(sum(length(p.data) > 0 OR "
        "r.decision IS NOT NULL), 0) FROM pictures AS p LEFT JOIN decisions AS d ON "
        "d.id = p.decision LEFT JOIN releases AS r ON r.decision = p.decision WHERE p.job = ?",
        "i", seq);

    if (!st)
        st = row_take(s, row, read_stand, &stand, "there is no such job", why);
    return st || stand.held ? st : settle_row(s, seq, stand.there > 0, now_s, why);
}

enum status jobs_settle(struct sqlite *s, const char *decision, int64_t now_s, struct why *why)
{
    int64_t seq;
    sqlite3_stmt *row;
    enum status st =
        sqlite_prepare(s, &row, why,
                       "SELECT job FROM pictures JOIN jobs ON seq = job WHERE decision = ? AND "
                       "decision != '' AND state = 3 LIMIT 1",
                       "s", decision);

    if (!st)
        st = row_take(s, row, row_number, &seq, "no job waits for this", why);
    if (st == ST_MISSING)
        return ST_OK;
    return st ? st : settle(s, seq, now_s, why);
}

enum status jobs_end(struct store *store, const struct store_job *job,
                     const struct store_picture *pictures, int count, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);
    int64_t bytes = 0;

    if (st)
        return st;
    for (int k = 0; k < count; k++)
        bytes += (int64_t)pictures[k].data.count;
    st = end_row(s, job, bytes, why);
    for (int k = 0; k < count && !st; k++)
        st = insert_picture(s, job->seq, k, &pictures[k], why);
    if (!st && job->state == STORE_JOB_HELD)
        st = settle(s, job->seq, job->finished_s, why);
    return sqlite_end(s, st, why);
}

static void read_picture(struct row *r, void *to)
{
    struct store_picture *out = to;

    memset(out, 0, sizeof(*out));
    out->seed = row_int(r);
    row_text(r, out->decision, sizeof(out->decision));
    row_text(r, out->sha256, sizeof(out->sha256));
    row_blob(r, &out->data);
}

enum status jobs_picture(struct store *store, const struct store_job *job, int k,
                         struct store_picture *out, struct why *why)
{
    return row_find(store, read_picture, out, "there is no such picture", why,
                    "SELECT p.seed, p.decision, ifnull(r.sha256, p.sha256), ifnull(r.data, p.data) "
                    "FROM pictures AS p LEFT JOIN releases AS r ON r.decision = p.decision AND "
                    "length(p.data) = 0 WHERE p.job = ? AND p.k = ?",
                    "ii", job->seq, (int64_t)k);
}

struct named {
    int k;
    char decision[STORE_ID_MAX];
};

static void read_named(struct row *r, void *to)
{
    struct named *named = to;

    named->k = row_small(r);
    row_text(r, named->decision, sizeof(named->decision));
}

enum status jobs_decisions(struct store *store, const struct store_job *job,
                           char (*out)[STORE_ID_MAX], int count, struct why *why)
{
    struct named named[NAMED_MAX];
    int found = count < NAMED_MAX ? count : NAMED_MAX;
    struct row_into into = {read_named, named, sizeof(named[0]), &found};
    enum status st =
        row_list(store, &into, why, "SELECT k, decision FROM pictures WHERE job = ? ORDER BY k",
                 "i", job->seq);

    for (int i = 0; i < count; i++)
        out[i][0] = '\0';
    for (int i = 0; i < found && !st; i++) {
        if (named[i].k < count)
            memcpy(out[named[i].k], named[i].decision, sizeof(named[i].decision));
    }
    return st;
}

/* ---- forgetting ---- */

static enum status forget_old(struct sqlite *s, int64_t before_s, struct why *why)
{
    return sqlite_do(s, why, "DELETE FROM jobs WHERE state IN (1, 2) AND finished_s <= ?", "i",
                     before_s);
}

/* Those before whom, from the newest back, the room is full; the newest itself stays. */
static enum status forget_much(struct sqlite *s, int64_t bytes, struct why *why)
{
    return sqlite_do(s, why,
                     "DELETE FROM jobs WHERE seq IN (SELECT seq FROM (SELECT seq, "
                     "sum(bytes) OVER later AS total, row_number() OVER later AS place FROM jobs "
                     "WHERE state IN (1, 2) WINDOW later AS (ORDER BY finished_s DESC, seq DESC)) "
                     "WHERE total > ? AND place > 1)",
                     "i", bytes);
}

enum status jobs_sweep(struct store *store, int64_t now_s, struct store_keep keep, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = forget_old(s, now_s - keep.seconds, why);
    if (!st)
        st = forget_much(s, keep.bytes, why);
    return sqlite_end(s, st, why);
}
