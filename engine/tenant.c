/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tenant.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_US           INT64_C(60000000)
#define DAY_S               INT64_C(86400)
#define CONCURRENT_RETRY_MS 1000
#define RETRY_MS_MAX        (DAY_S * 1000)

/* What was used of a minute, in parts of which a token has MINUTE_US: a limit of N a minute lets N
   parts go in each microsecond, and all arithmetic stays whole. */
struct bucket {
    int64_t used, at_us;
};

struct tenant {
    struct tenant_limits limits;
    int images_away; /* pictures on their way */
    struct bucket requests, images;
    int64_t day, day_requests, day_images;
    int64_t told_requests, told_images; /* of the day, by tenant_changes */
};

struct tenants {
    pthread_mutex_t lock;
    int count;
    struct tenant_limits others;
    struct tenant tenant[TENANT_MAX];
};

enum status tenant_open(struct tenants **out)
{
    struct tenants *t = calloc(1, sizeof(*t));

    *out = t;
    if (!t)
        return ST_FULL;
    pthread_mutex_init(&t->lock, NULL);
    t->others.weight = 1;
    return ST_OK;
}

void tenant_close(struct tenants **t)
{
    if (*t)
        pthread_mutex_destroy(&(*t)->lock);
    free(*t);
    *t = NULL;
}

bool tenant_name_is_good(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t bytes = strspn(name, good);

    return bytes > 0 && bytes < TENANT_NAME_MAX && !name[bytes];
}

/* ---- names ---- */

static void set_limits(struct tenant *it, const struct tenant_limits *limits)
{
    char name[TENANT_NAME_MAX];

    memcpy(name, it->limits.name, sizeof(name));
    it->limits = *limits;
    memcpy(it->limits.name, name, sizeof(name));
}

/* Under the lock. */
static int find(struct tenants *t, const char *name)
{
    struct tenant *it;

    for (int i = 0; i < t->count; i++) {
        if (!strcmp(t->tenant[i].limits.name, name))
            return i;
    }
    if (t->count == TENANT_MAX)
        return -1;
    it = &t->tenant[t->count];
    *it = (struct tenant){.day = 0};
    snprintf(it->limits.name, sizeof(it->limits.name), "%s", name);
    set_limits(it, &t->others);
    return t->count++;
}

int tenant_find(struct tenants *t, const char *name)
{
    int index;

    pthread_mutex_lock(&t->lock);
    index = find(t, name);
    pthread_mutex_unlock(&t->lock);
    return index;
}

void tenant_get(struct tenants *t, int tenant, struct tenant_limits *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->tenant[tenant].limits;
    pthread_mutex_unlock(&t->lock);
}

enum status tenant_configure(struct tenants *t, const struct tenant_limits *others,
                             const struct tenant_limits *named, int count)
{
    int known, last = 0;

    pthread_mutex_lock(&t->lock);
    known = t->count;
    for (int i = 0; i < count && last >= 0; i++)
        last = find(t, named[i].name);
    if (last < 0) {
        t->count = known;
        pthread_mutex_unlock(&t->lock);
        return ST_FULL;
    }
    t->others = *others;
    for (int i = 0; i < t->count; i++)
        set_limits(&t->tenant[i], others);
    for (int i = 0; i < count; i++)
        set_limits(&t->tenant[find(t, named[i].name)], &named[i]);
    pthread_mutex_unlock(&t->lock);
    return ST_OK;
}

/* ---- minutes ---- */

static void bucket_leak(struct bucket *b, int limit, int64_t now_us)
{
    int64_t passed_us = now_us - b->at_us;

    if (passed_us <= 0)
        return;
    if (passed_us > MINUTE_US)
        passed_us = MINUTE_US;
    b->used -= passed_us * limit;
    if (b->used < 0)
        b->used = 0;
    b->at_us = now_us;
}

/* Microseconds until `count` tokens are there; 0: they are. The limit holds that many. */
static int64_t bucket_wait_us(const struct bucket *b, int limit, int count)
{
    int64_t beyond = b->used + (count - limit) * MINUTE_US;

    return limit == 0 || beyond <= 0 ? 0 : (beyond + limit - 1) / limit;
}

