/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/cudnn/plan_key.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ALIGN_BYTES 256

/* No gaps, so that equal keys are equal bytes. */
_Static_assert(sizeof(struct conv_key) == 3 * 8 + 16 * 4, "a conv_key has gaps");
_Static_assert(sizeof(struct attention_key) == 4 * 8 + 6 * 4, "an attention_key has gaps");
_Static_assert(sizeof(struct plan_key) == 8 + sizeof(struct conv_key), "a plan_key has gaps");

static bool is_float(int32_t dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

struct plan_key plan_key_conv(const struct conv_key *k)
{
    struct plan_key key;

    assert(k->images > 0 && k->inputs > 0 && k->outputs > 0 && is_float(k->dtype));
    assert(k->stride > 0 && plan_key_out(k, 0) > 0 && plan_key_out(k, 1) > 0);
    assert(k->x_stride >= k->inputs && k->y_stride >= k->outputs);
    assert(k->add_stride == 0 || k->add_stride >= k->outputs);
    assert(k->shift_stride == 0 || k->shift_stride >= k->outputs);
    assert(k->act >= ACT_NONE && k->act <= ACT_TANH);
    assert(k->bias >= PLAN_BIAS_NONE && k->bias <= PLAN_BIAS_F32);
    memset(&key, 0, sizeof(key));
    key.kind = PLAN_CONV;
    key.of.conv = *k;
    return key;
}

struct plan_key plan_key_attention(const struct attention_key *k)
{
    int64_t row = (int64_t)k->heads * k->width;
    struct plan_key key;

    assert(k->images > 0 && k->queries > 0 && k->keys > 0 && row > 0 && is_float(k->dtype));
    assert(k->q_stride >= row && k->k_stride >= row && k->v_stride >= row && k->y_stride >= row);
    memset(&key, 0, sizeof(key));
    key.kind = PLAN_ATTENTION;
    key.of.attention = *k;
    return key;
}

struct plan_key plan_key_family(const struct plan_key *key)
{
    struct plan_key family = *key;

    if (key->kind == PLAN_CONV)
        family.of.conv.images = 0;
    else
        family.of.attention.images = 0;
    return family;
}

int32_t plan_key_images(const struct plan_key *key)
{
    return key->kind == PLAN_CONV ? key->of.conv.images : key->of.attention.images;
}

uint32_t plan_key_hash(const struct plan_key *key)
{
    const unsigned char *bytes = (const unsigned char *)key;
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < sizeof(*key); i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

int plan_key_compare(const struct plan_key *a, const struct plan_key *b)
{
    return memcmp(a, b, sizeof(*a));
}

int64_t plan_key_out(const struct conv_key *k, int axis)
{
    int64_t size = axis ? k->width : k->height;

    return (size + k->pad[axis] + k->pad[axis + 2] - k->kernel[axis]) / k->stride + 1;
}

/* As text */

static void write_conv(char text[PLAN_TEXT_MAX], const struct conv_key *k, const char *images)
{
    static const char *const acts[] = {
        [ACT_NONE] = "",
        [ACT_RELU] = "/relu",
        [ACT_RELU6] = "/relu6",
        [ACT_SILU] = "/silu",
        [ACT_GELU] = "/gelu",
        [ACT_GELU_TANH] = "/gelu_tanh",
        [ACT_GELU_QUICK] = "/gelu_quick",
        [ACT_TANH] = "/tanh",
    };
    static const char *const biases[] = {"", "/bias", "/bias32"};
    char add[24] = "", shift[24] = "";
    int bytes;

    if (k->add_stride)
        snprintf(add, sizeof(add), "/add%" PRId64, k->add_stride);
    if (k->shift_stride)
        snprintf(shift, sizeof(shift), "/shift%d", k->shift_stride);
    bytes =
        snprintf(text, PLAN_TEXT_MAX,
                 "conv/%s/%sx%dx%dx%d/%dx%dx%d/s%d/p%d,%d,%d,%d/x%" PRId64 "/y%" PRId64 "%s%s%s%s",
                 dtype_name((enum dtype)k->dtype), images, k->height, k->width, k->inputs,
                 k->outputs, k->kernel[0], k->kernel[1], k->stride, k->pad[0], k->pad[1], k->pad[2],
                 k->pad[3], k->x_stride, k->y_stride, biases[k->bias], shift, add, acts[k->act]);
    assert(bytes < PLAN_TEXT_MAX);
}

static void write_attention(char text[PLAN_TEXT_MAX], const struct attention_key *k,
                            const char *images)
{
    int bytes =
        snprintf(text, PLAN_TEXT_MAX,
                 "attention/%s/%sx%dx%d/q%d/k%d/s%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                 dtype_name((enum dtype)k->dtype), images, k->heads, k->width, k->queries, k->keys,
                 k->q_stride, k->k_stride, k->v_stride, k->y_stride);
    assert(bytes < PLAN_TEXT_MAX);
}

void plan_key_write(char text[PLAN_TEXT_MAX], const struct plan_key *key, bool family)
{
    char images[16] = "*";

    if (!family)
        snprintf(images, sizeof(images), "%d", plan_key_images(key));
    if (key->kind == PLAN_CONV)
        write_conv(text, &key->of.conv, images);
    else
        write_attention(text, &key->of.attention, images);
}

/* As memory */

/* The next `count` elements; NULL while measuring. */
static void *take(char *memory, size_t *used, int64_t count, int32_t dtype)
{
    size_t bytes = (size_t)count * dtype_bytes((enum dtype)dtype);
    void *here = memory ? memory + *used : NULL;

    *used += (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    return here;
}

static size_t spread_conv(const struct conv_key *k, char *memory, struct plan_arguments *out)
{
    int64_t pixels = k->images * plan_key_out(k, 0) * plan_key_out(k, 1);
    int64_t sources = (int64_t)k->images * k->height * k->width;
    size_t used = 0;

    out->y = take(memory, &used, pixels * k->y_stride, k->dtype);
    out->x = take(memory, &used, sources * k->x_stride, k->dtype);
    out->w = take(memory, &used, (int64_t)k->outputs * k->kernel[0] * k->kernel[1] * k->inputs,
                  k->dtype);
    out->bias = take(memory, &used, k->outputs, DTYPE_F32);
    out->shift = take(memory, &used, (int64_t)k->images * k->shift_stride, k->dtype);
    out->add = take(memory, &used, pixels * k->add_stride, k->dtype);
    return used;
}

static size_t spread_attention(const struct attention_key *k, char *memory,
                               struct plan_arguments *out)
{
    int64_t queries = (int64_t)k->images * k->queries, keys = (int64_t)k->images * k->keys;
    size_t used = 0;

    out->y = take(memory, &used, queries * k->y_stride, k->dtype);
    out->q = take(memory, &used, queries * k->q_stride, k->dtype);
    out->k = take(memory, &used, keys * k->k_stride, k->dtype);
    out->v = take(memory, &used, keys * k->v_stride, k->dtype);
    return used;
}

size_t plan_key_spread(const struct plan_key *key, void *memory, struct plan_arguments *out)
{
    return key->kind == PLAN_CONV ? spread_conv(&key->of.conv, memory, out)
                                  : spread_attention(&key->of.attention, memory, out);
}

size_t plans_bench_bytes(const struct plan_key *key)
{
    struct plan_arguments nowhere = {0};

    return plan_key_spread(key, NULL, &nowhere);
}
