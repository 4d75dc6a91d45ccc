/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/items.h"

#include <assert.h>
#include <string.h>

/* ---- rows ---- */

static void read_owner(struct row *r, struct store_item *i)
{
    row_text(r, i->reason, sizeof(i->reason));
    row_text(r, i->text, sizeof(i->text));
    row_text(r, i->question, sizeof(i->question));
    row_text(r, i->reply, sizeof(i->reply));
    row_text(r, i->key, sizeof(i->key));
    row_bytes(r, i->hash, sizeof(i->hash));
}

static void read_reviewer(struct row *r, struct store_item *i)
{
    row_text(r, i->reviewer, sizeof(i->reviewer));
    row_bytes(r, i->lease, sizeof(i->lease));
    i->lease_until_s = row_int(r);
    i->claimed_ms = row_int(r);
    i->outcome = (enum store_outcome)row_enum(r, STORE_OUTCOMES);
    i->expected = (enum store_outcome)row_enum(r, STORE_OUTCOMES);
    row_text(r, i->code, sizeof(i->code));
    row_text(r, i->clause, sizeof(i->clause));
    row_text(r, i->answer, sizeof(i->answer));
    i->confidence = row_small(r);
    i->decided_s = row_int(r);
    i->spent_ms = row_int(r);
    row_text(r, i->parent, sizeof(i->parent));
}

void items_read(struct row *r, void *to)
{
    struct store_item *i = to;

    memset(i, 0, sizeof(*i));
    i->seq = row_int(r);
    row_text(r, i->id, sizeof(i->id));
    i->kind = (enum store_item_kind)row_enum(r, STORE_ITEM_KINDS);
    row_text(r, i->decision, sizeof(i->decision));
    row_text(r, i->tenant, sizeof(i->tenant));
    row_text(r, i->queue, sizeof(i->queue));
    row_text(r, i->category, sizeof(i->category));
    i->severity = row_small(r);
    i->state = (enum store_item_state)row_enum(r, STORE_ITEM_STATES);
    i->version = row_int(r);
    i->skips = row_small(r);
    i->created_s = row_int(r);
    i->due_first_s = row_int(r);
    i->due_s = row_int(r);
    i->escalated_s = row_int(r);
    i->asked_s = row_int(r);
    read_owner(r, i);
    read_reviewer(r, i);
}

/* SQLITE_CONSTRAINT is the caller's to explain: then ST_REFUSED. */
static enum status insert(struct sqlite *s, const struct store_item *i, struct why *why)
{
    sqlite3_stmt *statement;
    int step;
    enum status st = sqlite_prepare(
        s, &statement, why,
        "INSERT INTO items (id, kind, decision, tenant, queue, category, severity, state, version, "
        "skips, created_s, due_first_s, due_s, escalated_s, asked_s, reason, text, question, "
        "reply, key, hash, reviewer, lease, lease_until_s, claimed_ms, outcome, expected, code, "
        "clause, answer, confidence, decided_s, spent_ms, parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "sissssiiiiiiiiisssssbsbiiiisssiiis", i->id, (int64_t)i->kind, i->decision, i->tenant,
        i->queue, i->category, (int64_t)i->severity, (int64_t)i->state, i->version,
        (int64_t)i->skips, i->created_s, i->due_first_s, i->due_s, i->escalated_s, i->asked_s,
        i->reason, i->text, i->question, i->reply, i->key[0] ? i->key : NULL, i->hash,
        sizeof(i->hash), i->reviewer, i->lease, sizeof(i->lease), i->lease_until_s, i->claimed_ms,
        (int64_t)i->outcome, (int64_t)i->expected, i->code, i->clause, i->answer,
        (int64_t)i->confidence, i->decided_s, i->spent_ms, i->parent);

