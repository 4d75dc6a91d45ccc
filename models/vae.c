/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - scaling_factor divides before decoding and multiplies after encoding. shift_factor, where there
 *   is one, is added after the division and taken off before the multiplication.
 * - diffusers' AutoencoderTiny has the key shift_factor but its pipelines do not read it; it is 0.
 */
#include "models/vae.h"

#include "models/parts/vae_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void load(struct vae *v, struct keys *c)
{
    const char *class = keys_string(c, "_class_name", "AutoencoderKL");
    int pictures[2];

    pictures[0] = keys_int(c, "in_channels", 3, (struct range){1, 64});
    pictures[1] = keys_int(c, "out_channels", 3, (struct range){1, 64});
    if (pictures[0] != 3 || pictures[1] != 3)
        keys_fail(c, ST_UNSUPPORTED, "in_channels and out_channels must be 3");
    v->shift_factor = (float)keys_real(c, "shift_factor", 0);
    v->force_upcast = keys_bool(c, "force_upcast", !strcmp(class, "AutoencoderKL"));
    if (!strcmp(class, "AutoencoderKL"))
        vae_kl_load(v, c);
    else if (!strcmp(class, "AutoencoderTiny"))
        vae_tiny_load(v, c);
    else
        keys_fail(c, ST_UNSUPPORTED, "the class %.60s is not AutoencoderKL or AutoencoderTiny",
                  class);
    if (!(v->scaling_factor > 1e-6f && v->scaling_factor < 1e6f))
        keys_fail(c, ST_INVALID, "scaling_factor must be positive");
    if (!(v->shift_factor > -1e6f && v->shift_factor < 1e6f))
        keys_fail(c, ST_INVALID, "shift_factor must be a finite number");
    if (!c->status)
        params_finish(&v->params);
}

enum status vae_open(struct vae **out, struct device *d, const char *folder, struct why *why)
{
    struct vae *v = calloc(1, sizeof(*v));
    char path[KEYS_PATH_MAX];
    struct keys c;
    enum status st;

    *out = NULL;
    if (!v)
        return why_fail(why, ST_FULL, "no memory for an autoencoder");
    v->device = d;
    keys_open(&c, folder, "config.json", why);
    st = c.status;
    if (!st)
        st = chain_open(&v->encoder, why);
    if (!st)
        st = chain_open(&v->decoder, why);
    if (!st)
        st = keys_path(path, folder, "diffusion_pytorch_model.safetensors", why);
    if (!st) {
        params_open(&v->params, d, path, why);
        load(v, &c); /* a bad configuration is told before a missing file */
        st = c.status ? c.status : v->params.status;
    }
    keys_close(&c);
    if (st)
        vae_close(&v);
    *out = v;
    return st;
}

void vae_close(struct vae **vae)
{
    struct vae *v = *vae;

    if (!v)
        return;
    if (v->params.device)
        params_close(&v->params);
    chain_close(&v->encoder);
    chain_close(&v->decoder);
    free(v);
    *vae = NULL;
}

struct vae_info vae_info(const struct vae *v)
{
    return (struct vae_info){.latent_channels = v->latent_channels,
                             .scale = 1 << (v->levels - 1),
                             .force_upcast = v->force_upcast,
                             .tile = v->tile};
}

void vae_decode(const struct vae *v, struct tensor y, struct tensor z)
{
    struct device *d = v->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor latents =
        tensor_carve(&d->arena, d->dtype, z.dim[0], z.dim[1], z.dim[2], z.dim[3]);
    int64_t height = z.dim[1], width = z.dim[2];

    chain_output(&v->decoder, &height, &width);
    assert(y.dim[0] == z.dim[0] && y.dim[1] == height && y.dim[2] == width && y.dim[3] == 3);
    assert(z.dim[3] == v->latent_channels);
    d->ops.affine(d, latents, z, 1 / v->scaling_factor, v->shift_factor);
    if (v->bend) {
        d->ops.affine(d, latents, latents, 1.0f / 3, 0);
        d->ops.activate(d, latents, latents, ACT_TANH);
        d->ops.affine(d, latents, latents, 3, 0);
    }
    chain_forward(&v->decoder, d, y, latents);
    if (v->bend)
        d->ops.affine(d, y, y, 2, -1);
    arena_rewind(&d->arena, mark);
}

void vae_encode(const struct vae *v, struct tensor z, struct tensor y)
{
    struct device *d = v->device;
    size_t mark = arena_mark(&d->arena);
    int64_t height = y.dim[1], width = y.dim[2];
    struct tensor pixels = tensor_carve(&d->arena, d->dtype, y.dim[0], y.dim[1], y.dim[2], 3);
    struct tensor moments;

    chain_output(&v->encoder, &height, &width);
    assert(z.dim[0] == y.dim[0] && z.dim[1] == height && z.dim[2] == width);
    assert(z.dim[3] == v->latent_channels && y.dim[3] == 3);
    moments = tensor_carve(&d->arena, d->dtype, z.dim[0], height, width, v->moments);
    if (v->bend)
        d->ops.affine(d, pixels, y, 0.5f, 0.5f);
    else
        d->ops.convert(d, pixels, y);
    chain_forward(&v->encoder, d, moments, pixels);
    d->ops.convert(d, z, tensor_columns(moments, 0, v->latent_channels));
    d->ops.affine(d, z, z, v->scaling_factor, -v->shift_factor * v->scaling_factor);
    arena_rewind(&d->arena, mark);
}
