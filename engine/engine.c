/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "base/log.h"
#include "base/ring.h"
#include "engine/batch.h"
#include "engine/finish.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEATS_DEFAULT      4
#define QUEUE_DEFAULT      64
#define FINISH_DEFAULT     2
#define FINISH_THREADS_MAX 16
#define IDLE_WAIT_US       100000 /* how long an idle engine sleeps before it looks around */

static_assert(BATCH_MODELS_MAX == ENGINE_MODELS_MAX, "every loaded model has a latent per seat");

struct engine {
    struct engine_options options;
    struct clock clock;
    struct device *device;
    struct model *models[ENGINE_MODELS_MAX];
    struct batch batch;     /* the engine thread's */
    struct ring *inbox;     /* from whoever submits to the engine thread */
    struct ring *outbox;    /* from the engine thread to the finish threads */
    pthread_mutex_t submit; /* so that `count` jobs enter together or not at all */
    pthread_t turner, finisher[FINISH_THREADS_MAX];
    int finishers;         /* started */
    bool turning;          /* the engine thread was started */
    bool shut;             /* under `submit`: nothing new is taken */
    atomic_bool stopping;  /* the engine thread ends when nobody sits or waits */
    atomic_bool giving_up; /* it ends now, and who sits stands up */
    atomic_bool ended;     /* it has */
    atomic_bool broken;    /* the device is */
    atomic_int owned;      /* taken and not handed back: at most what the outbox holds */
    atomic_int seated, finishing;
    atomic_ullong done, failed, cancelled, steps;
};

static int owned_max(const struct engine *e)
{
    return e->options.queue_max + e->options.seats_max;
}

static void count_end(struct engine *e, const struct job *job)
{
    if (job->status == ST_OK)
        atomic_fetch_add(&e->done, 1);
    else if (job->status == ST_CANCELLED)
        atomic_fetch_add(&e->cancelled, 1);
    else
        atomic_fetch_add(&e->failed, 1);
}

/* The job goes back to whoever asked, for good or bad. */
static void hand_back(struct engine *e, struct job *job)
{
    count_end(e, job);
    atomic_store(&job->state, job->status == ST_OK ? JOB_DONE : JOB_FAILED);
    atomic_fetch_sub(&e->owned, 1);
    job->done(job);
}

static void fail(struct engine *e, struct job *job, enum status st, const char *text)
{
    image_close(&job->image);
    job->status = why_fail(&job->why, st, "%s", text);
    hand_back(e, job);
}

/* --- the engine thread ------------------------------------------------------------------- */

static void seat_one(struct engine *e, struct job *job)
{
    if (atomic_load(&job->cancelled)) {
        fail(e, job, ST_CANCELLED, "nobody waits for this picture");
        return;
    }
    job->times.queued_us = clock_now_us(&e->clock);
    job->status = batch_seat(&e->batch, job, &job->why);
    if (job->status) {
        hand_back(e, job);
        return;
    }
    job->times.seated_us = clock_now_us(&e->clock);
    atomic_store(&job->state, JOB_SEATED);
    atomic_store(&e->seated, e->batch.taken);
}

/* Waits only when nobody sits: a turn with work to do never sleeps. */
static void seat_waiting(struct engine *e)
{
    while (e->batch.taken < e->batch.seat_count) {
        struct job *job = ring_take(e->inbox, e->batch.taken ? 0 : IDLE_WAIT_US);

        if (!job)
            return;
        if (atomic_load(&e->giving_up))
            fail(e, job, ST_CANCELLED, "the server is shutting down");
        else
            seat_one(e, job);
    }
}

static void release_done(struct engine *e)
{
    struct job *job;

    while ((job = batch_release(&e->batch))) {
        atomic_store(&e->seated, e->batch.taken);
        job->times.decoded_us = clock_now_us(&e->clock);
        if (job->status == ST_DEVICE)
            atomic_store(&e->broken, true); /* a poisoned device is never reused */
        if (job->status) {
            hand_back(e, job);
            continue;
        }
        atomic_store(&job->state, JOB_FINISHING);
        atomic_fetch_add(&e->finishing, 1);
        /* The outbox has room for every job that the engine owns, so it is never full. */
        enum status st = ring_put(e->outbox, job);
        assert(st == ST_OK);
        (void)st;
    }
}

