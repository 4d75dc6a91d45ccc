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

/* Goal: no failed allocation while opening crashes or leaks. */
static void text_encoder_open_survives_every_failed_allocation(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    for (int nth = 1;; nth++) {
        struct text_encoder *e = NULL;
        struct why why = {{0}};
        fault_arm(nth);
        enum status st = text_encoder_open(&e, d, "tests/golden/tiny_sd1/text_encoder", &why);
        bool fired = fault_fired();
        text_encoder_close(&e);
        fault_disarm();
        assert_true(fault_live() <= 0); /* below: under ASan, whose strdup is not counted */
        if (!fired) {
            assert_int_equal(st, ST_OK);
            break;
        }
        if (st != ST_FULL && st != ST_OK) /* the C library's qsort can do without */
            fail_msg("allocation %d failed: %s (%s)", nth, status_name(st), why.text);
    }
    device_close(&d);
}

static void refused(struct device *d, const char *config, enum status want, const char *words)
{
    struct text_encoder *e = NULL;
    struct why why = {{0}};
    char folder[64];
    enum status st;

    parity_config(folder, config);
    st = text_encoder_open(&e, d, folder, &why);
    parity_forget(folder);
    assert_null(e);
    if (st != want || !strstr(why.text, words))
        fail_msg("%s: %s, %s", config, status_name(st), why.text);
}

static void text_encoder_refuses_what_it_cannot_do_and_says_so(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    refused(d, "{\"hidden_act\":\"relu\"}", ST_UNSUPPORTED, "hidden_act \"relu\"");
    refused(d, "{\"architectures\":[\"T5EncoderModel\"]}", ST_UNSUPPORTED, "T5EncoderModel");
    refused(d, "{\"hidden_size\":30,\"num_attention_heads\":4}", ST_INVALID, "hidden_size 30");
    refused(d, "{\"num_hidden_layers\":0}", ST_INVALID, "num_hidden_layers");
    refused(d, "{\"num_hidden_layers\":1e30}", ST_INVALID, "num_hidden_layers");
    refused(d, "{\"layer_norm_eps\":\"small\"}", ST_INVALID, "layer_norm_eps");
    refused(d, "[]", ST_INVALID, "config.json");
    refused(d, "{}", ST_MISSING, "model.safetensors");
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
