/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/backend.h"
#include "kernels/onednn/copy.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

bool weight_is_matrix(const struct weight *w)
{
    return w->w.dim[2] == 1 && w->w.dim[3] == 1 && w->stride == 1 && !w->pad[0] && !w->pad[1] &&
           !w->pad[2] && !w->pad[3];
}

/* Linear layers have their outputs and inputs in the last two dimensions, convolutions in the
   first two; what is left is 1 x 1 in either. */
static bool is_linear(const struct weight *w)
{
    return w->w.dim[0] == 1 && w->w.dim[1] == 1;
}

enum dtype backend_dtype(const struct backend *b, enum role role, int64_t n, int64_t k)
{
    /* The first and last layers of a model, with a handful of channels, cost nothing in f32. */
    bool wide = n >= 16 && k >= 16;

    return wide && (role == ROLE_MATRIX || role == ROLE_DIRECT) ? b->dtype : DTYPE_F32;
}

/* Which op will ask for this weight? A wrong guess costs a second layout, nothing else. */
static enum role guess_role(const struct backend *b, const struct weight *w)
{
    if (is_linear(w) || weight_is_matrix(w))
        return ROLE_MATRIX;
    if (b->winograd && winograd_suits(w))
        return ROLE_WINOGRAD;
    return w->w.dim[1] == 1 ? ROLE_DEPTHWISE : ROLE_DIRECT;
}

/* A plan of this weight for a picture of a middling size. */
static struct plan_key guess_key(const struct backend *b, const struct weight *w, enum role role)
{
    struct plan_key key;
    int first = role == ROLE_MATRIX && is_linear(w) ? 2 : 0;

    memset(&key, 0, sizeof(key));
    key.role = role;
    key.n = w->w.dim[first];
    key.k = role == ROLE_DEPTHWISE ? key.n : w->w.dim[first + 1];
    key.dtype = backend_dtype(b, role, key.n, key.k);
    key.m = 256;
    key.height = 32 + w->w.dim[2];
    key.width = 32 + w->w.dim[3];
    key.kernel_height = w->w.dim[2];
    key.kernel_width = w->w.dim[3];
    key.stride = w->stride;
    memcpy(key.pad, w->pad, sizeof(w->pad));
    return key;
}

static void arranged_free(struct arranged *a)
{
    dnnl_memory_destroy(a->memory);
    memory_give(a->data);
    *a = (struct arranged){0};
}

/* How the file has the weight, seen with the dimensions of the layout. */
static dnnl_status_t file_layout(dnnl_memory_desc_t *md, enum role role,
                                 const dnnl_memory_desc_t *layout)
{
    dnnl_format_tag_t tag = role == ROLE_MATRIX      ? dnnl_ba
                            : role == ROLE_DEPTHWISE ? dnnl_goihw
                                                     : dnnl_oihw;

    return dnnl_memory_desc_init_by_tag(md, layout->ndims, layout->dims, dnnl_f32, tag);
}

static dnnl_status_t reorder(struct backend *b, const dnnl_memory_desc_t *from_layout,
                             const float *from_data, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *to_layout;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t from = NULL;
    dnnl_status_t st = dnnl_memory_get_memory_desc(to, &to_layout);

    if (!st)
        st = dnnl_memory_create(&from, from_layout, b->engine, (void *)(uintptr_t)from_data);
    if (!st)
        st = dnnl_reorder_primitive_desc_create(&desc, from_layout, b->engine, to_layout, b->engine,
                                                NULL);
    if (!st)
        st = dnnl_primitive_create(&primitive, desc);
    if (!st) {
        dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        st = dnnl_primitive_execute(primitive, b->streams[0], 2, args);
    }
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(desc);
    dnnl_memory_destroy(from);
    return st;
}

/* The file's numbers as f32: themselves, or widened into memory of our own (`own`). */
static const float *as_floats(struct tensor t, float **own)
{
    enum { PIECE = 1 << 16 };
    const int64_t count = tensor_count(t);

    *own = NULL;
    if (t.dtype == DTYPE_F32)
        return t.data;
    *own = memory_take((size_t)count * sizeof(float));
    if (!*own)
        return NULL;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < count; i += PIECE)
        copy_widen(*own + i, t, i, count - i < PIECE ? count - i : PIECE);
    return *own;
}

static dnnl_status_t arrange(struct backend *b, const struct weight *w, enum role role,
                             const dnnl_memory_desc_t *layout, struct arranged *a)
{
    dnnl_memory_desc_t from;
    const float *floats;
    float *own;
    dnnl_status_t st = file_layout(&from, role, layout);

    *a = (struct arranged){.role = role, .layout = *layout};
    if (st)
        return st;
    floats = as_floats(w->w, &own);
    a->data = memory_take(dnnl_memory_desc_get_size(layout));
    if (!a->data || !floats)
        st = dnnl_out_of_memory;
    if (!st)
        st = dnnl_memory_create(&a->memory, layout, b->engine, a->data);
    if (!st)
        st = reorder(b, &from, floats, a->memory);
    memory_give(own);
    if (st)
        arranged_free(a);
    return st;
}

