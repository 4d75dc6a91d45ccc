/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/backend.h"
#include "kernels/onednn/copy.h"
#include "kernels/shape.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

/* A picture as it is convolved: itself, or `big` made of it by showing every pixel four times. */
struct picture {
    struct tensor x, big; /* big has the numbers of x */
    bool up;
};

/* Winograd takes all images at once: its own sums do not depend on what lies beside them. */
static void conv_winograd(struct device *d, struct tensor y, struct picture x,
                          const struct weight *w, const struct epilogue *e)
{
    const struct winograd_kernel *kernel = d->backend->winograd;
    const int64_t stride = (y.dim[3] + kernel->block - 1) / kernel->block * kernel->block;
    const size_t bias_bytes = scratch_round((size_t)(y.dim[0] * stride) * sizeof(float));
    bool fused = e->act == ACT_NONE || e->act == ACT_RELU || e->act == ACT_RELU6;
    struct winograd_job job = {.kernel = kernel,
                               .packed = weight_for_winograd(d, w),
                               .y = y,
                               .x = x.x,
                               .height = x.big.dim[1],
                               .width = x.big.dim[2],
                               .up = x.up,
                               .add = e->add,
                               .pad = w->pad,
                               .act = fused ? e->act : ACT_NONE,
                               .threads = d->threads};
    float *bias = scratch_need(d, bias_bytes + winograd_scratch_bytes(&job));

    if (!job.packed || !bias)
        return;
    memset(bias, 0, bias_bytes);
    for (int64_t b = 0; b < y.dim[0]; b++)
        epilogue_bias(bias + b * stride, w, e, b, y.dim[3]);
    job.bias = bias;
    winograd_run(&job, (char *)bias + bias_bytes);
    if (!fused)
        d->ops.activate(d, y, y, e->act);
}

static struct plan_key key_of(const struct device *d, enum role role, struct tensor x,
                              const struct weight *w, const struct epilogue *e)
{
    struct plan_key key;

    memset(&key, 0, sizeof(key));
    key.role = role;
    key.n = w->w.dim[0];
    key.k = x.dim[3];
    key.dtype = backend_dtype(d->backend, role, key.n, key.k);
    key.act = e->act;
    key.sum = e->add.data != NULL;
    key.stride = w->stride;
    memcpy(key.pad, w->pad, sizeof(key.pad));
    key.height = x.dim[1];
    key.width = x.dim[2];
    key.kernel_height = w->w.dim[2];
    key.kernel_width = w->w.dim[3];
    return key;
}

/* Image by image through a primitive that works on channels-last pictures as they lie. */
static void conv_primitive(struct device *d, enum role role, struct tensor y, struct picture x,
                           const struct weight *w, const struct epilogue *e)
{
    struct plan_key key = key_of(d, role, x.big, w, e);
    struct plan *plan = plan_find(d, &key);
    dnnl_memory_t memory = plan ? weight_for_plan(d, w, plan) : NULL;
    const size_t bias_bytes = scratch_round((size_t)key.n * sizeof(float));
    const int64_t height = x.big.dim[1], width = x.big.dim[2];
    const size_t image_bytes = (size_t)(height * width * key.k) * dtype_bytes(key.dtype);
    const size_t x_bytes = key.dtype != DTYPE_F32 || x.up ? scratch_round(image_bytes) : 0;
    char *scratch = memory ? scratch_need(d, bias_bytes + x_bytes + plan->scratchpad_bytes) : NULL;

    if (!scratch)
        return;
    for (int64_t b = 0; b < y.dim[0]; b++) {
        struct tensor image = tensor_slice(x.x, b, 1), out = tensor_slice(y, b, 1);
        struct plan_pointers p = {.x = image.data,
                                  .b = (const float *)scratch,
                                  .y = out.data,
                                  .scratchpad = scratch + bias_bytes + x_bytes};

        if (x_bytes)
            p.x = scratch + bias_bytes;
        if (x.up)
            copy_doubled(scratch + bias_bytes, key.dtype, image, height, width);
        else if (x_bytes)
            copy_rows_to(scratch + bias_bytes, key.dtype, image);
        epilogue_bias((float *)scratch, w, e, b, key.n);
        if (e->add.data && e->add.data != y.data)
            copy_rows_to(out.data, DTYPE_F32, tensor_slice(e->add, b, 1));
        plan_run(d, plan, memory, p);
    }
}

static void conv_picture(struct device *d, struct tensor y, struct picture x,
                         const struct weight *w, const struct epilogue *e)
{
    const struct epilogue none = {0};

    assert(y.dtype == DTYPE_F32 && x.x.dtype == DTYPE_F32);
    omp_set_num_threads(d->threads);
    if (weight_is_matrix(w) && !x.up)
        onednn_conv_matrix(d, y, x.x, w, e);
    else if (d->backend->winograd && winograd_suits(w))
        conv_winograd(d, y, x, w, e ? e : &none);
    else
        conv_primitive(d, ROLE_DIRECT, y, x, w, e ? e : &none);
}

void onednn_conv(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                 const struct epilogue *e)
{
    shape_conv(y, x, w, e);
    conv_picture(d, y, (struct picture){.x = x, .big = x}, w, e);
}

void onednn_conv_up(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e)
{
    struct picture picture = {.x = x, .big = shape_doubled(y, x, w), .up = true};

    shape_conv_up(y, x, w, e);
    conv_picture(d, y, picture, w, e);
}

void onednn_conv_depthwise(struct device *d, struct tensor y, struct tensor x,
                           const struct weight *w, const struct epilogue *e)
{
    const struct epilogue none = {0};

    shape_conv_depthwise(y, x, w, e);
    assert(y.dtype == DTYPE_F32 && x.dtype == DTYPE_F32);
    omp_set_num_threads(d->threads);
    conv_primitive(d, ROLE_DEPTHWISE, y, (struct picture){.x = x, .big = x}, w, e ? e : &none);
}
