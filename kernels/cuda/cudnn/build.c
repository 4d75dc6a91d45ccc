/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families are made in rounds: threads make every candidate of a few families, then the device's
 * own thread times them, alone on the device, and keeps one engine of each.
 */
#include "base/clock.h"
#include "base/log.h"
#include "kernels/cuda/cudnn/plans.h"
#include "kernels/cuda/plan_store.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ROOM           "cudnn"
#define CANDIDATES_MAX 8  /* engines of a family that are timed against each other */
#define LISTED_MAX     40 /* that are looked at to find them */
#define ROUND_FAMILIES 4  /* a thread, in one round */

struct family {
    const struct plan_key *keys; /* most images first */
    int count;
    struct plan **plan; /* [CANDIDATES_MAX][count], a candidate's all there or all NULL */
    int candidates;
    bool remembered;
};

struct crew {
    struct plans *plans;
    struct family *families;
    int count, candidates_max;
    atomic_int next;
};

struct worker {
    struct crew *crew;
    int target;
    pthread_t thread;
};

/* Candidates: each on its own thread */

static void drop_candidate(const struct plans *p, struct family *f, int candidate)
{
    for (int i = 0; i < f->count; i++)
        plans_drop(p, &f->plan[candidate * f->count + i]);
}

/* The engine at every size of the family, or not at all. */
static bool make_candidate(const struct plans *p, int target, struct family *f,
                           struct graph *graphs, const struct plan_engine *engine)
{
    struct plan **plan = &f->plan[f->candidates * f->count];
    struct why why = {{0}};

    for (int i = 0; i < f->count; i++) {
        plan[i] = plans_make(p, target, &graphs[i], &f->keys[i], engine, &why);
        if (!plan[i]) {
            char text[PLAN_TEXT_MAX];

            plan_key_write(text, &f->keys[i], false);
            log_debug("plan_refused", "%s engine %d: %s", text, (int)engine->index, why.text);
            drop_candidate(p, f, f->candidates);
            return false;
        }
    }
    f->candidates++;
    return true;
}

/* What the family's other sizes already have must be used again. */
static const struct plan *sibling_of(const struct plans *p, const struct plan_key *key)
{
    struct plan_key family = plan_key_family(key);

    for (int i = 0; i < PLANS_SLOTS; i++) {
        struct plan_key other;

        if (!p->slot[i])
            continue;
        other = plan_key_family(&p->slot[i]->key);
        if (!plan_key_compare(&other, &family))
            return p->slot[i];
    }
    return NULL;
}

static bool recall(const struct plans *p, const struct plan_key *key, struct plan_engine *engine)
{
    char text[PLAN_TEXT_MAX];
    const char *value;

    if (!p->options.store)
        return false;
    plan_key_write(text, key, true);
    value = plan_store_find(p->options.store, ROOM, plans_library(p), text);
    if (!value)
        return false;
    if (!plan_engine_read(engine, value))
        return true;
    log_warn("plan_store", "%s: no engine of cuDNN is called \"%s\"", text, value);
    return false;
}

static void make_candidates(const struct crew *crew, int target, struct family *f,
                            struct graph *graphs)
{
    const struct plans *p = crew->plans;
    const struct plan *sibling = sibling_of(p, &f->keys[0]);
    struct plan_engine engine[LISTED_MAX];
    int count;

    if (sibling) {
        make_candidate(p, target, f, graphs, &sibling->engine);
        return;
    }
    f->remembered =
        recall(p, &f->keys[0], &engine[0]) && make_candidate(p, target, f, graphs, &engine[0]);
    if (f->remembered)
        return;
    count = dnn_engine_list(&graphs[0], &p->target[target], engine, LISTED_MAX);
    for (int i = 0; i < count && f->candidates < crew->candidates_max; i++)
        make_candidate(p, target, f, graphs, &engine[i]);
}

