/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda.h"
#include "kernels/cuda/backend.h"

#include <stdio.h>

#define VERSION_MAJOR(version) ((version) / 1000)
#define VERSION_MINOR(version) ((version) % 1000 / 10)

/* Why are there no GPUs? Call after cudaGetDeviceCount said so. */
static enum status explain(cudaError_t error, struct why *why)
{
    int driver = 0, runtime = 0;

    cudaGetLastError();
    if (cudaDriverGetVersion(&driver) || cudaRuntimeGetVersion(&runtime) || driver == 0)
        return why_fail(why, ST_UNSUPPORTED,
                        "there is no NVIDIA driver; install one, or use the "
                        "CPU");
    if (error == cudaErrorInsufficientDriver || driver < runtime)
        return why_fail(
            why, ST_UNSUPPORTED,
            "the NVIDIA driver is for CUDA %d.%d, older than the CUDA %d.%d that limner "
            "was built with; upgrade the driver",
            VERSION_MAJOR(driver), VERSION_MINOR(driver), VERSION_MAJOR(runtime),
            VERSION_MINOR(runtime));
    return why_fail(why, ST_UNSUPPORTED, "no GPU can be used: %s", cudaGetErrorString(error));
}

int cuda_count(struct why *why)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    enum status st;

    if (error == cudaSuccess && count > 0)
        return count;
    st = explain(error ? error : cudaErrorNoDevice, why);
    (void)st;
    return 0;
}

enum status cuda_probe(int index, unsigned *caps, struct why *why)
{
    int count = cuda_count(why), major = 0, minor = 0;
    cudaError_t error;

    *caps = 0;
    if (!count)
        return ST_UNSUPPORTED;
    if (index < 0 || index >= count)
        return why_fail(why, ST_UNSUPPORTED, "there is no GPU %d: they count from 0 to %d", index,
                        count - 1);
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
    if (!error)
        error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index);
    if (error)
        return explain(error, why);
    if (major < 8)
        return why_fail(why, ST_UNSUPPORTED,
                        "GPU %d has compute capability %d.x; limner needs 8.0 (Ampere) or later",
                        index, major);
    *caps = CAP_SM80 | CAP_CUBLASLT | CAP_CUDNN | CAP_GRAPHS;
    if (major == 9)
        *caps |= CAP_SM90;
    if (10 * major + minor >= 89)
        *caps |= CAP_FP8;
    return ST_OK;
}

static const char *precision_name(const struct device *d)
{
    return d->precision == PRECISION_FP8 ? "bf16 with large linears in fp8"
           : d->dtype == DTYPE_F32       ? "float32"
                                         : dtype_name(d->dtype);
}

void cuda_describe(const struct device *d, char *text, size_t bytes)
{
    const struct backend *b = d->backend;

    snprintf(text, bytes, "cuda:%d: %s, sm_%d%d%s%s%s, %s", d->index, b->properties.name,
             b->properties.major, b->properties.minor, b->lt ? ", cuBLASLt" : "",
             b->dnn ? ", cuDNN" : "", b->graphs ? ", graphs" : "", precision_name(d));
}
