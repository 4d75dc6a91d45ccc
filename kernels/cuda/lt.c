/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/lt.h"

#include "base/log.h"
#include "kernels/cuda/graphs.h"
#include "kernels/cuda/narrow.h"
#include "kernels/cuda/plan_store.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

#include <cublasLt.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAYERS_MAX = 256,    /* kinds of linear layers: an SDXL has some 40 */
    CANDIDATES_MAX = 16, /* algorithms that are timed for one */
    RUNS_WARM = 2,
    RUNS_TIMED = 5,
    ALIGNMENT = 16,
    KEY_TEXT_MAX = 160,
    ALGO_TEXT_MAX = 2 * sizeof(cublasLtMatmulAlgo_t) + 1,
};

#define WORKSPACE_BYTES ((size_t)32 << 20) /* what Hopper's kernels ask for at most */

/* What tells one kind of layer from another. Zeroed before it is filled: compared as bytes. */
struct layer_key {
    int64_t n, k, x_stride, y_stride, add_stride; /* add_stride 0: nothing is added */
    int32_t type, y_type;                         /* enum dtype, of x and w, and of y */
    int32_t bias;                                 /* 1: has one */
    int32_t narrow;                               /* 1: x and w in e4m3, type counts for y */
};

struct layer {
    struct layer_key key;
    bool found; /* false: no algorithm takes this kind */
    cublasLtMatmulAlgo_t algo;
};

struct lt {
    cublasLtHandle_t handle;
    void *workspace;
    cudaEvent_t begun, ended;
    int count;
    struct layer layers[LAYERS_MAX];
};

static bool lt_check(struct device *d, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    backend_break(d, what, cublasLtGetStatusString(status));
    return false;
}

enum status lt_open(struct lt **out, struct device *d, struct why *why)
{
    struct lt *lt = calloc(1, sizeof(*lt));
    cublasStatus_t status;

    *out = lt;
    if (!lt)
        return why_fail(why, ST_FULL, "no memory for a device");
    status = cublasLtCreate(&lt->handle);
    if (status)
        return why_fail(why, ST_UNSUPPORTED, "cuBLASLt does not start: %s",
                        cublasLtGetStatusString(status));
    lt->workspace = memory_take_cuda(d, WORKSPACE_BYTES);
    if (!lt->workspace || cudaEventCreate(&lt->begun) || cudaEventCreate(&lt->ended))
        return why_fail(why, ST_FULL, "no memory on the GPU for cuBLASLt's workspace");
    return ST_OK;
}

void lt_close(struct lt **out, struct device *d)
{
    struct lt *lt = *out;

    if (!lt)
        return;
    if (lt->begun)
        cudaEventDestroy(lt->begun);
    if (lt->ended)
        cudaEventDestroy(lt->ended);
    memory_give_cuda(d, lt->workspace, WORKSPACE_BYTES);
    if (lt->handle)
        cublasLtDestroy(lt->handle);
    free(lt);
    *out = NULL;
}

static cudaDataType_t type_of(enum dtype dtype)
{
    return dtype == DTYPE_F32 ? CUDA_R_32F : dtype == DTYPE_F16 ? CUDA_R_16F : CUDA_R_16BF;
}

/* --- one product -------------------------------------------------------------------------- */

/* Everything that cublasLtMatmul wants to know of one call. The descriptors own no memory. */
struct product {
    cublasLtMatmulDescOpaque_t desc;
    cublasLtMatrixLayoutOpaque_t a, b, c, d;
    const void *w, *x, *add, *bias;
    const float *scales; /* of a narrow one, on the device */
    void *y;
    float beta;
};

static cublasStatus_t set(struct product *p, cublasLtMatmulDescAttributes_t what, const void *value,
                          size_t bytes)
{
    return cublasLtMatmulDescSetAttribute(&p->desc, what, value, bytes);
}

static cublasStatus_t set_scales(struct product *p)
{
    const float *w = p->scales + NARROW_SCALE_W, *x = p->scales + NARROW_SCALE_X;
    cublasStatus_t st = set(p, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &w, sizeof(w));

    return st ? st : set(p, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &x, sizeof(x));
}

