/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both autoencoders against diffusers, decoding and encoding: KL with old and new attention names,
 * in float16, bfloat16 and float32, and Tiny.
 */
#include "models/vae.h"
#include "tests/fault.h"
#include "tests/parity.h"

struct run {
    struct vae *vae;
    struct tensor in;
    int64_t out_dim[4];
    bool encode;
    float *out;
};

static void run_vae(struct device *d, void *context)
{
    struct run *r = context;
    const int64_t *dim = r->out_dim;
    struct tensor x = parity_upload(d, r->in);
    struct tensor y = tensor_carve(&d->arena, d->dtype, dim[0], dim[1], dim[2], dim[3]);

    if (r->encode)
        vae_encode(r->vae, y, x);
    else
        vae_decode(r->vae, y, x);
    d->ops.download(d, r->out, y);
}

static struct vae *open_vae(struct device *d, const char *name)
{
    struct vae *v = NULL;
    struct why why = {{0}};
    char path[256];

    if (vae_open(&v, d, parity_path(path, name, "vae"), &why) != ST_OK)
        fail_msg("%s", why.text);
    return v;
}

/* One direction, and the same twice over in a batch: both halves must be what one alone was. */
static void check_direction(struct device *d, struct run r, struct tensor in, struct tensor want,
                            const char *what)
{
    size_t bytes = tensor_bytes(want);
    float *one = malloc(bytes), *two = malloc(2 * bytes), *twice = malloc(2 * tensor_bytes(in));

    assert_true(one && two && twice);
    r.in = in;
    r.out = one;
    memcpy(r.out_dim, want.dim, sizeof(r.out_dim));
    parity_run(d, run_vae, &r);
    parity_near(one, want, PARITY_BOUND, what);

    memcpy(twice, in.data, tensor_bytes(in));
    memcpy((char *)twice + tensor_bytes(in), in.data, tensor_bytes(in));
    r.in = tensor_view(twice, DTYPE_F32, 2, in.dim[1], in.dim[2], in.dim[3]);
    r.out = two;
    r.out_dim[0] = 2;
    parity_run(d, run_vae, &r);
    assert_memory_equal(two, one, bytes);
    assert_memory_equal((char *)two + bytes, one, bytes);
    free(one);
    free(two);
    free(twice);
}

static void check(const char *name, bool reference)
{
    struct device *d = parity_device(reference);
    struct weights *golden = parity_open(name);
    struct vae *vae = open_vae(d, name);
    int steps = atoi(weights_metadata(golden, "steps"));
    char latents[32];

    snprintf(latents, sizeof(latents), "latents.%d", steps - 1);
    check_direction(d, (struct run){.vae = vae}, parity_find(golden, latents),
                    parity_find(golden, "rgb"), name);
    check_direction(d, (struct run){.vae = vae, .encode = true}, parity_find(golden, "encode_in"),
                    parity_find(golden, "encode_out"), "encode");
    vae_close(&vae);
    weights_close(&golden);
    device_close(&d);
}

static void vae_equals_diffusers_in_plain_c(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++)
        check(parity_names[i], true);
}

static void vae_equals_diffusers_on_the_fast_filling(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++)
        check(parity_names[i], false);
}

static enum status open_any(void **out, struct device *d, const char *folder, struct why *why)
{
    return vae_open((struct vae **)out, d, folder, why);
}

static void close_any(void **network)
{
    vae_close((struct vae **)network);
}

static const struct parity_network any = {open_any, close_any};

static void vae_open_survives_every_failed_allocation(void **state)
{
    (void)state;
    parity_survives(any, "tests/golden/tiny_lcm/vae");
    parity_survives(any, "tests/golden/tiny_odd/vae");
}

static void vae_refuses_what_it_cannot_do_and_names_the_key(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    parity_refused(any, d, "{\"_class_name\":\"VQModel\"}", ST_UNSUPPORTED, "VQModel");
    parity_refused(any, d, "{\"act_fn\":\"gelu\"}", ST_UNSUPPORTED, "act_fn");
    parity_refused(any, d, "{\"latents_mean\":[0,0,0,0]}", ST_UNSUPPORTED, "latents_mean");
    parity_refused(any, d, "{\"in_channels\":4}", ST_UNSUPPORTED, "in_channels");
    parity_refused(any, d, "{\"down_block_types\":[\"AttnDownEncoderBlock2D\"]}", ST_UNSUPPORTED,
                   "AttnDownEncoderBlock2D");
    parity_refused(any, d, "{\"block_out_channels\":[64,100]}", ST_INVALID, "down_block_types");
    parity_refused(any, d, "{\"block_out_channels\":[100]}", ST_INVALID, "norm_num_groups 32");
    parity_refused(any, d, "{\"scaling_factor\":0}", ST_INVALID, "scaling_factor");
    parity_refused(any, d, "{\"_class_name\":\"AutoencoderTiny\",\"upsample_fn\":\"bilinear\"}",
                   ST_UNSUPPORTED, "upsample_fn");
    parity_refused(any, d, "{\"_class_name\":\"AutoencoderTiny\",\"act_fn\":\"mish\"}",
                   ST_UNSUPPORTED, "mish");
    parity_refused(any, d, "{\"_class_name\":\"AutoencoderTiny\",\"num_decoder_blocks\":[1,1]}",
                   ST_INVALID, "num_decoder_blocks");
    parity_refused(
        any, d,
        "{\"_class_name\":\"AutoencoderTiny\",\"encoder_block_out_channels\":[64,64,64,48]}",
        ST_UNSUPPORTED, "encoder_block_out_channels");
    parity_refused(any, d, "{}", ST_MISSING, "diffusion_pytorch_model");
    device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vae_equals_diffusers_in_plain_c),
        cmocka_unit_test(vae_equals_diffusers_on_the_fast_filling),
        cmocka_unit_test(vae_open_survives_every_failed_allocation),
        cmocka_unit_test(vae_refuses_what_it_cannot_do_and_names_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