static dnnl_status_t arrange_winograd(struct backend *b, const struct weight *w, struct arranged *a)
{
    *a = (struct arranged){.role = ROLE_WINOGRAD};
    a->data = memory_take(winograd_packed_count(b->winograd, w) * sizeof(float));
    if (!a->data)
        return dnnl_out_of_memory;
    winograd_pack(b->winograd, w, a->data);
    return dnnl_success;
}

/* The new arrangement goes last; the first, which is the oldest, leaves when there are too many. */
static struct arranged *keep(struct packed *p, struct arranged a)
{
    if (p->arranged_count == ARRANGED_MAX) {
        arranged_free(&p->arranged[0]);
        memmove(&p->arranged[0], &p->arranged[1], (ARRANGED_MAX - 1) * sizeof(a));
        p->arranged_count--;
    }
    p->arranged[p->arranged_count] = a;
    return &p->arranged[p->arranged_count++];
}

dnnl_memory_t weight_for_plan(struct device *d, const struct weight *w, const struct plan *plan)
{
    struct packed *p = w->packed;
    struct arranged made;
    dnnl_status_t st;

    assert(p && "a weight is packed before it is used");
    if (!plan)
        return NULL;
    for (int i = 0; i < p->arranged_count; i++) {
        struct arranged *a = &p->arranged[i];
        if (a->role == plan->key.role && dnnl_memory_desc_equal(&a->layout, &plan->weights))
            return a->memory;
    }
    st = arrange(d->backend, w, plan->key.role, &plan->weights, &made);
    if (st) {
        device_break(d, "a weight finds no memory in another layout", st);
        return NULL;
    }
    return keep(p, made)->memory;
}

const float *weight_for_winograd(struct device *d, const struct weight *w)
{
    struct packed *p = w->packed;
    struct arranged made;

    assert(p && "a weight is packed before it is used");
    for (int i = 0; i < p->arranged_count; i++)
        if (p->arranged[i].role == ROLE_WINOGRAD)
            return p->arranged[i].data;
    if (arrange_winograd(d->backend, w, &made)) {
        device_break(d, "a weight finds no memory for Winograd", dnnl_out_of_memory);
        return NULL;
    }
    return keep(p, made)->data;
}

static dnnl_status_t arrange_guessed(struct backend *b, const struct weight *w, struct arranged *a)
{
    enum role role = guess_role(b, w);
    struct plan_key key;
    struct plan plan;
    dnnl_status_t st;

    if (role == ROLE_WINOGRAD)
        return arrange_winograd(b, w, a);
    key = guess_key(b, w, role);
    st = plan_make(b, &key, &plan);
    if (st)
        return st;
    st = arrange(b, w, role, &plan.weights, a);
    plan_free(&plan);
    return st;
}

/* Outputs stand in dimension 0 or 2, whoever asks: zeros for as many as there can be. */
static float *pack_bias(const struct weight *w)
{
    int64_t outputs = w->w.dim[0] > w->w.dim[2] ? w->w.dim[0] : w->w.dim[2];
    float *bias = calloc((size_t)outputs, sizeof(float));

    assert(!w->b.data || tensor_count(w->b) <= outputs);
    if (bias && w->b.data)
        copy_widen(bias, w->b, 0, tensor_count(w->b));
    return bias;
}

enum status weight_pack_onednn(struct device *d, struct weight *w, struct why *why)
{
    struct packed *p = calloc(1, sizeof(*p));
    dnnl_status_t st = dnnl_out_of_memory;
    struct arranged a;

    assert(!w->packed && w->w.data && tensor_is_dense(w->w));
    omp_set_num_threads(d->threads);
    if (p)
        p->bias = pack_bias(w);
    if (p && p->bias)
        st = arrange_guessed(d->backend, w, &a);
    if (st == dnnl_success) {
        keep(p, a);
        w->packed = p;
        return ST_OK;
    }
    if (p)
        free(p->bias);
    free(p);
    if (st == dnnl_out_of_memory)
        return why_fail(why, ST_FULL, "no memory to pack a weight of %lld numbers",
                        (long long)tensor_count(w->w));
    return why_fail(why, ST_UNSUPPORTED,
                    "oneDNN cannot take a weight of %lld x %lld x %lld x %lld (status %d)",
                    (long long)w->w.dim[0], (long long)w->w.dim[1], (long long)w->w.dim[2],
                    (long long)w->w.dim[3], (int)st);
}

void weight_free_onednn(struct device *d, struct weight *w)
{
    struct packed *p = w->packed;

    (void)d;
    w->packed = NULL;
    if (!p)
        return;
    for (int i = 0; i < p->arranged_count; i++)
        arranged_free(&p->arranged[i]);
    free(p->bias);
    free(p);
}

void epilogue_bias(float *bias, const struct weight *w, const struct epilogue *e, int64_t image,
                   int64_t outputs)
{
    const float *shift = e->shift.data ? tensor_row(e->shift, image) : NULL;

    memcpy(bias, w->packed->bias, (size_t)outputs * sizeof(float));
    for (int64_t i = 0; shift && i < outputs; i++)
        bias[i] += shift[i];
}
