/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_images.h"
#include "server/keeper/room.h"
#include "server/result.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void end_fail(struct store_job *job, enum status st, const char *code, const char *message)
{
    job->state = STORE_JOB_FAILED;
    job->status = (int)st;
    job->finished_s = clock_unix_s();
    snprintf(job->code, sizeof(job->code), "%s", code);
    snprintf(job->message, sizeof(job->message), "%s", answer_message(st, message));
}

enum status end_store(struct keeper *k, struct store_job *job, const struct store_picture *pictures,
                      int count)
{
    struct why why = {""};
    enum status st = k->store->ops->job_end(k->store, job, pictures, count, &why);

    if (st == ST_MISSING) /* somebody removed it: there is nothing left to end */
        return ST_OK;
    keeper_note(k, st, &why);
    if (st)
        job->state = STORE_JOB_OPEN;
    return st;
}

void end_pictures(const struct generation *g, struct store_picture *pictures)
{
    for (int i = 0; i < g->count; i++) {
        const struct job *job = g->job[i];
        bool withheld = generation_is_withheld(job);

        pictures[i] = (struct store_picture){.seed = (int64_t)job->picture.seed};
        memcpy(pictures[i].sha256, job->pixels_sha256, sizeof(pictures[i].sha256));
        if (job->decision[0])
            snprintf(pictures[i].decision, sizeof(pictures[i].decision), "%s", job->decision);
        if (!withheld)
            pictures[i].data = (struct store_bytes){job->body.data, job->body.count};
    }
}

/* Completed with what may be had, held for what waits, or failed when all of it was blocked. */
static void say_outcome(struct store_job *job, const struct generation *g,
                        const struct outcomes *outcomes)
{
    struct result_tally tally;
    struct result result;

    result_of(&result, g, outcomes);
    tally = result_count(&result);
    if (tally.held) {
        job->state = STORE_JOB_HELD;
        job->finished_s = clock_unix_s(); /* is the time of its end later */
    } else if (!tally.allowed) {
        end_fail(job, ST_REFUSED, MODERATED_CODE, "none of the pictures can be delivered");
    } else {
        job->state = STORE_JOB_COMPLETED;
        job->finished_s = clock_unix_s();
    }
}

static enum status store_pictures(struct keeper *k, struct live *l, const struct outcomes *outcomes)
{
    struct generation *g = l->generation;
    struct store_picture pictures[REQUEST_IMAGES_MAX];

    end_pictures(g, pictures);
    l->job.cut = result_cut(g);
    l->job.event = watch_last(l);
    say_outcome(&l->job, g, outcomes);
    g->made_s = l->job.finished_s;
    return end_store(k, &l->job, pictures, g->count);
}

static void answer_waiter(struct keeper *k, struct live *l, const struct outcomes *outcomes)
{
    struct errand *e = l->waiter;
    struct result_tally tally = {0};
    struct result result;
    struct answer answer;

    if (!e)
        return;
    l->waiter = NULL;
    if (outcomes) {
        result_of(&result, l->generation, outcomes);
        tally = result_count(&result);
    }
    if (tally.held && !tally.allowed) {
        look_promise(k, e, &l->job);
        return;
    }
    images_write(&answer, l->generation, outcomes);
    errand_answer(e, &answer);
}

/* The server ends before the job does, and the job stays open for the next one. What was handed
   over in order is no fall. */
static void leave_open(struct keeper *k, struct live *l, const struct job *failed)
{
    struct why why = {""};

    if (!k->draining || failed->status == ST_DEVICE)
        return;
    l->job.falls--;
    keeper_note(k, k->store->ops->job_start(k->store, &l->job, &why), &why);
}

/* Is this failure the server's own end? */
static bool is_interrupted(const struct job *failed)
{
    return failed->status == ST_CANCELLED || failed->status == ST_DEVICE;
}

/* What was decided about a picture could not be written down, so it is nobody's: the job is open,
   and is taken up again as if another server had left it, as often as one may fall under it. */
static bool is_unrecorded(const struct job *failed)
{
    return failed->status == ST_IO;
}

