/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - a key as cuDNN's operation graph.
 *
 * cuDNN is told about a convolution as NCHW numbers whose strides are those of NHWC; what is
 * between two operations is virtual and f32, so nothing is rounded before the end.
 */
#ifndef KERNELS_CUDA_CUDNN_GRAPH_H
#define KERNELS_CUDA_CUDNN_GRAPH_H

#include "kernels/cuda/cudnn/library.h"
#include "kernels/cuda/plans.h"

#define GRAPH_PARTS_MAX 40
#define GRAPH_OPS_MAX   5

/* Names of the tensors that a run brings, in struct plan_arguments' order. */
enum graph_uid {
    GRAPH_Y = 1,
    GRAPH_X,
    GRAPH_W,
    GRAPH_BIAS,
    GRAPH_SHIFT,
    GRAPH_ADD,
    GRAPH_Q = 11,
    GRAPH_K,
    GRAPH_V,
    GRAPH_SCALE,
    GRAPH_VIRTUAL = 100, /* and above */
};

struct graph {
    const struct library *library;
    cudnnBackendDescriptor_t part[GRAPH_PARTS_MAX], ops[GRAPH_OPS_MAX], top;
    int parts, op_count, virtuals;
    cudnnStatus_t trouble; /* the first; everything after it does nothing */
};

/* handle may be NULL: then no device is asked. The graph must outlive what is made of it. */
MUST_USE enum status graph_open(struct graph *g, const struct library *l, cudnnHandle_t handle,
                                const struct plan_key *key, struct why *why);
void graph_close(struct graph *g);

#endif /* KERNELS_CUDA_CUDNN_GRAPH_H */
