/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/cudnn/plans.h"

#include <assert.h>

#define WARM_RUNS   2
#define SAMPLES_MAX 7
#define RUNS        3     /* of one sample: a single short run is mostly its launch */
#define ENOUGH_US   30000 /* of samples, and at least one */

struct stopwatch {
    cudaEvent_t start, stop;
};

static cudaError_t open_stopwatch(struct stopwatch *w)
{
    cudaError_t trouble = cudaEventCreate(&w->start);

    return trouble ? trouble : cudaEventCreate(&w->stop);
}

static void close_stopwatch(struct stopwatch *w)
{
    if (w->start)
        cudaEventDestroy(w->start);
    if (w->stop)
        cudaEventDestroy(w->stop);
}

static enum status run(struct plans *p, const struct plan *plan, const struct plan_arguments *a,
                       int times)
{
    enum status st = ST_OK;

    while (!st && times--)
        st = plans_run(p, plan, a, NULL);
    return st;
}

/* One sample, in microseconds a run. */
static cudaError_t sample(struct plans *p, const struct plan *plan, const struct plan_arguments *a,
                          const struct stopwatch *w, double *us)
{
    cudaError_t trouble = cudaEventRecord(w->start, a->stream);
    float ms = 0;

    if (!trouble && run(p, plan, a, RUNS))
        trouble = cudaErrorUnknown;
    if (!trouble)
        trouble = cudaEventRecord(w->stop, a->stream);
    if (!trouble)
        trouble = cudaEventSynchronize(w->stop);
    if (!trouble)
        trouble = cudaEventElapsedTime(&ms, w->start, w->stop);
    *us = (double)ms * 1e3 / RUNS;
    return trouble;
}

/* The best of a few: whatever disturbs a run makes it longer. */
static cudaError_t best_of(struct plans *p, const struct plan *plan, const struct plan_arguments *a,
                           double *best)
{
    struct stopwatch watch = {0};
    double us, spent = 0;
    cudaError_t trouble = open_stopwatch(&watch);

    *best = 1e30;
    for (int i = 0; !trouble && i < SAMPLES_MAX && spent < ENOUGH_US; i++) {
        trouble = sample(p, plan, a, &watch, &us);
        *best = us < *best ? us : *best;
        spent += us * RUNS;
    }
    close_stopwatch(&watch);
    return trouble;
}

enum status plans_time(struct plans *p, const struct plan *plan, const struct plans_bench *bench,
                       double *us, struct why *why)
{
    struct plan_arguments a = {
        .stream = bench->stream, .workspace = bench->workspace, .scale = 0.1f};
    size_t bytes = plan_key_spread(&plan->key, bench->memory, &a);
    cudaError_t trouble;
    enum status st;

    assert(bytes <= bench->memory_bytes);
    *us = -1;
    if (plan->workspace > (int64_t)bench->workspace_bytes)
        return ST_OK;
    st = run(p, plan, &a, WARM_RUNS); /* one that does not run is not taken */
    trouble = cudaStreamSynchronize(bench->stream);
    if (!trouble && !st)
        trouble = best_of(p, plan, &a, us);
    if (trouble)
        return why_fail(why, ST_DEVICE, "timing a plan: %s", cudaGetErrorString(trouble));
    if (!st)
        *us /= plan_key_images(&plan->key);
    return ST_OK;
}
