/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/cudnn/plans.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BRINGS_MAX 6 /* pointers of one run */

/* Opening */

static enum status open_target(struct plans *p, struct target *t, struct why *why)
{
    const struct library *l = &p->library;
    cudnnStatus_t trouble;

    if (p->options.device_json)
        return dnn_engine_describe(l, &t->device, p->options.device_json, why);
    trouble = l->create(&t->handle);
    return trouble ? library_fail(l, trouble, "cuDNN cannot use the device", why) : ST_OK;
}

enum status plans_open(struct plans **out, const struct plans_options *options, struct why *why)
{
    struct plans *p = calloc(1, sizeof(*p));
    enum status st;

    assert(options->threads > 0 && options->threads <= PLANS_THREADS_MAX);
    *out = p;
    if (!p)
        return why_fail(why, ST_FULL, "no memory for cuDNN's plans");
    p->options = *options;
    st = library_open(&p->library, why);
    if (!st && !options->device_json) {
        cudaError_t trouble = cudaSetDevice(options->device);

        if (trouble)
            st = why_fail(why, ST_DEVICE, "device %d: %s", options->device,
                          cudaGetErrorString(trouble));
    }
    for (int i = 0; !st && i < options->threads; i++)
        st = open_target(p, &p->target[i], why);
    if (st)
        plans_close(out);
    return st;
}

void plans_close(struct plans **plans)
{
    struct plans *p = *plans;

    if (!p)
        return;
    for (int i = 0; i < PLANS_SLOTS; i++)
        plans_drop(p, &p->slot[i]);
    for (int i = 0; i < PLANS_THREADS_MAX; i++) {
        library_drop(&p->library, &p->target[i].device);
        if (p->target[i].handle)
            p->library.destroy(p->target[i].handle);
    }
    library_close(&p->library);
    free(p);
    *plans = NULL;
}

long plans_library(const struct plans *p)
{
    return (long)p->library.version;
}

enum status plans_describe(const struct plans *p, char *json, size_t size, struct why *why)
{
    const struct library *l = &p->library;
    const struct target *t = &p->target[0];
    cudnnBackendDescriptor_t own = NULL, device = t->device;
    enum status st = ST_OK;
    cudnnStatus_t trouble;
    int64_t bytes = 0;

    if (!device) {
        st = engine_describe_own(l, &own, t->handle, why);
        device = own;
    }
    if (st)
        return st;
    trouble =
        l->get(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &bytes, NULL);
    if (!trouble && bytes >= (int64_t)size)
        st = why_fail(why, ST_FULL, "the device's description has %lld bytes", (long long)bytes);
    else if (!trouble)
        trouble = l->get(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, bytes,
                         &bytes, json);
    if (trouble)
        st = library_fail(l, trouble, "cuDNN does not describe the device", why);
    else if (!st)
        json[bytes] = '\0';
    library_drop(l, &own);
    return st;
}

/* Keeping */

struct plan *plans_make(const struct plans *p, int target, const struct graph *g,
                        const struct plan_key *key, const struct plan_engine *engine,
                        struct why *why)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    if (!plan) {
        why_fail(why, ST_FULL, "no memory for a plan");
        return NULL;
    }
    plan->key = *key;
    plan->engine = *engine;
    plan->target = target;
    if (dnn_engine_plan(g, &p->target[target], engine, &plan->made, &plan->workspace, why)) {
        plans_drop(p, &plan);
    } else if (plan->workspace > (int64_t)p->options.workspace_max) {
        why_fail(why, ST_FULL, "a plan wants %lld bytes of workspace", (long long)plan->workspace);
        plans_drop(p, &plan);
    }
    return plan;
}

void plans_drop(const struct plans *p, struct plan **plan)
{
    if (!*plan)
        return;
    library_drop(&p->library, &(*plan)->made);
    free(*plan);
    *plan = NULL;
}

/* Where a key's plan is or would be. There is always a free slot: half of them are. */
static size_t slot_of(const struct plans *p, const struct plan_key *key)
{
    size_t i = plan_key_hash(key) % PLANS_SLOTS;

    while (p->slot[i] && plan_key_compare(&p->slot[i]->key, key))
        i = (i + 1) % PLANS_SLOTS;
    return i;
}

enum status plans_keep(struct plans *p, struct plan *plan, struct why *why)
{
    size_t i = slot_of(p, &plan->key);

    assert(!p->slot[i]);
    if (p->count == PLANS_MAX)
        return why_fail(why, ST_FULL, "cuDNN's plans are %d, no more are kept", PLANS_MAX);
    p->slot[i] = plan;
    p->count++;
    return ST_OK;
}

