/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/reference/reference.h"

#include <assert.h>
#include <string.h>

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

void ops_fill_reference(struct ops *ops)
{
    *ops = (struct ops){
        .name = "reference",
        .open = reference_open,
        .close = reference_close,
        .weight_pack = reference_weight_pack,
        .weight_free = reference_weight_free,
        .upload = reference_upload,
        .download = reference_download,
        .linear = reference_linear,
        .matmul = reference_matmul,
        .conv = reference_conv,
        .conv_depthwise = reference_conv_depthwise,
        .norm_group = reference_norm_group,
        .norm_layer = reference_norm_layer,
        .attention = reference_attention,
        .softmax = reference_softmax,
        .activate = reference_activate,
        .geglu = reference_geglu,
        .add = reference_add,
        .affine = reference_affine,
        .mix = reference_mix,
        .convert = reference_convert,
        .concat = reference_concat,
        .resize_nearest = reference_resize_nearest,
        .pool = reference_pool,
        .embed_tokens = reference_embed_tokens,
        .embed_time = reference_embed_time,
    };
}
