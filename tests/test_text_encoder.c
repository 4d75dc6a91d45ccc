/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CLIP text encoder against transformers, on eight tiny ones: quick_gelu and gelu, float16,
 * bfloat16 and float32 files, with and without position_ids; the last layer left out, and texts
 * pooled at their end, found in both ways.
 */
#include "models/text_encoder.h"
#include "tests/fault.h"
#include "tests/parity.h"

struct run {
    struct text_encoder *encoder;
    struct tensor ids; /* on the host */
    int skip;
    float *out;
    float *pooled; /* NULL: not wanted */
};

static void encode(struct device *d, void *context)
{
    struct run *r = context;
    struct tensor ids = parity_upload(d, r->ids);
    struct tensor y = tensor_carve(&d->arena, d->dtype, ids.dim[0], 1, ids.dim[3],
                                   text_encoder_width(r->encoder));

    text_encoder_forward(r->encoder, y, ids, r->skip);
    d->ops.download(d, r->out, y);
    if (r->pooled) {
        struct tensor pooled = tensor_carve(&d->arena, d->dtype, ids.dim[0], 1, 1,
                                            text_encoder_projection(r->encoder));
        text_encoder_pool(r->encoder, pooled, y, r->skip, r->ids.data);
        d->ops.download(d, r->pooled, pooled);
    }
}

static struct text_encoder *open_encoder(struct device *d, const char *name, bool second)
{
    struct text_encoder *e = NULL;
    struct why why = {{0}};
    char path[256];

    parity_path(path, name, second ? "text_encoder_2" : "text_encoder");
    if (text_encoder_open(&e, d, path, second, &why) != ST_OK)
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
    struct run r = {.encoder = open_encoder(d, name, false)};
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

/* One encoder's columns of the golden context, row 1. */
static struct tensor golden_columns(struct tensor context, int64_t from, int64_t width)
{
    int64_t length = context.dim[2];
    float *numbers = malloc((size_t)(length * width) * sizeof(float));
    struct tensor columns = tensor_columns(context, from, width);

