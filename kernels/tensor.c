/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tensor.h"

#include <assert.h>

size_t dtype_bytes(enum dtype dtype)
{
    if (dtype == DTYPE_U8)
        return 1;
    return dtype == DTYPE_F16 || dtype == DTYPE_BF16 ? 2 : 4;
}

const char *dtype_name(enum dtype dtype)
{
    static const char *const names[] = {"f32", "f16", "bf16", "i32", "u8"};

    return names[dtype];
}

bool dtype_is_float(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

struct tensor tensor_view(void *data, enum dtype dtype, int64_t d0, int64_t d1, int64_t d2,
                          int64_t d3)
{
    assert(d0 >= 1 && d1 >= 1 && d2 >= 1 && d3 >= 1);
    return (struct tensor){.data = data, .dim = {d0, d1, d2, d3}, .stride = d3, .dtype = dtype};
}

struct tensor tensor_carve(struct arena *a, enum dtype dtype, int64_t d0, int64_t d1, int64_t d2,
                           int64_t d3)
{
    struct tensor t = tensor_view(NULL, dtype, d0, d1, d2, d3);

    t.data = arena_carve(a, tensor_bytes(t));
    return t;
}

struct tensor tensor_carve_like(struct arena *a, struct tensor like)
{
    return tensor_carve(a, like.dtype, like.dim[0], like.dim[1], like.dim[2], like.dim[3]);
}

int64_t tensor_rows(struct tensor t)
{
    return t.dim[0] * t.dim[1] * t.dim[2];
}

int64_t tensor_count(struct tensor t)
{
    return tensor_rows(t) * t.dim[3];
}

size_t tensor_bytes(struct tensor t)
{
    return (size_t)tensor_count(t) * dtype_bytes(t.dtype);
}

bool tensor_is_dense(struct tensor t)
{
    return t.stride == t.dim[3];
}

bool tensor_same_shape(struct tensor a, struct tensor b)
{
    return a.dim[0] == b.dim[0] && a.dim[1] == b.dim[1] && a.dim[2] == b.dim[2] &&
           a.dim[3] == b.dim[3];
}

struct tensor tensor_reshape(struct tensor t, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    assert(tensor_is_dense(t));
    assert(d0 * d1 * d2 * d3 == tensor_count(t));
    return tensor_view(t.data, t.dtype, d0, d1, d2, d3);
}

struct tensor tensor_tokens(struct tensor t)
{
    t.dim[2] *= t.dim[1];
    t.dim[1] = 1;
    return t;
}

struct tensor tensor_columns(struct tensor t, int64_t from, int64_t count)
{
    assert(from >= 0 && count >= 1 && from + count <= t.dim[3]);
    if (t.data)
        t.data = (char *)t.data + (size_t)from * dtype_bytes(t.dtype);
    t.dim[3] = count;
    return t;
}

struct tensor tensor_slice(struct tensor t, int64_t from, int64_t count)
{
    assert(from >= 0 && count >= 1 && from + count <= t.dim[0]);
    if (t.data)
        t.data = tensor_row(t, from * t.dim[1] * t.dim[2]);
    t.dim[0] = count;
    return t;
}

void *tensor_row(struct tensor t, int64_t row)
{
    assert(t.data && row >= 0 && row < tensor_rows(t));
    return (char *)t.data + (size_t)(row * t.stride) * dtype_bytes(t.dtype);
}