static enum status store_end(struct keeper *k, struct live *l, const struct job *failed,
                             const struct outcomes *outcomes)
{
    if (!failed)
        return store_pictures(k, l, outcomes);
    if (is_interrupted(failed)) {
        leave_open(k, l, failed);
        return ST_OK;
    }
    if (is_unrecorded(failed)) {
        create_again(k, &l->job);
        return ST_OK;
    }
    l->job.event = watch_last(l);
    end_fail(&l->job, failed->status,
             failed->status == ST_LATE ? "deadline_exceeded" : "internal_error", failed->why.text);
    return end_store(k, &l->job, NULL, 0);
}

/* Those who listen to it go on listening. */
static bool is_again(const struct keeper *k, const struct live *l)
{
    const struct job *failed = generation_failed(l->generation);

    return failed && is_unrecorded(failed) && !k->draining;
}

static void tell_end(struct keeper *k, struct live *l, const struct outcomes *outcomes,
                     enum status st)
{
    if (st && outcomes && l->waiter) { /* this server stops, and cannot say what was decided */
        errand_refuse_store(l->waiter, st);
        l->waiter = NULL;
    }
    answer_waiter(k, l, outcomes);
    if (l->dropped || is_again(k, l))
        return;
    watch_end(k, &l->job);
    if (l->generation->job[0]->owner.held_for[0] && l->job.state != STORE_JOB_OPEN)
        settle_forget_held(k, l->job.id);
}

/* A store that cannot take the end is asked again at every tick: what was promised is not thrown
   away, and those who come later find the pools empty. A server that stops leaves the job open. */
void end_generation(struct keeper *k, struct live *l)
{
    const struct job *failed = generation_failed(l->generation);
    bool moderated = !failed && !l->dropped && generation_is_moderated(l->generation);
    struct outcomes outcomes;
    enum status st = ST_OK;

    if (!l->done)
        generation_log(l->generation);
    l->done = true;
    if (moderated) {
        st = settle_read(k, l->generation, &outcomes);
        outcomes.job = l->job.id;
    }
    if (!st && !l->dropped)
        st = store_end(k, l, failed, moderated ? &outcomes : NULL);
    if (!st || k->draining) {
        settle_count(k, l->generation, !st);
        tell_end(k, l, moderated ? &outcomes : NULL, st);
    }
    if (moderated)
        settle_close(k, &outcomes);
    if (!st || k->draining)
        live_put(k, l);
}

void end_cancel(struct keeper *k, struct errand *e)
{
    struct store_job job;
    struct answer answer;
    struct live *l;
    enum status st;

    if (!look_find(k, e, &job))
        return;
    if (job.state == STORE_JOB_HELD) {
        errand_refuse_http(e, 409, (struct failure){.code = "in_review"},
                           "the pictures are made, and wait for a person: there is nothing to "
                           "cancel");
        return;
    }
    if (job.state != STORE_JOB_OPEN) {
        bool before = !strcmp(job.code, "cancelled");

        errand_refuse_http(e, 409,
                           (struct failure){.code = before ? "already_cancelled" : "job_finished"},
                           before ? "the job was cancelled before"
                                  : "the job is over: there is nothing to cancel");
        return;
    }
    l = live_find(k, e->id);
    job.event = l ? watch_last(l) : watch_last_of(&job);
    end_fail(&job, ST_REFUSED, "cancelled", "the job was cancelled");
    st = end_store(k, &job, NULL, 0);
    if (st) {
        errand_refuse_store(e, st);
        return;
    }
    if (l) {
        l->dropped = true;
        generation_cancel(l->generation);
    }
    if (l && l->waiter) {
        errand_refuse_http(l->waiter, 409, (struct failure){.code = "cancelled"},
                           "the job was cancelled");
        l->waiter = NULL;
    }
    watch_end(k, &job);
    look_answer(k, &answer, 200, &job);
    errand_answer(e, &answer);
}

static bool is_begun(const struct generation *g)
{
    for (int i = 0; i < g->count; i++) {
        if (atomic_load(&g->job[i]->state) >= JOB_SEATED)
            return true;
    }
    return false;
}

void end_hand_over(struct keeper *k)
{
    for (struct live *l = k->live; l; l = l->next) {
        if (!l->dropped && !l->waiter && !is_begun(l->generation))
            generation_cancel(l->generation);
    }
}
