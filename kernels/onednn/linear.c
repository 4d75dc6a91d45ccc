/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/backend.h"
#include "kernels/onednn/copy.h"
#include "kernels/shape.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

/* The scratch of one product: what the primitive cannot take from x and y as they lie. */
struct room {
    size_t bias, x, y, scratchpad, end; /* offsets; x and y only if they are copied */
};

static bool is_plain(struct tensor t)
{
    return tensor_is_dense(t) || tensor_rows(t) == 1;
}

static struct room room_for(const struct plan *plan, bool copy_x, bool copy_y)
{
    const struct plan_key *k = &plan->key;
    size_t x_bytes = (size_t)(k->m * k->k) * dtype_bytes(k->dtype);
    struct room r = {0};

    r.x = scratch_round((size_t)k->n * sizeof(float));
    r.y = r.x + (copy_x ? scratch_round(x_bytes) : 0);
    r.scratchpad = r.y + (copy_y ? scratch_round((size_t)(k->m * k->n) * sizeof(float)) : 0);
    r.end = r.scratchpad + plan->scratchpad_bytes;
    return r;
}

/* One image: rows of x times the weight. Strided rows and bf16 inputs go through the scratch. */
static void image_product(struct device *d, struct plan *plan, dnnl_memory_t w,
                          const struct room *r, struct tensor y, struct tensor x, struct tensor add)
{
    char *scratch = d->backend->scratch;
    struct plan_pointers p = {.x = x.data,
                              .y = y.data,
                              .b = (const float *)(scratch + r->bias),
                              .scratchpad = scratch + r->scratchpad};

    if (r->y > r->x) {
        copy_rows_to(scratch + r->x, plan->key.dtype, x);
        p.x = scratch + r->x;
    }
    if (r->scratchpad > r->y)
        p.y = (float *)(scratch + r->y);
    if (add.data && (add.data != y.data || p.y != y.data))
        copy_rows_to(p.y, DTYPE_F32, add);
    plan_run(d, plan, w, p);
    if (p.y != y.data)
        copy_rows_from(y, p.y);
}

/* The weight is n x k; linear layers and 1x1 convolutions alike. */
static void product(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e, int64_t n, int64_t k)
{
    const struct epilogue none = {0};
    struct plan_key key;
    struct plan *plan;
    dnnl_memory_t memory;
    struct room r;

    omp_set_num_threads(d->threads);
    e = e ? e : &none;
    memset(&key, 0, sizeof(key));
    key.role = ROLE_MATRIX;
    key.dtype = backend_dtype(d->backend, ROLE_MATRIX, n, k);
    key.act = e->act;
    key.sum = e->add.data != NULL;
    key.m = y.dim[1] * y.dim[2];
    key.n = n;
    key.k = k;
    plan = plan_find(d, &key);
    memory = plan ? weight_for_plan(d, w, plan) : NULL;
    if (!memory)
        return;
    r = room_for(plan, key.dtype != DTYPE_F32 || !is_plain(x), !is_plain(y));
    if (!scratch_need(d, r.end))
        return;
    for (int64_t b = 0; b < y.dim[0]; b++) {
        struct tensor add = e->add.data ? tensor_slice(e->add, b, 1) : e->add;

        epilogue_bias((float *)(d->backend->scratch + r.bias), w, e, b, n);
        image_product(d, plan, memory, &r, tensor_slice(y, b, 1), tensor_slice(x, b, 1), add);
    }
}

void onednn_linear(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e)
{
    shape_linear(y, x, w, e);
    assert(y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32);
    product(d, y, x, w, e, w->w.dim[2], w->w.dim[3]);
}

void onednn_conv_matrix(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                        const struct epilogue *e)
{
    product(d, y, x, w, e, w->w.dim[0], w->w.dim[1]);
}

void onednn_matmul(struct device *d, struct tensor y, struct tensor x, struct tensor w, float scale,
                   bool transposed)
{
    struct plan_key key;
    struct plan *plan;

    shape_matmul(y, x, w, transposed);
    assert(y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32 && w.dtype == DTYPE_F32);
    omp_set_num_threads(d->threads);
    memset(&key, 0, sizeof(key));
    key.role = ROLE_PRODUCT;
    key.scale = scale;
    key.batch = y.dim[1];
    key.m = y.dim[2];
    key.n = y.dim[3];
    key.k = x.dim[3];
    key.x_stride = x.stride;
    key.w_stride = w.stride;
    key.y_stride = y.stride;
    key.transposed = transposed;
    plan = plan_find(d, &key);
    if (!plan || !scratch_need(d, plan->scratchpad_bytes))
        return;
    for (int64_t a = 0; a < y.dim[0]; a++)
        plan_run(d, plan, NULL,
                 (struct plan_pointers){.x = tensor_slice(x, a, 1).data,
                                        .w = tensor_slice(w, a, 1).data,
                                        .y = tensor_slice(y, a, 1).data,
                                        .scratchpad = d->backend->scratch});
}
