/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/graphs.h"

#include "base/log.h"
#include "kernels/cuda/slots.h"

#include <stdlib.h>
#include <string.h>

/* Sizes times batches of all models that are served. A graph of an SDXL pass takes some MiB. */
#define RECORDINGS_MAX 64

struct recording {
    struct repeat_key key;
    cudaGraphExec_t exec; /* NULL: this pass cannot be captured and runs as it is */
    uint64_t used;        /* turn of the last use */
};

struct graphs {
    bool recording, prepared;
    uint64_t turn;
    int count;
    struct recording recordings[RECORDINGS_MAX];
};

enum status graphs_open(struct graphs **out, bool enabled, struct why *why)
{
    *out = NULL;
    if (!enabled)
        return ST_OK;
    *out = calloc(1, sizeof(**out));
    return *out ? ST_OK : why_fail(why, ST_FULL, "no memory for a device's graphs");
}

static void recording_free(struct recording *r)
{
    if (r->exec)
        cudaGraphExecDestroy(r->exec);
    r->exec = NULL;
}

void graphs_close(struct graphs **graphs)
{
    struct graphs *g = *graphs;

    if (!g)
        return;
    for (int i = 0; i < g->count; i++)
        recording_free(&g->recordings[i]);
    free(g);
    *graphs = NULL;
}

void graphs_prepare(struct graphs *graphs)
{
    if (graphs)
        graphs->prepared = true;
}

bool graphs_recording(const struct graphs *graphs)
{
    return graphs && graphs->recording;
}

static bool same_key(struct repeat_key a, struct repeat_key b)
{
    return a.owner == b.owner && a.rows == b.rows && a.height == b.height && a.width == b.width;
}

static struct recording *find(struct graphs *g, struct repeat_key key)
{
    for (int i = 0; i < g->count; i++)
        if (same_key(g->recordings[i].key, key))
            return &g->recordings[i];
    return NULL;
}

/* A free place, or that of the recording that was not used for the longest time. */
static struct recording *place(struct graphs *g)
{
    struct recording *oldest = &g->recordings[0];

    if (g->count < RECORDINGS_MAX)
        return &g->recordings[g->count++];
    for (int i = 1; i < g->count; i++)
        if (g->recordings[i].used < oldest->used)
            oldest = &g->recordings[i];
    recording_free(oldest);
    return oldest;
}

/* Capture what forward asks for, without running it. NULL where that does not work: a library that
   will not be captured is no reason to fail, so the error is taken back. */
static cudaGraphExec_t capture(struct device *d, void (*forward)(void *context), void *context)
{
    struct backend *b = d->backend;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    cudaError_t error = cudaStreamBeginCapture(b->stream, cudaStreamCaptureModeThreadLocal);

    if (error == cudaSuccess) {
        b->graphs->recording = true;
        forward(context);
        b->graphs->recording = false;
        error = cudaStreamEndCapture(b->stream, &graph);
    }
    if (error == cudaSuccess)
        error = cudaGraphInstantiate(&exec, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    if (error == cudaSuccess)
        return exec;
    cudaGetLastError();
    log_warn("graph_none", "device=cuda:%d error=%s", d->index, cudaGetErrorString(error));
    return NULL;
}

void graphs_repeat(struct device *d, struct repeat_key key, void (*forward)(void *context),
                   void *context)
{
    struct graphs *g = d->backend->graphs;
    struct recording *r = find(g, key), made = {.key = key};

    if (d->broken)
        return;
    if (d->backend->calibrating) { /* everything is looked at */
        forward(context);
        return;
    }
    g->turn++;
    if (r && r->exec) {
        r->used = g->turn;
        backend_check(d, cudaGraphLaunch(r->exec, d->backend->stream), "graph");
        return;
    }
    forward(context);
    if (r || d->broken || !g->prepared)
        return;
    made.exec = capture(d, forward, context);
    made.used = g->turn;
    if (d->broken)
        recording_free(&made);
    else
        *place(g) = made;
}

/* A graph that still runs must not go. */
void graphs_forget(struct device *d, const void *owner)
{
    struct graphs *g = d->backend->graphs;
    int kept = 0;

    if (!g || !g->count || d->broken)
        return;
    backend_check(d, cudaStreamSynchronize(d->backend->stream), "graph");
    for (int i = 0; i < g->count; i++) {
        if (owner && g->recordings[i].key.owner != owner)
            g->recordings[kept++] = g->recordings[i];
        else
            recording_free(&g->recordings[i]);
    }
    g->count = kept;
}

void graphs_none(struct device *d, struct repeat_key key, void (*forward)(void *context),
                 void *context)
{
    (void)d;
    (void)key;
    forward(context);
}
