/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "base/log.h"
#include "base/ring.h"
#include "engine/finish.h"
#include "engine/lane.h"
#include "engine/options.h"
#include "engine/preview.h"
#include "engine/profile.h"
#include "engine/sizing.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROFILE_US   5000000   /* for measuring what is not known yet, at the start */
#define IDLE_WAIT_NS 100000000 /* how long an idle engine sleeps before it looks around */
#define SPARE_MAX    8         /* seats of a device beside those that step */

static_assert(BATCH_MODELS_MAX == ENGINE_MODELS_MAX, "every loaded model has a latent per seat");

/* One device, and the thread that takes turns on it. */
struct worker {
    struct engine *engine;
    int index;
    struct lane lane; /* the thread's */
    pthread_t thread;
};

struct engine {
    struct engine_options options;
    struct clock clock;
    struct worker worker[DEVICES_MAX];
    int lanes;              /* open */
    int turning;            /* their threads that were started */
    pthread_mutex_t lock;   /* of the schedule, and of `shut`; held for no longer than it thinks */
    pthread_cond_t changed; /* somebody came, or nobody will */
    struct schedule *schedule;
    struct ring *outbox; /* from the engine threads to the finish threads */
    struct previews *previews;
    pthread_t finisher[OPTIONS_FINISH_MAX];
    int finishers;         /* started */
    bool shut;             /* under the lock: nothing new is taken */
    atomic_bool stopping;  /* the engine threads end when nobody sits or waits */
    atomic_bool giving_up; /* they end now, and who sits stands up */
    atomic_int ended;      /* of them have */
    atomic_bool broken;    /* a device is: all of them stop, and the program starts afresh */
    atomic_int owned;      /* taken and not handed back: at most what the outbox holds */
    atomic_int seated, finishing;
    atomic_ullong done, failed, cancelled, late, steps;
    atomic_llong busy_us; /* devices, with texts, steps and pictures */
    atomic_ullong refused[ENGINE_REFUSALS];
    struct stages *stages; /* how long everything took */
};

/* Half as many spare seats as step. */
static int spare_of(const struct engine_options *o)
{
    int spare = (o->seats_max + 1) / 2, most = BATCH_SEATS_MAX - o->seats_max;

    spare = spare < SPARE_MAX ? spare : SPARE_MAX;
    return spare < most ? spare : most;
}

static int owned_max(const struct engine *e)
{
    return e->options.queue_max +
           (e->options.seats_max + spare_of(&e->options)) * e->options.devices.count;
}

static void count_end(struct engine *e, const struct job *job)
{
    if (job->status == ST_OK)
        atomic_fetch_add(&e->done, 1);
    else if (job->status == ST_CANCELLED)
        atomic_fetch_add(&e->cancelled, 1);
    else if (job->status == ST_LATE)
        atomic_fetch_add(&e->late, 1);
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

/* The job goes back to whoever asked, for good or bad, once nobody here has it any more. */
static void hand_back(struct engine *e, struct job *job)
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

static void fail(struct engine *e, struct job *job, enum status st, const char *text)
{
    image_close(&job->image);
    job->status = why_fail(&job->why, st, "%s", text);
    hand_back(e, job);
}

/* --- the engine threads, one for each device --------------------------------------------- */

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
        fail(e, job, st, text);
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
    int64_t begun = clock_now_us(&e->clock);

    if (!job)
        return;
    if (preview_make(e->previews, batch, job) == ST_DEVICE)
        atomic_store(&e->broken, true); /* the next step finds it so, and clears the seats */
    pthread_mutex_lock(&e->lock);
    schedule_previewed(e->schedule, &job->entry, clock_now_us(&e->clock) - begun);
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

static void refuse_new(struct engine *e)
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
        fail(e, job, st, "the server is shutting down");
    }
    ring_shut(e->outbox);
}

static int waiting(struct engine *e, int64_t *since_us)
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
    return atomic_load(&e->broken) || (atomic_load(&e->stopping) && !waiting(e, &since_us));
}

