/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "base/log.h"
#include "base/ring.h"
#include "engine/finish.h"
#include "engine/lane.h"
#include "engine/sizing.h"
#include "models/vae.h"

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

/* One device, and the thread that takes turns on it. */
struct worker {
    struct engine *engine;
    struct lane lane; /* the thread's */
    pthread_t thread;
};

struct engine {
    struct engine_options options;
    struct clock clock;
    struct worker worker[DEVICES_MAX];
    int lanes;              /* open */
    int turning;            /* their threads that were started */
    struct ring *inbox;     /* from whoever submits to the engine threads */
    struct ring *outbox;    /* from the engine threads to the finish threads */
    pthread_mutex_t submit; /* so that `count` jobs enter together or not at all */
    pthread_t finisher[FINISH_THREADS_MAX];
    int finishers;         /* started */
    bool shut;             /* under `submit`: nothing new is taken */
    atomic_bool stopping;  /* the engine threads end when nobody sits or waits */
    atomic_bool giving_up; /* they end now, and who sits stands up */
    atomic_int ended;      /* of them have */
    atomic_bool broken;    /* a device is: all of them stop, and the program starts afresh */
    atomic_int owned;      /* taken and not handed back: at most what the outbox holds */
    atomic_int seated, finishing;
    atomic_ullong done, failed, cancelled, steps;
};

