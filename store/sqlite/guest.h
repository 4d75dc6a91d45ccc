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
#include <stdarg.h>

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

/* What was erased is not in the write-ahead log either. Somebody who reads just now may keep it
   from being cut: the next one cuts it then. */
void sqlite_cut_log(struct sqlite *s);

/* A statement of ours with its parameters bound, one character of `types` each: 'i' an int64_t,
   's' a text, 'b' bytes and a size_t; both outlive the statement, and NULL is null. Under the lock.
 */
MUST_USE enum status sqlite_prepare(struct sqlite *s, sqlite3_stmt **out, struct why *why,
                                    const char *sql, const char *types, ...);
MUST_USE enum status sqlite_prepare_with(struct sqlite *s, sqlite3_stmt **out, struct why *why,
                                         const char *sql, const char *types, va_list args);
/* Step to the one row of a statement; when there is none, ST_MISSING in these words. Finalising is
   the caller's. */
MUST_USE enum status sqlite_row(struct sqlite *s, sqlite3_stmt *row, struct why *why,
                                const char *missing, ...) PRINTF_LIKE(4, 5);
/* Step to the end and finalise. */
MUST_USE enum status sqlite_run(struct sqlite *s, sqlite3_stmt *statement, struct why *why);
/* Prepare and run: for what gives no rows. */
MUST_USE enum status sqlite_do(struct sqlite *s, struct why *why, const char *sql,
                               const char *types, ...);

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
enum status jobs_decisions(struct store *s, const struct store_job *job, char (*out)[STORE_ID_MAX],
                           int count, struct why *why);
enum status jobs_sweep(struct store *s, int64_t now_s, struct store_keep keep, struct why *why);
/* The job of a picture that was stopped by this decision is over, when nothing of it is held any
   more. Inside a transaction. */
enum status jobs_settle(struct sqlite *s, const char *decision, int64_t now_s, struct why *why);

/* decisions.c; what takes a struct sqlite is done inside a transaction, as in the files after it */
enum status decisions_add(struct store *s, const struct store_record *record, struct why *why);
enum status decisions_find(struct store *s, const char *id, struct store_decision *out,
                           struct why *why);
enum status decisions_list(struct store *s, const char *tenant, unsigned standings, int64_t seq,
                           struct store_decision *out, int *count, struct why *why);
enum status decisions_precedent(struct store *s, const char *tenant, const char *subject,
                                enum store_standing *out, struct why *why);
enum status decisions_stand(struct sqlite *s, const struct store_move *m, struct why *why);
enum status releases_insert(struct sqlite *s, const char *decision,
                            const struct store_release *release, int64_t now_s, struct why *why);
enum status releases_find(struct store *s, const char *decision, struct store_release *out,
                          struct why *why);

/* objects.c */
enum status objects_insert(struct sqlite *s, const struct store_object *o, struct why *why);
enum status objects_find(struct store *s, const char *id, struct store_object *out,
                         struct why *why);
enum status objects_destroy(struct store *s, const char *id, int64_t now_s, struct why *why);
enum status objects_sweep(struct store *s, int64_t now_s, int *count, struct why *why);

/* items.c */
enum status items_insert(struct sqlite *s, const struct store_item *item, struct why *why);
enum status items_add(struct store *s, const struct store_item *item, struct why *why);
enum status items_appeal(struct store *s, const struct store_filing *filing, struct store_item *out,
                         bool *replayed, struct why *why);
enum status items_find(struct store *s, const char *id, struct store_item *out, struct why *why);
enum status items_list(struct store *s, const char *decision, struct store_item *out, int *count,
                       struct why *why);
enum status items_open(struct store *s, unsigned kinds, unsigned states, struct store_item *out,
                       int *count, struct why *why);
enum status items_decided(struct store *s, int64_t since_s, struct store_item *out, int *count,
                          struct why *why);
enum status items_asked(struct store *s, int64_t before_s, struct store_item *out, int *count,
                        struct why *why);
enum status items_counts(struct store *s, int64_t now_s, int64_t since_s, struct store_counts *out,
                         struct why *why);

/* moves.c */
enum status moves_claim(struct store *s, const struct store_want *want, struct store_item *out,
                        struct why *why);
enum status moves_beat(struct store *s, const char *id, const uint8_t lease[32], int64_t until_s,
                       int64_t now_s, struct why *why);
enum status moves_move(struct store *s, const struct store_move *m, struct why *why);
enum status moves_escalate(struct store *s, int64_t now_s, int *count, struct why *why);
/* The open items of a decision, but one, that are of these kinds. */
enum status moves_supersede(struct sqlite *s, const char *decision, const char *but, unsigned kinds,
                            const char *event, int64_t now_s, struct why *why);

/* events.c */
enum status events_insert(struct sqlite *s, const struct store_event *e, struct why *why);
/* One without words, about an item. */
enum status events_note(struct sqlite *s, const struct store_item *item, const char *actor,
                        const char *kind, int64_t at_ms, struct why *why);
enum status events_add(struct store *s, const struct store_event *event, struct why *why);
enum status events_list(struct store *s, const char *decision, struct store_event *out, int *count,
                        struct why *why);
enum status events_verify(struct store *s, struct store_chain *out, struct why *why);

/* messages.c, grants.c, notes.c */
enum status messages_insert(struct sqlite *s, const struct store_message *m, struct why *why);
enum status messages_next(struct store *s, int64_t now_s, struct store_message *out,
                          struct why *why);
enum status messages_put(struct store *s, const struct store_message *message, int64_t now_s,
                         struct why *why);
enum status grants_put(struct store *s, const struct store_grant *grant, struct why *why);
enum status grants_list(struct store *s, struct store_grant *out, int *count, struct why *why);
enum status notes_put(struct store *s, const char *name, const char *body, struct why *why);
enum status notes_get(struct store *s, const char *name, char body[STORE_NOTE_BODY_MAX],
                      struct why *why);
enum status notes_next(struct store *s, const char *prefix, char name[STORE_NOTE_NAME_MAX],
                       char body[STORE_NOTE_BODY_MAX], struct why *why);

/* leaves.c, tiles.c */
enum status leaves_grow(struct store *s, const struct store_growth *g, struct why *why);
enum status leaves_size(struct store *s, int64_t *out, struct why *why);
enum status leaves_list(struct store *s, int64_t first, struct store_leaf *out, int *count,
                        struct why *why);
enum status leaves_search(struct store *s, const struct store_search *search,
                          struct store_leaf *out, int *count, struct why *why);
enum status leaves_hashes(struct store *s, int64_t first, uint8_t (*out)[32], int *count,
                          struct why *why);
enum status leaves_prints(struct store *s, int64_t first, struct store_print *out, int *count,
                          struct why *why);
enum status leaves_counts(struct store *s, int64_t since_ns, int64_t *out, struct why *why);
enum status tiles_find(struct store *s, int level, int64_t number, struct store_tile *out,
                       struct why *why);
enum status checkpoints_list(struct store *s, int64_t seq, int64_t size,
                             struct store_checkpoint *out, int *count, struct why *why);
enum status clears_find(struct store *s, int64_t index, struct store_clear *out, struct why *why);
enum status holds_put(struct store *s, const struct store_hold *hold, struct why *why);
enum status holds_list(struct store *s, struct store_hold *out, int *count, struct why *why);

/* The parts of leaves_grow that are no leaves, and the holds that forbid one. */
enum status tiles_grow(struct sqlite *s, const struct store_growth *g, struct why *why);
enum status holds_refuse(struct sqlite *s, int64_t first, int64_t last, struct why *why);

#endif /* STORE_SQLITE_GUEST_H */
