/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_key.h - what the room itself asks of a key.
 */
#ifndef KERNELS_CUDA_CUDNN_PLAN_KEY_H
#define KERNELS_CUDA_CUDNN_PLAN_KEY_H

#include "kernels/cuda/plans.h"

/* The same for all keys of a family: the key for 0 images. */
struct plan_key plan_key_family(const struct plan_key *key);

int32_t plan_key_images(const struct plan_key *key);
uint32_t plan_key_hash(const struct plan_key *key);
int plan_key_compare(const struct plan_key *a, const struct plan_key *b); /* as memcmp */

/* H' or W', for axis 0 or 1. */
int64_t plan_key_out(const struct conv_key *key, int axis);

/* What a run brings, beside each other from `memory` on; returns the bytes. The rest of *out stays.
   memory may be NULL, to measure. */
size_t plan_key_spread(const struct plan_key *key, void *memory, struct plan_arguments *out);

#endif /* KERNELS_CUDA_CUDNN_PLAN_KEY_H */