static void make_family(const struct crew *crew, int target, struct family *f)
{
    const struct plans *p = crew->plans;
    struct graph *graphs = calloc((size_t)f->count, sizeof(*graphs));
    enum status st = ST_OK;
    struct why why = {{0}};
    int opened = 0;

    f->plan = calloc((size_t)f->count * CANDIDATES_MAX, sizeof(struct plan *));
    if (!graphs || !f->plan)
        st = why_fail(&why, ST_FULL, "no memory for graphs");
    for (; !st && opened < f->count; opened++)
        st = graph_open(&graphs[opened], &p->library, p->target[target].handle, &f->keys[opened],
                        &why);
    if (!st)
        make_candidates(crew, target, f, graphs);
    else
        log_warn("plan_graph", "%s", why.text);
    while (opened)
        graph_close(&graphs[--opened]);
    free(graphs);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    struct crew *crew = w->crew;
    int i;

    if (!crew->plans->options.device_json)
        (void)cudaSetDevice(crew->plans->options.device); /* a thread begins on device 0 */
    while ((i = atomic_fetch_add(&crew->next, 1)) < crew->count)
        make_family(crew, w->target, &crew->families[i]);
    return NULL;
}

/* The calling thread works too, so that it goes on where no thread can be started. */
static void run_crew(struct crew *crew)
{
    struct worker worker[PLANS_THREADS_MAX];
    int threads = crew->plans->options.threads, started = 1;

    for (int i = 0; i < threads; i++)
        worker[i] = (struct worker){.crew = crew, .target = i};
    while (started < threads &&
           !pthread_create(&worker[started].thread, NULL, work, &worker[started]))
        started++;
    work(&worker[0]);
    while (--started > 0)
        pthread_join(worker[started].thread, NULL);
}

/* Choosing: the device's own thread */

/* The sum over all sizes, each an image's time: every batch size counts alike. */
static enum status time_candidate(struct plans *p, const struct family *f, int candidate,
                                  const struct plans_bench *bench, double *us, struct why *why)
{
    enum status st = ST_OK;

    *us = 0;
    for (int i = 0; !st && *us >= 0 && i < f->count; i++) {
        double one;

        st = plans_time(p, f->plan[candidate * f->count + i], bench, &one, why);
        *us = one < 0 ? -1 : *us + one;
    }
    return st;
}

static enum status fastest(struct plans *p, const struct family *f, const struct plans_bench *bench,
                           int *best, double *best_us, struct why *why)
{
    *best = -1;
    for (int i = 0; i < f->candidates; i++) {
        double us;
        enum status st = time_candidate(p, f, i, bench, &us, why);

        if (st)
            return st;
        if (us >= 0 && (*best < 0 || us < *best_us)) {
            *best = i;
            *best_us = us;
        }
    }
    return ST_OK;
}

static void remember(struct plans *p, const struct plan *plan, double us)
{
    char key[PLAN_TEXT_MAX], value[PLAN_ENGINE_MAX];
    struct why why;

    plan_key_write(key, &plan->key, true);
    plan_engine_write(value, &plan->engine);
    log_debug("plan_chosen", "%s: engine %s, %.1f us an image, summed over batch sizes", key, value,
              us);
    if (p->options.store &&
        plan_store_put(
            p->options.store,
            &(struct plan_store_record){
                .room = ROOM, .library = plans_library(p), .key = key, .value = value, .us = us},
            &why))
        log_warn("plan_store", "%s", why.text);
}

static enum status keep_candidate(struct plans *p, struct family *f, int candidate,
                                  struct plans_report *report, struct why *why)
{
    enum status st = ST_OK;

    for (int i = 0; !st && i < f->count; i++) {
        struct plan **plan = &f->plan[candidate * f->count + i];

        st = plans_keep(p, *plan, why);
        if (!st) {
            *plan = NULL; /* the table's from now on */
            report->plans++;
        }
    }
    return st;
}