    assert_non_null(numbers);
    for (int64_t i = 0; i < length; i++)
        memcpy(numbers + i * width, tensor_row(columns, length + i), (size_t)width * sizeof(float));
    return tensor_view(numbers, DTYPE_F32, 1, 1, length, width);
}

/* Goal: what an encoder leaves before its last layer are its columns of SDXL's context, and what
   the second makes of a whole text is the pooled one; row 1 alone is what it is beside row 0, bit
   for bit. Method: row 1 against the golden one, because row 0 may be zeros there. */
static void check_xl(const char *name, bool second, bool reference)
{
    struct device *d = parity_device(reference);
    struct weights *golden = parity_open(name);
    struct tensor context = parity_find(golden, "context"), pooled = parity_find(golden, "pooled");
    struct tensor ids = parity_find(golden, second ? "ids_2" : "ids");
    struct run r = {.encoder = open_encoder(d, name, second), .skip = 1};
    int64_t width = text_encoder_width(r.encoder), length = ids.dim[3], all = pooled.dim[3];
    struct tensor want = golden_columns(context, second ? context.dim[3] - width : 0, width);
    float *both = malloc(2 * tensor_bytes(want)), *pool = malloc(2 * tensor_bytes(pooled));

    pooled = tensor_slice(tensor_reshape(pooled, 2, 1, 1, all), 1, 1);
    r.ids = tensor_view(ids.data, DTYPE_I32, 2, 1, 1, length);
    r.out = both;
    r.pooled = second ? pool : NULL;
    parity_run(d, encode, &r);
    parity_near(both + length * width, want, PARITY_BOUND, name);
    if (second) {
        parity_near(pool + all, pooled, PARITY_BOUND, "pooled");
        r.ids = tensor_slice(r.ids, 1, 1);
        r.pooled = pool + 2 * all;
        parity_run(d, encode, &r);
        assert_memory_equal(pool + 2 * all, pool + all, tensor_bytes(pooled));
    }
    free(want.data);
    free(both);
    free(pool);
    text_encoder_close(&r.encoder);
    weights_close(&golden);
    device_close(&d);
}

static void text_encoders_of_sdxl_equal_transformers(void **state)
{
    (void)state;
    for (int i = PARITY_XL; i < PARITY_COUNT; i++)
        for (int second = 0; second < 2; second++) {
            check_xl(parity_names[i], second, true);
            check_xl(parity_names[i], second, false);
        }
}

/* Goal: a text is pooled at its first end, whichever way the end is known.
   Method: what follows the end is filled with more ends; a causal encoder must pool the same. */
static void check_end(const char *name)
{
    struct device *d = parity_device(false);
    struct weights *golden = parity_open(name);
    struct tensor ids = parity_find(golden, "ids_2"), pooled = parity_find(golden, "pooled");
    struct run r = {.encoder = open_encoder(d, name, true), .skip = 1};
    int64_t length = ids.dim[3], width = pooled.dim[3], end = 0;
    int32_t *one = malloc((size_t)length * sizeof(*one));

    r.out = malloc((size_t)(length * text_encoder_width(r.encoder)) * sizeof(float));
    r.pooled = malloc(tensor_bytes(pooled));
    r.ids = tensor_view(one, DTYPE_I32, 1, 1, 1, length);
    memcpy(one, (int32_t *)ids.data + length, (size_t)length * sizeof(*one));
    for (int64_t i = 0; i < length; i++)
        if (one[i] > one[end])
            end = i;
    assert_true(end > 2 && end < length - 2);
    parity_run(d, encode, &r);
    for (int64_t i = end; i < length; i++)
        one[i] = one[end];
    r.pooled += width;
    parity_run(d, encode, &r);
    assert_memory_equal(r.pooled - width, r.pooled, (size_t)width * sizeof(float));
    free(r.pooled - width);
    free(r.out);
    free(one);
    text_encoder_close(&r.encoder);
    weights_close(&golden);
    device_close(&d);
}

static void text_encoder_pools_at_the_first_end(void **state)
{
    (void)state;
    for (int i = PARITY_XL; i < PARITY_COUNT; i++)
        check_end(parity_names[i]);
}

static void text_encoder_equals_transformers_in_plain_c(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_XL; i++)
        check(parity_names[i], true);
}

static void text_encoder_equals_transformers_on_the_fast_filling(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_XL; i++)
        check(parity_names[i], false);
}

static enum status open_any(void **out, struct device *d, const char *folder, struct why *why)
{
    return text_encoder_open((struct text_encoder **)out, d, folder, false, why);
}

static enum status open_projecting(void **out, struct device *d, const char *folder,
                                   struct why *why)
{
    return text_encoder_open((struct text_encoder **)out, d, folder, true, why);
}

static void close_any(void **network)
{
    text_encoder_close((struct text_encoder **)network);
}

static const struct parity_network any = {open_any, close_any};
static const struct parity_network projecting = {open_projecting, close_any};

static void text_encoder_open_survives_every_failed_allocation(void **state)
{
    (void)state;
    parity_survives(any, "tests/golden/tiny_sd1/text_encoder");
    parity_survives(projecting, "tests/golden/tiny_sdxl/text_encoder_2");
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
    parity_refused(any, d, "{\"eos_token_id\":-1}", ST_INVALID, "eos_token_id");
    parity_refused(any, d, "{\"architectures\":[\"CLIPTextModelWithProjection\"]}", ST_UNSUPPORTED,
                   "is not CLIPTextModel");
    parity_refused(projecting, d, "{\"architectures\":[\"CLIPTextModel\"]}", ST_UNSUPPORTED,
                   "the class CLIPTextModel is not CLIPTextModelWithProjection");
    parity_refused(projecting, d, "{\"projection_dim\":0}", ST_INVALID, "projection_dim");
    device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_encoder_equals_transformers_in_plain_c),
        cmocka_unit_test(text_encoder_equals_transformers_on_the_fast_filling),
        cmocka_unit_test(text_encoders_of_sdxl_equal_transformers),
        cmocka_unit_test(text_encoder_pools_at_the_first_end),
        cmocka_unit_test(text_encoder_open_survives_every_failed_allocation),
        cmocka_unit_test(text_encoder_refuses_what_it_cannot_do_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
