/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/reference/reference.h"

#include "kernels/half.h"

#include <assert.h>
#include <math.h>

void reference_load(double *to, struct tensor t, int64_t row, int64_t from, int64_t count)
{
    const char *bytes = (const char *)tensor_row(t, row) + (size_t)from * dtype_bytes(t.dtype);
    const float *f32 = (const float *)bytes;
    const uint16_t *half = (const uint16_t *)bytes;

    assert(dtype_is_float(t.dtype));
    if (t.dtype == DTYPE_F32)
        for (int64_t i = 0; i < count; i++)
            to[i] = f32[i];
    else if (t.dtype == DTYPE_F16)
        for (int64_t i = 0; i < count; i++)
            to[i] = half_to_float(half[i]);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = bf16_to_float(half[i]);
}

/* A float that rounds to 16 bits exactly as the double would: cut towards zero, and the last bit
   set where something was cut off, so that no tie appears that was none. */
static float narrow_to_odd(double value)
{
    float narrow = (float)value;

    if (!isfinite(narrow) || (double)narrow == value)
        return narrow;
    if (fabs((double)narrow) > fabs(value))
        narrow = nextafterf(narrow, 0);
    return half_value(half_bits(narrow) | 1);
}

void reference_store(struct tensor t, int64_t row, int64_t from, int64_t count,
                     const double *values)
{
    char *bytes = (char *)tensor_row(t, row) + (size_t)from * dtype_bytes(t.dtype);
    float *f32 = (float *)bytes;
    uint16_t *half = (uint16_t *)bytes;

    assert(dtype_is_float(t.dtype));
    if (t.dtype == DTYPE_F32)
        for (int64_t i = 0; i < count; i++)
            f32[i] = (float)values[i];
    else if (t.dtype == DTYPE_F16)
        for (int64_t i = 0; i < count; i++)
            half[i] = float_to_half(narrow_to_odd(values[i]));
    else
        for (int64_t i = 0; i < count; i++)
            half[i] = float_to_bf16(narrow_to_odd(values[i]));
}

double reference_gelu(double x)
{
    return 0.5 * x * erfc(-x * M_SQRT1_2); /* erfc keeps its digits where 1 + erf would lose them */
}

double reference_act(double x, enum act act)
{
    switch (act) {
    case ACT_NONE:
        return x;
    case ACT_RELU:
        return x > 0 ? x : x * 0; /* a NaN stays a NaN */
    case ACT_RELU6:
        return x > 6 ? 6 : x > 0 ? x : x * 0;
    case ACT_SILU:
        return x / (1 + exp(-x));
    case ACT_GELU:
        return reference_gelu(x);
    case ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case ACT_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    case ACT_TANH:
        return tanh(x);
    }
    assert(0 && "an activation without a case");
    return x;
}

void reference_dot(double sum[TILE_COLS], const double *x, const struct panel *panel, int64_t depth)
{
    double part[TILE_COLS]; /* in registers, over the whole depth */

    for (int j = 0; j < TILE_COLS; j++)
        part[j] = sum[j];
    for (int64_t k = 0; k < depth; k++)
        for (int j = 0; j < TILE_COLS; j++)
            part[j] += x[k] * panel->at[k][j];
    for (int j = 0; j < TILE_COLS; j++)
        sum[j] = part[j];
}

void reference_finish(struct tensor y, int64_t row, int64_t from, int64_t count,
                      const struct weight *w, const struct epilogue *e, double *sum)
{
    struct tensor terms[3] = {w->b, {0}, {0}};
    int64_t rows[3] = {0, 0, row};
    double term[TILE_COLS];

    assert(count <= TILE_COLS);
    if (e) {
        terms[1] = e->shift;
        rows[1] = row / (y.dim[1] * y.dim[2]);
        terms[2] = e->add;
    }
    for (int i = 0; i < 3; i++) {
        if (!terms[i].data)
            continue;
        reference_load(term, terms[i], rows[i], from, count);
        for (int64_t j = 0; j < count; j++)
            sum[j] += term[j];
    }
    for (int64_t j = 0; e && j < count; j++)
        sum[j] = reference_act(sum[j], e->act);
    reference_store(y, row, from, count, sum);
}
