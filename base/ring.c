/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* an item came, or the ring was shut */
    bool shut;
    size_t capacity, first, count;
    void *items[];
};

/* Waits are measured on the clock that never jumps. */
static void changed_init(pthread_cond_t *changed)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(changed, &attr);
    pthread_condattr_destroy(&attr);
}

enum status ring_open(struct ring **out, size_t capacity)
{
    struct ring *r;

    assert(capacity > 0);
    *out = NULL;
    if (capacity > (SIZE_MAX - sizeof(*r)) / sizeof(r->items[0]))
        return ST_FULL;
    r = calloc(1, sizeof(*r) + capacity * sizeof(r->items[0]));
    if (!r)
        return ST_FULL;
    r->capacity = capacity;
    pthread_mutex_init(&r->lock, NULL);
    changed_init(&r->changed);
    *out = r;
    return ST_OK;
}

void ring_close(struct ring **r)
{
    if (!*r)
        return;
    assert((*r)->count == 0 && "what a ring still holds has an owner: take it first");
    pthread_cond_destroy(&(*r)->changed);
    pthread_mutex_destroy(&(*r)->lock);
    free(*r);
    *r = NULL;
}

enum status ring_put(struct ring *r, void *item)
{
    enum status st = ST_OK;

    assert(item && "NULL is how ring_take says that there is nothing");
    pthread_mutex_lock(&r->lock);
    if (r->shut) {
        st = ST_CANCELLED;
    } else if (r->count == r->capacity) {
        st = ST_FULL;
    } else {
        r->items[(r->first + r->count) % r->capacity] = item;
        r->count++;
        pthread_cond_signal(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return st;
}

static struct timespec deadline_after(int64_t wait_us)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(wait_us / 1000000);
    at.tv_nsec += (long)(wait_us % 1000000) * 1000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

/* With the lock held: until there is something to take, or nothing more to wait for. */
static void wait_for_item(struct ring *r, int64_t wait_us)
{
    struct timespec deadline;

    if (r->count > 0 || wait_us == 0)
        return;
    if (wait_us < 0) {
        while (r->count == 0 && !r->shut)
            pthread_cond_wait(&r->changed, &r->lock);
        return;
    }
    deadline = deadline_after(wait_us);
    while (r->count == 0 && !r->shut)
        if (pthread_cond_timedwait(&r->changed, &r->lock, &deadline) == ETIMEDOUT)
            return;
}

void *ring_take(struct ring *r, int64_t wait_us)
{
    void *item = NULL;

    pthread_mutex_lock(&r->lock);
    wait_for_item(r, wait_us);
    if (r->count > 0) {
        item = r->items[r->first];
        r->first = (r->first + 1) % r->capacity;
        r->count--;
    }
    pthread_mutex_unlock(&r->lock);
    return item;
}

size_t ring_count(struct ring *r)
{
    size_t count;

    pthread_mutex_lock(&r->lock);
    count = r->count;
    pthread_mutex_unlock(&r->lock);
    return count;
}

void ring_shut(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->shut = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

bool ring_is_over(struct ring *r)
{
    bool over;

    pthread_mutex_lock(&r->lock);
    over = r->shut && r->count == 0;
    pthread_mutex_unlock(&r->lock);
    return over;
}
