/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine/room.h"
#include "engine/finish.h"

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
    schedule_judge(e->schedule, &job->entry, late ? SCHEDULE_NEVER : job->times.encoded_us);
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

void *hand_main(void *argument)
{
    struct engine *e = argument;
    struct job *job;

    while ((job = ring_take(e->outbox, -1))) {
        job->times.judged_us = clock_now_us(&e->clock);
        job->status = finish_run(job);
        if (!job->status)
            job->times.encoded_us = clock_now_us(&e->clock);
        atomic_fetch_sub(&e->finishing, 1);
        hand_back(e, job);
    }
    return NULL;
}