static cublasStatus_t describe(struct product *p, const struct layer_key *key, int64_t m)
{
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    cudaDataType_t type = key->narrow ? CUDA_R_8F_E4M3 : type_of((enum dtype)key->type);
    cudaDataType_t y_type = type_of((enum dtype)key->y_type);
    uint64_t n = (uint64_t)key->n, k = (uint64_t)key->k, rows = (uint64_t)m;
    int64_t c_stride = key->add_stride ? key->add_stride : key->y_stride;
    cublasStatus_t st = cublasLtMatmulDescInit(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);

    if (!st)
        st = set(p, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed));
    if (!st && p->bias)
        st = set(p, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof(epilogue));
    if (!st && p->bias)
        st = set(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof(p->bias));
    if (!st && key->narrow)
        st = set_scales(p);
    if (!st)
        st = cublasLtMatrixLayoutInit(&p->a, type, k, n, key->k);
    if (!st)
        st = cublasLtMatrixLayoutInit(&p->b, type, k, rows, key->x_stride);
    if (!st)
        st = cublasLtMatrixLayoutInit(&p->c, y_type, n, rows, c_stride);
    if (!st)
        st = cublasLtMatrixLayoutInit(&p->d, y_type, n, rows, key->y_stride);
    p->beta = key->add_stride ? 1 : 0;
    return st;
}

static cublasStatus_t run(struct device *d, struct product *p, const cublasLtMatmulAlgo_t *algo)
{
    const float alpha = 1;
    struct lt *lt = d->backend->lt;

    return cublasLtMatmul(lt->handle, &p->desc, &alpha, p->w, &p->a, p->x, &p->b, &p->beta,
                          p->add ? p->add : p->y, &p->c, p->y, &p->d, algo, lt->workspace,
                          WORKSPACE_BYTES, d->backend->stream);
}

/* --- choosing ------------------------------------------------------------------------------ */

static int candidates(struct lt *lt, struct product *p, cublasLtMatmulHeuristicResult_t *results)
{
    const uint32_t whole_sums = CUBLASLT_REDUCTION_SCHEME_NONE, alignment = ALIGNMENT;
    const uint64_t workspace = WORKSPACE_BYTES;
    cublasLtMatmulPreferenceOpaque_t wish;
    cublasStatus_t st = cublasLtMatmulPreferenceInit(&wish);
    int count = 0;

    if (!st)
        st = cublasLtMatmulPreferenceSetAttribute(&wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                  &workspace, sizeof(workspace));
    if (!st)
        st = cublasLtMatmulPreferenceSetAttribute(&wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                  &whole_sums, sizeof(whole_sums));
    for (int i = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
         !st && i <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES; i++)
        st = cublasLtMatmulPreferenceSetAttribute(&wish, (cublasLtMatmulPreferenceAttributes_t)i,
                                                  &alignment, sizeof(alignment));
    if (!st)
        st = cublasLtMatmulAlgoGetHeuristic(lt->handle, &p->desc, &p->a, &p->b, &p->c, &p->d, &wish,
                                            CANDIDATES_MAX, results, &count);
    return st ? 0 : count;
}

/* Milliseconds of one run; below 0: this algorithm does not run here. */
static float time_one(struct device *d, struct product *p, const cublasLtMatmulAlgo_t *algo)
{
    struct lt *lt = d->backend->lt;
    cudaStream_t stream = d->backend->stream;
    float ms = -1;

    for (int i = -RUNS_WARM; i < RUNS_TIMED; i++) {
        if (i == 0)
            backend_check(d, cudaEventRecord(lt->begun, stream), "linear");
        if (run(d, p, algo))
            return -1;
    }
    if (!backend_check(d, cudaEventRecord(lt->ended, stream), "linear") ||
        !backend_check(d, cudaEventSynchronize(lt->ended), "linear") ||
        !backend_check(d, cudaEventElapsedTime(&ms, lt->begun, lt->ended), "linear"))
        return -1;
    return ms / RUNS_TIMED;
}

