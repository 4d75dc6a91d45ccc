/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pointwise_body.h - one number in, one number out, for any vector header: memory is what these
 * wait for, so each reads and writes once and the arithmetic hides behind it.
 *
 * The work is cut into spans of SPAN numbers whatever the number of threads. The last vector of a
 * span may be partly filled; a number's result does not depend on its lane.
 */
#ifndef KERNELS_SIMD_POINTWISE_BODY_H
#define KERNELS_SIMD_POINTWISE_BODY_H

#include "kernels/half.h"
#include "kernels/shape.h"
#include "kernels/simd/simd.h"

#include <string.h>

enum { SPAN = 8192 };

static bool pointwise_takes(struct tensor y, struct tensor x)
{
    return y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32;
}

static void activate_span(float *y, const float *x, int64_t count, enum act act)
{
    for (int64_t i = 0; i < count; i += VF_LANES)
        vf_store_first(y + i, vf_act(vf_load_first(x + i, count - i), act), count - i);
}

static void pointwise_activate(struct device *d, struct tensor y, struct tensor x, enum act act)
{
    int64_t count = tensor_count(y);

    shape_pointwise(y, x);
    if (!pointwise_takes(y, x)) {
        simd_plain().activate(d, y, x, act);
        return;
    }
#pragma omp parallel for num_threads(d->threads) if (simd_worth(count))
    for (int64_t from = 0; from < count; from += SPAN)
        activate_span((float *)y.data + from, (const float *)x.data + from,
                      simd_min(SPAN, count - from), act);
}

static void geglu_row(float *y, const float *x, int64_t count)
{
    const float *gate = x + count;

    for (int64_t i = 0; i < count; i += VF_LANES) {
        vf opened = vf_gelu(vf_load_first(gate + i, count - i));
        vf_store_first(y + i, vf_load_first(x + i, count - i) * opened, count - i);
    }
}

static void pointwise_geglu(struct device *d, struct tensor y, struct tensor x)
{
    int64_t rows = tensor_rows(y);

    shape_geglu(y, x);
    if (!pointwise_takes(y, x)) {
        simd_plain().geglu(d, y, x);
        return;
    }
#pragma omp parallel for num_threads(d->threads) if (simd_worth(tensor_count(y)))
    for (int64_t row = 0; row < rows; row++)
        geglu_row(tensor_row(y, row), tensor_row(x, row), y.dim[3]);
}

static void add_span(float *y, const float *x, const float *z, int64_t count)
{
    for (int64_t i = 0; i < count; i += VF_LANES) {
        vf sum = vf_load_first(x + i, count - i) + vf_load_first(z + i, count - i);
        vf_store_first(y + i, sum, count - i);
    }
}

static void pointwise_add(struct device *d, struct tensor y, struct tensor x, struct tensor z)
{
    int64_t count = tensor_count(y);

    shape_pointwise(y, x);
    shape_pointwise(y, z);
    if (!pointwise_takes(y, x) || z.dtype != DTYPE_F32) {
        simd_plain().add(d, y, x, z);
        return;
    }
#pragma omp parallel for num_threads(d->threads) if (simd_worth(count))
    for (int64_t from = 0; from < count; from += SPAN)
        add_span((float *)y.data + from, (const float *)x.data + from, (const float *)z.data + from,
                 simd_min(SPAN, count - from));
}

static void affine_span(float *y, const float *x, int64_t count, float scale, float shift)
{
    for (int64_t i = 0; i < count; i += VF_LANES) {
        vf value = vf_fma(vf_load_first(x + i, count - i), vf_set(scale), vf_set(shift));
        vf_store_first(y + i, value, count - i);
    }
}

static void pointwise_affine(struct device *d, struct tensor y, struct tensor x, float scale,
                             float shift)
{
    int64_t count = tensor_count(y);

    shape_pointwise(y, x);
    if (!pointwise_takes(y, x)) {
        simd_plain().affine(d, y, x, scale, shift);
        return;
    }
#pragma omp parallel for num_threads(d->threads) if (simd_worth(count))
    for (int64_t from = 0; from < count; from += SPAN)
        affine_span((float *)y.data + from, (const float *)x.data + from,
                    simd_min(SPAN, count - from), scale, shift);
}

/* VF_LANES numbers of any float type, and back; the last ones of a row one by one. */
static vf convert_load(const char *x, enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F16:
        return vf_load_f16((const uint16_t *)x);
    case DTYPE_BF16:
        return vf_load_bf16((const uint16_t *)x);
    default:
        return vf_load((const float *)x);
    }
}

static void convert_store(char *y, enum dtype dtype, vf value)
{
    switch (dtype) {
    case DTYPE_F16:
        vf_store_f16((uint16_t *)y, value);
        return;
    case DTYPE_BF16:
        vf_store_bf16((uint16_t *)y, value);
        return;
    default:
        vf_store((float *)y, value);
    }
}

static void convert_row(struct tensor y, struct tensor x, int64_t row)
{
    const size_t ybytes = dtype_bytes(y.dtype), xbytes = dtype_bytes(x.dtype);
    size_t count = (size_t)y.dim[3], i = 0;
    char *to = tensor_row(y, row), part[VF_LANES * sizeof(float)];
    const char *from = tensor_row(x, row);

    if (y.dtype == x.dtype) {
        memcpy(to, from, count * ybytes);
        return;
    }
    for (; i + VF_LANES <= count; i += VF_LANES)
        convert_store(to + i * ybytes, y.dtype, convert_load(from + i * xbytes, x.dtype));
    if (i == count)
        return;
    memset(part, 0, sizeof(part));
    memcpy(part, from + i * xbytes, (count - i) * xbytes);
    convert_store(part, y.dtype, convert_load(part, x.dtype));
    memcpy(to + i * ybytes, part, (count - i) * ybytes);
}

static void pointwise_convert(struct device *d, struct tensor y, struct tensor x)
{
    int64_t rows = tensor_rows(y);

    shape_convert(y, x);
#pragma omp parallel for num_threads(d->threads) if (simd_worth(tensor_count(y)))
    for (int64_t row = 0; row < rows; row++)
        convert_row(y, x, row);
}

static void pointwise_fill(struct ops *ops)
{
    ops->activate = pointwise_activate;
    ops->geglu = pointwise_geglu;
    ops->add = pointwise_add;
    ops->affine = pointwise_affine;
    ops->convert = pointwise_convert;
}

#endif /* KERNELS_SIMD_POINTWISE_BODY_H */
