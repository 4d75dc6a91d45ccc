/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both autoencoders against diffusers, decoding and encoding: KL with old and new attention names,
 * in float16, bfloat16 and float32, and Tiny. And KL's tiles.
 */
#include "models/vae.h"
#include "tests/fault.h"
#include "tests/parity.h"

struct run {
    struct vae *vae;
    int tile;
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
    else if (r->tile)
        vae_decode_tiled(r->vae, y, x, r->tile);
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

/* Goal: tiles are cut, decoded and blended as diffusers does it, at the same places and in the same
   order. Method: pictures by its enable_vae_tiling, of sizes that leave tiles of one latent and
   tiles smaller than the overlap. */
static void check_tiles(struct device *d, struct weights *golden, const char *name)
{
    struct run r = {0};
    char pipeline[16], latents[32], rgb[32];
    struct tensor want;

    assert_int_equal(sscanf(weights_metadata(golden, name), "%15s %d", pipeline, &r.tile), 2);
    snprintf(latents, sizeof(latents), "%s.z", name);
    snprintf(rgb, sizeof(rgb), "%s.rgb", name);
    want = parity_find(golden, rgb);
    r.in = parity_find(golden, latents);
    r.out = malloc(tensor_bytes(want));
    r.vae = open_vae(d, pipeline);
    assert_non_null(r.out);
    memcpy(r.out_dim, want.dim, sizeof(r.out_dim));
    assert_true(r.tile < r.in.dim[1] || r.tile < r.in.dim[2]);
    if (strstr(name, "_own"))
        assert_int_equal(vae_info(r.vae).tile, r.tile);
    parity_run(d, run_vae, &r);
    parity_near(r.out, want, PARITY_BOUND, name);
    vae_close(&r.vae);
    free(r.out);
}

static void tiles_equal_those_of_diffusers(void **state)
{
    static const char *const names[] = {"even",     "ragged_own", "wide_own",
                                        "tall_own", "xl_own",     "fine"};
    struct weights *golden = NULL;
    struct why why = {{0}};
    (void)state;

    if (weights_open(&golden, "tests/golden/tiles.safetensors", &why))
        fail_msg("%s", why.text);
    for (int reference = 0; reference < 2; reference++) {
        struct device *d = parity_device(reference);

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            check_tiles(d, golden, names[i]);
        device_close(&d);
    }
    weights_close(&golden);
}

/* A texture that is the same everywhere: every tile has about the statistics of the whole. */
static float *texture(int64_t height, int64_t width, int channels, float scale)
{
    float *z = malloc((size_t)(height * width * channels) * sizeof(*z)), *at = z;
    const double turn = 2 * 3.14159265358979;

    assert_non_null(z);
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < width; j++)
            for (int c = 0; c < channels; c++)
                *at++ = scale * (float)(sin(turn * ((double)i / 6 + 0.25 * c)) +
                                        cos(turn * ((double)j / 6 - 0.25 * c)));
    return z;
}

/* Decodes the texture; *peak is what that took. The caller frees the pixels. */
static float *decode_texture(struct device *d, struct vae *vae, const int64_t size[2], int tile,
                             size_t *peak)
{
    struct vae_info info = vae_info(vae);
    float *z = texture(size[0], size[1], info.latent_channels, 0.13025f);
    struct run r = {.vae = vae, .tile = tile};

    r.in = tensor_view(z, DTYPE_F32, 1, size[0], size[1], info.latent_channels);
    r.out_dim[0] = 1;
    r.out_dim[1] = info.scale * size[0];
    r.out_dim[2] = info.scale * size[1];
    r.out_dim[3] = 3;
    r.out = malloc((size_t)(r.out_dim[1] * r.out_dim[2] * 3) * sizeof(float));
    assert_non_null(r.out);
    parity_run(d, run_vae, &r);
    *peak = d->arena.peak;
    free(z);
    return r.out;
}

/* Goal: tiles take less memory, and show about the same picture, the more so the larger they are.
   Method: a texture, whose tiles are normalised as the whole is but for their edges, by random
   weights, which exaggerate every difference. Measured in float32: 0.197, 0.131, 0.085. */
static void tiles_take_less_memory_and_show_the_same(void **state)
{
    static const struct {
        int tile;
        double error;
    } cases[] = {{16, 0.22}, {24, 0.15}, {32, 0.10}};
    const int64_t size[2] = {48, 40};
    struct device *d = parity_device(false);
    struct vae *vae = open_vae(d, "sdxl");
    int64_t scale = vae_info(vae).scale;
    size_t whole_peak, peak, smaller = 0;
    float *whole = decode_texture(d, vae, size, 0, &whole_peak);
    struct tensor want = tensor_view(whole, DTYPE_F32, 1, size[0] * scale, size[1] * scale, 3);
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float *tiled = decode_texture(d, vae, size, cases[i].tile, &peak);

        parity_near(tiled, want, cases[i].error, "a texture in tiles");
        assert_true(peak < whole_peak && peak > smaller);
        if (cases[i].tile == 16)
            assert_true(2 * peak < whole_peak);
        smaller = peak;
        free(tiled);
    }
    free(whole);
    vae_close(&vae);
    device_close(&d);
}

static void what_is_no_larger_than_a_tile_is_the_same_bytes(void **state)
{
    static const int64_t sizes[][2] = {{16, 16}, {16, 11}, {7, 16}, {1, 1}};
    struct device *d = parity_device(false);
    struct vae *vae = open_vae(d, "sdxl");
    int64_t scale = vae_info(vae).scale;
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t peaks[2], bytes = (size_t)(scale * sizes[i][0] * scale * sizes[i][1] * 3) * 4;
        float *whole = decode_texture(d, vae, sizes[i], 0, &peaks[0]);
        float *tiled = decode_texture(d, vae, sizes[i], 16, &peaks[1]);

        assert_memory_equal(tiled, whole, bytes);
        assert_true(peaks[0] == peaks[1]);
        free(whole);
        free(tiled);
    }
    vae_close(&vae);
    device_close(&d);
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
    parity_refused(any, d, "{\"sample_size\":0}", ST_INVALID, "sample_size");
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
        cmocka_unit_test(tiles_equal_those_of_diffusers),
        cmocka_unit_test(tiles_take_less_memory_and_show_the_same),
        cmocka_unit_test(what_is_no_larger_than_a_tile_is_the_same_bytes),
        cmocka_unit_test(vae_open_survives_every_failed_allocation),
        cmocka_unit_test(vae_refuses_what_it_cannot_do_and_names_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