static void evict_all(struct engine *e, enum status st, const char *text)
{
    struct job *job;

    while ((job = batch_evict(&e->batch)))
        fail(e, job, st, text);
    atomic_store(&e->seated, 0);
}

static void stamp_denoised(struct engine *e)
{
    int64_t now = clock_now_us(&e->clock);

    for (int s = 0; s < e->batch.seat_count; s++) {
        struct job *job = e->batch.seat[s].job;

        if (job)
            job->times.denoised_us = now;
    }
}

/* One turn: drop the cancelled, seat the waiting, advance everybody by one denoising step, release
   the finished. Every queue it touches is bounded, so a turn has a known longest length. */
static void engine_turn(struct engine *e)
{
    release_done(e); /* the cancelled: nobody is done before a step */
    seat_waiting(e);
    if (!e->batch.taken)
        return;

    batch_step(&e->batch);
    atomic_fetch_add(&e->steps, (unsigned long long)e->batch.taken);
    if (device_sync(e->device)) {
        atomic_store(&e->broken, true);
        evict_all(e, ST_DEVICE, "the device failed; ask again when the server has restarted");
        return;
    }
    stamp_denoised(e);
    release_done(e);
}

static void refuse_new(struct engine *e)
{
    pthread_mutex_lock(&e->submit);
    e->shut = true;
    pthread_mutex_unlock(&e->submit);
}

static void *turn_main(void *argument)
{
    struct engine *e = argument;
    struct job *job;

    device_enter(e->device);
    while (!atomic_load(&e->broken) && !atomic_load(&e->giving_up)) {
        engine_turn(e);
        if (atomic_load(&e->stopping) && !e->batch.taken && !ring_count(e->inbox))
            break;
    }
    refuse_new(e);
    evict_all(e, ST_CANCELLED, "the server is shutting down");
    while ((job = ring_take(e->inbox, 0)))
        fail(e, job, atomic_load(&e->broken) ? ST_DEVICE : ST_CANCELLED,
             "the server is shutting down");
    ring_shut(e->outbox);
    atomic_store(&e->ended, true);
    return NULL;
}

/* --- the finish threads ------------------------------------------------------------------ */

static void *finish_main(void *argument)
{
    struct engine *e = argument;
    struct job *job;

    while ((job = ring_take(e->outbox, -1))) {
        job->status = finish_run(job);
        job->times.encoded_us = clock_now_us(&e->clock);
        atomic_fetch_sub(&e->finishing, 1);
        hand_back(e, job);
    }
    return NULL;
}

/* --- opening and closing ----------------------------------------------------------------- */

static enum status load_models(struct engine *e, struct why *why)
{
    for (int m = 0; m < e->options.model_count; m++) {
        enum status st = model_open(&e->models[m], e->device, e->options.model_folder[m], why);

        if (st)
            return st;
        for (int other = 0; other < m; other++) {
            if (!strcmp(engine_model_info(e, m)->name, engine_model_info(e, other)->name))
                return why_fail(why, ST_INVALID, "two model folders are called \"%s\"; rename one",
                                engine_model_info(e, m)->name);
        }
    }
    return ST_OK;
}

/* Walk through the biggest turn there can be on an arena that only counts, then take that much. */
static enum status size_memory(struct engine *e, struct why *why)
{
    int size_max = e->options.size_max;
    enum status st = ST_OK;

    device_measure_begin(e->device);
    batch_init(&e->batch, e->models, e->options.model_count, e->options.seats_max, size_max);
    for (int m = 0; m < e->options.model_count && !st; m++) {
        int size = engine_model_info(e, m)->size_max;

        if (size_max > 0 && size_max < size)
            size = size_max;
        st = model_rehearse(e->models[m], e->options.seats_max, size, size, why);
    }
    if (st) {
        enum status end = device_measure_end(e->device, NULL);

        (void)end;
        return st;
    }
    st = device_measure_end(e->device, why);
    if (st)
        return st;
    batch_init(&e->batch, e->models, e->options.model_count, e->options.seats_max, size_max);
    return ST_OK;
}

