/* SPDX-License-Identifier: Apache-2.0 */
#include "base/image.h"
#include "base/rng.h"
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static enum status reference_open(struct device *d, struct why *why)
{
    (void)why;
    d->backend = NULL;
    return ST_OK;
}

static void reference_close(struct device *d)
{
    assert(!d->backend && "somebody else opened this device");
}

/* Any thread can use a CPU. */
static void reference_enter(struct device *d)
{
    (void)d;
}

/* Fresh pages cost nothing until they are touched, so a block measured for the biggest run only
   takes the memory that real runs use. */
static void *reference_memory_take(struct device *d, size_t bytes)
{
    size_t rounded = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *memory;

    (void)d;
    if (bytes < HUGE_PAGE)
        return posix_memalign(&memory, ARENA_ALIGN, bytes) ? NULL : memory;
    if (rounded < bytes)
        return NULL;
    memory = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, rounded, MADV_HUGEPAGE); /* a wish: nothing is lost where it is not granted */
    return memory;
}

static void reference_memory_give(struct device *d, void *memory, size_t bytes)
{
    (void)d;
    if (bytes < HUGE_PAGE)
        free(memory);
    else if (memory)
        munmap(memory, (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

static void reference_sync(struct device *d)
{
    (void)d; /* a CPU has always finished already */
}

/* oneDNN, on top, makes its plans when they are first asked for, in milliseconds. */
static void reference_calibrate(struct device *d, bool begin)
{
    (void)d;
    (void)begin;
}

static void reference_prepare(struct device *d)
{
    (void)d;
}

/* Starting an op is a call: nothing is gained by remembering. */
static void reference_repeat(struct device *d, struct repeat_key key,
                             void (*forward)(void *context), void *context)
{
    (void)d;
    (void)key;
    forward(context);
}

static void reference_repeat_forget(struct device *d, const void *owner)
{
    (void)d;
    (void)owner;
}

static enum status reference_weight_pack(struct device *d, struct weight *w, struct why *why)
{
    (void)d;
    (void)why;
    w->packed = NULL;
    return ST_OK;
}

static void reference_weight_free(struct device *d, struct weight *w)
{
    (void)d;
    assert(!w->packed && "somebody else packed this weight");
}

static void reference_upload(struct device *d, struct tensor y, const void *host)
{
    (void)d;
    assert(tensor_is_dense(y));
    memcpy(y.data, host, tensor_bytes(y));
}

static void reference_download(struct device *d, void *host, struct tensor x)
{
    (void)d;
    assert(tensor_is_dense(x));
    memcpy(host, x.data, tensor_bytes(x));
}

static void reference_download_pixels(struct device *d, uint8_t *host, struct tensor x)
{
    struct image image = {.rgb = host, .width = (int)x.dim[2], .height = (int)x.dim[1]};

    (void)d;
    shape_pixels(x);
    image_from_float(&image, x.data);
}

static void reference_noise(struct device *d, struct tensor y, uint64_t seed, uint32_t stream)
{
    (void)d;
    shape_noise(y);
    rng_normal(y.data, (size_t)tensor_count(y), seed, stream);
}

void ops_fill_reference(struct ops *ops)
{
    *ops = (struct ops){
        .name = "reference",
        .open = reference_open,
        .close = reference_close,
        .enter = reference_enter,
        .memory_take = reference_memory_take,
        .memory_give = reference_memory_give,
        .sync = reference_sync,
        .prepare = reference_prepare,
        .calibrate = reference_calibrate,
        .repeat = reference_repeat,
        .repeat_forget = reference_repeat_forget,
        .weight_pack = reference_weight_pack,
        .weight_free = reference_weight_free,
        .upload = reference_upload,
        .download = reference_download,
        .download_pixels = reference_download_pixels,
        .noise = reference_noise,
        .linear = reference_linear,
        .linear_geglu = reference_linear_geglu,
        .conv = reference_conv,
        .conv_up = reference_conv_up,
        .conv_depthwise = reference_conv_depthwise,
        .norm_group = reference_norm_group,
        .norm_layer = reference_norm_layer,
        .attention = reference_attention,
        .activate = reference_activate,
        .geglu = reference_geglu,
        .add = reference_add,
        .affine = reference_affine,
        .gather = reference_gather,
        .advance = reference_advance,
        .convert = reference_convert,
        .concat = reference_concat,
        .blend = reference_blend,
        .pool = reference_pool,
        .embed_tokens = reference_embed_tokens,
        .embed_time = reference_embed_time,
    };
}
