/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graphs.h - forward passes that the GPU repeats by itself.
 *
 * A pass of some hundred kernels costs the host 2 ms to start one by one, as long as a small batch
 * takes to run. The first time a key is asked for, the pass runs as it is, which makes plans and
 * grows scratch memory; then its kernels are captured, with their addresses, as a CUDA graph, and
 * from the second time on the graph is launched in one call. (CUDA C++ Programming Guide, "CUDA
 * Graphs".)
 */
#ifndef KERNELS_CUDA_GRAPHS_H
#define KERNELS_CUDA_GRAPHS_H

#include "kernels/cuda/backend.h"

/* Not `enabled`: every pass runs as it is. */
MUST_USE enum status graphs_open(struct graphs **out, bool enabled, struct why *why);
void graphs_close(struct graphs **graphs);

/* From now on passes are captured; before, what they consist of may still change. */
void graphs_prepare(struct graphs *graphs);

/* Is a pass being captured now? Then nothing may be allocated, timed or waited for. */
bool graphs_recording(const struct graphs *graphs);

#endif /* KERNELS_CUDA_GRAPHS_H */
