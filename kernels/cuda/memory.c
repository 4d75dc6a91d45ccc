/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/memory.h"

#include "kernels/cuda/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HALF_BYTES ((size_t)8 << 20)

struct staging {
    char *pinned;           /* two halves */
    cudaEvent_t arrived[2]; /* what was in this half has */
    int half;               /* in use */
    size_t used;            /* of it */
};

enum status memory_staging_open(struct staging **out, struct why *why)
{
    struct staging *s = calloc(1, sizeof(*s));
    cudaError_t error = cudaSuccess;

    *out = s;
    if (!s)
        return why_fail(why, ST_FULL, "no memory for a device");
    error = cudaMallocHost((void **)&s->pinned, 2 * HALF_BYTES);
    for (int i = 0; i < 2 && !error; i++)
        error = cudaEventCreateWithFlags(&s->arrived[i], cudaEventDisableTiming);
    if (!error)
        return ST_OK;
    return why_fail(why, ST_FULL, "no pinned memory for a GPU: %s", cudaGetErrorString(error));
}

void memory_staging_close(struct staging **staging)
{
    struct staging *s = *staging;

    if (!s)
        return;
    for (int i = 0; i < 2; i++)
        if (s->arrived[i])
            cudaEventDestroy(s->arrived[i]);
    if (s->pinned)
        cudaFreeHost(s->pinned);
    free(s);
    *staging = NULL;
}

/* A place for `bytes`, which nothing travels from any more. NULL: the device is broken. */
static char *staging_place(struct device *d, size_t bytes)
{
    struct staging *s = d->backend->staging;
    char *place;

    assert(bytes <= HALF_BYTES);
    if (s->used + bytes > HALF_BYTES) {
        if (!backend_check(d, cudaEventRecord(s->arrived[s->half], d->backend->stream), "upload"))
            return NULL;
        s->half = !s->half;
        s->used = 0;
        if (!backend_check(d, cudaEventSynchronize(s->arrived[s->half]), "upload"))
            return NULL;
    }
    place = s->pinned + (size_t)s->half * HALF_BYTES + s->used;
    s->used += (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    return place;
}

static size_t piece(size_t left)
{
    return left < HALF_BYTES ? left : HALF_BYTES;
}

void memory_upload(struct device *d, struct tensor y, const void *host)
{
    size_t bytes = tensor_bytes(y);

    assert(tensor_is_dense(y));
    for (size_t at = 0; at < bytes && !d->broken; at += HALF_BYTES) {
        size_t count = piece(bytes - at);
        char *place = staging_place(d, count);

        if (!place)
            return;
        memcpy(place, (const char *)host + at, count);
        backend_check(d,
                      cudaMemcpyAsync((char *)y.data + at, place, count, cudaMemcpyHostToDevice,
                                      d->backend->stream),
                      "upload");
    }
}

/* A broken device leaves the host's numbers as they were; the caller finds out at its sync. */
void memory_download_bytes(struct device *d, void *host, const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes && !d->broken; at += HALF_BYTES) {
        size_t count = piece(bytes - at);
        char *place = staging_place(d, count);

        if (!place)
            return;
        if (backend_check(d,
                          cudaMemcpyAsync(place, (const char *)from + at, count,
                                          cudaMemcpyDeviceToHost, d->backend->stream),
                          "download") &&
            backend_check(d, cudaStreamSynchronize(d->backend->stream), "download"))
            memcpy((char *)host + at, place, count);
    }
}

void memory_download(struct device *d, void *host, struct tensor x)
{
    assert(tensor_is_dense(x));
    memory_download_bytes(d, host, x.data, tensor_bytes(x));
}

/* A GPU that is out of memory is not broken: the error is taken back, and the caller says no. */
void *memory_take_cuda(struct device *d, size_t bytes)
{
    void *memory = NULL;
    cudaError_t error;

    if (d->broken)
        return NULL;
    error = cudaMalloc(&memory, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return NULL;
    }
    return backend_check(d, error, "memory") ? memory : NULL;
}

/* cudaFree waits for whatever still runs. On a broken device nothing can be given back. */
void memory_give_cuda(struct device *d, void *memory, size_t bytes)
{
    (void)bytes;
    if (memory && !d->broken)
        backend_check(d, cudaFree(memory), "memory");
}
