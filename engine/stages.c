/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stages.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATIO_UNIT 1000 /* of an error of forecast */

/* What stands in a lane's row of histograms: of the promises, then of one model after another. Of a
   model, each outcome's stages and its total, then the steps by pictures. */
#define EARLY       0
#define LATE        1
#define PROMISES    2
#define PER_OUTCOME (STAGE_COUNT + 1)

struct stages {
    int lanes, models, batch_max;
    atomic_int named; /* models; their names do not change any more */
    char (*name)[MODEL_NAME_MAX];
    atomic_ullong wrong_us;
    struct histogram row[];
};

const char *stage_name(enum stage stage)
{
    static const char *const names[] = {"admit",  "queue", "text", "wait",   "denoise",
                                        "decode", "judge", "mark", "encode", "log"};

    return names[stage];
}

const char *outcome_name(enum stages_outcome outcome)
{
    static const char *const names[] = {"ok", "failed", "cancelled", "late", "withheld"};

    return names[outcome];
}

enum stages_outcome outcome_of(enum status st)
{
    switch (st) {
    case ST_OK:
        return OUTCOME_OK;
    case ST_CANCELLED:
        return OUTCOME_CANCELLED;
    case ST_LATE:
        return OUTCOME_LATE;
    case ST_REFUSED:
        return OUTCOME_WITHHELD;
    default:
        return OUTCOME_FAILED;
    }
}

void stages_of(int64_t us[STAGE_COUNT], const struct job_times *t)
{
    const int64_t border[] = {t->received_us,   t->admitted_us,  t->seated_us,  t->text_us,
                              t->first_step_us, t->last_step_us, t->decoded_us, t->judged_us,
                              t->marked_us,     t->encoded_us,   t->logged_us};
    int stage = 0;

    for (; stage < STAGE_COUNT && border[stage + 1]; stage++)
        us[stage] = border[stage + 1] - border[stage];
    if (stage < STAGE_COUNT) {
        us[stage] = t->ended_us - border[stage];
        stage++;
    }
    for (; stage < STAGE_COUNT; stage++)
        us[stage] = -1;
}

/* --- the rows ---------------------------------------------------------------------------- */

static size_t per_model(const struct stages *s)
{
    return OUTCOME_COUNT * PER_OUTCOME + (size_t)s->batch_max;
}

static size_t per_lane(const struct stages *s)
{
    return PROMISES + (size_t)s->models * per_model(s);
}

/* `stage` may be STAGE_COUNT: the whole. */
static size_t at_stage(const struct stages *s, int model, enum stages_outcome outcome, int stage)
{
    assert(model >= 0 && model < s->models);
    return PROMISES + (size_t)model * per_model(s) + (size_t)outcome * PER_OUTCOME + (size_t)stage;
}

static size_t at_steps(const struct stages *s, int model, int count)
{
    assert(model >= 0 && model < s->models && count >= 1 && count <= s->batch_max);
    return PROMISES + (size_t)(model + 1) * per_model(s) - (size_t)s->batch_max + (size_t)count - 1;
}

static void record(struct stages *s, int lane, size_t at, int64_t value)
{
    assert(lane >= 0 && lane < s->lanes);
    histogram_record(&s->row[(size_t)lane * per_lane(s) + at], value > 0 ? (uint64_t)value : 0);
}

static void add(const struct stages *s, size_t at, struct histogram *to)
{
    for (int lane = 0; lane < s->lanes; lane++)
        histogram_add(to, &s->row[(size_t)lane * per_lane(s) + at]);
}

enum status stages_open(struct stages **out, int lanes, int models, int batch_max)
{
    const struct stages size = {.lanes = lanes, .models = models, .batch_max = batch_max};
    size_t rows = (size_t)lanes * per_lane(&size);
    struct stages *s = calloc(1, sizeof(*s) + rows * sizeof(s->row[0]));

    *out = s;
    if (!s)
        return ST_FULL;
    s->lanes = lanes;
    s->models = models;
    s->batch_max = batch_max;
    s->name = calloc((size_t)models, sizeof(*s->name));
    if (s->name)
        return ST_OK;
    stages_close(out);
    return ST_FULL;
}

