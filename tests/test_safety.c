/* SPDX-License-Identifier: Apache-2.0 */
#include "models/image_encoder.h"
#include "moderation/resize.h"
#include "moderation/safety.h"
#include "moderation/vision.h"
#include "tests/parity.h"

#include <sys/stat.h>
#include <unistd.h>

#define FOLDER   "tests/golden/tiny_safety"
#define PICTURES 8

/* What diffusers and transformers made of the same files: tools/oracle/safety.py. */
struct golden {
    struct weights *file;
    struct image image[PICTURES];
};

static struct tensor find(const struct golden *g, const char *name, int i)
{
    char full[32];

    snprintf(full, sizeof(full), "%s.%d", name, i);
    return parity_find(g->file, full);
}

static int open_golden(void **state)
{
    struct golden *g = calloc(1, sizeof(*g));
    struct why why = {{0}};

    assert_non_null(g);
    if (weights_open(&g->file, FOLDER "/golden.safetensors", &why))
        fail_msg("%s", why.text);
    for (int i = 0; i < PICTURES; i++) {
        struct tensor t = find(g, "picture", i); /* [1, H, W, 3], u8 */
        assert_int_equal(image_open(&g->image[i], (int)t.dim[2], (int)t.dim[1]), ST_OK);
        memcpy(g->image[i].rgb, t.data, tensor_bytes(t));
    }
    *state = g;
    return 0;
}

static int close_golden(void **state)
{
    struct golden *g = *state;

    for (int i = 0; i < PICTURES; i++)
        image_close(&g->image[i]);
    weights_close(&g->file);
    free(g);
    return 0;
}

/* Goal: pixels are CLIP's image processor's to the last bit, whatever the size.
   Method: eight sizes from 1 x 1 to 200 x 130, tall and wide, that transformers resized. */
static void resizing_is_that_of_pillow(void **state)
{
    const struct golden *g = *state;
    uint8_t got[32 * 32 * 3];

    for (int i = 0; i < PICTURES; i++) {
        struct tensor want = find(g, "pixels", i);
        struct why why = {{0}};

        assert_int_equal(resize_bicubic_middle(got, 32, &g->image[i], &why), ST_OK);
        for (size_t k = 0; k < sizeof(got); k++)
            if (got[k] != ((const uint8_t *)want.data)[k])
                fail_msg("picture %d, byte %zu: %d, not %d", i, k, got[k],
                         ((const uint8_t *)want.data)[k]);
    }
}

struct run {
    const struct golden *golden;
    struct image_encoder *encoder;
    float vector[PICTURES][16];
    bool reversed;
};

static void encode(struct device *d, void *context)
{
    struct run *r = context;
    const uint8_t *pictures[PICTURES];
    struct tensor y = tensor_carve(&d->arena, DTYPE_F32, PICTURES, 1, 1, 16);

    for (int i = 0; i < PICTURES; i++)
        pictures[i] = find(r->golden, "pixels", r->reversed ? PICTURES - 1 - i : i).data;
    image_encoder_forward(r->encoder, y, pictures);
    d->ops.download(d, r->vector, y);
}

static void vectors_are_those_of_transformers(void **state)
{
    struct run r = {.golden = *state};
    struct why why = {{0}};

    for (int reference = 0; reference < 2; reference++) {
        struct device *d = parity_device(reference);

        if (image_encoder_open(&r.encoder, d, FOLDER, &why))
            fail_msg("%s", why.text);
        assert_int_equal(image_encoder_size(r.encoder), 32);
        assert_int_equal(image_encoder_projection(r.encoder), 16);
        parity_run(d, encode, &r);
        for (int i = 0; i < PICTURES; i++)
            parity_near(r.vector[i], find(r.golden, "vector", i), PARITY_BOUND, "vector");
        image_encoder_close(&r.encoder);
        device_close(&d);
    }
}

static void vectors_do_not_depend_on_neighbours(void **state)
{
    struct run r = {.golden = *state}, back = {.golden = *state, .reversed = true};
    struct device *d = parity_device(false);

    assert_int_equal(image_encoder_open(&r.encoder, d, FOLDER, NULL), ST_OK);
    back.encoder = r.encoder;
    parity_run(d, encode, &r);
    parity_run(d, encode, &back);
    for (int i = 0; i < PICTURES; i++)
        assert_memory_equal(r.vector[i], back.vector[PICTURES - 1 - i], sizeof(r.vector[i]));
    image_encoder_close(&r.encoder);
    device_close(&d);
}

