/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnn.h - convolutions and attention by cuDNN, where it is there and has an engine.
 *
 * What has no plan is done by our own kernels and written down. Preparing makes a plan of all that
 * was written down in one go, so that all batches of a size get one engine (plans.h). A size that
 * nobody rehearsed stays with our own kernels until the next time: no request waits for a plan.
 */
#ifndef KERNELS_CUDA_DNN_H
#define KERNELS_CUDA_DNN_H

#include "kernels/cuda/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct plan_store;

/* *out stays NULL, and the log says why, where there is no cuDNN that can be used. */
MUST_USE enum status dnn_open(struct dnn **out, struct device *d, struct plan_store *store,
                              struct why *why);
void dnn_close(struct dnn **dnn, struct device *d);
void dnn_prepare(struct device *d);

/* The slots. What cuDNN does not do goes to conv_tiled and attention_tiled. */
void dnn_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
              const struct epilogue *e);
void dnn_attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                   struct tensor v, int heads, float scale, bool causal);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_DNN_H */
