/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moves.c - items from one hand to another, each with all that follows of it in one transaction.
 *
 * - A claim looks and takes in one transaction: of twenty at once, each gets another item.
 * - The index items_waiting holds all that a claim looks at, so what it passes by costs no row.
 * - A move writes whole rows, yet not escalated_s: the sweep that writes it is no move, so that
 *   nobody's lease is lost to a clock.
 */
#include "store/sqlite/items.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- claims ---- */

/* With the queues as parameters of their own, from ?4 on. */
static void claim_text(char *out, size_t size, int queue_count)
{
    size_t used = (size_t)snprintf(
        out, size,
        "SELECT id FROM items AS i WHERE state IN (0, 1) AND (state = 0 OR lease_until_s <= ?1) "
        "AND (?2 >> kind) & 1 AND NOT EXISTS (SELECT 1 FROM hands AS h WHERE "
        "h.decision = i.decision AND h.reviewer = ?3 AND h.item IN ('', i.id) AND h.until_s > ?1)");

    for (int i = 0; i < queue_count; i++)
        used +=
            (size_t)snprintf(out + used, size - used, "%s?%d", i ? ", " : " AND queue IN (", 4 + i);
    used += (size_t)snprintf(out + used, size - used,
                             "%s ORDER BY due_first_s, severity DESC, seq LIMIT 1",
                             queue_count ? ")" : "");
    assert(used < size);
}

static void read_id(struct row *r, void *to)
{
    row_text(r, to, STORE_ID_MAX);
}

static enum status look(struct sqlite *s, const struct store_want *want, char id[STORE_ID_MAX],
                        struct why *why)
{
    int queue_count = want->queues ? want->queue_count : 0;
    char text[1024];
    sqlite3_stmt *row;
    enum status st;

    assert(queue_count <= STORE_QUEUES_MAX);
    if (want->queues && !queue_count)
        return why_fail(why, ST_MISSING, "nothing waits in no queue");
    claim_text(text, sizeof(text), queue_count);
    st = sqlite_prepare(s, &row, why, text, "iis", want->now_ms / 1000, (int64_t)want->kinds,
                        want->reviewer);
    if (st)
        return st;
    for (int i = 0; i < queue_count; i++)
        if (sqlite3_bind_text(row, 4 + i, want->queues[i], -1, SQLITE_STATIC)) {
            st = sqlite_fail(s, why);
            sqlite3_finalize(row);
            return st;
        }
    return row_take(s, row, read_id, id, "nothing waits", why);
}

static enum status load(struct sqlite *s, const char *id, struct store_item *out, struct why *why)
{
    sqlite3_stmt *row;
    enum status st =
        sqlite_prepare(s, &row, why, "SELECT " ITEM_COLUMNS " FROM items WHERE id = ?", "s", id);

    return st ? st : row_take(s, row, items_read, out, "there is no such item", why);
}

static enum status claim(struct sqlite *s, const struct store_want *want, struct store_item *out,
                         struct why *why)
{
    char id[STORE_ID_MAX];
    enum status st = look(s, want, id, why);

    if (!st)
        st = sqlite_do(s, why,
                       "UPDATE items SET state = 1, version = version + 1, reviewer = ?, "
                       "lease = ?, lease_until_s = ?, claimed_ms = ? WHERE id = ?",
                       "sbiis", want->reviewer, want->lease, sizeof(want->lease),
                       want->lease_until_s, want->now_ms, id);
    if (!st)
        st = load(s, id, out, why);
    return st ? st : events_note(s, out, want->reviewer, "item.claimed", want->now_ms, why);
}

enum status moves_claim(struct store *store, const struct store_want *want, struct store_item *out,
                        struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, claim(s, want, out, why), why);
}

enum status moves_beat(struct store *store, const char *id, const uint8_t lease[32],
                       int64_t until_s, int64_t now_s, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = sqlite_do(s, why,
                   "UPDATE items SET lease_until_s = ? WHERE id = ? AND state = 1 AND "
                   "lease = ? AND lease_until_s > ?",
                   "isbi", until_s, id, lease, (size_t)32, now_s);
    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_LATE, "the lease is over");
    return sqlite_end(s, st, why);
}