void stages_close(struct stages **s)
{
    if (*s)
        free((*s)->name);
    free(*s);
    *s = NULL;
}

int stages_model(struct stages *s, const char *name)
{
    int named = atomic_load(&s->named);

    for (int m = 0; m < named; m++) {
        if (!strcmp(s->name[m], name))
            return m;
    }
    if (named == s->models)
        return -1;
    snprintf(s->name[named], sizeof(s->name[named]), "%s", name);
    atomic_store(&s->named, named + 1);
    return named;
}

/* --- recording --------------------------------------------------------------------------- */

void stages_stepped(struct stages *s, int lane, struct job *const *jobs, int count,
                    struct stages_span span)
{
    for (int i = 0; i < count; i++) {
        struct job *job = jobs[i];

        if (!job->times.first_step_us)
            job->times.first_step_us = span.begun_us;
        if (job->entry.done >= job->entry.steps)
            job->times.last_step_us = span.ended_us;
        job->batch_most = count > job->batch_most ? count : job->batch_most;
    }
    record(s, lane, at_steps(s, jobs[0]->slot, count), span.ended_us - span.begun_us);
}

static void judge_promise(struct stages *s, int lane, const struct job *job)
{
    int64_t gap = job->times.logged_us - job->promised_us;
    int64_t promised = job->promised_us - job->times.received_us;

    atomic_fetch_add_explicit(&s->wrong_us, (unsigned long long)(gap < 0 ? -gap : gap),
                              memory_order_relaxed);
    promised = promised > 0 ? promised : 1;
    if (gap < 0)
        record(s, lane, EARLY, -gap * RATIO_UNIT / promised);
    else
        record(s, lane, LATE, gap * RATIO_UNIT / promised);
}

/* On the lane where it sat; who never sat is counted on the first. */
void stages_ended(struct stages *s, const struct job *job)
{
    enum stages_outcome outcome = outcome_of(job->status);
    int lane = job->entry.lane > 0 ? job->entry.lane : 0;
    int64_t us[STAGE_COUNT];

    stages_of(us, &job->times);
    for (int stage = 0; stage < STAGE_COUNT && us[stage] >= 0; stage++)
        record(s, lane, at_stage(s, job->slot, outcome, stage), us[stage]);
    record(s, lane, at_stage(s, job->slot, outcome, STAGE_COUNT),
           job->times.ended_us - job->times.received_us);
    if (job->status == ST_OK && job->promised_us)
        judge_promise(s, lane, job);
}

/* --- reading ----------------------------------------------------------------------------- */

void stages_add(const struct stages *s, int model, enum stages_outcome outcome, enum stage stage,
                struct histogram *to)
{
    add(s, at_stage(s, model, outcome, (int)stage), to);
}

void stages_add_pictures(const struct stages *s, int model, enum stages_outcome outcome,
                         struct histogram *to)
{
    add(s, at_stage(s, model, outcome, STAGE_COUNT), to);
}

void stages_add_steps(const struct stages *s, int model, int count, struct histogram *to)
{
    add(s, at_steps(s, model, count), to);
}

void stages_add_early(const struct stages *s, struct histogram *to)
{
    add(s, EARLY, to);
}

void stages_add_late(const struct stages *s, struct histogram *to)
{
    add(s, LATE, to);
}

struct stages_promises stages_promises(const struct stages *s)
{
    struct stages_promises p = {
        .wrong_us = atomic_load_explicit((atomic_ullong *)&s->wrong_us, memory_order_relaxed)};

    for (int lane = 0; lane < s->lanes; lane++)
        p.count +=
            __atomic_load_n(&s->row[(size_t)lane * per_lane(s) + EARLY].count, __ATOMIC_RELAXED) +
            __atomic_load_n(&s->row[(size_t)lane * per_lane(s) + LATE].count, __ATOMIC_RELAXED);
    return p;
}

int stages_models(const struct stages *s)
{
    return atomic_load((atomic_int *)(uintptr_t)&s->named);
}

const char *stages_model_name(const struct stages *s, int model)
{
    assert(model >= 0 && model < stages_models(s));
    return s->name[model];
}

int stages_batch_max(const struct stages *s)
{
    return s->batch_max;
}