static double largest(struct tensor t)
{
    double most = -1;

    for (int64_t i = 0; i < tensor_count(t); i++)
        most = fmax(most, (double)((const float *)t.data)[i]);
    return most;
}

/* A folder MODEL/safety_checker that is a link to the tiny checkpoint. */
static void make_model(char folder[64])
{
    char here[1024], link[128], target[1200];

    snprintf(folder, 64, "/tmp/limner-safety-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(target, sizeof(target), "%s/%s", here, FOLDER);
    snprintf(link, sizeof(link), "%s/safety_checker", folder);
    assert_int_equal(symlink(target, link), 0);
}

static void forget_model(const char *folder)
{
    char link[128];

    snprintf(link, sizeof(link), "%s/safety_checker", folder);
    unlink(link);
    rmdir(folder);
}

/* Goal: through the whole path, margins and flags are diffusers', special care included, and only
   the pictures that ask are asked. */
static void margins_and_flags_are_those_of_diffusers(void **state)
{
    const struct golden *g = *state;
    const struct vision_options options = {.folder = "moderation/weights", .threads = 1};
    const int32_t *flagged = parity_find(g->file, "flagged").data;
    const struct image *images[PICTURES];
    struct scores scores[PICTURES];
    struct vision *v = NULL;
    struct why why = {{0}};
    int safety[PICTURES], number, again, flags = 0;
    char folder[64], before[65];

    make_model(folder);
    assert_int_equal(vision_open(&v, &options, &why), ST_OK);
    snprintf(before, sizeof(before), "%s", vision_sha256(v));
    if (vision_add_safety(v, folder, &number, &why))
        fail_msg("%s", why.text);
    assert_int_equal(number, 0);
    assert_string_not_equal(vision_sha256(v), before);
    assert_int_equal(vision_add_safety(v, folder, &again, &why), ST_OK);
    assert_int_equal(again, 0);

    for (int i = 0; i < PICTURES; i++) {
        images[i] = &g->image[i];
        safety[i] = i == 2 ? -1 : 0;
    }
    assert_int_equal(vision_score(v, scores, images, safety, PICTURES, &why), ST_OK);
    for (int i = 0; i < PICTURES; i++) {
        double want = largest(find(g, "margin", i));
        assert_int_equal(scores[i].has_safety, i != 2);
        if (i == 2)
            continue;
        if (fabs((double)scores[i].safety - want) > 1e-6)
            fail_msg("picture %d: %g, not %g", i, (double)scores[i].safety, want);
        assert_int_equal(scores[i].safety > 0, flagged[i]);
        flags += scores[i].safety > 0;
    }
    assert_true(flags > 0 && flags < PICTURES - 1);
    vision_close(&v);
    forget_model(folder);
}

/* The rule on numbers that were chosen. */
static double margin(const float *special, const float *concept)
{
    static const float nothing[3] = {0};
    const struct safety_concepts c = {.special = special,
                                      .special_threshold = nothing,
                                      .special_count = 3,
                                      .concept = concept,
                                      .threshold = nothing,
                                      .count = 3};

    return safety_margin(&c);
}

static void margins_are_rounded_before_they_are_compared(void **state)
{
    static const float none[3] = {-1, -1, -1};
    (void)state;

    assert_true(margin(none, (float[]){-1, 0.0004f, -0.2f}) == 0);
    assert_true(margin(none, (float[]){-1, 0.0006f, -0.2f}) == 0.001);
    assert_true(margin(none, (float[]){-0.0296f, -0.5f, -0.9f}) == -0.03);
}

/* Goal: care starts at the first special concept above 0, for the later special ones too, and is
   added once. */
static void special_care_is_carried_over(void **state)
{
    static const float below[3] = {-0.005f, -0.005f, -0.005f};
    (void)state;

    assert_true(margin((float[]){-1, -1, -1}, below) == -0.005);
    assert_true(margin((float[]){0.1f, -1, -1}, below) == 0.005);
    assert_true(margin((float[]){0.1f, -0.005f, 0.2f}, below) == 0.005);
    assert_true(margin((float[]){0.0004f, -0.005f, -1}, below) == -0.005);
    assert_true(isnan(margin((float[]){-1, -1, -1}, (float[]){-1, NAN, -1})));
}

static enum status open_encoder(void **network, struct device *d, const char *folder,
                                struct why *why)
{
    return image_encoder_open((struct image_encoder **)network, d, folder, why);
}

static void close_encoder(void **network)
{
    image_encoder_close((struct image_encoder **)network);
}

static const struct parity_network encoders = {open_encoder, close_encoder};

static enum status open_checker(void **network, struct device *d, const char *folder,
                                struct why *why)
{
    return safety_open((struct safety **)network, d, folder, why);
}

static void close_checker(void **network)
{
    safety_close((struct safety **)network);
}

static void bad_configurations_are_refused(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    parity_refused(encoders, d, "{}", ST_INVALID, "vision_config is not an object");
    parity_refused(encoders, d, "{\"vision_config\":{\"image_size\":32,\"patch_size\":7}}",
                   ST_UNSUPPORTED, "patch_size 7");
    parity_refused(encoders, d, "{\"vision_config\":{\"num_channels\":1}}", ST_UNSUPPORTED,
                   "num_channels");
    parity_refused(encoders, d, "{\"vision_config\":{\"hidden_act\":\"relu\"}}", ST_UNSUPPORTED,
                   "hidden_act");
    parity_refused(encoders, d, "{\"vision_config\":{}}", ST_MISSING, "model.safetensors");
    device_close(&d);
}

static void opening_survives_every_failed_allocation(void **state)
{
    (void)state;
    parity_survives((struct parity_network){open_checker, close_checker}, FOLDER);
}

/* Goal: a concept that is no number, or has another width, is refused by name. */
static void bad_concepts_are_refused(void **state)
{
    static const struct {
        const char *from, *to;
        enum status want;
        const char *words;
    } cases[] = {
        {"special_care_embeds_weights", "special_care_embeds_weighty", ST_MISSING,
         "special_care_embeds_weights"},
        {"concept_embeds\":{\"dtype\":\"F32\",\"shape\":[17,16]",
         "concept_embeds\":{\"dtype\":\"F32\",\"shape\":[16,17]", ST_INVALID, "concept_embeds"},
        {"visual_projection.weight", "visual_projection.weighs", ST_MISSING, "visual_projection"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct device *d = parity_device(true);
        static char data[1 << 18];
        char folder[64], path[96];
        struct safety *s = NULL;
        struct why why = {{0}};
        FILE *file = fopen(FOLDER "/model.safetensors", "rb");
        size_t bytes = fread(data, 1, sizeof(data), file);
        char *at = memmem(data, bytes, cases[i].from, strlen(cases[i].from));
        enum status st;

        fclose(file);
        assert_non_null(at);
        memcpy(at, cases[i].to, strlen(cases[i].to));
        parity_config(folder, "{\"projection_dim\":16,\"vision_config\":{\"hidden_size\":32,"
                              "\"image_size\":32,\"intermediate_size\":64,\"patch_size\":8,"
                              "\"num_attention_heads\":4,\"num_hidden_layers\":3}}");
        snprintf(path, sizeof(path), "%s/model.safetensors", folder);
        file = fopen(path, "wb");
        assert_int_equal(fwrite(data, 1, bytes, file), bytes);
        fclose(file);
        st = safety_open(&s, d, folder, &why);
        remove(path);
        parity_forget(folder);
        assert_null(s);
        if (st != cases[i].want || !strstr(why.text, cases[i].words))
            fail_msg("case %zu: %s, %s", i, status_name(st), why.text);
        device_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_is_that_of_pillow),
        cmocka_unit_test(vectors_are_those_of_transformers),
        cmocka_unit_test(vectors_do_not_depend_on_neighbours),
        cmocka_unit_test(margins_and_flags_are_those_of_diffusers),
        cmocka_unit_test(margins_are_rounded_before_they_are_compared),
        cmocka_unit_test(special_care_is_carried_over),
        cmocka_unit_test(bad_configurations_are_refused),
        cmocka_unit_test(bad_concepts_are_refused),
        cmocka_unit_test(opening_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
