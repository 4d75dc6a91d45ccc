/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "engine/engine/room.h"
#include "engine/judge.h"
#include "engine/marking.h"
#include "engine/profile.h"
#include "engine/sizing.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROFILE_US 5000000 /* for measuring what is not known yet, at the start */
#define SPARE_MAX  8       /* seats of a device beside those that step */

static_assert(BATCH_MODELS_MAX == ENGINE_MODELS_MAX, "every loaded model has a latent per seat");

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

/* --- opening and closing ----------------------------------------------------------------- */

static enum status start_threads(struct engine *e, struct why *why)
{
    while (e->turning < e->lanes) {
        if (pthread_create(&e->worker[e->turning].thread, NULL, turn_main, &e->worker[e->turning]))
            return why_fail(why, ST_FULL,
                            "no thread for the engine: the system's limit is reached");
        e->turning++;
    }
    if (e->options.judge) {
        if (pthread_create(&e->judging, NULL, hand_judge_main, e))
            return why_fail(why, ST_FULL, "no thread to judge pictures: the system's limit");
        e->judging_started = true;
    }
    while (e->finishers < e->options.finish_threads) {
        if (pthread_create(&e->finisher[e->finishers], NULL, hand_main, e))
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
                                 .vae_tile = o->vae_tile,
                                 .beside = o->beside};
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

/* The judge knows every model before a picture of it comes. */
static enum status tell_judge(struct engine *e, struct why *why)
{
    enum status st = ST_OK;

    for (int m = 0; m < e->options.model_count && e->options.judge && !st; m++)
        st = judge_add_model(e->options.judge, &e->judged_as[m], engine_model_info(e, m)->name,
                             e->options.model_folder[m], why);
    return st;
}

/* What marks pictures writes down which weights made them. The pages are in memory: they were
   loaded a moment ago. */
static enum status read_digests(struct engine *e, struct why *why)
{
    enum status st = ST_OK;

    for (int m = 0; m < e->options.model_count && e->options.marker && !st; m++)
        st = digest_folder(e->digest[m], e->options.model_folder[m], why);
    return st;
}

static enum status open_stages(struct engine *e)
{
    e->stages = e->options.stages;
    return e->stages ? ST_OK
                     : stages_open(&e->stages, e->options.devices.count, e->options.model_count,
                                   e->options.seats_max);
}

static enum status name_models(struct engine *e, struct why *why)
{
    for (int m = 0; m < e->options.model_count; m++) {
        e->slot[m] = stages_model(e->stages, engine_model_info(e, m)->name);
        if (e->slot[m] < 0)
            return why_fail(why, ST_FULL,
                            "there is no room to count what one more model takes: too many were "
                            "served since the start, and a restart forgets them");
    }
    return ST_OK;
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
    if (!st && e->options.judge)
        st = ring_open(&e->allowed, (size_t)owned_max(e));
    if (!st)
        st = open_stages(e);
    if (st)
        return why_fail(why, st, "no memory for the queue");
    st = previews_open(&e->previews, owned_max(e), &e->finish, let_go, e, why);
    for (int i = 0; i < e->options.devices.count && !st; i++)
        st = open_lane(e, i, why);
    if (!st)
        st = name_models(e, why);
    if (!st)
        st = tell_judge(e, why);
    if (!st)
        st = read_digests(e, why);
    if (!st)
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
    for (int m = 0; m < ENGINE_MODELS_MAX; m++)
        e->judged_as[m] = -1;
    clock_init_real(&e->clock);
    e->finish = (struct finish){checked.judge, checked.marker, &e->clock};
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
    turn_refuse_new(e);
    atomic_store(&e->stopping, true);
    if (e->turning)
        drain(e, drain_ms);
    for (int i = 0; i < e->turning; i++)
        pthread_join(e->worker[i].thread, NULL);
    previews_close(&e->previews);
    if (!e->turning && e->outbox)
        ring_shut(e->outbox);
    if (e->judging_started)
        pthread_join(e->judging, NULL);
    else if (e->allowed)
        ring_shut(e->allowed);
    for (int f = 0; f < e->finishers; f++)
        pthread_join(e->finisher[f], NULL);
    for (int m = 0; m < ENGINE_MODELS_MAX; m++) {
        if (e->judged_as[m] >= 0)
            judge_drop_model(e->options.judge, e->judged_as[m]);
    }
    save_costs(e);
    for (int i = 0; i < e->lanes; i++)
        lane_close(&e->worker[i].lane);
    schedule_close(&e->schedule);
    ring_close(&e->outbox);
    ring_close(&e->allowed);
    if (!e->options.stages)
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
    int limit = e->options.size_max, least = marking_side_min(e->options.marker);

    if (limit > 0 && (picture->width > limit || picture->height > limit))
        return why_fail(why, ST_INVALID, "size must be at most %dx%d on this server", limit, limit);
    if (picture->width < least || picture->height < least)
        return why_fail(why, ST_INVALID,
                        "size must be at least %dx%d: smaller pictures cannot carry a mark", least,
                        least);
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
        .previews = atomic_load(&job->previews),
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
        jobs[i]->model_name = engine_model_info(e, jobs[i]->model)->name;
        jobs[i]->weights_sha256 = e->digest[jobs[i]->model];
        jobs[i]->slot = e->slot[jobs[i]->model];
        jobs[i]->judged_as = e->judged_as[jobs[i]->model];
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
    return !atomic_load(&e->broken) && (!e->options.judge || judge_is_sound(e->options.judge));
}

const struct stages *engine_stages(const struct engine *e)
{
    return e->stages;
}

void engine_get_stats(const struct engine *e, struct engine_stats *out)
{
    int64_t since_us;

    *out = (struct engine_stats){
        .waiting = turn_waiting((struct engine *)e, &since_us),
        .seats = e->options.seats_max * e->lanes,
        .seated = atomic_load(&e->seated),
        .finishing = atomic_load(&e->finishing),
        .done = atomic_load(&e->done),
        .failed = atomic_load(&e->failed),
        .cancelled = atomic_load(&e->cancelled),
        .late = atomic_load(&e->late),
        .withheld = atomic_load(&e->withheld),
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
