/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/backend.h"

#include "base/log.h"
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/graphs.h"
#include "kernels/cuda/lt.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/plan_store.h"
#include "kernels/cuda/slots.h"

#include <stdlib.h>

void backend_break(struct device *d, const char *what, const char *why)
{
    if (!d->broken)
        log_error("device_broken", "device=cuda:%d what=%s error=%s", d->index, what, why);
    d->broken = true;
}

bool backend_check(struct device *d, cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return true;
    backend_break(d, what, cudaGetErrorString(error));
    return false;
}

/* Graphs hold the old address: they are recorded anew. */
static void *need(struct device *d, struct scratch *s, size_t bytes)
{
    if (d->broken)
        return NULL;
    if (bytes <= s->bytes)
        return s->data;
    if (graphs_recording(d->backend->graphs)) {
        backend_break(d, "scratch", "a repeated pass wants more memory than it did at first");
        return NULL;
    }
    graphs_forget(d, NULL);
    memory_give_cuda(d, s->data, s->bytes);
    s->data = memory_take_cuda(d, bytes);
    s->bytes = s->data ? bytes : 0;
    if (!s->data)
        backend_break(d, "scratch", "the GPU's memory is full");
    return s->data;
}

void *backend_scratch(struct device *d, size_t bytes)
{
    return need(d, &d->backend->scratch, bytes);
}

void *backend_rows(struct device *d, size_t bytes)
{
    return need(d, &d->backend->rows, bytes);
}

void backend_sync(struct device *d)
{
    if (!d->broken)
        backend_check(d, cudaStreamSynchronize(d->backend->stream), "sync");
}

void backend_enter(struct device *d)
{
    if (!d->broken)
        backend_check(d, cudaSetDevice(d->backend->index), "enter");
}

/* What could not be saved is only measured again next time. */
void backend_prepare(struct device *d)
{
    struct why why = {""};

    dnn_prepare(d);
    graphs_prepare(d->backend->graphs);
    if (d->backend->store && plan_store_save(d->backend->store, &why))
        log_warn("plans_not_saved", "%s", why.text);
}

void backend_close(struct device *d)
{
    struct backend *b = d->backend;

    if (!b)
        return;
    cudaSetDevice(b->index);
    if (b->stream)
        cudaStreamSynchronize(b->stream); /* nothing may still read what is given back */
    lt_close(&b->lt, d);
    dnn_close(&b->dnn, d);
    plan_store_close(&b->store);
    graphs_close(&b->graphs);
    memory_give_cuda(d, b->scratch.data, b->scratch.bytes);
    memory_give_cuda(d, b->rows.data, b->rows.bytes);
    memory_staging_close(&b->staging);
    if (b->stream)
        cudaStreamDestroy(b->stream);
    d->backend = NULL;
    free(b);
}

static enum status open_stream(struct backend *b, struct why *why)
{
    cudaError_t error = cudaSetDevice(b->index);

    if (!error)
        error = cudaGetDeviceProperties(&b->properties, b->index);
    if (!error)
        error = cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking);
    if (!error)
        return ST_OK;
    return why_fail(why, error == cudaErrorMemoryAllocation ? ST_FULL : ST_UNSUPPORTED,
                    "GPU %d does not start: %s", b->index, cudaGetErrorString(error));
}

static enum status open_store(struct backend *b, const char *path, struct why *why)
{
    struct plan_store_machine machine = {
        .device = b->properties.name, .capability = 10 * b->properties.major + b->properties.minor};

    cudaDriverGetVersion(&machine.driver);
    return plan_store_open(&b->store, path, &machine, why);
}

/* What stands in the table tells what has to be there for it. */
enum status backend_open(struct device *d, struct why *why)
{
    struct backend *b = calloc(1, sizeof(*b));
    enum status st;

    d->backend = b;
    if (!b)
        return why_fail(why, ST_FULL, "no memory for a device");
    b->index = d->index;
    st = open_stream(b, why);
    if (!st)
        st = memory_staging_open(&b->staging, why);
    if (!st)
        st = graphs_open(&b->graphs, d->ops.repeat == graphs_repeat, why);
    if (!st && d->plans)
        st = open_store(b, d->plans, why);
    if (!st && d->ops.conv == dnn_conv)
        st = dnn_open(&b->dnn, d, b->store, why);
    if (!st && d->ops.linear == lt_linear)
        st = lt_open(&b->lt, d, why);
    if (st)
        backend_close(d);
    return st;
}