    if (st)
        return st;
    step = sqlite3_step(statement);
    if ((step & 0xff) == SQLITE_CONSTRAINT)
        st = why_fail(why, ST_REFUSED, "item %s is there already, or its decision is not", i->id);
    else if (step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    sqlite3_finalize(statement);
    return st;
}

enum status items_insert(struct sqlite *s, const struct store_item *item, struct why *why)
{
    enum status st =
        item->id[0] ? insert(s, item, why) : why_fail(why, ST_INVALID, "an item without an id");

    if (st == ST_REFUSED)
        st = ST_INVALID;
    return st ? st : events_note(s, item, "system", "item.queued", item->created_s * 1000, why);
}

enum status items_add(struct store *store, const struct store_item *item, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, items_insert(s, item, why), why);
}

/* ---- an appeal comes in ---- */

static enum status find_key(struct sqlite *s, const struct store_item *item, struct store_item *out,
                            struct why *why)
{
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(s, &row, why,
                                    "SELECT " ITEM_COLUMNS " FROM items WHERE tenant = ? AND "
                                    "key = ?",
                                    "ss", item->tenant, item->key);

    return st ? st : row_take(s, row, items_read, out, "no appeal has this key", why);
}

/* An appeal is open also while a second opinion on it is. */
static enum status find_contested(struct sqlite *s, const char *decision, struct store_item *out,
                                  struct why *why)
{
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(s, &row, why,
                                    "SELECT " ITEM_COLUMNS " FROM items WHERE decision = ? AND "
                                    "state IN (0, 1, 2) AND kind IN (1, 3) ORDER BY seq LIMIT 1",
                                    "s", decision);

    return st ? st : row_take(s, row, items_read, out, "no appeal is open", why);
}

/* Is it blocked now? Only then is there something to contest. */
static enum status check_blocked(struct sqlite *s, const char *decision, struct why *why)
{
    int64_t standing;
    sqlite3_stmt *row;
    enum status st =
        sqlite_prepare(s, &row, why, "SELECT standing FROM decisions WHERE id = ?", "s", decision);

    if (!st)
        st = row_take(s, row, row_number, &standing, "there is no such decision", why);
    if (!st && standing != STORE_BLOCKED && standing != STORE_FINAL)
        st = why_fail(why, ST_LATE, "decision %s is no block, or not any more", decision);
    return st;
}

static enum status file(struct sqlite *s, const struct store_filing *f, struct store_item *out,
                        bool *replayed, struct why *why)
{
    enum status st = f->item->key[0] ? find_key(s, f->item, out, why) : ST_MISSING;

    if (!st) {
        *replayed = !memcmp(out->hash, f->item->hash, sizeof(out->hash));
        return *replayed ? ST_OK
                         : why_fail(why, ST_INVALID, "this key was used with another request");
    }
    if (st == ST_MISSING)
        st = find_contested(s, f->item->decision, out, why);
    if (!st)
        return why_fail(why, ST_INVALID, "an appeal of this decision is open already");
    if (st == ST_MISSING)
        st = check_blocked(s, f->item->decision, why);
    if (!st)
        st = insert(s, f->item, why);
    if (!st)
        st = events_insert(s, f->event, why);
    if (!st && f->message)
        st = messages_insert(s, f->message, why);
    if (!st)
        *out = *f->item;
    return st;
}

enum status items_appeal(struct store *store, const struct store_filing *filing,
                         struct store_item *out, bool *replayed, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    *replayed = false;
    if (st)
        return st;
    return sqlite_end(s, file(s, filing, out, replayed, why), why);
}

/* ---- looking ---- */

enum status items_find(struct store *store, const char *id, struct store_item *out, struct why *why)
{
    return row_find(store, items_read, out, "there is no such item", why,
                    "SELECT " ITEM_COLUMNS " FROM items WHERE id = ?", "s", id);
}

enum status items_list(struct store *store, const char *decision, struct store_item *out,
                       int *count, struct why *why)
{
    struct row_into into = {items_read, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT " ITEM_COLUMNS " FROM items WHERE decision = ? ORDER BY seq LIMIT ?",
                    "si", decision, (int64_t)*count);
}

