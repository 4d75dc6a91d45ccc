/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - what must survive a crash: one table of operations.
 *
 * A store is opened in a folder, and has every operation of `struct store_ops`; a filling (today
 * SQLite in WAL mode, store/sqlite.c) embeds `struct store` at its head. When an operation returns
 * ST_OK its effect is on the disk.
 *
 *     st = store_open(&store, "./state", &why);
 *     st = store->ops->key_add(store, &key, now_s, &why);
 *     store_close(&store);
 *
 * Who may call: any thread that may wait for a disk, several at once; the store has one connection
 * and a lock around it. An io thread never does, nor does an engine's: what they need of the store
 * is read into memory before (server/auth.h), and what they have to tell it goes through somebody
 * who may wait. Other processes may use the same folder at the same time (`limner key` beside a
 * server); a lock that they hold is waited for, up to some seconds.
 *
 * What goes wrong is one sentence, and one of
 *     ST_FULL         the disk is full, or a bound of ours was reached
 *     ST_IO           locked for too long, read-only, or the disk said no
 *     ST_INVALID      the file is damaged, or another program's; or what was asked is wrong
 *     ST_MISSING      no such row
 *     ST_LATE         it is not any more as it was looked at; nothing happened
 *     ST_UNSUPPORTED  written by a newer limner
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/status.h"
#include "store/jobs.h"
#include "store/ledger.h"
#include "store/moderation.h"

#include <stdint.h>

#define STORE_KEYS_MAX   1024 /* rows; dead ones make room for new ones */
#define STORE_USAGE_MAX  1024 /* tenants of a day */
#define STORE_USAGE_DAYS 31   /* older rows go */
#define STORE_PREFIX_MAX 16   /* these three with a NUL */
#define STORE_TENANT_MAX 64
#define STORE_NOTE_MAX   128
#define STORE_FILE       "limner.db" /* in the folder */

struct store {
    const struct store_ops *ops;
};

/* Times are seconds since 1970; 0: never. */
struct store_key {
    char prefix[STORE_PREFIX_MAX]; /* what may be shown of the key; no two are alike */
    uint8_t hash[32];              /* of the whole key, which is nowhere */
    char tenant[STORE_TENANT_MAX];
    char note[STORE_NOTE_MAX]; /* for people */
    unsigned scopes;           /* enum scope */
    int64_t created_s, expires_s, revoked_s;
};

/* What a tenant has had of a day, counted from 1970 in UTC. */
struct store_usage {
    char tenant[STORE_TENANT_MAX];
    int64_t day, requests, images;
};

struct store_ops {
    void (*close)(struct store *s);

    /* A number that is another one once another process has written something. */
    enum status (*version)(struct store *s, int64_t *out, struct why *why);

    /* ST_INVALID: a key with this prefix is there; ST_FULL: STORE_KEYS_MAX keys are alive. */
    enum status (*key_add)(struct store *s, const struct store_key *key, int64_t now_s,
                           struct why *why);
    /* All of them, the oldest first, into room for STORE_KEYS_MAX. */
    enum status (*key_list)(struct store *s, struct store_key *out, int *count, struct why *why);
    /* The row afterwards, in *out. One that was revoked before keeps its time. */
    enum status (*key_revoke)(struct store *s, const char *prefix, int64_t now_s,
                              struct store_key *out, struct why *why);

    /* In place of the rows that were there, all or none; those of long ago go. */
    enum status (*usage_put)(struct store *s, const struct store_usage *rows, int count,
                             struct why *why);
    /* The rows of a day, into room for STORE_USAGE_MAX. */
    enum status (*usage_list)(struct store *s, int64_t day, struct store_usage *out, int *count,
                              struct why *why);

    /* ST_INVALID: this tenant has a job with this key. job->seq is filled in. */
    enum status (*job_add)(struct store *s, struct store_job *job, const void *body, size_t bytes,
                           struct why *why);
    enum status (*job_find)(struct store *s, const char *id, struct store_job *out,
                            struct why *why);
    enum status (*job_find_key)(struct store *s, const char *tenant, const char *key,
                                struct store_job *out, struct why *why);
    /* The oldest that is to be finished and came after `seq`, with the request as it was sent. */
    enum status (*job_next)(struct store *s, int64_t seq, struct store_job *out,
                            struct store_bytes *body, struct why *why);
    /* It is taken up once more: job->starts and ->falls. Or it is put down without a fall. */
    enum status (*job_start)(struct store *s, const struct store_job *job, struct why *why);
    /* It is over, or held: state, times, reason and pictures, all or none. One that is held, and
       whose pictures people have decided about meanwhile, is over at once. ST_MISSING: it was over
       or held before, or is gone. */
    enum status (*job_end)(struct store *s, const struct store_job *job,
                           const struct store_picture *pictures, int count, struct why *why);
    /* Picture k of a job that is over or held. One that was stopped has the bytes of its release,
       or none. */
    enum status (*job_picture)(struct store *s, const struct store_job *job, int k,
                               struct store_picture *out, struct why *why);
    /* The decisions that its pictures name, by their numbers, without their bytes, into room for
       `count`; empty where there is none. */
    enum status (*job_decisions)(struct store *s, const struct store_job *job,
                                 char (*out)[STORE_ID_MAX], int count, struct why *why);
    /* What is too old or too much goes, the oldest first. */
    enum status (*job_sweep)(struct store *s, int64_t now_s, struct store_keep keep,
                             struct why *why);

