/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnn_engine.h - which engines can do a graph, and a plan of one of them.
 *
 * An engine is named by its number and its knobs, never by cuDNN's own descriptor of the choice:
 * what the heuristics offered a moment ago and what a file remembers from last week are then built
 * by the same few lines.
 */
#ifndef KERNELS_CUDA_CUDNN_DNN_ENGINE_H
#define KERNELS_CUDA_CUDNN_DNN_ENGINE_H

#include "kernels/cuda/cudnn/graph.h"

/* Whom plans are made for: one of the two. */
struct target {
    cudnnHandle_t handle;            /* a device that is here */
    cudnnBackendDescriptor_t device; /* one that is described */
};

/* A descriptor of the device that a text describes (cuDNN's JSON); the caller drops it. */
MUST_USE enum status dnn_engine_describe(const struct library *l, cudnnBackendDescriptor_t *device,
                                         const char *json, struct why *why);

/* The same of a device that is here. */
MUST_USE enum status engine_describe_own(const struct library *l, cudnnBackendDescriptor_t *device,
                                         cudnnHandle_t handle, struct why *why);

/* Up to max engines, the heuristics' first choice first, then those that always work. Engines that
   round sums to less than f32, or whose sums depend on chance or on the rest of the batch, are left
   out. None is no error. */
int dnn_engine_list(const struct graph *g, const struct target *t, struct plan_engine *out,
                    int max);

/* The plan of an engine, the caller's to drop, and the bytes that it works in. Compiles where the
   engine wants it. */
MUST_USE enum status dnn_engine_plan(const struct graph *g, const struct target *t,
                                     const struct plan_engine *engine,
                                     cudnnBackendDescriptor_t *plan, int64_t *workspace,
                                     struct why *why);

#endif /* KERNELS_CUDA_CUDNN_DNN_ENGINE_H */
