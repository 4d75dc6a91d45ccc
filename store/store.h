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
 *     ST_UNSUPPORTED  written by a newer limner
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/status.h"
#include "store/jobs.h"

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
    /* It is over: state, times, reason and pictures, all or none. ST_MISSING: it was over before,
       or is gone. */
    enum status (*job_end)(struct store *s, const struct store_job *job,
                           const struct store_picture *pictures, int count, struct why *why);
    /* Picture k of a completed job. */
    enum status (*job_picture)(struct store *s, const struct store_job *job, int k,
                               struct store_picture *out, struct why *why);
    /* What is too old or too much goes, the oldest first. */
    enum status (*job_sweep)(struct store *s, int64_t now_s, struct store_keep keep,
                             struct why *why);
};

/* Opens or makes the store in `folder` (and the folder), and brings an older one up to date. */
MUST_USE enum status store_open(struct store **out, const char *folder, struct why *why);
void store_close(struct store **s);

#endif /* STORE_STORE_H */