static enum status choose(struct plans *p, struct family *f, const struct plans_bench *bench,
                          struct plans_report *report, struct why *why)
{
    bool timed = bench && !f->remembered && f->candidates > 0;
    int best = f->candidates ? 0 : -1;
    enum status st = ST_OK;
    double us = 0;

    if (timed)
        st = fastest(p, f, bench, &best, &us, why);
    report->families++;
    report->remembered += f->remembered;
    report->timed += timed;
    report->missing += best < 0;
    if (!st && timed && best >= 0)
        remember(p, f->plan[best * f->count], us);
    if (!st && best >= 0)
        st = keep_candidate(p, f, best, report, why);
    return st;
}

static void drop_family(const struct plans *p, struct family *f)
{
    for (int i = 0; f->plan && i < CANDIDATES_MAX; i++)
        drop_candidate(p, f, i);
    free(f->plan);
    f->plan = NULL;
}

static enum status run_round(struct crew *crew, const struct plans_bench *bench,
                             struct plans_report *report, struct why *why)
{
    enum status st = ST_OK;

    atomic_store(&crew->next, 0);
    run_crew(crew);
    for (int i = 0; i < crew->count; i++) {
        if (!st)
            st = choose(crew->plans, &crew->families[i], bench, report, why);
        drop_family(crew->plans, &crew->families[i]);
    }
    return st;
}

/* Families */

static int by_family(const void *left, const void *right)
{
    const struct plan_key *a = left, *b = right;
    struct plan_key family_a = plan_key_family(a), family_b = plan_key_family(b);
    int order = plan_key_compare(&family_a, &family_b);

    return order ? order : plan_key_images(b) - plan_key_images(a);
}

/* Those without a plan, once each, families side by side. Returns how many. */
static int sort_out(const struct plans *p, struct plan_key *todo, const struct plan_key *keys,
                    int count)
{
    int wanted = 0, kept = 0;

    for (int i = 0; i < count; i++)
        if (!plans_find(p, &keys[i]))
            todo[wanted++] = keys[i];
    qsort(todo, (size_t)wanted, sizeof(*todo), by_family);
    for (int i = 0; i < wanted; i++)
        if (!kept || plan_key_compare(&todo[kept - 1], &todo[i]))
            todo[kept++] = todo[i];
    return kept;
}

static int find_families(struct family *families, const struct plan_key *keys, int count)
{
    int found = 0;

    for (int i = 0, first = 0; i < count; i++) {
        struct plan_key here = plan_key_family(&keys[i]), next;

        if (i + 1 < count)
            next = plan_key_family(&keys[i + 1]);
        if (i + 1 < count && !plan_key_compare(&here, &next))
            continue;
        families[found++] = (struct family){.keys = &keys[first], .count = i + 1 - first};
        first = i + 1;
    }
    return found;
}

enum status plans_build(struct plans *p, const struct plan_key *keys, int count,
                        const struct plans_bench *bench, struct plans_report *report,
                        struct why *why)
{
    struct plan_key *todo = calloc((size_t)count + 1, sizeof(*todo));
    struct family *families = calloc((size_t)count + 1, sizeof(*families));
    int found = 0, round = p->options.threads * ROUND_FAMILIES;
    enum status st = ST_OK;
    struct clock clock;
    int64_t start;

    clock_init_real(&clock);
    start = clock_now_us(&clock);
    *report = (struct plans_report){0};
    if (!todo || !families)
        st = why_fail(why, ST_FULL, "no memory to make plans");
    else
        found = find_families(families, todo, sort_out(p, todo, keys, count));
    for (int i = 0; !st && i < found; i += round) {
        struct crew crew = {.plans = p,
                            .families = &families[i],
                            .count = found - i < round ? found - i : round,
                            .candidates_max = bench ? CANDIDATES_MAX : 1};

        st = run_round(&crew, bench, report, why);
    }
    report->ms = (double)(clock_now_us(&clock) - start) * 1e-3;
    free(todo);
    free(families);
    return st;
}
