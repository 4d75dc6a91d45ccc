/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/shape.h"

#include <assert.h>

static bool is_float(struct tensor t)
{
    return dtype_is_float(t.dtype);
}

/* One row of `count` numbers, for every image alike. */
static bool is_vector(struct tensor t, int64_t count)
{
    return t.dim[0] == 1 && t.dim[1] == 1 && t.dim[2] == 1 && t.dim[3] == count;
}

static void shape_epilogue(struct tensor y, const struct weight *w, const struct epilogue *e)
{
    assert(!w->b.data || is_vector(w->b, y.dim[3]));
    if (!e)
        return;
    if (e->shift.data) {
        assert(e->shift.dim[0] == y.dim[0] && e->shift.dim[3] == y.dim[3]);
        assert(e->shift.dim[1] == 1 && e->shift.dim[2] == 1);
    }
    assert(!e->add.data || tensor_same_shape(e->add, y));
}

void shape_pixels(struct tensor x)
{
    assert(x.dtype == DTYPE_F32 && tensor_is_dense(x) && x.dim[0] == 1 && x.dim[3] == 3);
}

void shape_noise(struct tensor y)
{
    assert(y.dtype == DTYPE_F32 && tensor_is_dense(y) && y.dim[0] == 1);
}

void shape_linear(struct tensor y, struct tensor x, const struct weight *w,
                  const struct epilogue *e)
{
    assert(is_float(y) && is_float(x) && is_float(w->w));
    assert(w->w.dim[0] == 1 && w->w.dim[1] == 1 && tensor_is_dense(w->w));
    assert(y.dim[3] == w->w.dim[2] && x.dim[3] == w->w.dim[3]);
    assert(y.dim[0] == x.dim[0] && tensor_rows(y) == tensor_rows(x));
    shape_epilogue(y, w, e);
}

void shape_linear_geglu(struct tensor y, struct tensor x, const struct weight *w)
{
    assert(is_float(y) && is_float(x) && is_float(w->w) && tensor_is_dense(y));
    assert(w->w.dim[0] == 1 && w->w.dim[1] == 1 && tensor_is_dense(w->w));
    assert(2 * y.dim[3] == w->w.dim[2] && x.dim[3] == w->w.dim[3]);
    assert(y.dim[0] == x.dim[0] && tensor_rows(y) == tensor_rows(x));
    assert(!w->b.data || is_vector(w->b, w->w.dim[2]));
}

/* The one output size that a window of `kernel` cells allows. */
static void shape_window(struct tensor y, struct tensor x, const int64_t kernel[2], int stride,
                         const int pad[4])
{
    assert(stride >= 1 && pad[0] >= 0 && pad[1] >= 0 && pad[2] >= 0 && pad[3] >= 0);
    assert(y.dim[0] == x.dim[0]);
    assert(y.dim[1] == (x.dim[1] + pad[0] + pad[2] - kernel[0]) / stride + 1);
    assert(y.dim[2] == (x.dim[2] + pad[1] + pad[3] - kernel[1]) / stride + 1);
    assert(x.dim[1] + pad[0] + pad[2] >= kernel[0] && x.dim[2] + pad[1] + pad[3] >= kernel[1]);
}

void shape_conv(struct tensor y, struct tensor x, const struct weight *w, const struct epilogue *e)
{
    assert(is_float(y) && is_float(x) && is_float(w->w) && tensor_is_dense(w->w));
    assert(tensor_is_dense(y) && tensor_is_dense(x));
    assert(y.dim[3] == w->w.dim[0] && x.dim[3] == w->w.dim[1]);
    shape_window(y, x, w->w.dim + 2, w->stride, w->pad);
    shape_epilogue(y, w, e);
}

struct tensor shape_doubled(struct tensor y, struct tensor x, const struct weight *w)
{
    for (int i = 1; i <= 2; i++)
        x.dim[i] = y.dim[i] + w->w.dim[i + 1] - 1 - w->pad[i - 1] - w->pad[i + 1];
    return x;
}

void shape_conv_up(struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e)
{
    struct tensor big = shape_doubled(y, x, w);

    assert(tensor_is_dense(x) && w->stride == 1 && w->up);
    for (int i = 1; i <= 2; i++)
        assert(big.dim[i] == 2 * x.dim[i] || big.dim[i] == 2 * x.dim[i] - 1);
    shape_conv(y, big, w, e);
}

void shape_conv_depthwise(struct tensor y, struct tensor x, const struct weight *w,
                          const struct epilogue *e)
{
    assert(is_float(y) && is_float(x) && is_float(w->w) && tensor_is_dense(w->w));
    assert(tensor_is_dense(y) && tensor_is_dense(x));
    assert(w->w.dim[1] == 1 && x.dim[3] == w->w.dim[0] && y.dim[3] == w->w.dim[0]);
    shape_window(y, x, w->w.dim + 2, w->stride, w->pad);
    shape_epilogue(y, w, e);
}

static void shape_norm(struct tensor y, struct tensor x, struct tensor gamma, struct tensor beta)
{
    assert(is_float(x) && is_float(y) && tensor_same_shape(y, x));
    assert(tensor_is_dense(y) && tensor_is_dense(x));
    assert(gamma.dtype == DTYPE_F32 && is_vector(gamma, x.dim[3]));
    assert(beta.dtype == DTYPE_F32 && is_vector(beta, x.dim[3]));
}