/* The first step of a size makes the device's plans and touches its memory; nobody should wait for
   that. One row and no decode: what these would add is under a second once, and a big model would
   be ready seconds later for it. */
static enum status warm_up(struct engine *e, int m, struct why *why)
{
    const struct model_info *info = engine_model_info(e, m);
    struct latent *latent = &e->batch.seat[0].latent[m];
    int size = info->size_default;
    enum status st;

    if (e->options.size_max > 0 && e->options.size_max < size)
        return ST_OK;
    struct picture picture = {.prompt = "",
                              .negative = "",
                              .width = size,
                              .height = size,
                              .steps = info->steps_default,
                              .guidance = 1,
                              .sampler = info->sampler_default};

    st = model_latent_start(e->models[m], latent, &picture, NULL, NULL, why);
    if (st)
        return st;
    model_step(e->models[m], &latent, 1);
    st = device_sync(e->device);
    if (st)
        return why_fail(why, st, "the device failed at the first step of %s", info->name);
    return ST_OK;
}

static enum status start_threads(struct engine *e, struct why *why)
{
    if (pthread_create(&e->turner, NULL, turn_main, e))
        return why_fail(why, ST_FULL, "no thread for the engine: the system's limit is reached");
    e->turning = true;
    while (e->finishers < e->options.finish_threads) {
        if (pthread_create(&e->finisher[e->finishers], NULL, finish_main, e))
            return why_fail(why, ST_FULL, "no thread to finish pictures: the system's limit");
        e->finishers++;
    }
    return ST_OK;
}

static enum status open_parts(struct engine *e, struct why *why)
{
    enum status st;

    st = ring_open(&e->inbox, (size_t)e->options.queue_max);
    if (st)
        return why_fail(why, st, "no memory for the queue");
    st = ring_open(&e->outbox, (size_t)owned_max(e));
    if (st)
        return why_fail(why, st, "no memory for the queue");
    st = device_open(&e->device, e->options.device, why);
    if (st)
        return st;
    st = load_models(e, why);
    if (st)
        return st;
    st = size_memory(e, why);
    for (int m = 0; m < e->options.model_count && !st; m++)
        st = warm_up(e, m, why);
    return st ? st : start_threads(e, why);
}

static enum status check_options(struct engine_options *o, struct why *why)
{
    if (!o->seats_max)
        o->seats_max = SEATS_DEFAULT;
    if (!o->queue_max)
        o->queue_max = QUEUE_DEFAULT;
    if (!o->finish_threads)
        o->finish_threads = FINISH_DEFAULT;
    if (o->model_count < 1 || o->model_count > ENGINE_MODELS_MAX)
        return why_fail(why, ST_INVALID, "between 1 and %d models can be served, not %d",
                        ENGINE_MODELS_MAX, o->model_count);
    if (o->seats_max < 1 || o->seats_max > BATCH_SEATS_MAX)
        return why_fail(why, ST_INVALID, "seats must be 1 to %d, not %d", BATCH_SEATS_MAX,
                        o->seats_max);
    if (o->queue_max < 1 || o->finish_threads < 1 || o->finish_threads > FINISH_THREADS_MAX)
        return why_fail(why, ST_INVALID, "the queue needs 1 place and 1 to %d finish threads",
                        FINISH_THREADS_MAX);
    return ST_OK;
}

enum status engine_open(struct engine **out, const struct engine_options *options, struct why *why)
{
    struct engine_options checked = *options;
    enum status st = check_options(&checked, why);
    struct engine *e;

    *out = NULL;
    if (st)
        return st;
    e = calloc(1, sizeof(*e));
    if (!e)
        return why_fail(why, ST_FULL, "no memory for the engine");
    e->options = checked;
    clock_init_real(&e->clock);
    pthread_mutex_init(&e->submit, NULL);
    st = open_parts(e, why);
    if (st) {
        engine_close(&e, 0);
        return st;
    }
    *out = e;
    return ST_OK;
}

