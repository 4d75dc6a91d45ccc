/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/lt.h"
#include "kernels/cuda/slots.h"

/* Rung 0: one thread per output. It stays for ever, to judge the rest at full size. */
static const struct ops naive = {
    .name = "cuda naive",
    .open = backend_open,
    .close = backend_close,
    .enter = backend_enter,
    .memory_take = memory_take_cuda,
    .memory_give = memory_give_cuda,
    .sync = backend_sync,
    .prepare = backend_prepare,
    .calibrate = narrow_calibrate,
    .repeat = graphs_none,
    .repeat_forget = graphs_forget,
    .weight_pack = weight_pack_cuda,
    .weight_free = weight_free_cuda,
    .upload = memory_upload,
    .download = memory_download,
    .download_pixels = picture_download,
    .noise = picture_noise,
    .linear = linear_naive,
    .linear_geglu = linear_geglu_naive,
    .conv = conv_naive,
    .conv_up = conv_up_naive,
    .conv_depthwise = depthwise_naive,
    .norm_group = norm_group_naive,
    .norm_layer = norm_layer_naive,
    .attention = attention_naive,
    .activate = activate_naive,
    .geglu = geglu_naive,
    .add = add_naive,
    .affine = affine_naive,
    .gather = gather_naive,
    .advance = advance_all,
    .convert = convert_naive,
    .concat = concat_naive,
    .blend = blend_naive,
    .pool = pool_naive,
    .embed_tokens = embed_tokens_naive,
    .embed_time = embed_time_naive,
};

void ops_fill_cuda(struct ops *ops, unsigned caps)
{
    *ops = naive;
    if (caps & CAP_GRAPHS)
        ops->repeat = graphs_repeat;
    if (!(caps & CAP_SM80))
        return;
    ops->name = "cuda sm_80";
    ops->linear = linear_tiled; /* matrix units, tiles in shared memory, asynchronous copies */
    ops->linear_geglu = linear_geglu_gated; /* the best product, then the gate */
    ops->conv = conv_tiled;
    ops->conv_up = conv_up_summed; /* a smaller window by the best convolution */
    ops->conv_depthwise = depthwise_packed;
    ops->norm_group = norm_group_packed; /* 16 bytes at a time */
    ops->norm_layer = norm_layer_packed;
    ops->attention = attention_tiled; /* no T x S matrix */
    ops->activate = activate_packed;
    ops->geglu = geglu_packed;
    ops->add = add_packed;
    ops->gather = gather_packed;
    ops->convert = convert_packed;
    ops->concat = concat_packed;
    if (caps & CAP_CUBLASLT)
        ops->linear = lt_linear;
    if (caps & CAP_CUDNN) {
        ops->conv = dnn_conv;
        ops->attention = dnn_attention;
    }
    if (!(caps & CAP_SM90))
        return;
    ops->name = "cuda sm_90";
    ops->norm_group = norm_group_cluster; /* a picture stays on the chip between the two passes */
}
