/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber.h - run a kernel: every thread a fiber, every block to its end before the next.
 *
 * A fiber runs until it ends or has to meet others. Which goes first is drawn anew for every
 * launch, so two runs of a kernel that lacks a barrier leave different numbers. Threads that do not
 * meet as they should end the program with a sentence that says where they are.
 */
#ifndef CUDA_ON_CPU_FIBER_H
#define CUDA_ON_CPU_FIBER_H

#include <cuda_runtime.h>

struct fiber_launch {
    dim3 grid, block;
    unsigned cluster; /* blocks along x that run side by side; at least 1 */
    size_t shared;    /* bytes of dynamic shared memory of a block */
    uint64_t seed;
    void (*call)(const void *kernel, const void *arguments);
    const void *kernel, *arguments;
};

void fiber_run(const struct fiber_launch *launch);

#endif /* CUDA_ON_CPU_FIBER_H */
