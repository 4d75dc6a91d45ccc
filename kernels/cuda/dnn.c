/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/dnn.h"

#include "base/log.h"
#include "base/rng.h"
#include "kernels/cores.h"
#include "kernels/cuda/plans.h"
#include "kernels/cuda/slots.h"
#include "kernels/half.h"
#include "kernels/shape.h"

#include <stdlib.h>
#include <string.h>

#define WORKSPACE_MAX ((size_t)272 << 20) /* an engine that wants more is not taken */
#define NOISE_BYTES   ((size_t)1 << 20)   /* made on the host, then doubled on the GPU */

struct dnn {
    struct plans *plans;
    void *workspace;
    size_t workspace_bytes;
    int wanted_count;
    struct plan_key wanted[PLANS_MAX];
};

/* --- opening ------------------------------------------------------------------------------- */

enum status dnn_open(struct dnn **out, struct device *d, struct plan_store *store, struct why *why)
{
    struct dnn *dnn = calloc(1, sizeof(*dnn));
    struct plans_options options = {
        .device = d->index, .workspace_max = WORKSPACE_MAX, .store = store};
    enum status st;

    *out = NULL;
    if (!dnn)
        return why_fail(why, ST_FULL, "no memory for a device");
    options.threads = cores_usable() < PLANS_THREADS_MAX ? cores_usable() : PLANS_THREADS_MAX;
    st = plans_open(&dnn->plans, &options, why);
    if (!st) {
        *out = dnn;
        return ST_OK;
    }
    free(dnn);
    if (st != ST_MISSING && st != ST_UNSUPPORTED)
        return st;
    log_warn("cudnn_none", "device=cuda:%d reason=%s", d->index, why ? why->text : "");
    return ST_OK;
}

static void workspace_give(struct dnn *dnn, struct device *d)
{
    memory_give_cuda(d, dnn->workspace, dnn->workspace_bytes);
    dnn->workspace = NULL;
    dnn->workspace_bytes = 0;
}

static bool workspace_take(struct dnn *dnn, struct device *d, size_t bytes)
{
    if (dnn->workspace && dnn->workspace_bytes == bytes)
        return true;
    workspace_give(dnn, d);
    dnn->workspace = bytes ? memory_take_cuda(d, bytes) : NULL;
    dnn->workspace_bytes = dnn->workspace ? bytes : 0;
    return dnn->workspace || !bytes;
}

void dnn_close(struct dnn **out, struct device *d)
{
    struct dnn *dnn = *out;

    if (!dnn)
        return;
    workspace_give(dnn, d);
    plans_close(&dnn->plans);
    free(dnn);
    *out = NULL;
}

/* --- preparing ----------------------------------------------------------------------------- */

/* Normal numbers in the device's type. Zeros would flatter whatever is timed with them: a GPU
   draws less power for them and runs faster. */
static void *noise_make(const struct device *d)
{
    size_t count = NOISE_BYTES / sizeof(float);
    float *noise = malloc(NOISE_BYTES);

    if (!noise)
        return NULL;
    rng_normal(noise, count, 1, 0);
    for (size_t i = 0; d->dtype != DTYPE_F32 && i < count; i++) {
        uint16_t half = d->dtype == DTYPE_F16 ? float_to_half(noise[i]) : float_to_bf16(noise[i]);
        const uint16_t pair[2] = {half, half};

        memcpy(&noise[i], pair, sizeof(pair));
    }
    return noise;
}

static bool noise_fill(struct device *d, char *memory, size_t bytes)
{
    void *noise = noise_make(d);
    size_t done = bytes < NOISE_BYTES ? bytes : NOISE_BYTES;

    if (!noise)
        return false;
    memory_upload(d, tensor_view(memory, DTYPE_F32, 1, 1, 1, (int64_t)(done / sizeof(float))),
                  noise);
    free(noise);
    while (done < bytes && !d->broken) {
        size_t count = bytes - done < done ? bytes - done : done;

        backend_check(d,
                      cudaMemcpyAsync(memory + done, memory, count, cudaMemcpyDeviceToDevice,
                                      d->backend->stream),
                      "prepare");
        done += count;
    }
    return !d->broken;
}

static size_t bench_bytes(const struct dnn *dnn)
{
    size_t most = sizeof(float);

    for (int i = 0; i < dnn->wanted_count; i++) {
        size_t bytes = plans_bench_bytes(&dnn->wanted[i]);

        most = bytes > most ? bytes : most;
    }
    return (most + 3) & ~(size_t)3;
}

/* Without the memory for timing, the library's own first choices have to do. */
static void build(struct dnn *dnn, struct device *d)
{
    struct plans_report report = {0};
    struct plans_bench bench = {.stream = d->backend->stream, .memory_bytes = bench_bytes(dnn)};
    struct why why = {""};
    bool timed;
    enum status st;

    bench.memory = memory_take_cuda(d, bench.memory_bytes);
    timed = bench.memory && workspace_take(dnn, d, WORKSPACE_MAX) &&
            noise_fill(d, bench.memory, bench.memory_bytes);
    bench.workspace = dnn->workspace;
    bench.workspace_bytes = dnn->workspace_bytes;
    st = plans_build(dnn->plans, dnn->wanted, dnn->wanted_count, timed ? &bench : NULL, &report,
                     &why);
    memory_give_cuda(d, bench.memory, bench.memory_bytes);
    if (st == ST_DEVICE)
        backend_break(d, "prepare", why.text);
    else if (st)
        log_warn("cudnn_plans", "device=cuda:%d reason=%s", d->index, why.text);
    log_info("cudnn_plans",
             "device=cuda:%d families=%d plans=%d remembered=%d timed=%d missing=%d ms=%.0f",
             d->index, report.families, report.plans, report.remembered, report.timed,
             report.missing, report.ms);
}

