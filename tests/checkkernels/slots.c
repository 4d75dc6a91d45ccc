/* SPDX-License-Identifier: Apache-2.0 */
/* Who checks what. main.c walks struct ops and fails for a slot that nobody here claims. */
#include "tests/checkkernels/check.h"

#define SLOT(name) #name, offsetof(struct ops, name)

const struct slot slots[] = {
    {SLOT(open), check_open, true, false},
    {SLOT(close), check_open, true, false},
    {SLOT(enter), check_memory, false, false},
    {SLOT(memory_take), check_memory, false, false},
    {SLOT(memory_give), check_memory, false, false},
    {SLOT(sync), check_memory, false, false},
    {SLOT(prepare), check_repeat, false, false},
    {SLOT(calibrate), check_calibrate, false, false},
    {SLOT(repeat), check_repeat, false, false},
    {SLOT(repeat_forget), check_repeat, false, false},
    {SLOT(weight_pack), check_weight_pack, true, false},
    {SLOT(weight_free), check_weight_pack, true, false},
    {SLOT(upload), check_upload, false, false},
    {SLOT(download), check_download, false, false},
    {SLOT(download_pixels), check_download_pixels, false, false},
    {SLOT(noise), check_noise, false, false},
    {SLOT(linear), check_linear, true, false},
    {SLOT(linear_geglu), check_linear_geglu, true, false},
    {SLOT(conv), check_conv, true, true},
    {SLOT(conv_up), check_conv_up, true, true},
    {SLOT(conv_depthwise), check_conv_depthwise, true, false},
    {SLOT(norm_group), check_norm_group, false, false},
    {SLOT(norm_layer), check_norm_layer, false, false},
    {SLOT(attention), check_attention, true, false},
    {SLOT(activate), check_activate, false, false},
    {SLOT(geglu), check_geglu, false, false},
    {SLOT(add), check_add, false, false},
    {SLOT(affine), check_affine, false, false},
    {SLOT(gather), check_gather, false, false},
    {SLOT(advance), check_advance, false, false},
    {SLOT(convert), check_convert, false, false},
    {SLOT(concat), check_concat, false, false},
    {SLOT(blend), check_blend, false, false},
    {SLOT(pool), check_pool, false, false},
    {SLOT(embed_tokens), check_embed_tokens, false, false},
    {SLOT(embed_time), check_embed_time, false, false},
};

const int slot_count = COUNT(slots);
