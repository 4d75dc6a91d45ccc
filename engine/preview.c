/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/preview.h"

#include "base/ring.h"
#include "engine/finish.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct previews {
    struct ring *inbox;
    pthread_t thread;
    bool running;
    struct finish finish;
    void (*back)(void *context, struct job *job);
    void *context;
};

/* ---- on the engine's thread ---- */

/* The step behind which preview `index` of `count` is due. */
static int step_of(const struct batch *batch, const struct job *job, int index, int count)
{
    int steps = batch_steps(batch, job), step = (index + 1) * steps / (count + 1);

    return step > 0 ? step : 1;
}

/* The latest preview that is due, of those that were not made; below 0: none. */
static int due_index(const struct batch *batch, const struct job *job)
{
    int step = atomic_load(&job->step), count = atomic_load(&job->previews), due = -1;

    for (int i = job->preview.made; i < count; i++) {
        if (step >= step_of(batch, job, i, count))
            due = i;
    }
    return batch_is_done(batch, job) ? -1 : due;
}

struct job *preview_due(const struct batch *batch)
{
    struct job *first = NULL;

    for (int s = 0; s < batch->seat_count; s++) {
        struct job *job = batch->seat[s].job;

        if (job && !atomic_load(&job->preview.away) && due_index(batch, job) >= 0 &&
            (!first || job->entry.key_us < first->entry.key_us))
            first = job;
    }
    return first;
}

enum status preview_make(struct previews *p, struct batch *batch, struct job *job)
{
    struct why why;
    int index = due_index(batch, job);
    enum status st;

    if (index < 0) /* nobody wants it any more */
        return ST_OK;
    st = batch_preview(batch, job, &job->preview.image, &why);
    job->preview.made = index + 1;
    if (st)
        return st;
    job->preview.index = index;
    atomic_store(&job->preview.away, true);
    atomic_fetch_add(&job->holders, 1);
    st = ring_put(p->inbox, job);
    assert(st == ST_OK && "there is room for one preview of every job");
    return st;
}

/* ---- on the thread of previews ---- */

static void hand_on(struct previews *p, struct job *job)
{
    struct bytes body = {NULL, 0};

    if (!atomic_load(&job->cancelled) &&
        !finish_preview(job, &job->preview.image, &p->finish, &body))
        job->previewed(job, job->preview.index, &body);
    image_close(&job->preview.image);
    bytes_close(&body);
    atomic_store(&job->preview.away, false);
}

static void *run(void *memory)
{
    struct previews *p = memory;
    struct job *job;

    while ((job = ring_take(p->inbox, -1))) {
        hand_on(p, job);
        p->back(p->context, job);
    }
    return NULL;
}

enum status previews_open(struct previews **out, int jobs_max, const struct finish *finish,
                          void (*back)(void *context, struct job *job), void *context,
                          struct why *why)
{
    struct previews *p = calloc(1, sizeof(*p));
    enum status st;

    *out = p;
    if (!p)
        return why_fail(why, ST_FULL, "no memory for previews");
    p->finish = *finish;
    p->back = back;
    p->context = context;
    st = ring_open(&p->inbox, (size_t)jobs_max);
    if (!st && pthread_create(&p->thread, NULL, run, p))
        st = ST_FULL;
    p->running = !st;
    if (!st)
        return ST_OK;
    previews_close(out);
    return why_fail(why, st, "no memory or no thread for previews");
}

void previews_close(struct previews **previews)
{
    struct previews *p = *previews;

    if (!p)
        return;
    if (p->running) {
        ring_shut(p->inbox);
        pthread_join(p->thread, NULL);
    }
    ring_close(&p->inbox);
    free(p);
    *previews = NULL;
}
