/* SPDX-License-Identifier: Apache-2.0 */
#include "server/desk.h"

#include "server/desk/room.h"

#include <stdlib.h>

bool desk_run(struct desk *d, void (*run)(void *owner), void *owner)
{
    bool taken;

    pthread_mutex_lock(&d->lock);
    taken = d->call_count < d->calls_max && !d->stop;
    if (taken)
        d->calls[(d->call_first + d->call_count++) % d->calls_max] = (struct call){run, owner};
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return taken;
}

/* ---- the thread ---- */

/* What comes next; waits for it. False: there is nothing more, and the thread ends. */
static bool collect(struct desk *d, struct call *out)
{
    bool more;

    pthread_mutex_lock(&d->lock);
    while (!d->call_count && !d->stop)
        pthread_cond_wait(&d->changed, &d->lock);
    more = d->call_count > 0;
    if (more) {
        *out = d->calls[d->call_first];
        d->call_first = (d->call_first + 1) % d->calls_max;
        d->call_count--;
    }
    pthread_mutex_unlock(&d->lock);
    return more;
}

static void *run(void *memory)
{
    struct desk *d = memory;
    struct call call;

    while (collect(d, &call))
        call.run(call.owner);
    return NULL;
}

/* ---- opening and closing ---- */

enum status desk_open(struct desk **out, struct service *s, const struct desk_options *options,
                      struct why *why)
{
    struct desk *d = calloc(1, sizeof(*d));
    enum status st = ST_OK;

    *out = d;
    if (!d)
        return why_fail(why, ST_FULL, "no memory for appeals");
    d->service = s;
    d->store = options->store;
    d->calls_max = options->functions_max;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    d->calls = calloc((size_t)d->calls_max, sizeof(*d->calls));
    if (!d->calls)
        st = why_fail(why, ST_FULL, "no memory for appeals");
    else if (pthread_create(&d->thread, NULL, run, d))
        st = why_fail(why, ST_FULL, "cannot start a thread for appeals");
    if (st)
        desk_close(out);
    else
        d->running = true;
    return st;
}

void desk_stop(struct desk *d)
{
    if (!d || !d->running)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    d->running = false;
}

void desk_close(struct desk **desk)
{
    struct desk *d = *desk;

    if (!d)
        return;
    desk_stop(d);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d->calls);
    free(d);
    *desk = NULL;
}