/* ---- hands ---- */

static enum status put_hand(struct sqlite *s, const struct store_item *item, const char *reviewer,
                            bool ever, int64_t until_s, struct why *why)
{
    return sqlite_do(s, why,
                     "INSERT OR REPLACE INTO hands (decision, reviewer, item, "
                     "until_s) VALUES (?, ?, ?, ?)",
                     "sssi", item->decision, reviewer, ever ? "" : item->id,
                     ever ? INT64_MAX : until_s);
}

/* Who decided before does not decide again, whatever he holds a lease of. */
static enum status check_hand(struct sqlite *s, const struct store_item *item, struct why *why)
{
    int64_t found = 0;
    int count = 1;
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(
        s, &row, why, "SELECT 1 FROM hands WHERE decision = ? AND reviewer = ? AND item = ''", "ss",
        item->decision, item->reviewer);

    if (!st)
        st = row_collect(s, row, row_number, &found, sizeof(found), &count, why);
    if (!st && found)
        st = why_fail(why, ST_REFUSED, "you have decided about this decision before");
    return st;
}

/* ---- a move ---- */

static enum status update(struct sqlite *s, const struct store_item *i, struct why *why)
{
    enum status st = sqlite_do(
        s, why,
        "UPDATE items SET state = ?, version = version + 1, queue = ?, skips = ?, due_first_s = ?, "
        "due_s = ?, asked_s = ?, question = ?, reply = ?, reviewer = ?, lease = ?, "
        "lease_until_s = ?, claimed_ms = ?, outcome = ?, code = ?, clause = ?, answer = ?, "
        "confidence = ?, decided_s = ?, spent_ms = ? WHERE id = ? AND version = ?",
        "isiiiisssbiiisssiiisi", (int64_t)i->state, i->queue, (int64_t)i->skips, i->due_first_s,
        i->due_s, i->asked_s, i->question, i->reply, i->reviewer, i->lease, sizeof(i->lease),
        i->lease_until_s, i->claimed_ms, (int64_t)i->outcome, i->code, i->clause, i->answer,
        (int64_t)i->confidence, i->decided_s, i->spent_ms, i->id, i->version);

    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_LATE, "item %s has moved meanwhile", i->id);
    return st;
}

static enum status supersede_one(struct sqlite *s, const struct store_item *item, const char *kind,
                                 int64_t now_s, struct why *why)
{
    enum status st = sqlite_do(s, why,
                               "UPDATE items SET state = 5, version = version + 1, "
                               "lease_until_s = 0, decided_s = ? WHERE id = ?",
                               "is", now_s, item->id);

    return st ? st : events_note(s, item, "system", kind, now_s * 1000, why);
}

enum status moves_supersede(struct sqlite *s, const char *decision, const char *but, unsigned kinds,
                            const char *event, int64_t now_s, struct why *why)
{
    struct store_item item;
    enum status st;

    do {
        sqlite3_stmt *row;

        st = sqlite_prepare(s, &row, why,
                            "SELECT " ITEM_COLUMNS " FROM items WHERE decision = ? AND id != ? AND "
                            "state IN (0, 1, 2) AND (? >> kind) & 1 LIMIT 1",
                            "ssi", decision, but, (int64_t)kinds);
        if (!st)
            st = row_take(s, row, items_read, &item, "no other is open", why);
        if (!st)
            st = supersede_one(s, &item, event, now_s, why);
    } while (!st);
    return st == ST_MISSING ? ST_OK : st;
}

static enum status keep(struct sqlite *s, const struct store_move *m, struct why *why)
{
    return sqlite_do(s, why,
                     "UPDATE objects SET expires_s = max(expires_s, ?), "
                     "frozen = frozen OR ? WHERE decision = ?",
                     "iis", m->keep_until_s, (int64_t)(m->decision && m->standing == STORE_SEALED),
                     m->item->decision);
}

