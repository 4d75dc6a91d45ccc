/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - every function of this room that stands in the table of ops, as ops.h describes the
 * slot.
 *
 * `_naive` is rung 0: one thread per output, any mixture of types, kept for ever as the judge of
 * the others at full size. What a higher rung cannot take (a type, an alignment, a size) it hands
 * to the rung below.
 */
#ifndef KERNELS_CUDA_SLOTS_H
#define KERNELS_CUDA_SLOTS_H

#include "kernels/cuda/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* backend.c, memory.c, weight.cu, graphs.c */
enum status backend_open(struct device *d, struct why *why);
void backend_close(struct device *d);
void backend_sync(struct device *d);
void backend_enter(struct device *d);
void backend_prepare(struct device *d);
void narrow_calibrate(struct device *d, bool begin);
void *memory_take_cuda(struct device *d, size_t bytes);
void memory_give_cuda(struct device *d, void *memory, size_t bytes);
void memory_upload(struct device *d, struct tensor y, const void *host);
void memory_download(struct device *d, void *host, struct tensor x);
enum status weight_pack_cuda(struct device *d, struct weight *w, struct why *why);
void weight_free_cuda(struct device *d, struct weight *w);
void graphs_repeat(struct device *d, struct repeat_key key, void (*forward)(void *context),
                   void *context);
void graphs_none(struct device *d, struct repeat_key key, void (*forward)(void *context),
                 void *context);
void graphs_forget(struct device *d, const void *owner);

/* naive.cu, tiled.cu, gated.c */
void linear_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e);
void linear_tiled(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e);
void linear_geglu_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w);
void linear_geglu_gated(struct device *d, struct tensor y, struct tensor x, const struct weight *w);
void conv_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                const struct epilogue *e);
void conv_tiled(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                const struct epilogue *e);
void conv_up_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e);
void conv_up_tiled(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e);
void conv_up_summed(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e);
/* Not slots: does conv_up_summed want sums of w's filters, and put them, [4N, 2, 2, C], in `to`;
   `raw` are the file's numbers on the device. */
bool doubled_sums(const struct device *d, const struct weight *w);
void doubled_pack(struct device *d, struct tensor to, struct tensor raw, const struct weight *w);
void depthwise_naive(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                     const struct epilogue *e);
void depthwise_packed(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                      const struct epilogue *e);

/* norm.cu, norm_layer.cu */
void norm_group_naive(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                      struct tensor beta, int groups, float epsilon, enum act act);
void norm_group_packed(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, int groups, float epsilon, enum act act);
void norm_group_cluster(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                        struct tensor beta, int groups, float epsilon, enum act act);
void norm_layer_naive(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                      struct tensor beta, float epsilon);
void norm_layer_packed(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, float epsilon);

/* attention.cu */
void attention_naive(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                     struct tensor v, int heads, float scale, bool causal);
void attention_tiled(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                     struct tensor v, int heads, float scale, bool causal);

/* pointwise.cu */
void activate_naive(struct device *d, struct tensor y, struct tensor x, enum act act);
void activate_packed(struct device *d, struct tensor y, struct tensor x, enum act act);
void geglu_naive(struct device *d, struct tensor y, struct tensor x);
void geglu_packed(struct device *d, struct tensor y, struct tensor x);
void add_naive(struct device *d, struct tensor y, struct tensor x, struct tensor z);
void add_packed(struct device *d, struct tensor y, struct tensor x, struct tensor z);
void affine_naive(struct device *d, struct tensor y, struct tensor x, float scale, float shift);
void gather_naive(struct device *d, struct tensor y, const struct scaled *images);
void gather_packed(struct device *d, struct tensor y, const struct scaled *images);
void advance_all(struct device *d, const struct advance *pictures, int count);

/* picture.cu */
void picture_noise(struct device *d, struct tensor y, uint64_t seed, uint32_t stream);
void picture_download(struct device *d, uint8_t *host, struct tensor x);

/* move.cu */
void convert_naive(struct device *d, struct tensor y, struct tensor x);
void convert_packed(struct device *d, struct tensor y, struct tensor x);
void concat_naive(struct device *d, struct tensor y, struct tensor x1, struct tensor x2);
void concat_packed(struct device *d, struct tensor y, struct tensor x1, struct tensor x2);
void blend_naive(struct device *d, struct tensor y, struct tensor x, struct tensor z,
                 enum fade fade);
void pool_naive(struct device *d, struct tensor y, struct tensor x, enum pool kind, int kernel,
                int stride, const int pad[4]);
void embed_tokens_naive(struct device *d, struct tensor y, struct tensor ids, struct tensor table,
                        struct tensor position);
void embed_time_naive(struct device *d, struct tensor y, struct tensor t, bool flip,
                      float freq_shift);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_SLOTS_H */
