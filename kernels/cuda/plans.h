/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans.h - convolutions and attention by cuDNN: which engine, found before it is needed.
 *
 * A key names one piece of work with everything its engine depends on: sizes, strides, types, what
 * is fused. Making a key's plan takes milliseconds to seconds, so plans are made before the server
 * is ready, in parallel, and `plans_find` afterwards only looks: NULL means that there is none, and
 * the caller takes a kernel of its own.
 *
 * Keys that differ in the number of images alone are a family and get one engine with one choice of
 * its knobs, so that an image is summed in the same order whoever shares its batch. Where several
 * engines can do a family, the fastest on this device is kept and written down in the plan store
 * (store.h); the next start builds it without asking.
 *
 *     plans_open(&p, &(struct plans_options){.device = 0, .threads = 8, .store = s}, why);
 *     plans_build(p, keys, count, &bench, &report, why);
 *     ...
 *     plan = plans_find(p, &key);
 *     if (plan)
 *         st = plans_run(p, plan, &arguments, why);
 *
 * Everything here belongs to the one thread of its device; `plans_build` starts threads and ends
 * them before it returns. With `device_json` in place of a device, no GPU and no driver is needed:
 * plans are made for the device that is described and cannot be run.
 */
#ifndef KERNELS_CUDA_PLANS_H
#define KERNELS_CUDA_PLANS_H

#include "base/status.h"
#include "kernels/ops.h"

#include <cuda_runtime_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plan_store;
struct plans;
struct plan; /* one key's, ready to run; owned by its plans */

enum plan_bias { PLAN_BIAS_NONE, PLAN_BIAS_SAME /* type as x */, PLAN_BIAS_F32 };

/* y[images, H', W', outputs] = x[images, height, width, inputs] convolved with
   w[outputs, kernel[0], kernel[1], inputs] + bias + shift + add, then act. Strides are elements
   from one pixel to the next, as in struct tensor, and of shift from one image to the next. */
struct conv_key {
    int64_t x_stride, y_stride, add_stride; /* add_stride 0: nothing is added */
    int32_t images, height, width, inputs, outputs;
    int32_t kernel[2], stride, pad[4]; /* pad: top, left, bottom, right */
    int32_t dtype;                     /* enum dtype of x, w, y, shift and add; sums are f32 */
    int32_t bias;                      /* enum plan_bias */
    int32_t shift_stride;              /* of [images, 1, 1, outputs]; 0: there is none */
    int32_t act;                       /* enum act */
};

/* y = softmax(scale q k^T) v for q and y [images, 1, queries, heads * width] and k and v
   [images, 1, keys, heads * width]; scale is an argument of the run. */
struct attention_key {
    int64_t q_stride, k_stride, v_stride, y_stride;
    int32_t images, heads, queries, keys, width;
    int32_t dtype;
};

enum plan_kind { PLAN_CONV, PLAN_ATTENTION };

/* Compared and hashed as bytes: made by the two functions below, never by hand. */
struct plan_key {
    int32_t kind; /* enum plan_kind */
    int32_t zero;
    union {
        struct conv_key conv;
        struct attention_key attention;
    } of;
};

struct plan_key plan_key_conv(const struct conv_key *key);
struct plan_key plan_key_attention(const struct attention_key *key);

/* The key as one readable word, e.g. "conv/bf16/8x64x64x320/320x3x3/s1/p1,1,1,1/x320/y320/b1". A
   family is written with * for its images. */
#define PLAN_TEXT_MAX 256
void plan_key_write(char text[PLAN_TEXT_MAX], const struct plan_key *key, bool family);

/* One of cuDNN's engines and how its knobs are set. */
#define PLAN_KNOBS_MAX  32
#define PLAN_ENGINE_MAX 512 /* bytes of its text */

struct plan_knob {
    int64_t type, value; /* cudnnBackendKnobType_t */
};

struct plan_engine {
    int64_t index;
    int32_t knobs;
    bool compiled; /* by cuDNN, when a plan of it is made: 0.1 to 2 s */
    struct plan_knob knob[PLAN_KNOBS_MAX];
};