/* What of its decision's other items has nothing left to decide. */
static unsigned pointless(enum store_standing standing)
{
    const unsigned contested =
        1u << STORE_ITEM_HOLD | 1u << STORE_ITEM_APPEAL | 1u << STORE_ITEM_SECOND;

    switch (standing) {
    case STORE_SEALED:
        return ~0u;
    case STORE_RELEASED:
    case STORE_BLURRED:
        return contested;
    case STORE_BLOCKED:
    case STORE_FINAL:
        return 1u << STORE_ITEM_HOLD;
    default:
        return 0;
    }
}

/* The decision stands elsewhere, and what follows of that. */
static enum status stand(struct sqlite *s, const struct store_move *m, struct why *why)
{
    enum status st = decisions_stand(s, m, why);

    if (!st)
        st = moves_supersede(s, m->decision->id, m->item->id, pointless(m->standing),
                             "item.superseded", m->now_s, why);
    if (!st && m->release)
        st = releases_insert(s, m->decision->id, m->release, m->now_s, why);
    return st ? st : jobs_settle(s, m->decision->id, m->now_s, why);
}

static enum status move(struct sqlite *s, const struct store_move *m, struct why *why)
{
    bool decides = m->item->state == STORE_ITEM_DECIDED;
    enum status st = decides ? check_hand(s, m->item, why) : ST_OK;

    if (!st)
        st = update(s, m->item, why);
    if (!st && decides)
        st = put_hand(s, m->item, m->item->reviewer, true, 0, why);
    if (!st && m->aside_until_s)
        st = put_hand(s, m->item, m->event->actor, false, m->aside_until_s, why);
    if (!st && m->decision)
        st = stand(s, m, why);
    if (!st && (m->keep_until_s || m->decision))
        st = keep(s, m, why);
    if (!st)
        st = events_insert(s, m->event, why);
    if (!st && m->follow)
        st = items_insert(s, m->follow, why);
    if (!st && m->message)
        st = messages_insert(s, m->message, why);
    return st;
}

enum status moves_move(struct store *store, const struct store_move *m, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    assert(m->event && (!m->release || m->decision));
    if (st)
        return st;
    return sqlite_end(s, move(s, m, why), why);
}

/* ---- what is late ---- */

#define PIECE 64 /* items at once: between two pieces others may write */

static enum status escalate(struct sqlite *s, const char *id, int64_t now_s, struct why *why)
{
    struct store_item item;
    enum status st =
        sqlite_do(s, why, "UPDATE items SET escalated_s = ? WHERE id = ?", "is", now_s, id);

    if (!st)
        st = load(s, id, &item, why);
    return st ? st : events_note(s, &item, "system", "item.escalated", now_s * 1000, why);
}

static enum status escalate_piece(struct sqlite *s, int64_t now_s, int *count, struct why *why)
{
    char ids[PIECE][STORE_ID_MAX];
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(
        s, &row, why,
        "SELECT id FROM items WHERE state IN (0, 1) AND escalated_s = 0 AND due_first_s <= ?1 AND "
        "(due_s <= ?1 OR state = 0 OR lease_until_s <= ?1) LIMIT ?2",
        "ii", now_s, (int64_t)PIECE);

    *count = PIECE;
    if (!st)
        st = row_collect(s, row, read_id, ids, sizeof(ids[0]), count, why);
    for (int i = 0; !st && i < *count; i++)
        st = escalate(s, ids[i], now_s, why);
    return st;
}

enum status moves_escalate(struct store *store, int64_t now_s, int *count, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    int piece;

    *count = 0;
    do {
        enum status st = sqlite_begin(s, why);

        if (!st)
            st = sqlite_end(s, escalate_piece(s, now_s, &piece, why), why);
        if (st)
            return st;
        *count += piece;
    } while (piece == PIECE);
    return ST_OK;
}
