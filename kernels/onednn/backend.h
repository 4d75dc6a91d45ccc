/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what the oneDNN filling keeps: plans, weights in the layouts they like, one scratch.
 *
 * A plan is a oneDNN primitive for one shape and epilogue, made the first time that the shape is
 * met (the warm-up) and found again ever after. Plans know no weights, so all layers of one shape
 * share one; the least recently used one makes room when PLANS_MAX is reached. Every plan is for
 * one image: a batch is a loop over it, so image b of a batch of n is bit for bit what it is alone
 * (Winograd, which is ours, promises that in another way: see winograd.h).
 *
 * A weight is brought into the layout of its primitive when it is packed. The layout hangs on the
 * sizes of a matrix and hardly ever on the picture; where another picture does want another
 * layout, or an op is called that packing did not guess, it is made then and kept beside the first.
 *
 * Trouble while running (no memory for a plan, a status of oneDNN) breaks the device.
 */
#ifndef KERNELS_ONEDNN_BACKEND_H
#define KERNELS_ONEDNN_BACKEND_H

#include "kernels/device.h"
#include "kernels/onednn/winograd.h"

#include <oneapi/dnnl/dnnl.h>

enum {
    PLANS_MAX = 256,
    ARRANGED_MAX = 3, /* layouts of one weight at a time */
};

enum role {
    ROLE_MATRIX,    /* linear layers, and convolutions that are one */
    ROLE_DIRECT,    /* convolutions as they are written down */
    ROLE_DEPTHWISE, /* one filter per channel */
    ROLE_WINOGRAD,
};

/* What tells one plan from another. Zeroed before it is filled: keys are compared as bytes. */
struct plan_key {
    enum role role;
    enum dtype dtype; /* of inputs and weights: f32 or bf16; outputs are f32 */
    enum act act;
    int32_t sum;     /* 1: y holds what is added */
    int32_t solo;    /* 1: for one thread, and every thread may run it at the same time */
    int32_t stride;  /* of a convolution */
    int32_t pad[4];  /* of a convolution */
    int64_t m, n, k; /* rows, outputs, inputs of a matrix; n and k channels of a convolution */
    int64_t height, width, kernel_height, kernel_width;
};

/* Memory objects of a primitive; their bytes are named anew in every run. */
struct operands {
    dnnl_memory_t x, b, y, scratchpad; /* weights bring their own */
};

struct plan {
    struct plan_key key;
    uint64_t used; /* turn of the last use */
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t weights;
    size_t scratchpad_bytes;
    int operands_count;
    struct operands *operands; /* of each thread that may run it */
};

struct backend {
    dnnl_engine_t engine;
    dnnl_stream_t *streams; /* one for each thread */
    int threads;
    enum dtype dtype;                       /* of matrices and direct convolutions */
    const struct winograd_kernel *winograd; /* NULL: do without */
    char *scratch;
    size_t scratch_bytes;
    uint64_t turn;
    int plan_count;
    struct plan plans[PLANS_MAX];
};

/* A weight in one layout. */
struct arranged {
    enum role role;
    dnnl_memory_desc_t layout; /* not for Winograd */
    dnnl_memory_t memory;      /* not for Winograd */
    void *data;
};

struct packed {
    float *bias; /* zeros when the layer has none */
    int arranged_count;
    struct arranged arranged[ARRANGED_MAX]; /* the oldest first */
};

/* Memory for weights and scratch, with huge pages where it is large. NULL when there is none. */
void *memory_take(size_t bytes);
void memory_give(void *data);

/* At least `bytes` of scratch, or NULL and a broken device. What lay in it is lost. */
void *scratch_need(struct device *d, size_t bytes);
static inline size_t scratch_round(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* The device is broken from here on; the log says by what. */
void device_break(struct device *d, const char *what, dnnl_status_t code);

/* The plan, made now if need be. NULL: the device is broken. */
struct plan *plan_find(struct device *d, const struct plan_key *key);
/* Make the primitive of a key: for packing, which only wants to know the layout. */
dnnl_status_t plan_make(struct backend *b, const struct plan_key *key, struct plan *plan);
void plan_free(struct plan *plan);

/* Compute. The weight is that of an arrangement. */
struct plan_pointers {
    const void *x;
    const float *b;
    float *y;
    void *scratchpad;
};
void plan_run(struct device *d, const struct plan *plan, dnnl_memory_t weight,
              struct plan_pointers p);

/* The weight in the layout of a plan; NULL: the device is broken, or the plan NULL. */
dnnl_memory_t weight_for_plan(struct device *d, const struct weight *w, const struct plan *plan);
const float *weight_for_winograd(struct device *d, const struct weight *w);
enum status weight_pack_onednn(struct device *d, struct weight *w, struct why *why);
void weight_free_onednn(struct device *d, struct weight *w);
bool weight_is_matrix(const struct weight *w);

/* bias[N]: the layer's own, and the epilogue's shift of that image on top. */
void epilogue_bias(float *bias, const struct weight *w, const struct epilogue *e, int64_t image,
                   int64_t outputs);

/* What primitives compute in for a weight of n outputs and k inputs. */
enum dtype backend_dtype(const struct backend *b, enum role role, int64_t n, int64_t k);

void onednn_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e);
void onednn_linear_geglu(struct device *d, struct tensor y, struct tensor x,
                         const struct weight *w);
void onednn_conv_matrix(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                        const struct epilogue *e);
void onednn_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                 const struct epilogue *e);
void onednn_conv_up(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e);
void onednn_conv_depthwise(struct device *d, struct tensor y, struct tensor x,
                           const struct weight *w, const struct epilogue *e);

#endif /* KERNELS_ONEDNN_BACKEND_H */
