/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain: SHA-256 of the hash before and of the row's columns, each after its length, so that no
 * two rows read alike. It finds what was changed; that all of it was written anew is found only by
 * who kept its head elsewhere.
 */
#include "base/crypto.h"
#include "store/sqlite/row.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS "seq, decision, item, tenant, actor, kind, text, at_ms"

static void read_event(struct row *r, void *to)
{
    struct store_event *e = to;

    memset(e, 0, sizeof(*e));
    e->seq = row_int(r);
    row_text(r, e->decision, sizeof(e->decision));
    row_text(r, e->item, sizeof(e->item));
    row_text(r, e->tenant, sizeof(e->tenant));
    row_text(r, e->actor, sizeof(e->actor));
    row_text(r, e->kind, sizeof(e->kind));
    row_text(r, e->text, sizeof(e->text));
    e->at_ms = row_int(r);
}

/* A row as it is in the file, with its hash. */
struct link {
    struct store_event event;
    uint8_t chain[32];
};

static void read_link(struct row *r, void *to)
{
    struct link *link = to;

    read_event(r, &link->event);
    row_bytes(r, link->chain, sizeof(link->chain));
}

static void hash_event(uint8_t chain[32], const uint8_t before[32], const struct store_event *e)
{
    char text[sizeof(struct store_event) + 256];
    int bytes;

    memcpy(text, before, 32);
    bytes = snprintf(text + 32, sizeof(text) - 32, "%lld %zu %s %zu %s %zu %s %zu %s %zu %s %zu %s",
                     (long long)e->at_ms, strlen(e->decision), e->decision, strlen(e->item),
                     e->item, strlen(e->tenant), e->tenant, strlen(e->actor), e->actor,
                     strlen(e->kind), e->kind, strlen(e->text), e->text);
    assert(bytes > 0 && (size_t)bytes < sizeof(text) - 32);
    crypto_sha256(chain, text, 32 + (size_t)bytes);
}

/* The hash of the last event; zeros before the first. */
static enum status head(struct sqlite *s, uint8_t chain[32], struct why *why)
{
    struct link last = {.chain = {0}};
    int count = 1;
    sqlite3_stmt *row;
    enum status st = sqlite_prepare(
        s, &row, why, "SELECT " COLUMNS ", chain FROM events ORDER BY seq DESC LIMIT 1", "");

    if (!st)
        st = row_collect(s, row, read_link, &last, sizeof(last), &count, why);
    if (!st)
        memcpy(chain, last.chain, 32);
    return st;
}

enum status events_insert(struct sqlite *s, const struct store_event *e, struct why *why)
{
    uint8_t before[32], chain[32];
    enum status st = head(s, before, why);

    if (st)
        return st;
    hash_event(chain, before, e);
    return sqlite_do(s, why,
                     "INSERT INTO events (decision, item, tenant, actor, kind, text, at_ms, "
                     "chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                     "ssssssib", e->decision, e->item, e->tenant, e->actor, e->kind, e->text,
                     e->at_ms, chain, sizeof(chain));
}

enum status events_note(struct sqlite *s, const struct store_item *item, const char *actor,
                        const char *kind, int64_t at_ms, struct why *why)
{
    struct store_event e = {.at_ms = at_ms};

    snprintf(e.decision, sizeof(e.decision), "%s", item->decision);
    snprintf(e.item, sizeof(e.item), "%s", item->id);
    snprintf(e.tenant, sizeof(e.tenant), "%s", item->tenant);
    snprintf(e.actor, sizeof(e.actor), "%s", actor);
    snprintf(e.kind, sizeof(e.kind), "%s", kind);
    return events_insert(s, &e, why);
}

enum status events_add(struct store *store, const struct store_event *event, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, events_insert(s, event, why), why);
}

enum status events_list(struct store *store, const char *decision, struct store_event *out,
                        int *count, struct why *why)
{
    struct row_into into = {read_event, out, sizeof(*out), count};

    return row_list(store, &into, why,
                    "SELECT " COLUMNS " FROM events WHERE decision = ? ORDER BY seq LIMIT ?", "si",
                    decision, (int64_t)*count);
}

/* ---- is it as it was? ---- */

#define PIECE 64 /* events at once: nobody waits for the lock while all are read */

static enum status piece(struct sqlite *s, int64_t after, struct link *out, int *count,
                         struct why *why)
{
    sqlite3_stmt *row;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = sqlite_prepare(s, &row, why,
                        "SELECT " COLUMNS ", chain FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
                        "ii", after, (int64_t)*count);
    if (!st)
        st = row_collect(s, row, read_link, out, sizeof(*out), count, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}

enum status events_verify(struct store *store, struct store_chain *out, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    uint8_t before[32] = {0}, chain[32];
    struct link links[PIECE];
    int64_t seq = 0;
    int count;

    *out = (struct store_chain){0};
    do {
        enum status st;

        count = PIECE;
        st = piece(s, seq, links, &count, why);
        if (st)
            return st;
        for (int i = 0; i < count; i++) {
            hash_event(chain, before, &links[i].event);
            if (links[i].event.seq != seq + 1 ||
                memcmp(chain, links[i].chain, sizeof(chain)) != 0) {
                out->bad = links[i].event.seq;
                return why_fail(why, ST_INVALID,
                                "%s: event %lld is not as it was written, or one before it is gone",
                                s->path, (long long)out->bad);
            }
            memcpy(before, chain, sizeof(before));
            crypto_hex(out->head, chain, sizeof(chain));
            seq = links[i].event.seq;
            out->count++;
        }
    } while (count == PIECE);
    return ST_OK;
}
