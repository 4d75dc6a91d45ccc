/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - a GPU's memory, and the way there and back.
 *
 * Numbers cross through pinned host memory, two halves in turn, so that an upload is on its way as
 * soon as it is copied, and the host waits only when both halves are still travelling.
 */
#ifndef KERNELS_CUDA_MEMORY_H
#define KERNELS_CUDA_MEMORY_H

#include "kernels/cuda/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

MUST_USE enum status memory_staging_open(struct staging **out, struct why *why);
void memory_staging_close(struct staging **staging);

/* To the host; finished when it returns. */
void memory_download_bytes(struct device *d, void *host, const void *from, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_MEMORY_H */