const struct plan *plans_find(const struct plans *p, const struct plan_key *key)
{
    return p->slot[slot_of(p, key)];
}

size_t plans_workspace(const struct plans *p)
{
    int64_t most = 0;

    for (int i = 0; i < PLANS_SLOTS; i++)
        if (p->slot[i] && p->slot[i]->workspace > most)
            most = p->slot[i]->workspace;
    return (size_t)most;
}

/* Running */

struct brings {
    int64_t uid[BRINGS_MAX];
    const void *pointer[BRINGS_MAX];
    int count;
};

static void bring(struct brings *b, int64_t uid, const void *pointer)
{
    assert(pointer && b->count < BRINGS_MAX);
    b->uid[b->count] = uid;
    b->pointer[b->count++] = pointer;
}

static void bring_all(struct brings *b, const struct plan_key *key, const struct plan_arguments *a)
{
    b->count = 0;
    bring(b, GRAPH_Y, a->y);
    if (key->kind == PLAN_ATTENTION) {
        bring(b, GRAPH_Q, a->q);
        bring(b, GRAPH_K, a->k);
        bring(b, GRAPH_V, a->v);
        bring(b, GRAPH_SCALE, &a->scale);
        return;
    }
    bring(b, GRAPH_X, a->x);
    bring(b, GRAPH_W, a->w);
    if (key->of.conv.bias)
        bring(b, GRAPH_BIAS, a->bias);
    if (key->of.conv.shift_stride)
        bring(b, GRAPH_SHIFT, a->shift);
    if (key->of.conv.add_stride)
        bring(b, GRAPH_ADD, a->add);
}

static cudnnStatus_t fill_pack(const struct library *l, cudnnBackendDescriptor_t pack,
                               const struct brings *b, void *workspace)
{
    cudnnStatus_t trouble =
        l->set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, b->count, b->uid);

    if (!trouble)
        trouble = l->set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, b->count,
                         b->pointer);
    if (!trouble)
        trouble =
            l->set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    return trouble ? trouble : l->finalize(pack);
}

enum status plans_run(struct plans *p, const struct plan *plan,
                      const struct plan_arguments *arguments, struct why *why)
{
    const struct library *l = &p->library;
    cudnnHandle_t handle = p->target[plan->target].handle;
    cudnnBackendDescriptor_t pack = NULL;
    cudnnStatus_t trouble = CUDNN_STATUS_SUCCESS;
    struct brings brings;

    assert(handle); /* not for a device that is only described */
    bring_all(&brings, &plan->key, arguments);
    if (p->stream[plan->target] != arguments->stream) {
        trouble = l->set_stream(handle, arguments->stream);
        p->stream[plan->target] = arguments->stream;
    }
    if (!trouble)
        trouble = l->descriptor_create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    if (!trouble)
        trouble = fill_pack(l, pack, &brings, arguments->workspace);
    if (!trouble)
        trouble = l->execute(handle, plan->made, pack);
    library_drop(l, &pack);
    return trouble ? library_fail(l, trouble, "cuDNN does not run a plan", why) : ST_OK;
}

/* Looking */

enum status plans_list(struct plans *p, const struct plan_key *key, struct plan_engine *engines,
                       int max, int *count, struct why *why)
{
    struct graph g;
    enum status st = graph_open(&g, &p->library, p->target[0].handle, key, why);

    *count = 0;
    if (st)
        return st;
    *count = dnn_engine_list(&g, &p->target[0], engines, max);
    graph_close(&g);
    return ST_OK;
}

/* Compiling ends with loading, which takes a driver: this call alone is what it lacks. */
static bool is_unloaded(const struct plans *p, const struct why *why)
{
    return p->options.device_json && strstr(why->text, "cuLibraryLoadData");
}

struct plan_trial plans_try(struct plans *p, const struct plan_key *key,
                            const struct plan_engine *engine, struct why *why)
{
    struct plan_trial trial = {.outcome = PLAN_REFUSED};
    struct clock clock;
    int64_t start;
    struct plan *plan;
    struct graph g;

    clock_init_real(&clock);
    start = clock_now_us(&clock);
    if (graph_open(&g, &p->library, p->target[0].handle, key, why))
        return trial;
    plan = plans_make(p, 0, &g, key, engine, why);
    trial.ms = (double)(clock_now_us(&clock) - start) * 1e-3;
    if (plan) {
        trial.outcome = PLAN_READY;
        trial.workspace = plan->workspace;
    } else if (is_unloaded(p, why)) {
        trial.outcome = PLAN_COMPILED;
    }
    plans_drop(p, &plan);
    graph_close(&g);
    return trial;
}
