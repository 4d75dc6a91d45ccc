/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine/room.h"

#include <assert.h>
#include <stddef.h>

#define IDLE_WAIT_NS 100000000 /* how long an idle engine sleeps before it looks around */

static struct job *job_of(struct entry *entry)
{
    return (struct job *)((char *)entry - offsetof(struct job, entry));
}

/* Does anybody still want it, and can he have it in time? If not, why. Under the lock. */
static enum status still_wanted(const struct engine *e, struct job *job)
{
    if (atomic_load(&job->cancelled))
        return why_fail(&job->why, ST_CANCELLED, "nobody waits for this picture");
    if (schedule_is_hopeless(e->schedule, &job->entry, clock_now_us(&e->clock)))
        return why_fail(&job->why, ST_LATE, "the picture cannot be finished by its deadline");
    return atomic_load(&e->giving_up)
               ? why_fail(&job->why, ST_CANCELLED, "the server is shutting down")
               : ST_OK;
}

/* Those who wait for nothing, out of the queue, in a list. Under the lock. */
static struct job *leave_unwanted(struct engine *e)
{
    struct job *list = NULL;

    for (int i = schedule_waiting(e->schedule) - 1; i >= 0; i--) {
        struct job *job = job_of(schedule_waiter(e->schedule, i));

        job->status = still_wanted(e, job);
        if (!job->status)
            continue;
        schedule_leave(e->schedule, &job->entry);
        job->next = list;
        list = job;
    }
    return list;
}

static void hand_back_all(struct engine *e, struct job *list)
{
    while (list) {
        struct job *next = list->next;

        hand_back(e, list);
        list = next;
    }
}

static void nap(struct engine *e)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += IDLE_WAIT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&e->changed, &e->lock, &until);
}

/* The next to sit down. Waits, not for ever, only when nobody sits: a turn with work to do never
   sleeps. Once a device is broken nobody sits down any more, anywhere. */
static struct job *next_job(struct engine *e, int lane, bool may_wait)
{
    struct entry *entry = NULL;
    struct job *unwanted;

    pthread_mutex_lock(&e->lock);
    if (may_wait && !schedule_waiting(e->schedule) && !e->shut)
        nap(e);
    unwanted = leave_unwanted(e);
    if (!atomic_load(&e->broken))
        entry = schedule_seat(e->schedule, lane);
    pthread_mutex_unlock(&e->lock);
    hand_back_all(e, unwanted);
    return entry ? job_of(entry) : NULL;
}

static void leave(struct engine *e, struct job *job)
{
    pthread_mutex_lock(&e->lock);
    schedule_leave(e->schedule, &job->entry);
    pthread_mutex_unlock(&e->lock);
}

/* The device worked since then. Returns the time. */
static int64_t count_busy(struct engine *e, int64_t begun_us)
{
    int64_t now = clock_now_us(&e->clock);

    atomic_fetch_add(&e->busy_us, now - begun_us);
    return now;
}

static void seat_one(struct engine *e, struct batch *batch, struct job *job)
{
    job->times.seated_us = clock_now_us(&e->clock);
    job->status = batch_seat(batch, job, &job->why);
    count_busy(e, job->times.seated_us);
    if (job->status) {
        leave(e, job);
        hand_back(e, job);
        return;
    }
    job->times.text_us = clock_now_us(&e->clock);
    pthread_mutex_lock(&e->lock);
    job->entry.steps = batch_steps(batch, job);
    pthread_mutex_unlock(&e->lock);
    atomic_store(&job->state, JOB_SEATED);
    atomic_fetch_add(&e->seated, 1);
}

static void seat_waiting(struct engine *e, struct worker *w)
{
    struct batch *batch = &w->lane.batch;
    struct job *job;

    while ((job = next_job(e, w->index, !batch->taken)))
        seat_one(e, batch, job);
}

static void stand_up(struct engine *e, struct batch *batch, struct job *job)
{
    batch_stand(batch, job);
    leave(e, job);
    atomic_fetch_sub(&e->seated, 1);
}

static void drop_unwanted(struct engine *e, struct batch *batch)
{
    for (int s = 0; s < batch->seat_count; s++) {
        struct job *job = batch->seat[s].job;

        if (!job)
            continue;
        pthread_mutex_lock(&e->lock);
        job->status = still_wanted(e, job);
        pthread_mutex_unlock(&e->lock);
        if (!job->status)
            continue;
        stand_up(e, batch, job);
        hand_back(e, job);
    }
}

static void evict_all(struct engine *e, struct batch *batch, enum status st, const char *text)
{
    for (int s = 0; s < batch->seat_count; s++) {
        struct job *job = batch->seat[s].job;

        if (!job)
            continue;
        stand_up(e, batch, job);
        hand_fail(e, job, st, text);
    }
}

/* One step of those whose turn it is. Returns how long it took. */
static int64_t step(struct engine *e, struct worker *w)
{
    struct entry *entries[BATCH_SEATS_MAX];
    struct job *jobs[BATCH_SEATS_MAX];
    int64_t begun, now;
    int count;

    pthread_mutex_lock(&e->lock);
    count = schedule_pick(e->schedule, w->index, entries);
    pthread_mutex_unlock(&e->lock);
    if (!count)
        return 0;
    for (int i = 0; i < count; i++)
        jobs[i] = job_of(entries[i]);
    begun = clock_now_us(&e->clock);
    batch_step(&w->lane.batch, jobs, count);
    if (device_sync(w->lane.device)) {
        atomic_store(&e->broken, true);
        evict_all(e, &w->lane.batch, ST_DEVICE,
                  "the device failed; ask again when the server has restarted");
        return 0;
    }
    now = count_busy(e, begun);
    pthread_mutex_lock(&e->lock);
    schedule_stepped(e->schedule, entries, count, now - begun);
    pthread_mutex_unlock(&e->lock);
    stages_stepped(e->stages, w->index, jobs, count, (struct stages_span){begun, now});
    atomic_fetch_add(&e->steps, (unsigned long long)count);
    return now - begun;
}