/* "41:13=2,40=128", with a c after the index where it is compiled, and back. ST_INVALID for any
   other text. */
void plan_engine_write(char text[PLAN_ENGINE_MAX], const struct plan_engine *engine);
MUST_USE enum status plan_engine_read(struct plan_engine *engine, const char *text);

struct plans_options {
    int device;               /* CUDA's number of it */
    const char *device_json;  /* or, for a machine without it, cuDNN's description of one */
    int threads;              /* that make plans, 1 to PLANS_THREADS_MAX */
    size_t workspace_max;     /* bytes; engines that want more are not taken, and most want a few */
    struct plan_store *store; /* borrowed; NULL: nothing is remembered */
};
#define PLANS_THREADS_MAX 16
#define PLANS_MAX         4096 /* plans kept at a time */

/* ST_MISSING or ST_UNSUPPORTED: no cuDNN here that we can use; go on without. ST_DEVICE: it cannot
   talk to the device. */
MUST_USE enum status plans_open(struct plans **out, const struct plans_options *options,
                                struct why *why);
void plans_close(struct plans **p);
long plans_library(const struct plans *p); /* its version: 91900 is 9.19.0 */

/* The device in cuDNN's words, as device_json takes them. ST_FULL: longer than size bytes. */
MUST_USE enum status plans_describe(const struct plans *p, char *json, size_t size,
                                    struct why *why);

/* Where candidates are timed: a stream, and device memory that holds the tensors of the largest
   key side by side, filled with ordinary numbers (zeros make a device look faster than it is). */
struct plans_bench {
    cudaStream_t stream;
    void *memory, *workspace;
    size_t memory_bytes, workspace_bytes;
};

/* The bytes that plans_bench.memory needs for a key. */
size_t plans_bench_bytes(const struct plan_key *key);

struct plans_report {
    int families, plans; /* made now */
    int remembered;      /* families whose engine came from the store */
    int timed;           /* families whose engines were timed against each other */
    int missing;         /* families that no engine does, or not at every size */
    double ms;
};

/* Makes a plan of every key that has none. Keys of a family should come in one call: what comes
   later must do with the engine that the first ones got, or has no plan. bench may be NULL: then
   the heuristics' first engine that works is taken. A key without an engine is no error. ST_FULL:
   no more than PLANS_MAX, or no memory. ST_DEVICE: a timed plan broke the device. */
MUST_USE enum status plans_build(struct plans *p, const struct plan_key *keys, int count,
                                 const struct plans_bench *bench, struct plans_report *report,
                                 struct why *why);

/* NULL: there is none. Never builds, never waits. */
const struct plan *plans_find(const struct plans *p, const struct plan_key *key);

/* The most bytes of workspace that any plan wants. */
size_t plans_workspace(const struct plans *p);

/* Device memory, all 16-byte aligned; what the key does not have is not looked at. */
struct plan_arguments {
    cudaStream_t stream;
    void *workspace; /* at least plans_workspace bytes */
    void *y;
    const void *x, *w, *bias, *shift, *add; /* convolution; w as [outputs, kh, kw, inputs] */
    const void *q, *k, *v;                  /* attention */
    float scale;
};

/* Puts the work on the stream; may be captured into a graph once it has run outside of one. */
MUST_USE enum status plans_run(struct plans *p, const struct plan *plan,
                               const struct plan_arguments *arguments, struct why *why);

/* Looking without keeping: up to max engines for a key, best first, and one plan made and dropped.
   For tests and tables. */
MUST_USE enum status plans_list(struct plans *p, const struct plan_key *key,
                                struct plan_engine *engines, int max, int *count, struct why *why);

enum plan_outcome {
    PLAN_READY,
    PLAN_COMPILED, /* made, but there is no driver to load it into */
    PLAN_REFUSED,
};

struct plan_trial {
    enum plan_outcome outcome;
    int64_t workspace; /* bytes; known when PLAN_READY */
    double ms;         /* that making it took */
};

struct plan_trial plans_try(struct plans *p, const struct plan_key *key,
                            const struct plan_engine *engine, struct why *why);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_PLANS_H */