    /* ---- moderation.h ---- */

    /* Before anything of it is sent. */
    enum status (*decision_add)(struct store *s, const struct store_record *record,
                                struct why *why);
    enum status (*decision_find)(struct store *s, const char *id, struct store_decision *out,
                                 struct why *why);
    /* A tenant's (NULL: all tenants'), the newest first, before row `seq` (0: the newest), with one
       of `standings` (1 << enum store_standing; 0: any). *count is room, then how many. */
    enum status (*decision_list)(struct store *s, const char *tenant, unsigned standings,
                                 int64_t seq, struct store_decision *out, int *count,
                                 struct why *why);
    /* What a person said last about this tenant's subject: STORE_RELEASED, _BLURRED, _BLOCKED,
       _FINAL or _SEALED. ST_MISSING: nobody has said anything. */
    enum status (*precedent)(struct store *s, const char *tenant, const char *subject,
                             enum store_standing *out, struct why *why);
    /* The bytes that were released of it; none once their time is over. ST_MISSING: no release. */
    enum status (*release_find)(struct store *s, const char *decision, struct store_release *out,
                                struct why *why);

    enum status (*object_find)(struct store *s, const char *id, struct store_object *out,
                               struct why *why); /* data is the caller's */
    /* Its key and bytes go. A second time: ST_OK, and nothing happens. */
    enum status (*object_destroy)(struct store *s, const char *id, int64_t now_s, struct why *why);
    /* What is over its time, neither frozen nor contested, is destroyed; with it goes what its
       owner wrote and what was released, and what was held or blocked has expired. *count: how
       many objects; at most some hundred at once, so call again until it is 0. */
    enum status (*object_sweep)(struct store *s, int64_t now_s, int *count, struct why *why);

    /* An appeal comes in. The same key and hash again: ST_OK with the item of before, *replayed.
       ST_INVALID: the key was used with another request, or an appeal is open already; *out is that
       item. ST_LATE: the decision is not one that is blocked, any more. */
    enum status (*appeal_add)(struct store *s, const struct store_filing *filing,
                              struct store_item *out, bool *replayed, struct why *why);
    /* Something else waits for a person: an audit, a golden item. */
    enum status (*item_add)(struct store *s, const struct store_item *item, struct why *why);
    enum status (*item_find)(struct store *s, const char *id, struct store_item *out,
                             struct why *why);
    /* Of a decision, the oldest first. *count is room, then how many, as in all lists. */
    enum status (*item_list)(struct store *s, const char *decision, struct store_item *out,
                             int *count, struct why *why);
    /* In one of `states` (1 << enum store_item_state) and of one of `kinds`, the most urgent first.
     */
    enum status (*item_open)(struct store *s, unsigned kinds, unsigned states,
                             struct store_item *out, int *count, struct why *why);
    /* Decided at `since_s` or later, the newest first: for agreement, golden accuracy, breakers. */
    enum status (*item_decided)(struct store *s, int64_t since_s, struct store_item *out,
                                int *count, struct why *why);
    /* Whose owner was asked at `before_s` or earlier, the oldest first. */
    enum status (*item_asked)(struct store *s, int64_t before_s, struct store_item *out, int *count,
                              struct why *why);
    /* The most urgent that `want` may have is its own from now on: the earliest due_first_s, then
       the worst, then the oldest. ST_MISSING: nothing waits. */
    enum status (*item_claim)(struct store *s, const struct store_want *want,
                              struct store_item *out, struct why *why);
    /* A lease is longer. ST_LATE: it was over, or never was. No move: the version stays. */
    enum status (*item_beat)(struct store *s, const char *id, const uint8_t lease[32],
                             int64_t until_s, int64_t now_s, struct why *why);
    /* ST_LATE: the item is not at that version any more, or its decision stands elsewhere, or was
       released before. ST_REFUSED: who decides (item->reviewer) had decided about it before. */
    enum status (*item_move)(struct store *s, const struct store_move *move, struct why *why);
    /* What is open beyond its time is marked so, once, with an event; the version stays. */
    enum status (*item_escalate)(struct store *s, int64_t now_s, int *count, struct why *why);
    enum status (*item_counts)(struct store *s, int64_t now_s, int64_t since_s,
                               struct store_counts *out, struct why *why);

