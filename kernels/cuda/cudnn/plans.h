/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans.h - what the plans of a device are inside (kernels/cuda/plans.h is their face).
 *
 * cuDNN's rules for threads: a handle serves one thread at a time, and so does a plan. So every
 * building thread has a handle of its own, and a plan is run with the handle it was made with; once
 * the building threads have ended, all handles are the device thread's.
 */
#ifndef KERNELS_CUDA_CUDNN_PLANS_H
#define KERNELS_CUDA_CUDNN_PLANS_H

#include "kernels/cuda/cudnn/dnn_engine.h"
#include "kernels/cuda/cudnn/plan_key.h"

#define PLANS_SLOTS (2 * PLANS_MAX) /* a power of two */

struct plan {
    struct plan_key key;
    struct plan_engine engine;
    cudnnBackendDescriptor_t made; /* outlives the graph: cuDNN copies what it needs */
    int64_t workspace;
    int target; /* whose handle runs it */
};

struct plans {
    struct library library;
    struct plans_options options;
    struct target target[PLANS_THREADS_MAX];
    cudaStream_t stream[PLANS_THREADS_MAX]; /* that the handles are set to */
    struct plan *slot[PLANS_SLOTS];         /* by hash, then the next free one */
    int count;
};

/* One plan of an engine by a target, not yet kept. NULL: the engine does not do it. */
struct plan *plans_make(const struct plans *p, int target, const struct graph *g,
                        const struct plan_key *key, const struct plan_engine *engine,
                        struct why *why);
void plans_drop(const struct plans *p, struct plan **plan);

/* Takes a plan of a key that has none yet. ST_FULL: and then the plan is still the caller's. */
MUST_USE enum status plans_keep(struct plans *p, struct plan *plan, struct why *why);

/* Microseconds that an image takes; negative when the plan does not run. ST_DEVICE: nothing runs
   any more. */
MUST_USE enum status plans_time(struct plans *p, const struct plan *plan,
                                const struct plans_bench *bench, double *us, struct why *why);

#endif /* KERNELS_CUDA_CUDNN_PLANS_H */
