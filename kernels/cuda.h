/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda.h - which GPUs there are, and whether limner can use them, before one is opened.
 *
 * A build without CUDA has these too: it sees no GPU and says why.
 */
#ifndef KERNELS_CUDA_H
#define KERNELS_CUDA_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many GPUs this process may use; 0 with the reason in `why` (no driver, a driver older than
   the toolkit that limner was built with, a build without CUDA). */
int cuda_count(struct why *why);

/* What GPU `index` can do, as capabilities of ops.h. ST_UNSUPPORTED says why it cannot be used:
   there is no such GPU, or its compute capability is below 8.0. */
MUST_USE enum status cuda_probe(int index, unsigned *caps, struct why *why);

/* "cuda:0: NVIDIA H100 80GB HBM3, sm_90, cuBLASLt, cuDNN, graphs, bf16" into text. */
void cuda_describe(const struct device *d, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_H */