void shape_norm_group(struct tensor y, struct tensor x, struct tensor gamma, struct tensor beta,
                      int groups)
{
    shape_norm(y, x, gamma, beta);
    assert(groups >= 1 && x.dim[3] % groups == 0);
}

void shape_norm_layer(struct tensor y, struct tensor x, struct tensor gamma, struct tensor beta)
{
    shape_norm(y, x, gamma, beta);
}

void shape_attention(struct tensor y, struct tensor q, struct tensor k, struct tensor v, int heads)
{
    assert(is_float(y) && is_float(q) && is_float(k) && is_float(v));
    assert(tensor_same_shape(y, q) && tensor_same_shape(k, v));
    assert(q.dim[0] == k.dim[0] && q.dim[1] == 1 && k.dim[1] == 1 && q.dim[3] == k.dim[3]);
    assert(heads >= 1 && q.dim[3] % heads == 0);
}

void shape_pointwise(struct tensor y, struct tensor x)
{
    assert(is_float(y) && is_float(x) && tensor_same_shape(y, x));
    assert(tensor_is_dense(y) && tensor_is_dense(x));
}

static void shape_latent(struct tensor t, struct tensor x)
{
    assert(t.dtype == DTYPE_F32 && tensor_same_shape(t, x) && tensor_is_dense(t));
}

void shape_gather(struct tensor y, const struct scaled *images)
{
    struct tensor one = tensor_slice(y, 0, 1);

    assert(is_float(y) && tensor_is_dense(y));
    for (int64_t b = 0; b < y.dim[0]; b++) {
        assert(is_float(images[b].x) && tensor_is_dense(images[b].x));
        assert(tensor_same_shape(images[b].x, one) && images[b].x.dtype == images[0].x.dtype);
    }
}

void shape_advance(const struct advance *a)
{
    assert(a->x.dim[0] == 1);
    shape_latent(a->x, a->x);
    shape_latent(a->previous, a->x);
    shape_latent(a->output, a->x);
    shape_latent(a->rows[1], a->x);
    if (a->rows[0].data)
        shape_latent(a->rows[0], a->x);
    if (a->next[3] != 0)
        shape_latent(a->noise, a->x);
}

void shape_geglu(struct tensor y, struct tensor x)
{
    assert(is_float(y) && is_float(x) && tensor_is_dense(y) && tensor_is_dense(x));
    assert(tensor_rows(y) == tensor_rows(x) && 2 * y.dim[3] == x.dim[3]);
}

void shape_convert(struct tensor y, struct tensor x)
{
    assert(tensor_same_shape(y, x));
    assert(is_float(y) == is_float(x) && "whole numbers are not turned into fractions");
}

void shape_concat(struct tensor y, struct tensor x1, struct tensor x2)
{
    assert(is_float(y) && is_float(x1) && is_float(x2));
    assert(tensor_is_dense(y) && tensor_is_dense(x1) && tensor_is_dense(x2));
    for (int i = 0; i < 3; i++)
        assert(y.dim[i] == x1.dim[i] && y.dim[i] == x2.dim[i]);
    assert(y.dim[3] == x1.dim[3] + x2.dim[3]);
}

void shape_blend(struct tensor y, struct tensor x, struct tensor z)
{
    assert(y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32 && z.dtype == DTYPE_F32);
    assert(tensor_same_shape(y, x) && tensor_same_shape(y, z));
    assert(y.dim[2] == 1 && y.dim[3] % 3 == 0);
}

void shape_pool(struct tensor y, struct tensor x, int kernel, int stride, const int pad[4])
{
    assert(is_float(y) && is_float(x) && tensor_is_dense(y) && tensor_is_dense(x));
    assert(kernel >= 0 && y.dim[0] == x.dim[0] && y.dim[3] == x.dim[3]);
    if (kernel > 0)
        shape_window(y, x, (const int64_t[2]){kernel, kernel}, stride, pad);
    else
        assert(y.dim[1] == 1 && y.dim[2] == 1);
}

void shape_embed_tokens(struct tensor y, struct tensor ids, struct tensor table,
                        struct tensor position)
{
    assert(is_float(y) && is_float(table) && is_float(position) && ids.dtype == DTYPE_I32);
    assert(tensor_is_dense(y) && tensor_is_dense(ids));
    assert(tensor_is_dense(table) && tensor_is_dense(position));
    assert(y.dim[0] == ids.dim[0] && y.dim[1] == 1 && y.dim[2] == ids.dim[3]);
    assert(y.dim[3] == table.dim[3] && y.dim[3] == position.dim[3]);
    assert(position.dim[2] >= y.dim[2]);
}

void shape_embed_time(struct tensor y, struct tensor t)
{
    assert(t.dtype == DTYPE_F32 && tensor_is_dense(t) && tensor_count(t) == y.dim[0]);
    assert(is_float(y) && tensor_is_dense(y));
    assert(y.dim[1] == 1 && y.dim[2] == 1 && y.dim[3] % 2 == 0);
}