/* What waits has an index in this order; a list with others sorts them. */
enum status items_open(struct store *store, unsigned kinds, unsigned states, struct store_item *out,
                       int *count, struct why *why)
{
    const unsigned waiting = 1u << STORE_ITEM_QUEUED | 1u << STORE_ITEM_CLAIMED;
    struct row_into into = {items_read, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    states & ~waiting
                        ? "SELECT " ITEM_COLUMNS " FROM items WHERE (?1 >> kind) & 1 AND "
                          "(?2 >> state) & 1 ORDER BY due_first_s, severity DESC, seq LIMIT ?3"
                        : "SELECT " ITEM_COLUMNS " FROM items WHERE (?1 >> kind) & 1 AND "
                          "(?2 >> state) & 1 AND state IN (0, 1) ORDER BY due_first_s, "
                          "severity DESC, seq LIMIT ?3",
                    "iii", (int64_t)kinds, (int64_t)states, (int64_t)*count);
}

enum status items_decided(struct store *store, int64_t since_s, struct store_item *out, int *count,
                          struct why *why)
{
    struct row_into into = {items_read, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT " ITEM_COLUMNS " FROM items WHERE state = 3 AND decided_s >= ? "
                    "ORDER BY decided_s DESC, seq DESC LIMIT ?",
                    "ii", since_s, (int64_t)*count);
}

enum status items_asked(struct store *store, int64_t before_s, struct store_item *out, int *count,
                        struct why *why)
{
    struct row_into into = {items_read, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT " ITEM_COLUMNS " FROM items WHERE state = 2 AND asked_s <= ? "
                    "ORDER BY asked_s LIMIT ?",
                    "ii", before_s, (int64_t)*count);
}

/* ---- counting ---- */

static void read_cell(struct row *r, void *to)
{
    struct store_counts *c = to;
    int kind = row_enum(r, STORE_ITEM_KINDS);
    int state = row_enum(r, STORE_ITEM_STATES);

    c->items[kind][state] = row_int(r);
}

static void read_times(struct row *r, void *to)
{
    struct store_counts *c = to;

    c->oldest_s = row_int(r);
    c->first_due_s = row_int(r);
    c->overdue = row_int(r);
    c->arrived = row_int(r);
    c->decided = row_int(r);
}

static enum status count_cells(struct sqlite *s, int64_t now_s, struct store_counts *out,
                               struct why *why)
{
    sqlite3_stmt *row;
    int rows = STORE_ITEM_KINDS * STORE_ITEM_STATES;
    enum status st = sqlite_prepare(
        s, &row, why,
        "SELECT kind, iif(state = 1 AND lease_until_s <= ?, 0, state) AS now, count(*) "
        "FROM items GROUP BY kind, now",
        "i", now_s);

    return st ? st : row_collect(s, row, read_cell, out, 0, &rows, why);
}

static enum status count_times(struct sqlite *s, int64_t now_s, int64_t since_s,
                               struct store_counts *out, struct why *why)
{
    sqlite3_stmt *row;
    enum status st =
        sqlite_prepare(s, &row, why,
                       "SELECT ifnull(min(created_s), 0), ifnull(min(due_first_s), 0), "
                       "ifnull(sum(due_first_s <= ?1 OR due_s <= ?1), 0), "
                       "(SELECT count(*) FROM items WHERE created_s >= ?2), "
                       "(SELECT count(*) FROM items WHERE state = 3 AND decided_s >= ?2) "
                       "FROM items WHERE state IN (0, 1)",
                       "ii", now_s, since_s);

    return st ? st : row_take(s, row, read_times, out, "nothing to count", why);
}

enum status items_counts(struct store *store, int64_t now_s, int64_t since_s,
                         struct store_counts *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&s->lock);
    st = count_cells(s, now_s, out, why);
    if (!st)
        st = count_times(s, now_s, since_s, out, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}
