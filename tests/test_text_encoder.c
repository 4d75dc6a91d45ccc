/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CLIP text encoder against transformers, on four tiny ones: quick_gelu and gelu, float16,
 * bfloat16 and float32 files, with and without position_ids.
 */
#include "models/text_encoder.h"
#include "tests/fault.h"
#include "tests/parity.h"

struct run {
    struct text_encoder *encoder;
    struct tensor ids; /* on the host */
    float *out;
};

static void encode(struct device *d, void *context)
{
    struct run *r = context;
    struct tensor ids = parity_upload(d, r->ids);
    struct tensor y = tensor_carve(&d->arena, d->dtype, ids.dim[0], 1, ids.dim[3],
                                   text_encoder_width(r->encoder));

    text_encoder_forward(r->encoder, y, ids);
    d->ops.download(d, r->out, y);
}

static struct text_encoder *open_encoder(struct device *d, const char *name)
{
    struct text_encoder *e = NULL;
    struct why why = {{0}};
    char path[256];

    if (text_encoder_open(&e, d, parity_path(path, name, "text_encoder"), &why) != ST_OK)
        fail_msg("%s", why.text);
    return e;
}

/* Goal: hidden states equal transformers' on every tiny model, and row 1 of a batch of two is what
   it is alone, bit for bit. */
static void check(const char *name, bool reference)
{
    struct device *d = parity_device(reference);
    struct weights *golden = parity_open(name);
    struct tensor want = parity_find(golden, "context"), ids = parity_find(golden, "ids");
    struct run r = {.encoder = open_encoder(d, name)};
    size_t half = (size_t)(want.dim[2] * want.dim[3]);
    float *both = malloc(tensor_bytes(want)), *alone = malloc(tensor_bytes(want));

    r.out = both;
    r.ids = tensor_view(ids.data, DTYPE_I32, ids.dim[2], 1, 1, ids.dim[3]);
    parity_run(d, encode, &r);
    parity_near(both, want, PARITY_BOUND, name);

    r.out = alone;
    r.ids = tensor_slice(r.ids, 1, 1);
    parity_run(d, encode, &r);
    assert_memory_equal(alone, both + half, half * sizeof(float));

    free(both);
    free(alone);
    text_encoder_close(&r.encoder);
    weights_close(&golden);
    device_close(&d);
}

static void text_encoder_equals_transformers_in_plain_c(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++)
        check(parity_names[i], true);
}

static void text_encoder_equals_transformers_on_the_fast_filling(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++)
        check(parity_names[i], false);
}

static enum status open_any(void **out, struct device *d, const char *folder, struct why *why)
{
    return text_encoder_open((struct text_encoder **)out, d, folder, why);
}

static void close_any(void **network)
{
    text_encoder_close((struct text_encoder **)network);
}

static const struct parity_network any = {open_any, close_any};

static void text_encoder_open_survives_every_failed_allocation(void **state)
{
    (void)state;
    parity_survives(any, "tests/golden/tiny_sd1/text_encoder");
}

static void text_encoder_refuses_what_it_cannot_do_and_says_so(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    parity_refused(any, d, "{\"hidden_act\":\"relu\"}", ST_UNSUPPORTED, "hidden_act \"relu\"");
    parity_refused(any, d, "{\"architectures\":[\"T5EncoderModel\"]}", ST_UNSUPPORTED,
                   "T5EncoderModel");
    parity_refused(any, d, "{\"hidden_size\":30,\"num_attention_heads\":4}", ST_INVALID,
                   "hidden_size 30");
    parity_refused(any, d, "{\"num_hidden_layers\":0}", ST_INVALID, "num_hidden_layers");
    parity_refused(any, d, "{\"num_hidden_layers\":1e30}", ST_INVALID, "num_hidden_layers");
    parity_refused(any, d, "{\"layer_norm_eps\":\"small\"}", ST_INVALID, "layer_norm_eps");
    parity_refused(any, d, "[]", ST_INVALID, "config.json");
    parity_refused(any, d, "{}", ST_MISSING, "model.safetensors");
    device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_encoder_equals_transformers_in_plain_c),
        cmocka_unit_test(text_encoder_equals_transformers_on_the_fast_filling),
        cmocka_unit_test(text_encoder_open_survives_every_failed_allocation),
        cmocka_unit_test(text_encoder_refuses_what_it_cannot_do_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