static void bucket_take(struct bucket *b, int limit, int count)
{
    if (limit)
        b->used += count * MINUTE_US;
}

static void bucket_return(struct bucket *b, int count)
{
    b->used -= count * MINUTE_US;
    if (b->used < 0)
        b->used = 0;
}

/* Bring the counts to the present. A clock that was set back stays in the day it had reached. */
static void advance(struct tenant *it, struct tenant_time now)
{
    int64_t day = now.unix_s / DAY_S;

    bucket_leak(&it->requests, it->limits.requests_per_minute, now.now_us);
    bucket_leak(&it->images, it->limits.images_per_minute, now.now_us);
    if (day > it->day) {
        it->day = day;
        it->day_requests = it->day_images = 0;
        it->told_requests = it->told_images = 0;
    }
}

static int64_t until_midnight_ms(struct tenant_time now)
{
    return (DAY_S - now.unix_s % DAY_S) * 1000;
}

/* ---- taking ---- */

static enum status refuse(struct tenant_refusal *r, int64_t after_ms, int limit, const char *what)
{
    r->retry_after_ms = (int)(after_ms < 1 ? 1 : after_ms > RETRY_MS_MAX ? RETRY_MS_MAX : after_ms);
    return why_fail(&r->why, ST_FULL, "the limit of %d %s is reached; try again in %.3g s", limit,
                    what, r->retry_after_ms / 1000.0);
}

/* What no waiting would help. */
static enum status check_bounds(const struct tenant_limits *l, int images, struct tenant_refusal *r)
{
    const struct {
        int limit;
        const char *what;
    } bounds[] = {{l->images_per_minute, "pictures per minute"},
                  {l->images_per_day, "pictures per day"},
                  {l->concurrency, "pictures at the same time"}};

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        if (bounds[i].limit && images > bounds[i].limit)
            return why_fail(&r->why, ST_INVALID, "n is %d, and this key may have %d %s", images,
                            bounds[i].limit, bounds[i].what);
    }
    return ST_OK;
}

static enum status check(const struct tenant *it, int images, struct tenant_time now,
                         struct tenant_refusal *r)
{
    const struct tenant_limits *l = &it->limits;
    enum status st = check_bounds(l, images, r);
    int64_t wait_us;

    if (st)
        return st;
    if (l->requests_per_day && it->day_requests >= l->requests_per_day)
        return refuse(r, until_midnight_ms(now), l->requests_per_day, "requests per day");
    if (l->images_per_day && it->day_images + images > l->images_per_day)
        return refuse(r, until_midnight_ms(now), l->images_per_day, "pictures per day");
    wait_us = bucket_wait_us(&it->requests, l->requests_per_minute, 1);
    if (wait_us)
        return refuse(r, (wait_us + 999) / 1000, l->requests_per_minute, "requests per minute");
    wait_us = bucket_wait_us(&it->images, l->images_per_minute, images);
    if (wait_us)
        return refuse(r, (wait_us + 999) / 1000, l->images_per_minute, "pictures per minute");
    if (l->concurrency && it->images_away + images > l->concurrency)
        return refuse(r, CONCURRENT_RETRY_MS, l->concurrency, "pictures at the same time");
    return ST_OK;
}

enum status tenant_take(struct tenants *t, struct tenant_grant *out, int tenant, int images,
                        struct tenant_time now, struct tenant_refusal *refusal)
{
    struct tenant *it = &t->tenant[tenant];
    enum status st;

