/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenant.h - who asks, what they may have, and what they have had: every limit is counted here.
 *
 * A request takes everything it needs at once, or nothing: a place for each of its pictures among
 * those on their way, and a share of this minute and of this day. What is taken is reserved, so no
 * limit is exceeded however many threads ask. A request that is refused afterwards gives it all
 * back; one that was answered only frees the places.
 *
 *     st = tenant_take(t, &grant, tenant, images, now, &refusal);
 *     ...
 *     tenant_end(t, &grant);       its pictures are made, failed, or nobody's
 *     tenant_return(t, &grant);    or: it was refused, and never was
 *
 * Minutes are token buckets: at rest a whole minute's worth may come at once, and then what the
 * rate refills. Days are those of UTC. A limit of 0 is no limit. Any thread may call; nothing here
 * waits for anything but a short lock.
 */
#ifndef ENGINE_TENANT_H
#define ENGINE_TENANT_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define TENANT_MAX      1024 /* names from one start of the server to the next */
#define TENANT_NAME_MAX STORE_TENANT_MAX

struct tenant_limits {
    char name[TENANT_NAME_MAX];
    int weight;      /* share of the devices beside other tenants who wait */
    int deadline_ms; /* of a request that states none; 0: none */
    int requests_per_minute, images_per_minute;
    int requests_per_day, images_per_day;
    int concurrency; /* pictures on their way at the same time */
};

struct tenant_time {
    int64_t now_us; /* monotonic */
    int64_t unix_s; /* wall time: which day it is */
};

struct tenant_grant {
    int tenant, images;
    int64_t day;
};

struct tenant_refusal {
    struct why why;
    int retry_after_ms; /* when the same request could pass, as things stand */
};

/* Of a limit per minute and one per day: the one that is nearer. */
struct tenant_gauge {
    int limit; /* 0: there is none, and nothing else is told */
    int remaining;
    int64_t reset_ms; /* until all of it is there again */
};

struct tenant_view {
    struct tenant_gauge requests, images;
};

struct tenants;

MUST_USE enum status tenant_open(struct tenants **out);
void tenant_close(struct tenants **t);

/* 1 to 63 letters, digits, '.', '_' and '-'. */
bool tenant_name_is_good(const char *name);

/* New limits, at once, for the tenants named, and `others` for everybody else. What was taken stays
   taken. ST_FULL: too many names; then nothing has changed. */
MUST_USE enum status tenant_configure(struct tenants *t, const struct tenant_limits *others,
                                      const struct tenant_limits *named, int count);

/* The number of a tenant, for as long as the process lives; one that is new gets the limits of
   `others`. Below 0: TENANT_MAX names are known. */
int tenant_find(struct tenants *t, const char *name);
void tenant_get(struct tenants *t, int tenant, struct tenant_limits *out);

/* ST_FULL: later; ST_INVALID: never, it asks for more than a limit holds. */
MUST_USE enum status tenant_take(struct tenants *t, struct tenant_grant *out, int tenant,
                                 int images, struct tenant_time now,
                                 struct tenant_refusal *refusal);
/* Pictures that were granted before this process began: they have places, whatever the limit says,
   and cost nothing of this minute and day. tenant_end follows. */
void tenant_resume(struct tenants *t, struct tenant_grant *out, int tenant, int images);
void tenant_end(struct tenants *t, const struct tenant_grant *grant);
void tenant_return(struct tenants *t, const struct tenant_grant *grant);

void tenant_look(struct tenants *t, int tenant, struct tenant_time now, struct tenant_view *out);

/* The days' counts are to outlive the process: somebody who may wait for a disk asks now and then
   for those that changed since they were last told, at most `max` at a time, and hands them back at
   the next start. Tenants without a limit per day are left out. */
int tenant_changes(struct tenants *t, struct store_usage *out, int max);
void tenant_restore(struct tenants *t, const struct store_usage *usage);

#endif /* ENGINE_TENANT_H */