static void *turn_main(void *argument)
{
    struct worker *w = argument;
    struct engine *e = w->engine;

    lane_enter(&w->lane);
    while (!atomic_load(&e->giving_up) && !is_over(e, &w->lane.batch))
        engine_turn(e, w);
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
        if (!job->status)
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

static struct lane_options lane_options(const struct engine *e, int i)
{
    const struct engine_options *o = &e->options;

    return (struct lane_options){.device = o->devices.device[i],
                                 .model_folder = o->model_folder,
                                 .model_count = o->model_count,
                                 .batch_max = o->seats_max,
                                 .spare = spare_of(o),
                                 .size_max = o->size_max,
                                 .vae_tile = o->vae_tile};
}

static enum status open_lane(struct engine *e, int i, struct why *why)
{
    const struct lane_options options = lane_options(e, i);
    enum status st = lane_open(&e->worker[i].lane, &options, why);

    e->worker[i].engine = e;
    e->worker[i].index = i;
    e->lanes += !st;
    return st;
}

/* All devices are of one kind, so what the first one is measured at is true of all. */
static enum status profile(struct engine *e, struct why *why)
{
    const struct lane_options options = lane_options(e, 0);
    struct lane *lane = &e->worker[0].lane;

    profile_load(lane, &options, schedule_costs(e->schedule), e->options.costs);
    lane_enter(lane);
    return profile_run(lane, &options, schedule_costs(e->schedule), PROFILE_US, why);
}

static void save_costs(struct engine *e)
{
    const struct lane_options options = lane_options(e, 0);

    if (e->turning)
        profile_save(&e->worker[0].lane, &options, schedule_costs(e->schedule), e->options.costs);
}

/* The previews' hold of a job has ended. */
static void let_go(void *engine, struct job *job)
{
    hand_back(engine, job);
}

static enum status open_parts(struct engine *e, struct why *why)
{
    const struct schedule_options schedule = {.waiting_max = e->options.queue_max,
                                              .lanes = e->options.devices.count,
                                              .batch_max = e->options.seats_max,
                                              .spare = spare_of(&e->options)};
    enum status st = schedule_open(&e->schedule, schedule);

    if (!st)
        st = ring_open(&e->outbox, (size_t)owned_max(e));
    if (!st)
        st = stages_open(&e->stages, e->options.devices.count, e->options.model_count,
                         e->options.seats_max);
    if (st)
        return why_fail(why, st, "no memory for the queue");
    st = previews_open(&e->previews, owned_max(e), let_go, e, why);
    for (int i = 0; i < e->options.devices.count && !st; i++)
        st = open_lane(e, i, why);
    if (st)
        return st;
    st = profile(e, why);
    return st ? st : start_threads(e, why);
}

enum status engine_open(struct engine **out, const struct engine_options *options, struct why *why)
{
    struct engine_options checked = *options;
    enum status st = options_check(&checked, why);
    struct engine *e;

    *out = NULL;
    if (st)
        return st;
    e = calloc(1, sizeof(*e));
    if (!e)
        return why_fail(why, ST_FULL, "no memory for the engine");
    e->options = checked;
    clock_init_real(&e->clock);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
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
    previews_close(&e->previews);
    if (!e->turning && e->outbox)
        ring_shut(e->outbox);
    for (int f = 0; f < e->finishers; f++)
        pthread_join(e->finisher[f], NULL);
    save_costs(e);
    for (int i = 0; i < e->lanes; i++)
        lane_close(&e->worker[i].lane);
    schedule_close(&e->schedule);
    ring_close(&e->outbox);
    stages_close(&e->stages);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
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

static void fill_entry(struct job *job, int64_t now)
{
    const struct picture *p = &job->picture;

    if (!job->times.received_us)
        job->times.received_us = now;
    atomic_store(&job->holders, 1);
    job->entry = (struct entry){
        .tenant = job->tenant,
        .weight = job->weight > 0 ? job->weight : 1,
        .priority = job->priority,
        .shape = {.model = job->model, .width = p->width, .height = p->height},
        .rows = p->guidance > 1 ? 2 : 1,
        .steps = p->steps,
        .previews = job->previews,
        .arrived_us = now,
        .deadline_us = job->deadline_us ? job->deadline_us : SCHEDULE_NEVER,
    };
}

static enum status refuse(struct engine *e, enum engine_refusal why, enum status st)
{
    atomic_fetch_add(&e->refused[why], 1);
    return st;
}

/* May these come in? `finish_us` is when they would be finished, 0 if nobody knows. What waits to
   be encoded counts as owned: pictures that are made faster than they are finished must slow down
   those who ask, not pile up behind the engine. Under the lock. */
static enum status admit(struct engine *e, const struct job *job, int count, int64_t now,
                         int64_t *finish_us)
{
    int64_t limit = (int64_t)e->options.queue_s * 1000000;
    int64_t in_us = schedule_forecast(e->schedule, &job->entry, count);

    *finish_us = in_us ? now + in_us : 0;
    if (e->shut)
        return refuse(e, ENGINE_STOPPING, ST_CANCELLED);
    if (atomic_load(&e->owned) + count > owned_max(e) ||
        schedule_waiting(e->schedule) + count > e->options.queue_max)
        return refuse(e, ENGINE_FULL, ST_FULL);
    if (limit && in_us > limit)
        return refuse(e, ENGINE_BACKLOG, ST_FULL);
    if (job->deadline_us && *finish_us > job->deadline_us)
        return refuse(e, ENGINE_DEADLINE, ST_LATE);
    return ST_OK;
}

enum status engine_submit(struct engine *e, struct job *const *jobs, int count, int64_t *finish_us)
{
    struct entry *entries[SCHEDULE_REQUEST_MAX];
    int64_t now = clock_now_us(&e->clock), finish = 0;
    enum status st;

    assert(count >= 1 && count <= SCHEDULE_REQUEST_MAX);
    for (int i = 0; i < count; i++) {
        assert(jobs[i]->done);
        fill_entry(jobs[i], now);
        entries[i] = &jobs[i]->entry;
    }
    pthread_mutex_lock(&e->lock);
    st = admit(e, jobs[0], count, now, &finish);
    for (int i = 0; i < count && !st; i++) {
        jobs[i]->promised_us = finish;
        jobs[i]->times.admitted_us = now;
        atomic_store(&jobs[i]->state, JOB_QUEUED);
    }
    if (!st)
        st = schedule_put(e->schedule, entries, count);
    if (!st) {
        atomic_fetch_add(&e->owned, count);
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    if (finish_us)
        *finish_us = finish;
    return st;
}

int engine_position(struct engine *e, const struct job *job)
{
    int position = 0;

    pthread_mutex_lock(&e->lock);
    if (atomic_load(&job->state) == JOB_QUEUED)
        position = 1 + schedule_before(e->schedule, &job->entry);
    pthread_mutex_unlock(&e->lock);
    return position;
}

bool engine_is_healthy(const struct engine *e)
{
    return !atomic_load(&e->broken);
}

const struct stages *engine_stages(const struct engine *e)
{
    return e->stages;
}

void engine_get_stats(const struct engine *e, struct engine_stats *out)
{
    int64_t since_us;

    *out = (struct engine_stats){
        .waiting = waiting((struct engine *)e, &since_us),
        .seats = e->options.seats_max * e->lanes,
        .seated = atomic_load(&e->seated),
        .finishing = atomic_load(&e->finishing),
        .done = atomic_load(&e->done),
        .failed = atomic_load(&e->failed),
        .cancelled = atomic_load(&e->cancelled),
        .late = atomic_load(&e->late),
        .steps = atomic_load(&e->steps),
        .busy_us = atomic_load(&e->busy_us),
        .promises = stages_promises(e->stages),
    };
    if (out->waiting)
        out->oldest_us = clock_now_us(&e->clock) - since_us;
    for (int i = 0; i < ENGINE_REFUSALS; i++)
        out->refused[i] = atomic_load(&e->refused[i]);
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
