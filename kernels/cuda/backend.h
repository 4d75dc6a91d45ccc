/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what the files of the CUDA filling share: one GPU, its stream, its scratch memory.
 *
 * Everything a device is asked for goes into one stream, in order, from one thread. A call that
 * fails breaks the device: it is noted once, later work is skipped, and device_sync tells.
 */
#ifndef KERNELS_CUDA_BACKEND_H
#define KERNELS_CUDA_BACKEND_H

#include "kernels/device.h"

#include <cuda_runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct graphs;     /* repeated passes: graphs.c */
struct staging;    /* pinned memory between the host's and the device's: staging.c */
struct narrow;     /* a linear layer in eight bits: narrow.h */
struct lt;         /* linear layers by cuBLASLt: lt.c; NULL without CAP_CUBLASLT */
struct dnn;        /* convolutions and attention by cuDNN: dnn.c; NULL without CAP_CUDNN */
struct plan_store; /* what was fastest, from one start to the next: store.c */

/* Memory that grows to what was asked for most. */
struct scratch {
    void *data;
    size_t bytes;
};

struct backend {
    int index;
    unsigned caps;
    cudaStream_t stream;
    struct cudaDeviceProp properties;
    struct scratch scratch; /* of one op at a time */
    struct scratch rows;    /* of one product: its x in eight bits */
    struct staging *staging;
    struct graphs *graphs;
    struct lt *lt;
    struct dnn *dnn;
    struct plan_store *store; /* NULL: nothing is remembered */
    struct narrow *narrows;   /* all there are */
    bool calibrating;         /* their inputs are looked at */
};

/* A weight as kernels read it: [N][KH][KW][C] in the device's type, so a linear layer is [N][K] and
   a depthwise one [C][KH][KW]. The bias is there in f32 and in the device's type (the same memory
   when that is f32); NULL when there is none. `up` is what conv_up convolves the smaller picture
   with (doubled.cu), or NULL. */
struct packed {
    void *w;
    float *b;
    void *b_typed;
    size_t bytes, bias_count;
    struct packed *up;
    struct narrow *narrow; /* a linear layer in eight bits beside this, or NULL */
};

/* Did the call go well? If not, the device is broken from here on, and the log says by what. */
bool backend_check(struct device *d, cudaError_t error, const char *what);
void backend_break(struct device *d, const char *what, const char *why);

/* At least `bytes` of the op's own scratch memory, or NULL and a broken device. What another op
   left in it is lost. While a graph is captured it cannot grow: the pass ran once before. */
void *backend_scratch(struct device *d, size_t bytes);
/* The same, of memory that a product has beside it. */
void *backend_rows(struct device *d, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_BACKEND_H */
