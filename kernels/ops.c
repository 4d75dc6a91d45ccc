/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ops.h"

#include "kernels/shape.h"

#include <assert.h>
#include <string.h>

unsigned ops_caps(void)
{
    struct ops probe = {0};
    unsigned caps = 0;

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        caps |= CAP_AVX2;
    if (caps && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        caps |= CAP_AVX512;
    if ((caps & CAP_AVX512) && __builtin_cpu_supports("avx512bf16"))
        caps |= CAP_BF16;

    /* Whether oneDNN is linked only its filling knows: an absent one fills nothing. */
    ops_fill_onednn(&probe, caps | CAP_ONEDNN | CAP_WINOGRAD);
    if (probe.linear)
        caps |= CAP_ONEDNN;
    if (probe.linear && (caps & CAP_AVX2)) /* the least that Winograd is written for */
        caps |= CAP_WINOGRAD;
    return caps;
}

/* The measuring filling: no arithmetic, but every shape is held against its contract. */

static enum status measure_open(struct device *d, struct why *why)
{
    (void)d;
    (void)why;
    return ST_OK;
}

static void measure_close(struct device *d)
{
    (void)d;
}

static void measure_enter(struct device *d)
{
    (void)d;
}

/* An address that is there and that nobody touches: looking at a model takes no memory. */
static void *measure_memory_take(struct device *d, size_t bytes)
{
    (void)d;
    (void)bytes;
    return (void *)(uintptr_t)ARENA_ALIGN;
}

static void measure_memory_give(struct device *d, void *memory, size_t bytes)
{
    (void)d;
    (void)memory;
    (void)bytes;
}

static void measure_sync(struct device *d)
{
    (void)d;
}

static void measure_calibrate(struct device *d, bool begin)
{
    (void)d;
    (void)begin;
}

static void measure_prepare(struct device *d)
{
    (void)d;
}

static void measure_repeat(struct device *d, struct repeat_key key, void (*forward)(void *context),
                           void *context)
{
    (void)d;
    (void)key;
    forward(context);
}

static void measure_repeat_forget(struct device *d, const void *owner)
{
    (void)d;
    (void)owner;
}

static enum status measure_weight_pack(struct device *d, struct weight *w, struct why *why)
{
    (void)d;
    (void)why;
    assert(w->w.data && "a weight is packed before its model is measured");
    return ST_OK;
}

static void measure_weight_free(struct device *d, struct weight *w)
{
    (void)d;
    (void)w;
}

static void measure_upload(struct device *d, struct tensor y, const void *host)
{
    (void)d;
    (void)host;
    assert(tensor_is_dense(y));
}

static void measure_download(struct device *d, void *host, struct tensor x)
{
    (void)d;
    (void)host;
    assert(tensor_is_dense(x));
}

static void measure_download_pixels(struct device *d, uint8_t *host, struct tensor x)
{
    (void)d;
    (void)host;
    shape_pixels(x);
}

static void measure_noise(struct device *d, struct tensor y, uint64_t seed, uint32_t stream)
{
    (void)d;
    (void)seed;
    (void)stream;
    shape_noise(y);
}

static void measure_linear(struct device *d, struct tensor y, struct tensor x,
                           const struct weight *w, const struct epilogue *e)
{
    (void)d;
    shape_linear(y, x, w, e);
}

static void measure_linear_geglu(struct device *d, struct tensor y, struct tensor x,
                                 const struct weight *w)
{
    (void)d;
    shape_linear_geglu(y, x, w);
}

static void measure_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                         const struct epilogue *e)
{
    (void)d;
    shape_conv(y, x, w, e);
}

static void measure_conv_up(struct device *d, struct tensor y, struct tensor x,
                            const struct weight *w, const struct epilogue *e)
{
    (void)d;
    shape_conv_up(y, x, w, e);
}

static void measure_conv_depthwise(struct device *d, struct tensor y, struct tensor x,
                                   const struct weight *w, const struct epilogue *e)
{
    (void)d;
    shape_conv_depthwise(y, x, w, e);
}

static void measure_norm_group(struct device *d, struct tensor y, struct tensor x,
                               struct tensor gamma, struct tensor beta, int groups, float epsilon,
                               enum act act)
{
    (void)d;
    (void)act;
    assert(epsilon >= 0);
    shape_norm_group(y, x, gamma, beta, groups);
}

static void measure_norm_layer(struct device *d, struct tensor y, struct tensor x,
                               struct tensor gamma, struct tensor beta, float epsilon)
{
    (void)d;
    assert(epsilon >= 0);
    shape_norm_layer(y, x, gamma, beta);
}

