/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "kernels/onednn/backend.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static dnnl_data_type_t type_of(enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
}

void device_break(struct device *d, const char *what, dnnl_status_t code)
{
    if (!d->broken)
        log_error("device_broken", "%s: %d", what, code);
    d->broken = true;
}

static dnnl_status_t append_act(dnnl_post_ops_t ops, enum act act)
{
    switch (act) {
    case ACT_NONE:
        return dnnl_success;
    case ACT_RELU:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    case ACT_RELU6:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_clip, 0, 6);
    case ACT_SILU:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_swish, 1, 0);
    case ACT_GELU:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_gelu_erf, 0, 0);
    case ACT_GELU_TANH:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_gelu_tanh, 0, 0);
    case ACT_GELU_QUICK:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_swish, 1.702f, 0);
    case ACT_TANH:
        return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_tanh, 0, 0);
    }
    return dnnl_invalid_arguments;
}

/* Scratch from us, sum, activation. */
static dnnl_status_t make_attr(dnnl_primitive_attr_t *attr, const struct plan_key *key)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t st = dnnl_primitive_attr_create(attr);

    if (st)
        return st;
    st = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (!st)
        st = dnnl_post_ops_create(&ops);
    if (!st && key->sum)
        st = dnnl_post_ops_append_sum(ops, 1);
    if (!st)
        st = append_act(ops, key->act);
    if (!st)
        st = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    return st;
}

/* The descriptors of oneDNN 2 are filled by functions that can only fail on nonsense. */
static void describe(dnnl_memory_desc_t *md, int dims, const dnnl_dims_t dim, dnnl_data_type_t type,
                     dnnl_format_tag_t tag)
{
    dnnl_status_t st = dnnl_memory_desc_init_by_tag(md, dims, dim, type, tag);

    assert(st == dnnl_success);
}

static dnnl_status_t make_matrix(struct backend *b, const struct plan_key *key,
                                 dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_dims_t x_dim = {key->m, key->k}, w_dim = {key->k, key->n};
    dnnl_dims_t b_dim = {1, key->n}, y_dim = {key->m, key->n};
    dnnl_memory_desc_t x, w, bias, y;
    dnnl_matmul_desc_t desc;
    dnnl_status_t st;

    describe(&x, 2, x_dim, type_of(key->dtype), dnnl_ab);
    describe(&w, 2, w_dim, type_of(key->dtype), dnnl_format_tag_any);
    describe(&bias, 2, b_dim, dnnl_f32, dnnl_ab);
    describe(&y, 2, y_dim, dnnl_f32, dnnl_ab);
    st = dnnl_matmul_desc_init(&desc, &x, &w, &bias, &y);
    return st ? st : dnnl_primitive_desc_create(out, &desc, attr, b->engine, NULL);
}

/* Outputs along one side of a picture. */
static int64_t outputs(int64_t size, int64_t kernel, int64_t stride, int64_t before, int64_t after)
{
    return (size + before + after - kernel) / stride + 1;
}

static dnnl_status_t make_conv(struct backend *b, const struct plan_key *key,
                               dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    bool grouped = key->role == ROLE_DEPTHWISE;
    dnnl_dims_t x_dim = {1, key->k, key->height, key->width};
    dnnl_dims_t y_dim = {
        1, key->n, outputs(key->height, key->kernel_height, key->stride, key->pad[0], key->pad[2]),
        outputs(key->width, key->kernel_width, key->stride, key->pad[1], key->pad[3])};
    dnnl_dims_t w_dim = {key->n, key->k, key->kernel_height, key->kernel_width};
    dnnl_dims_t w_grouped = {key->n, 1, 1, key->kernel_height, key->kernel_width};
    dnnl_dims_t b_dim = {key->n}, stride = {key->stride, key->stride}, dilation = {0, 0};
    dnnl_dims_t before = {key->pad[0], key->pad[1]}, after = {key->pad[2], key->pad[3]};
    dnnl_memory_desc_t x, w, bias, y;
    dnnl_convolution_desc_t desc;
    dnnl_status_t st;

    describe(&x, 4, x_dim, type_of(key->dtype), dnnl_nhwc);
    describe(&w, grouped ? 5 : 4, grouped ? w_grouped : w_dim, type_of(key->dtype),
             dnnl_format_tag_any);
    describe(&bias, 1, b_dim, dnnl_f32, dnnl_x);
    describe(&y, 4, y_dim, dnnl_f32, dnnl_nhwc);
    st = dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference,
                                                    dnnl_convolution_direct, &x, &w, &bias, &y,
                                                    stride, dilation, before, after);
    return st ? st : dnnl_primitive_desc_create(out, &desc, attr, b->engine, NULL);
}

