/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/row.h"

#include <string.h>

static void read_message(struct row *r, void *to)
{
    struct store_message *m = to;

    memset(m, 0, sizeof(*m));
    m->seq = row_int(r);
    row_text(r, m->id, sizeof(m->id));
    row_text(r, m->tenant, sizeof(m->tenant));
    row_text(r, m->kind, sizeof(m->kind));
    row_text(r, m->payload, sizeof(m->payload));
    m->tries = row_small(r);
    m->created_s = row_int(r);
    m->next_s = row_int(r);
    m->delivered_s = row_int(r);
    m->given_up_s = row_int(r);
}

enum status messages_insert(struct sqlite *s, const struct store_message *m, struct why *why)
{
    return sqlite_do(
        s, why,
        "INSERT INTO messages (id, tenant, kind, payload, tries, created_s, next_s, delivered_s, "
        "given_up_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ssssiiiii", m->id, m->tenant, m->kind, m->payload, (int64_t)m->tries, m->created_s,
        m->next_s, m->delivered_s, m->given_up_s);
}

enum status messages_next(struct store *store, int64_t now_s, struct store_message *out,
                          struct why *why)
{
    return row_find(
        store, read_message, out, "no message is due", why,
        "SELECT seq, id, tenant, kind, payload, tries, created_s, next_s, delivered_s, given_up_s "
        "FROM messages WHERE delivered_s = 0 AND given_up_s = 0 AND next_s <= ? "
        "ORDER BY next_s, seq LIMIT 1",
        "i", now_s);
}

static enum status update(struct sqlite *s, const struct store_message *m, struct why *why)
{
    enum status st = sqlite_do(
        s, why,
        "UPDATE messages SET tries = ?, next_s = ?, delivered_s = ?, given_up_s = ? WHERE id = ?",
        "iiiis", (int64_t)m->tries, m->next_s, m->delivered_s, m->given_up_s, m->id);

    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_MISSING, "there is no message %s", m->id);
    return st;
}

static enum status forget(struct sqlite *s, int64_t before_s, struct why *why)
{
    return sqlite_do(s, why,
                     "DELETE FROM messages WHERE (delivered_s > 0 OR given_up_s > 0) AND "
                     "created_s < ?",
                     "i", before_s);
}

enum status messages_put(struct store *store, const struct store_message *message, int64_t now_s,
                         struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    st = update(s, message, why);
    if (!st)
        st = forget(s, now_s - (int64_t)STORE_MESSAGE_DAYS * 86400, why);
    return sqlite_end(s, st, why);
}
