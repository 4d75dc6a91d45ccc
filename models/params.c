/* SPDX-License-Identifier: Apache-2.0 */
#include "models/params.h"

#include "base/log.h"
#include "kernels/half.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256

/* Packing reads the mapped file once. Its pages go back this often, so that a checkpoint is never
   in memory twice. */
#define RELEASE_BYTES (128u << 20)

void params_open(struct params *p, struct device *device, const char *path, struct why *why)
{
    memset(p, 0, sizeof(*p));
    p->device = device;
    p->why = why;
    p->status = weights_open(&p->file, path, why);
}

static void fail(struct params *p, enum status st, const char *text)
{
    if (!p->status)
        p->status = why_fail(p->why, st, "%s", text);
}

/* Room for one more item of `bytes` at the end of a list; false when memory ran out. */
static bool grow(struct params *p, void **list, size_t count, size_t *size, size_t bytes)
{
    size_t wanted = *size ? 2 * *size : 64;
    void *bigger;

    if (count < *size)
        return true;
    bigger = realloc(*list, wanted * bytes);
    if (!bigger) {
        fail(p, ST_FULL, "no memory for the list of weights");
        return false;
    }
    *list = bigger;
    *size = wanted;
    return true;
}

/* The file's tensor FORMAT + suffix, and a note that it was asked for. An absent one is no error
   when it is only looked for. */
static struct tensor find(struct params *p, const int64_t dim[4], const char *name,
                          const char *suffix)
{
    char full[NAME_MAX_BYTES + 16];
    struct tensor t = {0};
    void *list = p->taken;

    if (p->status)
        return t;
    snprintf(full, sizeof(full), "%s%s", name, suffix);
    p->status = dim ? weights_need(p->file, full, dim, &t, p->why)
                    : weights_find(p->file, full, &t, p->why);
    if (p->status || !grow(p, &list, p->taken_count, &p->taken_size, sizeof(p->taken[0])))
        return (struct tensor){0};
    p->taken = list;
    p->taken[p->taken_count++] = t.data;
    if (!dtype_is_float(t.dtype))
        p->status =
            why_fail(p->why, ST_INVALID, "%s holds %s, not floats", full, dtype_name(t.dtype));
    return t;
}

static void name_of(char name[NAME_MAX_BYTES], const char *format, va_list list)
{
    int n = vsnprintf(name, NAME_MAX_BYTES, format, list);

    assert(n > 0 && n < NAME_MAX_BYTES);
}

/* The name in the file of a weight that old and new files lay out differently: dimensions in the
   last two places ([N, K]) and in the first two ([N, K, 1, 1]) hold the same numbers. */
static struct tensor find_matrix(struct params *p, int64_t rows, int64_t columns, bool conv,
                                 const char *name)
{
    const int64_t linear_dim[4] = {1, 1, rows, columns}, conv_dim[4] = {rows, columns, 1, 1};
    struct tensor t = find(p, NULL, name, ".weight");
    const int64_t *other = conv ? linear_dim : conv_dim, *wanted = conv ? conv_dim : linear_dim;

    if (!p->status && !memcmp(t.dim, other, sizeof(t.dim)))
        return tensor_reshape(t, wanted[0], wanted[1], wanted[2], wanted[3]);
    return find(p, wanted, name, ".weight");
}

/* Is every number one? A NaN, or an infinity, has an exponent of all ones. */
static bool is_finite(struct tensor t)
{
    const int64_t count = tensor_count(t);
    int bad = 0;

    if (t.dtype == DTYPE_F32) {
        const uint32_t *bits = t.data;

#pragma omp parallel for reduction(| : bad) if (count > 1 << 16)
        for (int64_t i = 0; i < count; i++)
            bad |= (bits[i] & 0x7f800000) == 0x7f800000;
    } else {
        const uint16_t *bits = t.data, exponent = t.dtype == DTYPE_F16 ? 0x7c00 : 0x7f80;

#pragma omp parallel for reduction(| : bad) if (count > 1 << 16)
        for (int64_t i = 0; i < count; i++)
            bad |= (bits[i] & exponent) == exponent;
    }
    return !bad;
}

/* One number that is none would spread through every picture, and nobody could say where it came
   from. Looking at a folder without loading it reads no numbers. */
static void check_finite(struct params *p, struct tensor t, const char *name, const char *suffix)
{
    if (p->status || ops_measures(&p->device->ops) || is_finite(t))
        return;
    p->status =
        why_fail(p->why, ST_INVALID, "%s%s holds a number that is not finite", name, suffix);
}

static void pack(struct params *p, struct weight *w, int64_t outputs, bool bias, const char *name)
{
    const int64_t dim[4] = {1, 1, 1, outputs};
    void *list = p->weights;

    if (bias)
        w->b = find(p, dim, name, ".bias");
    check_finite(p, w->w, name, ".weight");
    if (bias)
        check_finite(p, w->b, name, ".bias");
    if (p->status || !grow(p, &list, p->weight_count, &p->weight_size, sizeof(p->weights[0])))
        return;
    p->weights = list;
    p->status = p->device->ops.weight_pack(p->device, w, p->why);
    if (p->status)
        return;
    p->weights[p->weight_count++] = w;
    p->packed_bytes += tensor_bytes(w->w);
    if (p->packed_bytes < RELEASE_BYTES)
        return;
    weights_release_pages(p->file);
    p->packed_bytes = 0;
}

void params_linear(struct params *p, struct weight *w, int64_t outputs, int64_t inputs, bool bias,
                   const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list list;

    va_start(list, format);
    name_of(name, format, list);
    va_end(list);
    *w = (struct weight){.stride = 1};
    w->w = find_matrix(p, outputs, inputs, false, name);
    pack(p, w, outputs, bias, name);
}