/* A memory object whose bytes are named later. */
static dnnl_status_t make_memory(struct backend *b, dnnl_primitive_desc_t desc, dnnl_query_t what,
                                 int index, dnnl_memory_t *out)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(desc, what, index);

    return dnnl_memory_create(out, md, b->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t make_operands(struct backend *b, dnnl_primitive_desc_t desc,
                                   const struct plan *plan, struct operands *o)
{
    dnnl_status_t st = make_memory(b, desc, dnnl_query_src_md, 0, &o->x);

    if (!st)
        st = make_memory(b, desc, dnnl_query_dst_md, 0, &o->y);
    if (!st)
        st = make_memory(b, desc, dnnl_query_weights_md, 1, &o->b);
    if (!st && plan->scratchpad_bytes)
        st = make_memory(b, desc, dnnl_query_scratchpad_md, 0, &o->scratchpad);
    return st;
}

static dnnl_status_t make_rest(struct backend *b, dnnl_primitive_desc_t desc, struct plan *plan)
{
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    dnnl_status_t st = dnnl_success;

    plan->weights = *dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    plan->scratchpad_bytes = pad ? dnnl_memory_desc_get_size(pad) : 0;
    plan->operands_count = plan->key.solo ? b->threads : 1;
    plan->operands = calloc((size_t)plan->operands_count, sizeof(*plan->operands));
    if (!plan->operands)
        return dnnl_out_of_memory;
    for (int i = 0; !st && i < plan->operands_count; i++)
        st = make_operands(b, desc, plan, &plan->operands[i]);
    return st ? st : dnnl_primitive_create(&plan->primitive, desc);
}

/* oneDNN cuts a primitive for as many threads as there are when it is made. */
dnnl_status_t plan_make(struct backend *b, const struct plan_key *key, struct plan *plan)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t st = make_attr(&attr, key);

    *plan = (struct plan){.key = *key};
    omp_set_num_threads(key->solo ? 1 : b->threads);
    if (!st && key->role == ROLE_MATRIX)
        st = make_matrix(b, key, attr, &desc);
    else if (!st)
        st = make_conv(b, key, attr, &desc);
    if (!st)
        st = make_rest(b, desc, plan);
    omp_set_num_threads(b->threads);
    dnnl_primitive_desc_destroy(desc);
    dnnl_primitive_attr_destroy(attr);
    if (st)
        plan_free(plan);
    return st;
}

void plan_free(struct plan *plan)
{
    for (int i = 0; plan->operands && i < plan->operands_count; i++) {
        struct operands *o = &plan->operands[i];
        dnnl_memory_destroy(o->x);
        dnnl_memory_destroy(o->b);
        dnnl_memory_destroy(o->y);
        dnnl_memory_destroy(o->scratchpad);
    }
    free(plan->operands);
    dnnl_primitive_destroy(plan->primitive);
    *plan = (struct plan){0};
}

/* A free place, or that of the plan that was not used for the longest time. */
static struct plan *place_for_plan(struct backend *b)
{
    struct plan *oldest = &b->plans[0];

    if (b->plan_count < PLANS_MAX)
        return &b->plans[b->plan_count++];
    for (int i = 1; i < b->plan_count; i++)
        if (b->plans[i].used < oldest->used)
            oldest = &b->plans[i];
    plan_free(oldest);
    return oldest;
}

struct plan *plan_find(struct device *d, const struct plan_key *key)
{
    struct backend *b = d->backend;
    struct plan made, *place;
    dnnl_status_t st;

    b->turn++;
    for (int i = 0; i < b->plan_count; i++)
        if (memcmp(&b->plans[i].key, key, sizeof(*key)) == 0) {
            b->plans[i].used = b->turn;
            return &b->plans[i];
        }
    st = plan_make(b, key, &made);
    if (st) {
        device_break(d, "oneDNN makes no primitive", st);
        return NULL;
    }
    place = place_for_plan(b);
    *place = made;
    place->used = b->turn;
    return place;
}

static dnnl_status_t point(dnnl_memory_t memory, const void *data)
{
    return dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data);
}

void plan_run(struct device *d, const struct plan *plan, dnnl_memory_t weight,
              struct plan_pointers p)
{
    const int thread = plan->key.solo ? omp_get_thread_num() : 0;
    const struct operands *o = &plan->operands[thread];
    dnnl_exec_arg_t args[5] = {{DNNL_ARG_SRC, o->x}, {DNNL_ARG_DST, o->y}};
    dnnl_status_t st = point(o->x, p.x);
    int count = 2;

    if (!st)
        st = point(o->y, p.y);
    args[count++] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, weight};
    if (!st && o->b) {
        st = point(o->b, p.b);
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, o->b};
    }
    if (!st && o->scratchpad) {
        st = point(o->scratchpad, p.scratchpad);
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, o->scratchpad};
    }
    if (!st)
        st = dnnl_primitive_execute(plan->primitive, d->backend->streams[thread], count, args);
    if (st)
        device_break(d, "oneDNN does not run", st);
}