    assert(images > 0);
    pthread_mutex_lock(&t->lock);
    advance(it, now);
    st = check(it, images, now, refusal);
    if (!st) {
        bucket_take(&it->requests, it->limits.requests_per_minute, 1);
        bucket_take(&it->images, it->limits.images_per_minute, images);
        it->day_requests++;
        it->day_images += images;
        it->images_away += images;
        *out = (struct tenant_grant){tenant, images, it->day};
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

void tenant_resume(struct tenants *t, struct tenant_grant *out, int tenant, int images)
{
    struct tenant *it = &t->tenant[tenant];

    assert(images > 0);
    pthread_mutex_lock(&t->lock);
    it->images_away += images;
    *out = (struct tenant_grant){tenant, images, it->day};
    pthread_mutex_unlock(&t->lock);
}

static void put_back(struct tenant *it, const struct tenant_grant *grant)
{
    bucket_return(&it->requests, 1);
    bucket_return(&it->images, grant->images);
    if (it->day != grant->day)
        return;
    it->day_requests--;
    it->day_images -= grant->images;
}

static void end(struct tenants *t, const struct tenant_grant *grant, bool back)
{
    struct tenant *it = &t->tenant[grant->tenant];

    pthread_mutex_lock(&t->lock);
    it->images_away -= grant->images;
    assert(it->images_away >= 0 && "a grant ends once");
    if (back)
        put_back(it, grant);
    pthread_mutex_unlock(&t->lock);
}

void tenant_end(struct tenants *t, const struct tenant_grant *grant)
{
    end(t, grant, false);
}

void tenant_return(struct tenants *t, const struct tenant_grant *grant)
{
    end(t, grant, true);
}

/* ---- looking ---- */

/* A limit that was lowered may have been passed already. */
static int64_t left_of(int64_t limit, int64_t used)
{
    return used < limit ? limit - used : 0;
}

static struct tenant_gauge gauge(const struct bucket *b, int per_minute, int64_t day_used,
                                 int per_day, struct tenant_time now)
{
    struct tenant_gauge minute = {.limit = per_minute}, day = {.limit = per_day};

    if (per_minute) {
        minute.remaining = (int)(left_of(per_minute * MINUTE_US, b->used) / MINUTE_US);
        minute.reset_ms = (b->used / per_minute + 999) / 1000;
    }
    if (per_day) {
        day.remaining = (int)left_of(per_day, day_used);
        day.reset_ms = until_midnight_ms(now);
    }
    if (!per_day || (per_minute && minute.remaining <= day.remaining))
        return minute;
    return day;
}

void tenant_look(struct tenants *t, int tenant, struct tenant_time now, struct tenant_view *out)
{
    struct tenant *it = &t->tenant[tenant];
    const struct tenant_limits *l = &it->limits;

    pthread_mutex_lock(&t->lock);
    advance(it, now);
    out->requests =
        gauge(&it->requests, l->requests_per_minute, it->day_requests, l->requests_per_day, now);
    out->images = gauge(&it->images, l->images_per_minute, it->day_images, l->images_per_day, now);
    pthread_mutex_unlock(&t->lock);
}

/* ---- from one start to the next ---- */

static bool has_changed(const struct tenant *it)
{
    return (it->limits.requests_per_day || it->limits.images_per_day) &&
           (it->day_requests != it->told_requests || it->day_images != it->told_images);
}

int tenant_changes(struct tenants *t, struct store_usage *out, int max)
{
    int count = 0;

    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < t->count && count < max; i++) {
        struct tenant *it = &t->tenant[i];

        if (!has_changed(it))
            continue;
        out[count] = (struct store_usage){
            .day = it->day, .requests = it->day_requests, .images = it->day_images};
        memcpy(out[count++].tenant, it->limits.name, sizeof(out->tenant));
        it->told_requests = it->day_requests;
        it->told_images = it->day_images;
    }
    pthread_mutex_unlock(&t->lock);
    return count;
}

void tenant_restore(struct tenants *t, const struct store_usage *usage)
{
    int index;

    pthread_mutex_lock(&t->lock);
    index = find(t, usage->tenant);
    if (index >= 0) {
        struct tenant *it = &t->tenant[index];

        it->day = usage->day;
        it->day_requests = it->told_requests = usage->requests;
        it->day_images = it->told_images = usage->images;
    }
    pthread_mutex_unlock(&t->lock);
}
