/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - start a kernel on a device's stream.
 *
 *     launch(d, "norm_group", {dim3(groups, images), dim3(256)}, kernel<T>, ...);
 *
 * One function instead of the angle brackets, so that the same source also compiles as plain C++
 * (tests/cuda_on_cpu/), and every launch is checked.
 */
#ifndef KERNELS_CUDA_LAUNCH_H
#define KERNELS_CUDA_LAUNCH_H

#include "kernels/cuda/backend.h"

struct launch_shape {
    dim3 grid, block;
    unsigned shared = 0;  /* bytes of dynamic shared memory */
    unsigned cluster = 0; /* blocks along x that share theirs; 0: none do */
    bool overlap =
        false; /* may start before the kernel in front has ended: it waits for it itself */
};

/* Raise a kernel's limit of dynamic shared memory above 48 KiB. Cheap, and allowed in a capture. */
template <typename... P>
static bool launch_allow(struct device *d, const char *name, const struct launch_shape &s,
                         void (*kernel)(P...))
{
    const void *entry = (const void *)kernel;

    if (s.shared > (48u << 10) &&
        !backend_check(
            d,
            cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)s.shared),
            name))
        return false;
    return s.cluster <= 8 ||
           backend_check(
               d, cudaFuncSetAttribute(entry, cudaFuncAttributeNonPortableClusterSizeAllowed, 1),
               name);
}

template <typename... P, typename... A>
static void launch(struct device *d, const char *name, struct launch_shape s, void (*kernel)(P...),
                   A... arguments)
{
    cudaLaunchAttribute attributes[2];
    cudaLaunchConfig_t config = {};

    if (d->broken || !launch_allow(d, name, s, kernel))
        return;
    config.gridDim = s.grid;
    config.blockDim = s.block;
    config.dynamicSmemBytes = s.shared;
    config.stream = d->backend->stream;
    config.attrs = attributes;
    if (s.cluster > 1) {
        attributes[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
        attributes[config.numAttrs].val.clusterDim.x = s.cluster;
        attributes[config.numAttrs].val.clusterDim.y = 1;
        attributes[config.numAttrs++].val.clusterDim.z = 1;
    }
    if (s.overlap) {
        attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attributes[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
    }
    backend_check(d, cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...), name);
}

/* Blocks of `size` that cover `count`. */
static inline unsigned launch_blocks(int64_t count, int64_t size)
{
    return (unsigned)((count + size - 1) / size);
}

#endif /* KERNELS_CUDA_LAUNCH_H */
