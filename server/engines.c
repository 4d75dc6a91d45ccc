/* SPDX-License-Identifier: Apache-2.0 */
#include "server/engines.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct place {
    struct engine *engine; /* NULL: it is free; an address alone once it is closed */
    int holders;
    bool closed;
};

struct engines {
    pthread_mutex_t lock;
    struct place serving, before;
    struct engine_stats gone; /* counted by those that are closed */
};

enum status engines_open(struct engines **out)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return ST_FULL;
    pthread_mutex_init(&(*out)->lock, NULL);
    return ST_OK;
}

void engines_close(struct engines **engines)
{
    struct engines *all = *engines;

    if (!all)
        return;
    assert(!all->serving.engine || all->serving.closed);
    assert(!all->before.engine || all->before.closed);
    pthread_mutex_destroy(&all->lock);
    free(all);
    *engines = NULL;
}

static bool is_open(const struct place *p)
{
    return p->engine && !p->closed;
}

static struct place *place_of(struct engines *all, const struct engine *engine)
{
    struct place *p = all->serving.engine == engine ? &all->serving : &all->before;

    assert(p->engine == engine && "who holds an engine keeps its place");
    return p;
}

struct engine *engines_take(struct engines *all)
{
    struct engine *engine = NULL;

    pthread_mutex_lock(&all->lock);
    if (is_open(&all->serving)) {
        engine = all->serving.engine;
        all->serving.holders++;
    }
    pthread_mutex_unlock(&all->lock);
    return engine;
}

static void add_holders(struct engines *all, const struct engine *engine, int count)
{
    struct place *p;

    pthread_mutex_lock(&all->lock);
    p = place_of(all, engine);
    p->holders += count;
    assert(p->holders >= 0);
    pthread_mutex_unlock(&all->lock);
}

void engines_hold(struct engines *all, struct engine *engine)
{
    add_holders(all, engine, 1);
}

void engines_put(struct engines *all, struct engine *engine)
{
    add_holders(all, engine, -1);
}

bool engines_any(struct engines *all)
{
    bool any;

    pthread_mutex_lock(&all->lock);
    any = is_open(&all->serving);
    pthread_mutex_unlock(&all->lock);
    return any;
}

bool engines_are_healthy(struct engines *all)
{
    bool healthy = true;

    pthread_mutex_lock(&all->lock);
    if (is_open(&all->serving))
        healthy = engine_is_healthy(all->serving.engine);
    if (is_open(&all->before))
        healthy = healthy && engine_is_healthy(all->before.engine);
    pthread_mutex_unlock(&all->lock);
    return healthy;
}

/* ---- numbers ---- */

/* What only grows; seats and promises are not an engine's alone. */
static void add_counts(struct engine_stats *to, const struct engine_stats *from)
{
    to->done += from->done;
    to->failed += from->failed;
    to->cancelled += from->cancelled;
    to->late += from->late;
    to->withheld += from->withheld;
    to->steps += from->steps;
    to->busy_us += from->busy_us;
    for (int i = 0; i < ENGINE_REFUSALS; i++)
        to->refused[i] += from->refused[i];
}

static void add_before(struct engine_stats *to, const struct engine *before)
{
    struct engine_stats stats;

    engine_get_stats(before, &stats);
    add_counts(to, &stats);
    to->waiting += stats.waiting;
    to->seated += stats.seated;
    to->finishing += stats.finishing;
    if (stats.oldest_us > to->oldest_us)
        to->oldest_us = stats.oldest_us;
}

void engines_get_stats(struct engines *all, struct engine_stats *out)
{
    *out = (struct engine_stats){0};
    pthread_mutex_lock(&all->lock);
    if (is_open(&all->serving))
        engine_get_stats(all->serving.engine, out);
    if (is_open(&all->before))
        add_before(out, all->before.engine);
    add_counts(out, &all->gone);
    pthread_mutex_unlock(&all->lock);
}

/* ---- coming and going ---- */

void engines_swap(struct engines *all, struct engine *fresh)
{
    pthread_mutex_lock(&all->lock);
    assert(!all->before.engine && "the one before was swept");
    all->before = all->serving;
    all->serving = (struct place){.engine = fresh};
    pthread_mutex_unlock(&all->lock);
}

bool engines_sweep(struct engines *all)
{
    struct engine *closing = NULL;
    bool swept;

    pthread_mutex_lock(&all->lock);
    if (is_open(&all->before) && !all->before.holders) {
        struct engine_stats stats;

        closing = all->before.engine;
        engine_get_stats(closing, &stats);
        add_counts(&all->gone, &stats);
        all->before = (struct place){.engine = NULL};
    }
    swept = !all->before.engine;
    pthread_mutex_unlock(&all->lock);
    engine_close(&closing, 0);
    return swept;
}

static void stop(struct engines *all, struct place *p)
{
    struct engine *closing = NULL;

    pthread_mutex_lock(&all->lock);
    if (is_open(p)) {
        closing = p->engine;
        p->closed = true;
    }
    pthread_mutex_unlock(&all->lock);
    engine_close(&closing, 0);
}

void engines_stop(struct engines *all)
{
    stop(all, &all->before);
    stop(all, &all->serving);
}