static void measure_attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                              struct tensor v, int heads, float scale, bool causal)
{
    (void)d;
    (void)scale;
    (void)causal;
    shape_attention(y, q, k, v, heads);
}

static void measure_activate(struct device *d, struct tensor y, struct tensor x, enum act act)
{
    (void)d;
    (void)act;
    shape_pointwise(y, x);
}

static void measure_geglu(struct device *d, struct tensor y, struct tensor x)
{
    (void)d;
    shape_geglu(y, x);
}

static void measure_add(struct device *d, struct tensor y, struct tensor x, struct tensor z)
{
    (void)d;
    shape_pointwise(y, x);
    shape_pointwise(y, z);
}

static void measure_affine(struct device *d, struct tensor y, struct tensor x, float scale,
                           float shift)
{
    (void)d;
    (void)scale;
    (void)shift;
    shape_pointwise(y, x);
}

static void measure_gather(struct device *d, struct tensor y, const struct scaled *images)
{
    (void)d;
    shape_gather(y, images);
}

static void measure_advance(struct device *d, const struct advance *pictures, int count)
{
    (void)d;
    for (int i = 0; i < count; i++)
        shape_advance(&pictures[i]);
}

static void measure_convert(struct device *d, struct tensor y, struct tensor x)
{
    (void)d;
    shape_convert(y, x);
}

static void measure_concat(struct device *d, struct tensor y, struct tensor x1, struct tensor x2)
{
    (void)d;
    shape_concat(y, x1, x2);
}

static void measure_blend(struct device *d, struct tensor y, struct tensor x, struct tensor z,
                          enum fade fade)
{
    (void)d;
    (void)fade;
    shape_blend(y, x, z);
}

static void measure_pool(struct device *d, struct tensor y, struct tensor x, enum pool kind,
                         int kernel, int stride, const int pad[4])
{
    (void)d;
    (void)kind;
    shape_pool(y, x, kernel, stride, pad);
}

static void measure_embed_tokens(struct device *d, struct tensor y, struct tensor ids,
                                 struct tensor table, struct tensor position)
{
    (void)d;
    shape_embed_tokens(y, ids, table, position);
}

static void measure_embed_time(struct device *d, struct tensor y, struct tensor t, bool flip,
                               float freq_shift)
{
    (void)d;
    (void)flip;
    (void)freq_shift;
    shape_embed_time(y, t);
}

void ops_fill_measure(struct ops *ops)
{
    *ops = (struct ops){
        .name = "measure",
        .open = measure_open,
        .close = measure_close,
        .enter = measure_enter,
        .memory_take = measure_memory_take,
        .memory_give = measure_memory_give,
        .sync = measure_sync,
        .prepare = measure_prepare,
        .calibrate = measure_calibrate,
        .repeat = measure_repeat,
        .repeat_forget = measure_repeat_forget,
        .weight_pack = measure_weight_pack,
        .weight_free = measure_weight_free,
        .upload = measure_upload,
        .download = measure_download,
        .download_pixels = measure_download_pixels,
        .noise = measure_noise,
        .linear = measure_linear,
        .linear_geglu = measure_linear_geglu,
        .conv = measure_conv,
        .conv_up = measure_conv_up,
        .conv_depthwise = measure_conv_depthwise,
        .norm_group = measure_norm_group,
        .norm_layer = measure_norm_layer,
        .attention = measure_attention,
        .activate = measure_activate,
        .geglu = measure_geglu,
        .add = measure_add,
        .affine = measure_affine,
        .gather = measure_gather,
        .advance = measure_advance,
        .convert = measure_convert,
        .concat = measure_concat,
        .blend = measure_blend,
        .pool = measure_pool,
        .embed_tokens = measure_embed_tokens,
        .embed_time = measure_embed_time,
    };
}

bool ops_measures(const struct ops *ops)
{
    return ops->open == measure_open;
}

/* The table is a name and then nothing but functions, all pointers of one size. */
void ops_assert_full(const struct ops *ops)
{
    enum { SLOTS = sizeof(struct ops) / sizeof(void (*)(void)) };

    static_assert(sizeof(struct ops) == SLOTS * sizeof(void (*)(void)), "only pointers inside");
    for (size_t i = 0; i < SLOTS; i++) {
        void (*slot)(void);
        memcpy(&slot, (const char *)ops + i * sizeof(slot), sizeof(slot));
        assert(slot && "a slot of the op table is empty");
    }
}