/* A kind of layer in one word, for the store. */
static void key_text(char text[KEY_TEXT_MAX], const struct layer_key *k)
{
    snprintf(text, KEY_TEXT_MAX, "linear/%s/%s/n%lld/k%lld/x%lld/y%lld/a%lld/b%d",
             k->narrow ? "e4m3" : dtype_name((enum dtype)k->type),
             dtype_name((enum dtype)k->y_type), (long long)k->n, (long long)k->k,
             (long long)k->x_stride, (long long)k->y_stride, (long long)k->add_stride,
             (int)k->bias);
}

/* An algorithm is 64 bytes that only mean something to the version that made them. */
static void algo_text(char text[ALGO_TEXT_MAX], const cublasLtMatmulAlgo_t *algo)
{
    const unsigned char *bytes = (const unsigned char *)algo;

    for (size_t i = 0; i < sizeof(*algo); i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned)bytes[i]);
}

static bool algo_read(cublasLtMatmulAlgo_t *algo, const char *text)
{
    unsigned char *bytes = (unsigned char *)algo;

    if (strlen(text) != 2 * sizeof(*algo) || strspn(text, "0123456789abcdef") != 2 * sizeof(*algo))
        return false;
    for (size_t i = 0; i < sizeof(*algo); i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], 0};

        bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

/* What an earlier start found to be fastest here, if the library still takes it. */
static bool recall(struct device *d, struct layer *layer, struct product *p)
{
    struct backend *b = d->backend;
    cublasLtMatmulHeuristicResult_t result;
    char key[KEY_TEXT_MAX];
    const char *value;

    if (!b->store)
        return false;
    key_text(key, &layer->key);
    value = plan_store_find(b->store, "cublaslt", (long)cublasLtGetVersion(), key);
    layer->found = value && algo_read(&layer->algo, value) &&
                   cublasLtMatmulAlgoCheck(b->lt->handle, &p->desc, &p->a, &p->b, &p->c, &p->d,
                                           &layer->algo, &result) == CUBLAS_STATUS_SUCCESS &&
                   result.workspaceSize <= WORKSPACE_BYTES;
    return layer->found;
}

static void remember(struct device *d, const struct layer *layer, double us)
{
    char key[KEY_TEXT_MAX], value[ALGO_TEXT_MAX];
    struct plan_store_record record = {
        .room = "cublaslt", .library = (long)cublasLtGetVersion(), .key = key, .value = value};
    struct why why = {""};

    if (!d->backend->store)
        return;
    record.us = us;
    key_text(key, &layer->key);
    algo_text(value, &layer->algo);
    if (plan_store_put(d->backend->store, &record, &why))
        log_warn("plan_not_kept", "%s", why.text);
}

static void choose(struct device *d, struct layer *layer, struct product *p)
{
    cublasLtMatmulHeuristicResult_t results[CANDIDATES_MAX];
    int count = candidates(d->backend->lt, p, results);
    float best = -1;

    for (int i = 0; i < count && !d->broken; i++) {
        float ms = results[i].state ? -1 : time_one(d, p, &results[i].algo);

        if (ms < 0 || (best >= 0 && ms >= best))
            continue;
        best = ms;
        layer->algo = results[i].algo;
        layer->found = true;
    }
    if (layer->found)
        remember(d, layer, (double)best * 1e3);
    else
        log_warn("linear_none", "device=cuda:%d n=%lld k=%lld candidates=%d", d->index,
                 (long long)layer->key.n, (long long)layer->key.k, count);
}

static struct layer *find(struct lt *lt, const struct layer_key *key)
{
    for (int i = 0; i < lt->count; i++)
        if (!memcmp(&lt->layers[i].key, key, sizeof(*key)))
            return &lt->layers[i];
    return NULL;
}

