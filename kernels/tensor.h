/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor.h - a view of numbers: where they are, how many, of which type.
 *
 * A tensor owns nothing and is passed by value. It has four dimensions, outermost first, and the
 * last one is contiguous. Pictures are channels-last, [B, H, W, C]; tokens are [B, 1, T, C]; so the
 * pixels of a picture are tokens without moving a byte (`tensor_tokens`).
 *
 * `stride` is the distance, in elements, from one row (last dimension) to the next. A dense tensor
 * has stride == dim[3]; a slice of columns (`tensor_columns`) keeps the stride of what it was cut
 * from. Rows are evenly spaced over all outer dimensions.
 */
#ifndef KERNELS_TENSOR_H
#define KERNELS_TENSOR_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_I32,
    DTYPE_U8, /* quantised weights in a file: widened when they are loaded, no op takes them */
};

struct tensor {
    void *data;     /* NULL: absent, or an arena is measuring */
    int64_t dim[4]; /* outermost first; every one is at least 1 in a tensor that is present */
    int64_t stride; /* elements from one row to the next */
    enum dtype dtype;
};

size_t dtype_bytes(enum dtype dtype);
const char *dtype_name(enum dtype dtype);
bool dtype_is_float(enum dtype dtype);

/* A dense tensor over memory that somebody else owns. */
struct tensor tensor_view(void *data, enum dtype dtype, int64_t d0, int64_t d1, int64_t d2,
                          int64_t d3);

/* A dense tensor in fresh memory of the arena; the numbers are not initialised. */
struct tensor tensor_carve(struct arena *a, enum dtype dtype, int64_t d0, int64_t d1, int64_t d2,
                           int64_t d3);

/* A tensor like `like` in shape and type, dense. */
struct tensor tensor_carve_like(struct arena *a, struct tensor like);

int64_t tensor_count(struct tensor t); /* elements */
int64_t tensor_rows(struct tensor t);  /* dim[0] * dim[1] * dim[2] */
size_t tensor_bytes(struct tensor t);  /* of the numbers, without gaps between rows */
bool tensor_is_dense(struct tensor t);
bool tensor_same_shape(struct tensor a, struct tensor b);

/* The same memory, other dimensions; the tensor must be dense and the counts equal. */
struct tensor tensor_reshape(struct tensor t, int64_t d0, int64_t d1, int64_t d2, int64_t d3);

/* [B, H, W, C] seen as [B, 1, H*W, C]; keeps the stride. */
struct tensor tensor_tokens(struct tensor t);

/* Columns [from, from + count) of every row. */
struct tensor tensor_columns(struct tensor t, int64_t from, int64_t count);

/* Images [from, from + count) of the outermost dimension. */
struct tensor tensor_slice(struct tensor t, int64_t from, int64_t count);

/* First byte of a row, 0 <= row < tensor_rows(t). Host memory only. */
void *tensor_row(struct tensor t, int64_t row);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_TENSOR_H */