void params_conv(struct params *p, struct weight *w, struct conv_shape shape, const char *format,
                 ...)
{
    const int64_t dim[4] = {shape.outputs, shape.inputs, shape.kernel, shape.kernel};
    char name[NAME_MAX_BYTES];
    va_list list;

    va_start(list, format);
    name_of(name, format, list);
    va_end(list);
    *w = (struct weight){.stride = shape.stride, .up = shape.up};
    memcpy(w->pad, shape.pad, sizeof(w->pad));
    if (shape.kernel == 1)
        w->w = find_matrix(p, shape.outputs, shape.inputs, true, name);
    else
        w->w = find(p, dim, name, ".weight");
    pack(p, w, shape.outputs, shape.bias, name);
}

void params_patches(struct params *p, struct weight *w, int64_t outputs, int64_t inputs, int side,
                    const char *format, ...)
{
    const int64_t dim[4] = {outputs, inputs, side, side};
    char name[NAME_MAX_BYTES];
    va_list list;

    va_start(list, format);
    name_of(name, format, list);
    va_end(list);
    *w = (struct weight){.stride = 1};
    w->w = find(p, dim, name, ".weight");
    if (!p->status)
        w->w = tensor_reshape(w->w, 1, 1, outputs, inputs * side * side);
    pack(p, w, outputs, false, name);
}

static void widen(float *out, struct tensor t)
{
    int64_t count = tensor_count(t);

    for (int64_t i = 0; i < count; i++)
        if (t.dtype == DTYPE_F16)
            out[i] = half_to_float(((const uint16_t *)t.data)[i]);
        else if (t.dtype == DTYPE_BF16)
            out[i] = bf16_to_float(((const uint16_t *)t.data)[i]);
        else
            out[i] = ((const float *)t.data)[i];
}

/* A tensor shaped like t in the device's memory, filled with these numbers. */
static struct tensor put(struct params *p, struct tensor t, const void *numbers, enum dtype dtype)
{
    struct device *d = p->device;
    struct tensor kept = tensor_view(NULL, dtype, t.dim[0], t.dim[1], t.dim[2], t.dim[3]);
    void *list = p->blocks;

    if (!grow(p, &list, p->block_count, &p->block_size, sizeof(p->blocks[0])))
        return t;
    p->blocks = list;
    kept.data = d->ops.memory_take(d, tensor_bytes(kept));
    if (!kept.data) {
        fail(p, ST_FULL, "no memory on the device for a layer's numbers");
        return t;
    }
    p->blocks[p->block_count++] = kept;
    d->ops.upload(d, kept, numbers);
    return kept;
}

static struct tensor put_as_f32(struct params *p, struct tensor t)
{
    float *wide = malloc((size_t)tensor_count(t) * sizeof(float));
    struct tensor kept;

    if (!wide) {
        fail(p, ST_FULL, "no memory for a norm's numbers");
        return t;
    }
    widen(wide, t);
    kept = put(p, t, wide, DTYPE_F32);
    free(wide);
    return kept;
}

void params_norm(struct params *p, struct norm *norm, int64_t channels, const char *format, ...)
{
    const int64_t dim[4] = {1, 1, 1, channels};
    char name[NAME_MAX_BYTES];
    va_list list;

    va_start(list, format);
    name_of(name, format, list);
    va_end(list);
    norm->gamma = find(p, dim, name, ".weight");
    norm->beta = find(p, dim, name, ".bias");
    check_finite(p, norm->gamma, name, ".weight");
    check_finite(p, norm->beta, name, ".bias");
    if (!p->status)
        norm->gamma = put_as_f32(p, norm->gamma);
    if (!p->status)
        norm->beta = put_as_f32(p, norm->beta);
}

void params_table(struct params *p, struct tensor *table, int64_t rows, int64_t channels,
                  const char *format, ...)
{
    const int64_t dim[4] = {1, 1, rows, channels};
    char name[NAME_MAX_BYTES];
    va_list list;

    va_start(list, format);
    name_of(name, format, list);
    va_end(list);
    *table = find(p, dim, name, "");
    check_finite(p, *table, name, "");
    if (!p->status)
        *table = put(p, *table, table->data, table->dtype);
}

static bool was_taken(const struct params *p, const void *data)
{
    for (size_t i = 0; i < p->taken_count; i++)
        if (p->taken[i] == data)
            return true;
    return false;
}

void params_finish(struct params *p)
{
    const char *first = NULL;
    size_t left = 0;

    p->why = NULL;
    if (p->status)
        return;
    for (size_t i = 0; i < weights_count(p->file); i++) {
        const char *name = weights_name(p->file, i);
        struct tensor t;
        if (strstr(name, "position_ids") || weights_find(p->file, name, &t, NULL) != ST_OK)
            continue;
        if (was_taken(p, t.data))
            continue;
        first = left ? first : name;
        left++;
    }
    if (left)
        log_warn("weights_unused", "%zu tensors that nothing asks for, the first is %s", left,
                 first);
    weights_release_pages(p->file);
}

void params_close(struct params *p)
{
    for (size_t i = 0; i < p->weight_count; i++)
        p->device->ops.weight_free(p->device, p->weights[i]);
    for (size_t i = 0; i < p->block_count; i++)
        p->device->ops.memory_give(p->device, p->blocks[i].data, tensor_bytes(p->blocks[i]));
    free(p->weights);
    free(p->blocks);
    free(p->taken);
    weights_close(&p->file);
    memset(p, 0, sizeof(*p));
}