    enum status (*event_add)(struct store *s, const struct store_event *event, struct why *why);
    /* Of a decision, the oldest first. */
    enum status (*event_list)(struct store *s, const char *decision, struct store_event *out,
                              int *count, struct why *why);
    /* All events, against their chain. ST_INVALID: one was changed, or is gone; out->bad. */
    enum status (*event_verify)(struct store *s, struct store_chain *out, struct why *why);

    /* The one that is due longest; ST_MISSING. */
    enum status (*message_next)(struct store *s, int64_t now_s, struct store_message *out,
                                struct why *why);
    /* What became of it: tries and times. Done ones are forgotten STORE_MESSAGE_DAYS later. */
    enum status (*message_put)(struct store *s, const struct store_message *message, int64_t now_s,
                               struct why *why);

    /* In place of this tenant's grant of this context. */
    enum status (*grant_put)(struct store *s, const struct store_grant *grant, struct why *why);
    enum status (*grant_list)(struct store *s, struct store_grant *out, int *count,
                              struct why *why);

    /* In place of what was there; an empty body removes it. */
    enum status (*note_put)(struct store *s, const char *name, const char *body, struct why *why);
    enum status (*note_get)(struct store *s, const char *name, char body[STORE_NOTE_BODY_MAX],
                            struct why *why);
    /* The first after `name` in the order of bytes that begins with `prefix`, which is its name
       then. To begin: an empty name. */
    enum status (*note_next)(struct store *s, const char *prefix, char name[STORE_NOTE_NAME_MAX],
                             char body[STORE_NOTE_BODY_MAX], struct why *why);

    /* ---- ledger.h ---- */

    /* ST_LATE: the log is not g->size long (another process appended to it); nothing happened.
       ST_REFUSED: a hold covers what was to be erased or to expire. */
    enum status (*ledger_grow)(struct store *s, const struct store_growth *g, struct why *why);
    enum status (*ledger_size)(struct store *s, int64_t *out, struct why *why);
    /* From leaf `first` on, in their order. *count is room, then how many; the records' bytes are
       the caller's, also when it fails (none then). */
    enum status (*leaf_list)(struct store *s, int64_t first, struct store_leaf *out, int *count,
                             struct why *why);
    enum status (*leaf_search)(struct store *s, const struct store_search *search,
                               struct store_leaf *out, int *count, struct why *why);
    /* Those that there are of the *count leaves from `first` on. */
    enum status (*leaf_hashes)(struct store *s, int64_t first, uint8_t (*out)[32], int *count,
                               struct why *why);
    /* Fingerprints of leaf `first` and later ones, in their order. */
    enum status (*leaf_prints)(struct store *s, int64_t first, struct store_print *out, int *count,
                               struct why *why);
    /* How many of each kind at `since_ns` or later, into STORE_LEAF_KINDS numbers. */
    enum status (*leaf_counts)(struct store *s, int64_t since_ns, int64_t *out, struct why *why);
    /* ST_MISSING: no such tile. */
    enum status (*tile_find)(struct store *s, int level, int64_t number, struct store_tile *out,
                             struct why *why);
    /* The newest first, before row `seq` (0: the newest); with `size` above 0 only of that size. */
    enum status (*checkpoint_list)(struct store *s, int64_t seq, int64_t size,
                                   struct store_checkpoint *out, int *count, struct why *why);
    /* ST_MISSING: this leaf never had one. The text is the caller's. */
    enum status (*clear_find)(struct store *s, int64_t index, struct store_clear *out,
                              struct why *why);
    /* In place of what had this name; with last below first it is lifted. ST_FULL:
       STORE_HOLDS_MAX. */
    enum status (*hold_put)(struct store *s, const struct store_hold *hold, struct why *why);
    enum status (*hold_list)(struct store *s, struct store_hold *out, int *count, struct why *why);
};

/* Opens or makes the store in `folder` (and the folder), and brings an older one up to date. */
MUST_USE enum status store_open(struct store **out, const char *folder, struct why *why);
void store_close(struct store **s);

#endif /* STORE_STORE_H */
