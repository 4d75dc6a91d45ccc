/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details of erasing that have caused bugs
 *
 * - A row that was changed leaves its old bytes in free parts of the page: secure_delete writes
 *   zeros over them (sqlite.c).
 * - The write-ahead log still has the page as it was, also after it was copied back: so a sweep
 *   that destroyed something cuts the log off.
 */
#include "store/sqlite/row.h"

#include <stdio.h>
#include <string.h>

#define PIECE 100 /* objects in one transaction */

enum status objects_insert(struct sqlite *s, const struct store_object *o, struct why *why)
{
    return sqlite_do(
        s, why,
        "INSERT INTO objects (id, decision, tenant, key, master, created_s, expires_s, "
        "destroyed_s, frozen, data) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
        "sssbsiiib", o->id, o->decision, o->tenant, o->key, o->key_bytes, o->master, o->created_s,
        o->expires_s, (int64_t)o->frozen, o->data.data, o->data.count);
}

static void read_object(struct row *r, void *to)
{
    struct store_object *o = to;

    memset(o, 0, sizeof(*o));
    row_text(r, o->id, sizeof(o->id));
    row_text(r, o->decision, sizeof(o->decision));
    row_text(r, o->tenant, sizeof(o->tenant));
    o->key_bytes = row_some(r, o->key, sizeof(o->key));
    row_text(r, o->master, sizeof(o->master));
    o->created_s = row_int(r);
    o->expires_s = row_int(r);
    o->destroyed_s = row_int(r);
    o->frozen = row_int(r) != 0;
    row_blob(r, &o->data);
}

enum status objects_find(struct store *store, const char *id, struct store_object *out,
                         struct why *why)
{
    return row_find(store, read_object, out, "there is no such object", why,
                    "SELECT id, decision, tenant, key, master, created_s, expires_s, "
                    "destroyed_s, frozen, data FROM objects WHERE id = ?",
                    "s", id);
}

/* ---- the end ---- */

static enum status destroy(struct sqlite *s, const char *id, int64_t now_s, struct why *why)
{
    return sqlite_do(s, why,
                     "UPDATE objects SET key = x'', data = x'', destroyed_s = ? "
                     "WHERE id = ? AND destroyed_s = 0",
                     "is", now_s, id);
}

static enum status destroy_known(struct sqlite *s, const char *id, int64_t now_s, struct why *why)
{
    int64_t one;
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(s, &row, why, "SELECT 1 FROM objects WHERE id = ?", "s", id);

    if (!st)
        st = row_take(s, row, row_number, &one, "there is no such object", why);
    return st ? st : destroy(s, id, now_s, why);
}

enum status objects_destroy(struct store *store, const char *id, int64_t now_s, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = sqlite_end(s, destroy_known(s, id, now_s, why), why);
    if (!st)
        sqlite_cut_log(s);
    return st;
}

struct over {
    char id[STORE_ID_MAX], decision[STORE_ID_MAX], tenant[STORE_JOB_TENANT_MAX];
};

static void read_over(struct row *r, void *to)
{
    struct over *over = to;

    row_text(r, over->id, sizeof(over->id));
    row_text(r, over->decision, sizeof(over->decision));
    row_text(r, over->tenant, sizeof(over->tenant));
}

static enum status run_about(struct sqlite *s, const char *text, const char *decision,
                             struct why *why)
{
    return sqlite_do(s, why, text, "s", decision);
}

static enum status note_end(struct sqlite *s, const struct over *over, int64_t now_s,
                            struct why *why)
{
    struct store_event e = {.actor = "system", .kind = "decision.expired", .at_ms = now_s * 1000};

    snprintf(e.decision, sizeof(e.decision), "%s", over->decision);
    snprintf(e.tenant, sizeof(e.tenant), "%s", over->tenant);
    return events_insert(s, &e, why);
}

/* What was stopped has expired; what was decided stays so, without a byte of it. */
static enum status end_decision(struct sqlite *s, const struct over *over, int64_t now_s,
                                struct why *why)
{
    enum status st = run_about(s,
                               "UPDATE decisions SET standing = 6 WHERE id = ? AND "
                               "standing IN (2, 3)",
                               over->decision, why);

    if (!st)
        st = moves_supersede(s, over->decision, "", ~0u, "item.expired", now_s, why);
    if (!st)
        st =
            run_about(s, "UPDATE items SET text = '', question = '', reply = '' WHERE decision = ?",
                      over->decision, why);
    if (!st)
        st = run_about(s, "UPDATE releases SET data = x'' WHERE decision = ?", over->decision, why);
    if (!st)
        st = jobs_settle(s, over->decision, now_s, why);
    return st ? st : note_end(s, over, now_s, why);
}

/* An appeal that is open, or a second opinion, keeps what it is about. */
static enum status sweep(struct sqlite *s, int64_t now_s, int *count, struct why *why)
{
    struct over over[PIECE];
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(
        s, &row, why,
        "SELECT id, decision, tenant FROM objects AS o WHERE destroyed_s = 0 AND frozen = 0 AND "
        "expires_s <= ? AND NOT EXISTS (SELECT 1 FROM items AS i WHERE i.decision = o.decision AND "
        "i.kind IN (1, 3) AND i.state IN (0, 1, 2)) LIMIT ?",
        "ii", now_s, (int64_t)PIECE);

    *count = PIECE;
    if (!st)
        st = row_collect(s, row, read_over, over, sizeof(over[0]), count, why);
    for (int i = 0; !st && i < *count; i++) {
        st = destroy(s, over[i].id, now_s, why);
        if (!st)
            st = end_decision(s, &over[i], now_s, why);
    }
    return st;
}

enum status objects_sweep(struct store *store, int64_t now_s, int *count, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    *count = 0;
    if (st)
        return st;
    st = sqlite_end(s, sweep(s, now_s, count, why), why);
    if (!st && *count)
        sqlite_cut_log(s);
    return st;
}
