/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/cudnn/graph.h"

#include "kernels/cuda/cudnn/plan_key.h"

#include <assert.h>
#include <string.h>

#define ALIGN_BYTES 16 /* of every pointer that is brought: one vector load */

typedef cudnnBackendDescriptor_t desc;

/* The builder: each call does nothing once something failed. */

static desc make(struct graph *g, cudnnBackendDescriptorType_t type)
{
    desc made = NULL;

    if (g->trouble)
        return NULL;
    assert(g->parts < GRAPH_PARTS_MAX);
    g->trouble = g->library->descriptor_create(type, &made);
    if (!g->trouble)
        g->part[g->parts++] = made;
    return made;
}

static void set(struct graph *g, desc d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (!g->trouble)
        g->trouble = g->library->set(d, name, type, count, values);
}

static void set_desc(struct graph *g, desc d, cudnnBackendAttributeName_t name, desc value)
{
    set(g, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void set_ints(struct graph *g, desc d, cudnnBackendAttributeName_t name, int64_t count,
                     const int64_t *values)
{
    set(g, d, name, CUDNN_TYPE_INT64, count, values);
}

static void set_float(struct graph *g, desc d, cudnnBackendAttributeName_t name, float value)
{
    set(g, d, name, CUDNN_TYPE_FLOAT, 1, &value);
}

static void finish(struct graph *g, desc d)
{
    if (!g->trouble)
        g->trouble = g->library->finalize(d);
}

static void finish_op(struct graph *g, desc d)
{
    finish(g, d);
    assert(g->op_count < GRAPH_OPS_MAX);
    g->ops[g->op_count++] = d;
}

/* Tensors */

static cudnnDataType_t data_type(int32_t dtype)
{
    switch ((enum dtype)dtype) {
    case DTYPE_F16:
        return CUDNN_DATA_HALF;
    case DTYPE_BF16:
        return CUDNN_DATA_BFLOAT16;
    case DTYPE_F32:
        return CUDNN_DATA_FLOAT;
    case DTYPE_I32:
    case DTYPE_U8:
        break;
    }
    assert(0 && "no type of a plan");
    return CUDNN_DATA_FLOAT;
}

static desc tensor(struct graph *g, int64_t uid, cudnnDataType_t type, const int64_t dim[4],
                   const int64_t stride[4])
{
    desc t = make(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    int64_t align = uid == GRAPH_SCALE ? 4 : ALIGN_BYTES;
    bool is_virtual = uid >= GRAPH_VIRTUAL, by_value = uid == GRAPH_SCALE;

    set(g, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set_ints(g, t, CUDNN_ATTR_TENSOR_DIMENSIONS, 4, dim);
    set_ints(g, t, CUDNN_ATTR_TENSOR_STRIDES, 4, stride);
    set_ints(g, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, 1, &uid);
    set_ints(g, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1, &align);
    set(g, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    set(g, t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finish(g, t);
    return t;
}

/* [n, c, h, w] whose pixels are `stride` apart and whose channels are neighbours. */
static desc picture(struct graph *g, int64_t uid, cudnnDataType_t type, const int64_t dim[4],
                    int64_t stride)
{
    const int64_t strides[4] = {dim[2] * dim[3] * stride, 1, dim[3] * stride, stride};

    return tensor(g, uid, type, dim, strides);
}

/* [b, h, s, d] inside rows of `stride` that hold all heads. */
static desc heads(struct graph *g, int64_t uid, cudnnDataType_t type, const int64_t dim[4],
                  int64_t stride)
{
    const int64_t strides[4] = {dim[2] * stride, dim[3], stride, 1};

    return tensor(g, uid, type, dim, strides);
}

/* Convolution */

static desc between(struct graph *g, const int64_t dim[4])
{
    return picture(g, GRAPH_VIRTUAL + g->virtuals++, CUDNN_DATA_FLOAT, dim, dim[1]);
}

static desc convolution(struct graph *g, const struct conv_key *k)
{
    desc d = make(g, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t axes = 2, before[2] = {k->pad[0], k->pad[1]}, after[2] = {k->pad[2], k->pad[3]};
    const int64_t stride[2] = {k->stride, k->stride}, dilation[2] = {1, 1};

    set(g, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    set(g, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 1, &axes);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 2, before);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 2, after);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 2, stride);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, 2, dilation);
    finish(g, d);
    return d;
}

static void convolve(struct graph *g, const struct conv_key *k, desc y, desc x, desc w)
{
    desc how = convolution(g, k);
    desc op = make(g, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);

    set_desc(g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, how);
    set_desc(g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    set_desc(g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
    set_desc(g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    set_float(g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1);
    set_float(g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0);
    finish_op(g, op);
}

static desc pointwise(struct graph *g, cudnnPointwiseMode_t mode)
{
    desc d = make(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    cudnnDataType_t f32 = CUDNN_DATA_FLOAT;

    set(g, d, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(g, d, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &f32);
    return d;
}

static void apply(struct graph *g, desc how, desc y, desc x, desc b)
{
    desc op = make(g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);

    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b)
        set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    finish_op(g, op);
}

static void add(struct graph *g, desc y, desc x, desc b)
{
    desc how = pointwise(g, CUDNN_POINTWISE_ADD);

    finish(g, how);
    apply(g, how, y, x, b);
}

static void activate(struct graph *g, desc y, desc x, enum act act)
{
    static const cudnnPointwiseMode_t modes[] = {
        [ACT_RELU] = CUDNN_POINTWISE_RELU_FWD,
        [ACT_RELU6] = CUDNN_POINTWISE_RELU_FWD,
        [ACT_SILU] = CUDNN_POINTWISE_SWISH_FWD,
        [ACT_GELU] = CUDNN_POINTWISE_GELU_FWD,
        [ACT_GELU_QUICK] = CUDNN_POINTWISE_SWISH_FWD,
        [ACT_TANH] = CUDNN_POINTWISE_TANH_FWD,
        [ACT_GELU_TANH] = CUDNN_POINTWISE_GELU_APPROX_TANH_FWD,
    };
    desc how = pointwise(g, modes[act]);
    const double six = 6, quick = 1.702;

    if (act == ACT_RELU6)
        set(g, how, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, 1, &six);
    if (act == ACT_GELU_QUICK)
        set(g, how, CUDNN_ATTR_POINTWISE_SWISH_BETA, CUDNN_TYPE_DOUBLE, 1, &quick);
    finish(g, how);
    apply(g, how, y, x, NULL);
}

/* The epilogue as a chain: each link but the last one writes what is virtual. What is added comes
   before the bias, because so the engines that are compiled already know it; the other way round
   cuDNN 9.19 has to compile one. The sum is f32 all along, so only its last bits can tell. */
static void add_conv(struct graph *g, const struct conv_key *k)
{
    cudnnDataType_t type = data_type(k->dtype);
    const int64_t x_dim[4] = {k->images, k->inputs, k->height, k->width};
    const int64_t w_dim[4] = {k->outputs, k->inputs, k->kernel[0], k->kernel[1]};
    const int64_t y_dim[4] = {k->images, k->outputs, plan_key_out(k, 0), plan_key_out(k, 1)};
    const int64_t bias_dim[4] = {1, k->outputs, 1, 1}, shift_dim[4] = {k->images, k->outputs, 1, 1};
    desc x = picture(g, GRAPH_X, type, x_dim, k->x_stride), term[3];
    desc w = picture(g, GRAPH_W, type, w_dim, k->inputs);
    desc y = picture(g, GRAPH_Y, type, y_dim, k->y_stride), sum;
    int terms = 0;

    if (k->add_stride)
        term[terms++] = picture(g, GRAPH_ADD, type, y_dim, k->add_stride);
    if (k->shift_stride)
        term[terms++] = picture(g, GRAPH_SHIFT, type, shift_dim, k->shift_stride);
    if (k->bias)
        term[terms++] = picture(g, GRAPH_BIAS, k->bias == PLAN_BIAS_F32 ? CUDNN_DATA_FLOAT : type,
                                bias_dim, k->outputs);

    sum = terms || k->act ? between(g, y_dim) : y;
    convolve(g, k, sum, x, w);
    for (int i = 0; i < terms; i++) {
        desc next = i + 1 < terms || k->act ? between(g, y_dim) : y;
        add(g, next, sum, term[i]);
        sum = next;
    }
    if (k->act)
        activate(g, y, sum, (enum act)k->act);
}

/* Attention */

static void add_attention(struct graph *g, const struct attention_key *k)
{
    cudnnDataType_t type = data_type(k->dtype);
    const int64_t q_dim[4] = {k->images, k->heads, k->queries, k->width};
    const int64_t k_dim[4] = {k->images, k->heads, k->keys, k->width}, one[4] = {1, 1, 1, 1};
    desc query = heads(g, GRAPH_Q, type, q_dim, k->q_stride);
    desc keys = heads(g, GRAPH_K, type, k_dim, k->k_stride);
    desc values = heads(g, GRAPH_V, type, k_dim, k->v_stride);
    desc y = heads(g, GRAPH_Y, type, q_dim, k->y_stride);
    desc scale = tensor(g, GRAPH_SCALE, CUDNN_DATA_FLOAT, one, one);
    desc op = make(g, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);

    set_desc(g, op, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, query);
    set_desc(g, op, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, keys);
    set_desc(g, op, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, values);
    set_desc(g, op, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, y);
    set_desc(g, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    finish_op(g, op);
}

enum status graph_open(struct graph *g, const struct library *l, cudnnHandle_t handle,
                       const struct plan_key *key, struct why *why)
{
    memset(g, 0, sizeof(*g));
    g->library = l;
    if (key->kind == PLAN_CONV)
        add_conv(g, &key->of.conv);
    else
        add_attention(g, &key->of.attention);
    g->top = make(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(g, g->top, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->op_count,
        g->ops);
    if (handle)
        set(g, g->top, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    finish(g, g->top);
    if (g->trouble) {
        enum status st = library_fail(l, g->trouble, "cuDNN takes no such graph", why);
        graph_close(g);
        return st;
    }
    return ST_OK;
}

void graph_close(struct graph *g)
{
    while (g->parts)
        g->library->descriptor_destroy(g->part[--g->parts]);
    g->top = NULL;
}
