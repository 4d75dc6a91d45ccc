/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine/room.h"
#include "engine/finish.h"
#include "engine/judge.h"

#include <assert.h>

static void count_end(struct engine *e, const struct job *job)
{
    if (job->status == ST_OK)
        atomic_fetch_add(&e->done, 1);
    else if (job->status == ST_CANCELLED)
        atomic_fetch_add(&e->cancelled, 1);
    else if (job->status == ST_LATE)
        atomic_fetch_add(&e->late, 1);
    else if (job->status == ST_REFUSED)
        atomic_fetch_add(&e->withheld, 1);
    else
        atomic_fetch_add(&e->failed, 1);
}

/* Forecasts learn from what came, and from what was given up as late. */
static void judge_promise(struct engine *e, const struct job *job)
{
    bool late = job->status == ST_LATE;

    if (job->status && !late)
        return;
    pthread_mutex_lock(&e->lock);
    schedule_judge(e->schedule, &job->entry, late ? SCHEDULE_NEVER : job->times.logged_us);
    pthread_mutex_unlock(&e->lock);
}

void hand_back(struct engine *e, struct job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) > 1)
        return;
    job->times.ended_us = clock_now_us(&e->clock);
    count_end(e, job);
    judge_promise(e, job);
    stages_ended(e->stages, job);
    atomic_store(&job->state, job->status == ST_OK ? JOB_DONE : JOB_FAILED);
    atomic_fetch_sub(&e->owned, 1);
    job->done(job);
}

void hand_fail(struct engine *e, struct job *job, enum status st, const char *text)
{
    image_close(&job->image);
    job->status = why_fail(&job->why, st, "%s", text);
    hand_back(e, job);
}

/* The pictures that are there, at most a batch: whoever is alone does not wait for company. 0:
   nothing comes any more. */
static int take_made(struct engine *e, struct job *jobs[JUDGE_BATCH_MAX])
{
    struct job *job = NULL;
    int count = 0;

    while (!job && !ring_is_over(e->outbox))
        job = ring_take(e->outbox, judge_idle(e->options.judge));
    for (; job; job = count < JUDGE_BATCH_MAX ? ring_take(e->outbox, 0) : NULL)
        jobs[count++] = job;
    return count;
}

/* Those whose owner has left go before anything is spent on them. Returns how many are left. */
static int drop_cancelled(struct engine *e, struct job **jobs, int count)
{
    int left = 0;

    for (int i = 0; i < count; i++) {
        if (!atomic_load(&jobs[i]->cancelled)) {
            jobs[left++] = jobs[i];
            continue;
        }
        atomic_fetch_sub(&e->finishing, 1);
        hand_fail(e, jobs[i], ST_CANCELLED, "nobody waits for this picture");
    }
    return left;
}

/* What is allowed goes on, and everything else back to its owner, without its pixels. */
static void pass_on(struct engine *e, struct job *job)
{
    enum status st;

    if (job->status) {
        image_close(&job->image);
        atomic_fetch_sub(&e->finishing, 1);
        hand_back(e, job);
        return;
    }
    job->times.judged_us = clock_now_us(&e->clock);
    st = ring_put(e->allowed, job);
    assert(st == ST_OK && "there is room for every job that the engine owns");
    (void)st;
}

void *hand_judge_main(void *argument)
{
    struct engine *e = argument;
    struct job *jobs[JUDGE_BATCH_MAX];
    int count;

    while ((count = take_made(e, jobs))) {
        count = drop_cancelled(e, jobs, count);
        if (count)
            judge_pictures(e->options.judge, jobs, count);
        for (int i = 0; i < count; i++)
            pass_on(e, jobs[i]);
    }
    ring_shut(e->allowed);
    return NULL;
}

void *hand_main(void *argument)
{
    struct engine *e = argument;
    struct ring *inbox = e->finish.judge ? e->allowed : e->outbox;
    struct job *job;

    while ((job = ring_take(inbox, -1))) {
        if (!e->finish.judge)
            job->times.judged_us = clock_now_us(&e->clock);
        job->status = finish_run(job, &e->finish);
        atomic_fetch_sub(&e->finishing, 1);
        hand_back(e, job);
    }
    return NULL;
}