void dnn_prepare(struct device *d)
{
    struct dnn *dnn = d->backend->dnn;

    if (!dnn || d->broken)
        return;
    if (dnn->wanted_count)
        build(dnn, d);
    dnn->wanted_count = 0;
    if (!workspace_take(dnn, d, plans_workspace(dnn->plans)))
        backend_break(d, "prepare", "no memory on the GPU for cuDNN's workspace");
}

/* --- the slots ----------------------------------------------------------------------------- */

/* The key's plan, or NULL after noting that one is wanted. */
static const struct plan *plan_for(struct dnn *dnn, const struct plan_key *key)
{
    const struct plan *plan = plans_find(dnn->plans, key);

    if (plan || dnn->wanted_count == PLANS_MAX)
        return plan;
    for (int i = 0; i < dnn->wanted_count; i++)
        if (!memcmp(&dnn->wanted[i], key, sizeof(*key)))
            return NULL;
    dnn->wanted[dnn->wanted_count++] = *key;
    return NULL;
}

static void run(struct device *d, const struct plan *plan, struct plan_arguments *arguments)
{
    struct dnn *dnn = d->backend->dnn;
    struct why why = {""};

    arguments->stream = d->backend->stream;
    arguments->workspace = dnn->workspace;
    if (plans_run(dnn->plans, plan, arguments, &why))
        backend_break(d, "cudnn", why.text);
}

static bool is_aligned(struct tensor t)
{
    return (uintptr_t)t.data % 16 == 0;
}

/* A tensor that is absent or of the device's type. */
static bool is_plain(const struct device *d, struct tensor t)
{
    return !t.data || (t.dtype == d->dtype && is_aligned(t));
}

static struct plan_key conv_key(struct tensor y, struct tensor x, const struct weight *w,
                                const struct epilogue *e)
{
    struct conv_key key = {.x_stride = x.stride,
                           .y_stride = y.stride,
                           .add_stride = e->add.data ? e->add.stride : 0,
                           .images = (int32_t)x.dim[0],
                           .height = (int32_t)x.dim[1],
                           .width = (int32_t)x.dim[2],
                           .inputs = (int32_t)x.dim[3],
                           .outputs = (int32_t)y.dim[3],
                           .kernel = {(int32_t)w->w.dim[2], (int32_t)w->w.dim[3]},
                           .stride = w->stride,
                           .dtype = (int32_t)x.dtype,
                           .bias = w->packed->b ? PLAN_BIAS_SAME : PLAN_BIAS_NONE,
                           .shift_stride = e->shift.data ? (int32_t)e->shift.stride : 0,
                           .act = (int32_t)e->act};

    for (int i = 0; i < 4; i++)
        key.pad[i] = w->pad[i];
    return plan_key_conv(&key);
}

void dnn_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
              const struct epilogue *e)
{
    static const struct epilogue none;
    const struct plan *plan = NULL;
    struct dnn *dnn = d->backend->dnn;

    shape_conv(y, x, w, e);
    if (d->broken)
        return;
    e = e ? e : &none;
    if (dnn && is_plain(d, y) && is_plain(d, x) && is_plain(d, e->shift) && is_plain(d, e->add)) {
        struct plan_key key = conv_key(y, x, w, e);

        plan = plan_for(dnn, &key);
    }
    if (!plan) {
        conv_tiled(d, y, x, w, e);
        return;
    }
    run(d, plan,
        &(struct plan_arguments){.y = y.data,
                                 .x = x.data,
                                 .w = w->packed->w,
                                 .bias = w->packed->b_typed,
                                 .shift = e->shift.data,
                                 .add = e->add.data});
}

static struct plan_key attention_key(struct tensor y, struct tensor q, struct tensor k,
                                     struct tensor v, int heads)
{
    struct attention_key key = {.q_stride = q.stride,
                                .k_stride = k.stride,
                                .v_stride = v.stride,
                                .y_stride = y.stride,
                                .images = (int32_t)q.dim[0],
                                .heads = heads,
                                .queries = (int32_t)q.dim[2],
                                .keys = (int32_t)k.dim[2],
                                .width = (int32_t)(q.dim[3] / heads),
                                .dtype = (int32_t)q.dtype};

    return plan_key_attention(&key);
}

void dnn_attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                   struct tensor v, int heads, float scale, bool causal)
{
    const struct plan *plan = NULL;
    struct dnn *dnn = d->backend->dnn;

    shape_attention(y, q, k, v, heads);
    if (d->broken)
        return;
    if (dnn && !causal && is_plain(d, y) && is_plain(d, q) && is_plain(d, k) && is_plain(d, v)) {
        struct plan_key key = attention_key(y, q, k, v, heads);

        plan = plan_for(dnn, &key);
    }
    if (!plan) {
        attention_tiled(d, y, q, k, v, heads, scale, causal);
        return;
    }
    run(d, plan,
        &(struct plan_arguments){
            .y = y.data, .q = q.data, .k = k.data, .v = v.data, .scale = scale});
}