/* Timing writes some dozen times, and y may be what is added, so it writes to scratch memory. */
static struct layer *make(struct device *d, const struct layer_key *key, struct product p,
                          struct tensor y)
{
    struct lt *lt = d->backend->lt;
    struct layer *layer = &lt->layers[lt->count];

    assert(!graphs_recording(d->backend->graphs) && "a pass runs once before it is captured");
    if (lt->count == LAYERS_MAX)
        return NULL;
    p.y = backend_scratch(d, (size_t)(tensor_rows(y) * y.stride) * dtype_bytes(y.dtype));
    if (!p.y)
        return NULL;
    *layer = (struct layer){.key = *key};
    if (!recall(d, layer, &p))
        choose(d, layer, &p);
    lt->count++;
    return layer;
}

/* --- the slot ------------------------------------------------------------------------------ */

static bool is_aligned(struct tensor t)
{
    return (uintptr_t)t.data % ALIGNMENT == 0 &&
           (size_t)t.stride * dtype_bytes(t.dtype) % ALIGNMENT == 0;
}

static bool takes(const struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e)
{
    if (x.dtype != d->dtype || (y.dtype != d->dtype && y.dtype != DTYPE_F32))
        return false;
    if (!is_aligned(x) || !is_aligned(y) ||
        (size_t)w->w.dim[3] * dtype_bytes(d->dtype) % ALIGNMENT != 0)
        return false;
    if (!e)
        return true;
    return !e->shift.data && e->act == ACT_NONE &&
           (!e->add.data || (e->add.dtype == y.dtype && is_aligned(e->add)));
}

static struct layer_key key_of(const struct device *d, struct tensor y, struct tensor x,
                               const struct weight *w, const struct epilogue *e)
{
    struct layer_key key;

    memset(&key, 0, sizeof(key));
    key.n = y.dim[3];
    key.k = x.dim[3];
    key.x_stride = x.stride;
    key.y_stride = y.stride;
    key.add_stride = e && e->add.data ? e->add.stride : 0;
    key.type = (int32_t)d->dtype;
    key.y_type = (int32_t)y.dtype;
    key.bias = w->packed->b ? 1 : 0;
    return key;
}

/* Run a product by the best algorithm. False if there is none for its kind. */
static bool multiply(struct device *d, const struct layer_key *key, struct product p,
                     struct tensor y)
{
    struct layer *layer;

    if (!lt_check(d, describe(&p, key, tensor_rows(y)), "linear"))
        return true;
    layer = find(d->backend->lt, key);
    if (!layer)
        layer = make(d, key, p, y);
    if (!layer || !layer->found)
        return d->broken;
    lt_check(d, run(d, &p, &layer->algo), "linear");
    return true;
}

/* In eight bits, if the layer has them and they are settled. A bias has the type of y. */
static bool multiply_narrow(struct device *d, struct layer_key key, struct product p,
                            struct tensor y, struct tensor x, struct narrow *n)
{
    if (!n || y.dtype != d->dtype || !narrow_takes(d, n, x))
        return false;
    key.narrow = 1;
    key.x_stride = x.dim[3];
    p.w = n->w;
    p.scales = n->scales;
    p.x = narrow_rows(d, n, x);
    return !p.x || multiply(d, &key, p, y);
}

void lt_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
               const struct epilogue *e)
{
    struct layer_key key;
    struct product p = {0};

    shape_linear(y, x, w, e);
    if (d->broken)
        return;
    if (d->backend->calibrating && w->packed->narrow)
        narrow_watch(d, w->packed->narrow, x);
    if (!takes(d, y, x, w, e)) {
        linear_tiled(d, y, x, w, e);
        return;
    }
    key = key_of(d, y, x, w, e);
    p.w = w->packed->w;
    p.x = x.data;
    p.y = y.data;
    p.add = key.add_stride ? e->add.data : NULL;
    p.bias = y.dtype == DTYPE_F32 ? w->packed->b : w->packed->b_typed;
    if (!multiply_narrow(d, key, p, y, x, w->packed->narrow) && !multiply(d, &key, p, y))
        linear_tiled(d, y, x, w, e);
}