static int owned_max(const struct engine *e)
{
    return e->options.queue_max + e->options.seats_max * e->options.devices.count;
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

/* --- the engine threads, one for each device --------------------------------------------- */

static void seat_one(struct engine *e, struct batch *batch, struct job *job)
{
    if (atomic_load(&job->cancelled)) {
        fail(e, job, ST_CANCELLED, "nobody waits for this picture");
        return;
    }
    job->times.queued_us = clock_now_us(&e->clock);
    job->status = batch_seat(batch, job, &job->why);
    if (job->status) {
        hand_back(e, job);
        return;
    }
    job->times.seated_us = clock_now_us(&e->clock);
    atomic_store(&job->state, JOB_SEATED);
    atomic_fetch_add(&e->seated, 1);
}

/* Waits only when nobody sits: a turn with work to do never sleeps. Once a device is broken nobody
   sits down any more, anywhere. */
static void seat_waiting(struct engine *e, struct batch *batch)
{
    while (batch->taken < batch->seat_count && !atomic_load(&e->broken)) {
        struct job *job = ring_take(e->inbox, batch->taken ? 0 : IDLE_WAIT_US);

        if (!job)
            return;
        if (atomic_load(&e->giving_up))
            fail(e, job, ST_CANCELLED, "the server is shutting down");
        else
            seat_one(e, batch, job);
    }
}

static void release_done(struct engine *e, struct batch *batch)
{
    struct job *job;

    while ((job = batch_release(batch))) {
        atomic_fetch_sub(&e->seated, 1);
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

static void evict_all(struct engine *e, struct batch *batch, enum status st, const char *text)
{
    struct job *job;

    while ((job = batch_evict(batch))) {
        atomic_fetch_sub(&e->seated, 1);
        fail(e, job, st, text);
    }
}

static void stamp_denoised(struct engine *e, struct batch *batch)
{
    int64_t now = clock_now_us(&e->clock);

    for (int s = 0; s < batch->seat_count; s++) {
        struct job *job = batch->seat[s].job;

        if (job)
            job->times.denoised_us = now;
    }
}

/* One turn: drop the cancelled, seat the waiting, advance everybody by one denoising step, release
   the finished. Every queue it touches is bounded, so a turn has a known longest length. */
static void engine_turn(struct engine *e, struct lane *lane)
{
    struct batch *batch = &lane->batch;

    release_done(e, batch); /* the cancelled: nobody is done before a step */
    seat_waiting(e, batch);
    if (!batch->taken)
        return;

    batch_step(batch);
    atomic_fetch_add(&e->steps, (unsigned long long)batch->taken);
    if (device_sync(lane->device)) {
        atomic_store(&e->broken, true);
        evict_all(e, batch, ST_DEVICE,
                  "the device failed; ask again when the server has restarted");
        return;
    }
    stamp_denoised(e, batch);
    release_done(e, batch);
}

static void refuse_new(struct engine *e)
{
    pthread_mutex_lock(&e->submit);
    e->shut = true;
    pthread_mutex_unlock(&e->submit);
}

/* The last thread to end answers whoever still waits. */
static void end_all(struct engine *e)
{
    struct job *job;

    while ((job = ring_take(e->inbox, 0)))
        fail(e, job, atomic_load(&e->broken) ? ST_DEVICE : ST_CANCELLED,
             "the server is shutting down");
    ring_shut(e->outbox);
}

/* Pictures on a sound device are finished, also when another device broke. */
static bool is_over(struct engine *e, const struct batch *batch)
{
    if (batch->taken)
        return false;
    return atomic_load(&e->broken) || (atomic_load(&e->stopping) && !ring_count(e->inbox));
}

static void *turn_main(void *argument)
{
    struct worker *w = argument;
    struct engine *e = w->engine;

    lane_enter(&w->lane);
    while (!atomic_load(&e->giving_up) && !is_over(e, &w->lane.batch))
        engine_turn(e, &w->lane);
    refuse_new(e);
    evict_all(e, &w->lane.batch, ST_CANCELLED, "the server is shutting down");
    if (atomic_fetch_add(&e->ended, 1) + 1 == e->lanes)
        end_all(e);
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

static enum status start_threads(struct engine *e, struct why *why)
{
    while (e->turning < e->lanes) {
        if (pthread_create(&e->worker[e->turning].thread, NULL, turn_main, &e->worker[e->turning]))
            return why_fail(why, ST_FULL,
                            "no thread for the engine: the system's limit is reached");
        e->turning++;
    }
    while (e->finishers < e->options.finish_threads) {
        if (pthread_create(&e->finisher[e->finishers], NULL, finish_main, e))
            return why_fail(why, ST_FULL, "no thread to finish pictures: the system's limit");
        e->finishers++;
    }
    return ST_OK;
}

static enum status open_lane(struct engine *e, int i, struct why *why)
{
    const struct engine_options *o = &e->options;
    struct lane_options options = {.device = o->devices.device[i],
                                   .model_folder = o->model_folder,
                                   .model_count = o->model_count,
                                   .seats_max = o->seats_max,
                                   .size_max = o->size_max,
                                   .vae_tile = o->vae_tile};
    enum status st = lane_open(&e->worker[i].lane, &options, why);

    e->worker[i].engine = e;
    e->lanes += !st;
    return st;
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
    for (int i = 0; i < e->options.devices.count && !st; i++)
        st = open_lane(e, i, why);
    return st ? st : start_threads(e, why);
}

static enum status check_options(struct engine_options *o, struct why *why)
{
    if (!o->devices.count)
        o->devices = (struct devices){.count = 1};
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
    if (o->vae_tile < 0 || o->vae_tile % VAE_TILE_STEP)
        return why_fail(why, ST_INVALID, "a tile must be a multiple of %d latents, not %d",
                        VAE_TILE_STEP, o->vae_tile);
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

/* Wait until the engine threads have ended by themselves, at most drain_ms. */
static void drain(struct engine *e, int drain_ms)
{
    int64_t deadline = clock_now_us(&e->clock) + (int64_t)drain_ms * 1000;
    const struct timespec nap = {.tv_nsec = 5000000};

    while (clock_now_us(&e->clock) < deadline && atomic_load(&e->ended) < e->turning)
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
    if (e->turning)
        drain(e, drain_ms);
    for (int i = 0; i < e->turning; i++)
        pthread_join(e->worker[i].thread, NULL);
    if (!e->turning && e->outbox)
        ring_shut(e->outbox);
    for (int f = 0; f < e->finishers; f++)
        pthread_join(e->finisher[f], NULL);
    for (int i = 0; i < e->lanes; i++)
        lane_close(&e->worker[i].lane);
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
    return model_info(e->worker[0].lane.models[model]);
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
    return model_check(e->worker[0].lane.models[model], picture, why);
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
    const struct lane *lane = &e->worker[0].lane;
    char device[128], tiles[256];
    const char *more = e->lanes > 1 ? " and others" : "";

    device_describe(lane->device, device, sizeof(device));
    sizing_describe(lane->models, e->options.model_count, tiles, sizeof(tiles));
    snprintf(text, bytes, "%s%s; %d seats, %d may wait%s", device, more,
             e->options.seats_max * e->lanes, e->options.queue_max, tiles);
}