/* Of those who have all their steps, whose turn it is; NULL: nobody has. */
static struct job *first_done(const struct batch *batch)
{
    struct job *first = NULL;

    for (int s = 0; s < batch->seat_count; s++) {
        struct job *job = batch->seat[s].job;

        if (job && batch_is_done(batch, job) && (!first || job->entry.key_us < first->entry.key_us))
            first = job;
    }
    return first;
}

static void release(struct engine *e, struct batch *batch, struct job *job)
{
    int64_t begun = clock_now_us(&e->clock);

    batch_decode(batch, job);
    job->times.decoded_us = count_busy(e, begun);
    pthread_mutex_lock(&e->lock);
    schedule_rested(e->schedule, &job->entry,
                    job->times.decoded_us - begun + job->times.text_us - job->times.seated_us);
    pthread_mutex_unlock(&e->lock);
    stand_up(e, batch, job);
    if (job->status == ST_DEVICE)
        atomic_store(&e->broken, true); /* a poisoned device is never reused */
    if (job->status) {
        hand_back(e, job);
        return;
    }
    atomic_store(&job->state, JOB_FINISHING);
    atomic_fetch_add(&e->finishing, 1);
    /* The outbox has room for every job that the engine owns, so it is never full. */
    enum status st = ring_put(e->outbox, job);
    assert(st == ST_OK);
    (void)st;
}

/* Show one picture on its way, if that is due. */
static void preview_one(struct engine *e, struct batch *batch)
{
    struct job *job = preview_due(batch);
    int64_t begun = clock_now_us(&e->clock), ended;

    if (!job)
        return;
    if (preview_make(e->previews, batch, job) == ST_DEVICE)
        atomic_store(&e->broken, true); /* the next step finds it so, and clears the seats */
    ended = count_busy(e, begun);
    pthread_mutex_lock(&e->lock);
    schedule_previewed(e->schedule, &job->entry, ended - begun);
    pthread_mutex_unlock(&e->lock);
}

/* Decoding takes no longer than the step before it, so that those who step advance at half their
   speed at worst; one picture is always decoded. */
static void release_done(struct engine *e, struct batch *batch, int64_t budget_us)
{
    int64_t begun = clock_now_us(&e->clock);
    struct job *job;

    while ((job = first_done(batch))) {
        release(e, batch, job);
        if (clock_now_us(&e->clock) - begun >= budget_us && budget_us)
            return;
    }
}

/* One turn: drop the unwanted, seat the waiting, advance those whose turn it is by one denoising
   step, show one of them, release the finished. Everything in it is bounded, so a turn has a known
   longest length. */
static void engine_turn(struct engine *e, struct worker *w)
{
    struct batch *batch = &w->lane.batch;
    int64_t took_us;

    drop_unwanted(e, batch);
    seat_waiting(e, w);
    took_us = step(e, w);
    preview_one(e, batch);
    release_done(e, batch, took_us);
}

void turn_refuse_new(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->shut = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

/* The last thread to end answers whoever still waits. */
static void end_all(struct engine *e)
{
    enum status st = atomic_load(&e->broken) ? ST_DEVICE : ST_CANCELLED;

    for (;;) {
        struct job *job = NULL;

        pthread_mutex_lock(&e->lock);
        if (schedule_waiting(e->schedule)) {
            job = job_of(schedule_waiter(e->schedule, 0));
            schedule_leave(e->schedule, &job->entry);
        }
        pthread_mutex_unlock(&e->lock);
        if (!job)
            break;
        hand_fail(e, job, st, "the server is shutting down");
    }
    ring_shut(e->outbox);
}

int turn_waiting(struct engine *e, int64_t *since_us)
{
    int count;

    *since_us = INT64_MAX;
    pthread_mutex_lock(&e->lock);
    count = schedule_waiting(e->schedule);
    for (int i = 0; i < count; i++) {
        int64_t arrived_us = schedule_waiter(e->schedule, i)->arrived_us;

        *since_us = arrived_us < *since_us ? arrived_us : *since_us;
    }
    pthread_mutex_unlock(&e->lock);
    return count;
}

/* Pictures on a sound device are finished, also when another device broke. */
static bool is_over(struct engine *e, const struct batch *batch)
{
    int64_t since_us;

    if (batch->taken)
        return false;
    return atomic_load(&e->broken) || (atomic_load(&e->stopping) && !turn_waiting(e, &since_us));
}

void *turn_main(void *argument)
{
    struct worker *w = argument;
    struct engine *e = w->engine;

    lane_enter(&w->lane);
    while (!atomic_load(&e->giving_up) && !is_over(e, &w->lane.batch))
        engine_turn(e, w);
    turn_refuse_new(e);
    evict_all(e, &w->lane.batch, ST_CANCELLED, "the server is shutting down");
    if (atomic_fetch_add(&e->ended, 1) + 1 == e->lanes)
        end_all(e);
    return NULL;
}