/* Wait until the engine thread has ended by itself, at most drain_ms. */
static void drain(struct engine *e, int drain_ms)
{
    int64_t deadline = clock_now_us(&e->clock) + (int64_t)drain_ms * 1000;
    const struct timespec nap = {.tv_nsec = 5000000};

    while (clock_now_us(&e->clock) < deadline && !atomic_load(&e->ended))
        nanosleep(&nap, NULL);
    atomic_store(&e->giving_up, true);
}

void engine_close(struct engine **engine, int drain_ms)
{
    struct engine *e = *engine;

    if (!e)
        return;
    refuse_new(e);
    atomic_store(&e->stopping, true);
    if (e->turning) {
        drain(e, drain_ms);
        pthread_join(e->turner, NULL);
    } else if (e->outbox) {
        ring_shut(e->outbox);
    }
    for (int f = 0; f < e->finishers; f++)
        pthread_join(e->finisher[f], NULL);
    for (int m = 0; m < ENGINE_MODELS_MAX; m++)
        model_close(&e->models[m]);
    device_close(&e->device);
    ring_close(&e->inbox);
    ring_close(&e->outbox);
    pthread_mutex_destroy(&e->submit);
    free(e);
    *engine = NULL;
}

/* --- from any thread --------------------------------------------------------------------- */

int engine_model_count(const struct engine *e)
{
    return e->options.model_count;
}

const struct model_info *engine_model_info(const struct engine *e, int model)
{
    assert(model >= 0 && model < e->options.model_count);
    return model_info(e->models[model]);
}

int engine_find_model(const struct engine *e, const char *name)
{
    for (int m = 0; m < e->options.model_count; m++) {
        if (!strcmp(engine_model_info(e, m)->name, name))
            return m;
    }
    return -1;
}

enum status engine_check(const struct engine *e, int model, const struct picture *picture,
                         struct why *why)
{
    int limit = e->options.size_max;

    if (limit > 0 && (picture->width > limit || picture->height > limit))
        return why_fail(why, ST_INVALID, "size must be at most %dx%d on this server", limit, limit);
    return model_check(e->models[model], picture, why);
}

/* Room for all is looked for first; only holders of this lock put or shut, so it stays true. What
   waits to be encoded counts too: pictures that are made faster than they are finished must slow
   down those who ask, not pile up behind the engine. */
enum status engine_submit(struct engine *e, struct job *const *jobs, int count)
{
    enum status st = ST_OK;
    int64_t now = clock_now_us(&e->clock);

    pthread_mutex_lock(&e->submit);
    if (e->shut)
        st = ST_CANCELLED;
    else if (ring_count(e->inbox) + (size_t)count > (size_t)e->options.queue_max ||
             atomic_load(&e->owned) + count > owned_max(e))
        st = ST_FULL;
    else
        atomic_fetch_add(&e->owned, count);
    for (int i = 0; i < count && !st; i++) {
        assert(jobs[i]->done);
        jobs[i]->times.received_us = now;
        atomic_store(&jobs[i]->state, JOB_QUEUED);
        st = ring_put(e->inbox, jobs[i]);
    }
    pthread_mutex_unlock(&e->submit);
    return st;
}

bool engine_is_healthy(const struct engine *e)
{
    return !atomic_load(&e->broken);
}

void engine_get_stats(const struct engine *e, struct engine_stats *out)
{
    *out = (struct engine_stats){
        .waiting = (int)ring_count(e->inbox),
        .seated = atomic_load(&e->seated),
        .finishing = atomic_load(&e->finishing),
        .done = atomic_load(&e->done),
        .failed = atomic_load(&e->failed),
        .cancelled = atomic_load(&e->cancelled),
        .steps = atomic_load(&e->steps),
    };
}

void engine_describe(const struct engine *e, char *text, size_t bytes)
{
    char device[128];

    device_describe(e->device, device, sizeof(device));
    snprintf(text, bytes, "%s; %d seats, %d may wait", device, e->options.seats_max,
             e->options.queue_max);
}
