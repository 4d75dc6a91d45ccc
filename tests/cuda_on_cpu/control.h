/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - what a test decides about the GPUs that are not there.
 */
#ifndef CUDA_ON_CPU_CONTROL_H
#define CUDA_ON_CPU_CONTROL_H

#include <cuda_runtime.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct control {
    int devices;      /* how many there are; 1 */
    int major, minor; /* their compute capability; 9.0 */
    int driver;       /* its version; 13000. 0: there is none */
    size_t memory;    /* bytes of each; 8 GiB */
    long fail_nth;    /* the nth call of the runtime from now fails; 0: none does */
    cudaError_t fail_with;
    bool fail_sticky; /* and every call after it */
    uint64_t seed;    /* of the order in which threads and blocks run */
};

/* What is so now; to be written between calls. CUDA_ON_CPU_FAIL=N in the environment makes the Nth
   call fail for ever, as an illegal address does; CUDA_ON_CPU_FAIL_FILE=PATH does so to the call
   that finds this file, and removes it; CUDA_ON_CPU_DEVICES=N sets the count. */
struct control *control_now(void);

/* As if the process were new: no error, the defaults, no counts. Memory stays. */
void control_reset(void);

/* Give all memory back, as the end of a process does: what a broken device holds, nobody can free.
 */
void control_end_process(void);

struct control_counts {
    long calls, launches, graph_launches, live; /* live: blocks of device memory */
};
struct control_counts control_count(void);

#ifdef __cplusplus
}
#endif

#endif /* CUDA_ON_CPU_CONTROL_H */
