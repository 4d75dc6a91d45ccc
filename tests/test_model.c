/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole pipeline on tiny folders: pictures that do not depend on their company, limits told in
 * words, and folders that do not fit refused. Parity with diffusers is in test_parity.c.
 */
#include "models/model.h"
#include "models/unet.h"
#include "tests/fault.h"
#include "tests/parity.h"

#include <unistd.h>

#define SEATS 3

static struct model *open_model(struct device *d, const char *folder)
{
    struct model *m = NULL;
    struct why why = {{0}};

    if (model_open(&m, d, folder, &why) != ST_OK)
        fail_msg("%s", why.text);
    return m;
}

/* Seats carved in memory that was measured for them. */
static void take_seats(struct device *d, const struct model *m, struct latent *seat, int seats,
                       int size[2])
{
    struct why why = {{0}};

    arena_rewind(&d->arena, 0);
    device_measure_begin(d);
    for (int i = 0; i < seats; i++)
        model_latent_carve(m, &seat[i], size[0], size[1]);
    if (model_rehearse(m, seats, size[0], size[1], &why) != ST_OK)
        fail_msg("%s", why.text);
    if (device_measure_end(d, &why) != ST_OK)
        fail_msg("%s", why.text);
    for (int i = 0; i < seats; i++)
        model_latent_carve(m, &seat[i], size[0], size[1]);
}

static void start(const struct model *m, struct latent *l, struct picture picture)
{
    struct why why = {{0}};

    if (model_check(m, &picture, &why) != ST_OK)
        fail_msg("%s", why.text);
    if (model_latent_start(m, l, &picture, NULL, NULL, &why) != ST_OK)
        fail_msg("%s", why.text);
}

static float *decode(const struct model *m, const struct latent *l)
{
    size_t scale = (size_t)model_info(m)->latent_scale;
    size_t pixels = scale * scale * (size_t)(l->x.dim[1] * l->x.dim[2]);
    float *rgb = malloc(3 * pixels * sizeof(float));
    struct image image;
    struct why why = {{0}};

    assert_non_null(rgb);
    if (model_decode(m, l, &image, rgb, &why) != ST_OK)
        fail_msg("%s", why.text);
    assert_int_equal(image_bytes(&image), 3 * pixels);
    image_close(&image);
    return rgb;
}

/* Three pictures that share nothing but their size. */
static const struct picture company[SEATS] = {
    {"a red fox", "", 128, 64, 4, 3.0, SAMPLER_DDIM, 7},
    {"the blue house", "red", 128, 64, 6, 1.0, SAMPLER_EULER_ANCESTRAL, 8},
    {"a green tree", "house", 128, 64, 5, 7.5, SAMPLER_DPMPP_2M, 1ull << 40},
};

/* Goal: a picture depends on its request alone.
   Method: three pictures with other prompts, samplers, guidance and numbers of steps; each alone,
   then together, joining one step after another. Pixels must be equal bit for bit. */
static void check_company(const char *folder, bool reference)
{
    struct device *d = parity_device(reference);
    struct model *m = open_model(d, folder);
    struct latent seat[SEATS], *some[SEATS];
    float *alone[SEATS], *together;
    int sat = 0;

    take_seats(d, m, seat, SEATS, (int[2]){128, 64});
    for (int i = 0; i < SEATS; i++) {
        some[0] = &seat[0];
        start(m, &seat[0], company[i]);
        while (!model_latent_done(&seat[0]))
            model_step(m, some, 1);
        alone[i] = decode(m, &seat[0]);
    }
    for (int turn = 0; turn < 20; turn++) {
        int count = 0;
        if (sat < SEATS) {
            start(m, &seat[sat], company[sat]);
            sat++;
        }
        for (int i = 0; i < sat; i++)
            if (!model_latent_done(&seat[i]))
                some[count++] = &seat[i];
        if (count)
            model_step(m, some, count);
    }
    for (int i = 0; i < SEATS; i++) {
        assert_int_equal(seat[i].step, seat[i].plan.count);
        together = decode(m, &seat[i]);
        assert_memory_equal(together, alone[i], 128 * 64 * 3 * sizeof(float));
        free(together);
        free(alone[i]);
    }
    model_close(&m);
    device_close(&d);
}

static void model_makes_the_same_picture_in_any_company(void **state)
{
    (void)state;
    check_company("tests/golden/tiny_sd1", true);
    check_company("tests/golden/tiny_sd1", false);
    check_company("tests/golden/tiny_sdxl", false);
}

/* The step that comes: its shift as it is read alone, and as it was read with others. */
static void check_shift(struct device *d, const struct unet *u, const struct latent *l)
{
    int kinds = unet_info(u).pooled_width ? 2 : 1, steps = (int)l->shift.dim[0] / kinds;
    const float t[2] = {l->plan.step[l->step].t, l->plan.step[l->step].t};
    struct tensor kept = tensor_slice(l->shift, l->step % steps * kinds, kinds), when, alone;
    size_t mark = arena_mark(&d->arena), bytes = tensor_bytes(kept);
    char *numbers = malloc(2 * bytes);

    assert_non_null(numbers);
    assert_true(l->plan.count > steps);
    when = tensor_carve(&d->arena, DTYPE_F32, kinds, 1, 1, 1);
    alone = tensor_carve_like(&d->arena, kept);
    d->ops.upload(d, when, t);
    unet_read_time(u, alone, when, l->added);
    d->ops.download(d, numbers, alone);
    d->ops.download(d, numbers + bytes, kept);
    arena_rewind(&d->arena, mark);
    if (memcmp(numbers, numbers + bytes, bytes))
        fail_msg("time was read otherwise for step %d", l->step);
    free(numbers);
}

static void check_shifts(struct device *d, const char *name)
{
    struct picture picture = {"a cat", "red", 64, 64, 60, 3.0, SAMPLER_DDIM, 3};
    struct latent seat, *some[1] = {&seat};
    struct unet *u = NULL;
    struct model *m;
    struct why why = {{0}};
    char path[256];

    m = open_model(d, parity_path(path, name, ""));
    if (unet_open(&u, d, parity_path(path, name, "unet"), &why))
        fail_msg("%s", why.text);
    take_seats(d, m, &seat, 1, (int[2]){64, 64});
    start(m, &seat, picture);
    while (!model_latent_done(&seat)) {
        model_step(m, some, 1);
        seat.step--; /* the step that was made: what was read for it is still there */
        check_shift(d, u, &seat);
        seat.step++;
    }
    assert_int_equal(seat.step, 60);
    unet_close(&u);
    model_close(&m);
}

/* Goal: what time adds to a step is the same to a bit, read for many steps at once or for one
   alone, and in a picture of more steps than are read at once.
   Method: every step of 60, against a network that is opened a second time. */
static void model_reads_time_for_many_steps_as_for_one(void **state)
{
    struct device *d = parity_device(false);
    (void)state;

    check_shifts(d, "sd1");
    check_shifts(d, "sdxl");
    device_close(&d);
}

/* Goal: without guidance the negative prompt is not looked at; with it, it is. */
static void model_reads_the_negative_prompt_only_with_guidance(void **state)
{
    struct device *d = parity_device(true);
    struct model *m = open_model(d, "tests/golden/tiny_odd");
    struct latent seat, *some[1] = {&seat};
    struct picture picture = {"a cat", "", 64, 64, 2, 1.0, SAMPLER_DDIM, 3};
    float *rgb[4];
    (void)state;

    take_seats(d, m, &seat, 1, (int[2]){64, 64});
    for (int i = 0; i < 4; i++) {
        picture.negative = i % 2 ? "a red house" : "";
        picture.guidance = i < 2 ? 1.0 : 2.0;
        start(m, &seat, picture);
        while (!model_latent_done(&seat))
            model_step(m, some, 1);
        rgb[i] = decode(m, &seat);
    }
    assert_memory_equal(rgb[0], rgb[1], 64 * 64 * 3 * sizeof(float));
    assert_memory_not_equal(rgb[2], rgb[3], 64 * 64 * 3 * sizeof(float));
    for (int i = 0; i < 4; i++)
        free(rgb[i]);
    model_close(&m);
    device_close(&d);
}

static void model_says_when_a_prompt_was_cut(void **state)
{
    struct device *d = parity_device(true);
    struct model *m = open_model(d, "tests/golden/tiny_lcm");
    struct latent seat;
    struct picture picture = {"a", "", 32, 32, 4, 1.0, SAMPLER_LCM, 3};
    (void)state;

    take_seats(d, m, &seat, 1, (int[2]){32, 32});
    start(m, &seat, picture);
    assert_false(seat.prompt_cut);
    picture.prompt = "a fox and a cat and a house and a tree and a mountain and a painting";
    start(m, &seat, picture);
    assert_true(seat.prompt_cut);
    model_close(&m);
    device_close(&d);
}

static void model_info_comes_from_the_folder(void **state)
{
    struct device *d = parity_device(true);
    struct model *m = open_model(d, "tests/golden/tiny_lcm/");
    const struct model_info *info = model_info(m);
    (void)state;

    assert_string_equal(info->name, "tiny_lcm");
    assert_int_equal(info->latent_channels, 8);
    assert_int_equal(info->latent_scale, 4);
    assert_int_equal(info->size_default, 32);
    assert_int_equal(info->size_multiple, 8);
    assert_int_equal(info->prompt_tokens, 16);
    assert_int_equal(info->sampler_default, SAMPLER_LCM);
    assert_int_equal(info->steps_default, 4);
    assert_true(info->guidance_default <= 1);
    assert_int_equal(info->encoders, 1);
    assert_true(info->weight_bytes > 10000);
    model_close(&m);
    device_close(&d);
}

static void model_defaults_of_sdxl_come_from_its_scheduler(void **state)
{
    struct device *d = parity_device(true);
    struct model *m = open_model(d, "tests/golden/tiny_sdxl");
    (void)state;

    assert_int_equal(model_info(m)->encoders, 2);
    assert_int_equal(model_info(m)->sampler_default, SAMPLER_EULER);
    assert_int_equal(model_info(m)->steps_default, 25);
    assert_true(model_info(m)->guidance_default == 5);
    model_close(&m);
    m = open_model(d, "tests/golden/tiny_turbo");
    assert_int_equal(model_info(m)->sampler_default, SAMPLER_EULER_ANCESTRAL);
    assert_int_equal(model_info(m)->steps_default, 4);
    assert_true(model_info(m)->guidance_default == 1);
    model_close(&m);
    device_close(&d);
}

/* Goal: without a negative prompt SDXL's rows are zeros where the index says so, and only there.
   Method: turbo's index does not say so; both must read a negative prompt that there is. */
static void model_zeroes_an_empty_negative_prompt_if_told_to(void **state)
{
    static const char *const folders[] = {"tests/golden/tiny_sdxl", "tests/golden/tiny_turbo"};
    struct picture picture = {"a cat", "", 64, 64, 2, 3.0, SAMPLER_EULER, 3};
    struct device *d = parity_device(true);
    (void)state;

    for (int i = 0; i < 4; i++) {
        struct model *m = open_model(d, folders[i / 2]);
        struct latent seat;
        float *context, sum = 0;

        take_seats(d, m, &seat, 1, (int[2]){64, 64});
        picture.negative = i % 2 ? "red" : "";
        start(m, &seat, picture);
        context = malloc(tensor_bytes(seat.context));
        assert_non_null(context);
        d->ops.download(d, context, seat.context);
        for (int64_t j = 0; j < tensor_count(seat.context) / 2; j++)
            sum += fabsf(context[j]);
        assert_int_equal(sum == 0, i == 0);
        free(context);
        model_close(&m);
    }
    device_close(&d);
}

static void refused(const struct model *m, struct picture picture, const char *words)
{
    struct why why = {{0}};
    enum status st = model_check(m, &picture, &why);

    if (st != ST_INVALID || !strstr(why.text, words))
        fail_msg("wanted \"%s\", got %s, \"%s\"", words, status_name(st), why.text);
}

static void model_check_names_the_field_and_its_range(void **state)
{
    const struct picture good = {"a", "", 128, 64, 4, 3.0, SAMPLER_DDIM, 0};
    struct device *d = parity_device(true);
    struct model *m = open_model(d, "tests/golden/tiny_sd1");
    struct picture p = good;
    struct why why = {{0}};
    (void)state;

    assert_int_equal(model_check(m, &p, &why), ST_OK);
    p.width = 100;
    refused(m, p, "width must be a multiple of 8 from 64 to 256, not 100");
    p = good;
    p.height = 512;
    refused(m, p, "height must be");
    p = good;
    p.steps = 0;
    refused(m, p, "steps");
    p.steps = SAMPLER_STEPS_MAX + 1;
    refused(m, p, "steps");
    p = good;
    p.guidance = NAN;
    refused(m, p, "guidance must be from 0 to 100");
    p = good;
    p.prompt = "";
    refused(m, p, "prompt");
    p = good;
    p.sampler = (enum sampler)77;
    refused(m, p, "sampler");
    model_close(&m);
    device_close(&d);
}

static void check_allocations(const char *folder)
{
    struct device *d = parity_device(true);

    for (int nth = 1;; nth += nth < 300 ? 1 : 37) { /* parts are held to every nth by their own */
        struct model *m = NULL;
        struct why why = {{0}};
        fault_arm(nth);
        enum status st = model_open(&m, d, folder, &why);
        bool fired = fault_fired();
        model_close(&m);
        fault_disarm();
        if (fault_live() > 0)
            fail_msg("allocation %d failed and %ld blocks were lost", nth, fault_live());
        if (!fired) {
            assert_int_equal(st, ST_OK);
            break;
        }
        if (st != ST_FULL && st != ST_OK) /* the C library's qsort can do without */
            fail_msg("allocation %d failed: %s (%s)", nth, status_name(st), why.text);
    }
    device_close(&d);
}

static void model_open_survives_every_failed_allocation(void **state)
{
    (void)state;
    check_allocations("tests/golden/tiny_odd");
    check_allocations("tests/golden/tiny_turbo");
}

/* A folder of links to a tiny model's parts, in which single parts are exchanged. */
struct patchwork {
    char folder[64];
};

static void link_part(const struct patchwork *p, const char *from, const char *part)
{
    char cwd[512], target[1024], path[256];

    assert_non_null(getcwd(cwd, sizeof(cwd)));
    snprintf(target, sizeof(target), "%s/tests/golden/tiny_%s/%s", cwd, from, part);
    snprintf(path, sizeof(path), "%s/%s", p->folder, part);
    unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

/* The last two lead nowhere where the model has one text encoder. */
static const char *const pieces[] = {
    "model_index.json", "tokenizer",   "text_encoder",  "unet", "vae",
    "scheduler",        "tokenizer_2", "text_encoder_2"};

static void patchwork_open(struct patchwork *p, const char *name)
{
    snprintf(p->folder, sizeof(p->folder), "/tmp/limner-test-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
        link_part(p, name, pieces[i]);
}

static void patchwork_close(const struct patchwork *p)
{
    char path[256];

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", p->folder, pieces[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/limner.json", p->folder);
    unlink(path);
    rmdir(p->folder);
}

static void write_file(const struct patchwork *p, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Opening and looking at the folder must say the same thing. */
static void refuses(const struct patchwork *p, enum status want, const char *words)
{
    struct device *d = parity_device(true);
    struct model *m = NULL;
    struct why why = {{0}}, check = {{0}};
    char report[4096];
    enum status st = model_open(&m, d, p->folder, &why);

    assert_null(m);
    if (st != want || !strstr(why.text, words))
        fail_msg("wanted \"%s\", got %s, \"%s\"", words, status_name(st), why.text);
    assert_int_equal(model_check_folder(p->folder, report, sizeof(report), &check), want);
    if (!strstr(check.text, words) || !strstr(report, words))
        fail_msg("wanted \"%s\", got \"%s\" and the report\n%s", words, check.text, report);
    device_close(&d);
}

static void model_refuses_parts_that_do_not_fit(void **state)
{
    struct patchwork p;
    (void)state;

    patchwork_open(&p, "sd1");
    link_part(&p, "odd", "text_encoder");
    refuses(&p, ST_INVALID, "cross_attention_dim is 32");
    link_part(&p, "sd1", "text_encoder");
    link_part(&p, "lcm", "vae");
    refuses(&p, ST_INVALID, "the vae's latents have 8");
    link_part(&p, "sd1", "vae");
    link_part(&p, "lcm", "text_encoder");
    refuses(&p, ST_INVALID, "77 tokens per prompt");
    link_part(&p, "sd1", "text_encoder");
    link_part(&p, "sdxl", "unet");
    refuses(&p, ST_INVALID, "a StableDiffusionPipeline has no pooled prompts");
    patchwork_close(&p);
}

static void model_refuses_parts_of_sdxl_that_do_not_fit(void **state)
{
    struct patchwork p;
    (void)state;

    patchwork_open(&p, "turbo");
    link_part(&p, "sd1", "unet");
    refuses(&p, ST_INVALID, "the unet has no addition_embed_type text_time");
    link_part(&p, "sdxl", "unet");
    refuses(&p, ST_INVALID, "cross_attention_dim is 56, the text encoders' widths come to 48");
    link_part(&p, "turbo", "unet");
    link_part(&p, "sdxl", "text_encoder_2");
    refuses(&p, ST_INVALID,
            "leaves 9 numbers for a pooled prompt, text_encoder_2's "
            "projection_dim is 20");
    link_part(&p, "sdxl", "tokenizer_2");
    refuses(&p, ST_INVALID, "makes 20 tokens per prompt, tokenizer_2 makes 77");
    link_part(&p, "turbo", "text_encoder_2");
    refuses(&p, ST_INVALID, "tokenizer_2 makes 77 tokens per prompt, the text_encoder_2 reads 20");
    link_part(&p, "turbo", "tokenizer_2");
    link_part(&p, "nowhere", "text_encoder_2");
    refuses(&p, ST_MISSING, "text_encoder_2/config.json");
    patchwork_close(&p);
}

/* Goal: an autoencoder whose numbers leave f16 is not run in f16.
   Method: a device that only measures, of that type: nothing but the folder is looked at. */
static void model_refuses_f16_where_the_autoencoder_overflows(void **state)
{
    struct device d = {.dtype = DTYPE_F16, .threads = 1};
    struct model *m = NULL;
    struct why why = {{0}};
    struct patchwork p;
    (void)state;

    ops_fill_measure(&d.ops);
    arena_init(&d.arena, "test");
    patchwork_open(&p, "sdxl");
    if (model_open(&m, &d, p.folder, &why) != ST_OK)
        fail_msg("%s", why.text);
    model_close(&m);
    link_part(&p, "sd1", "vae");
    assert_int_equal(model_open(&m, &d, p.folder, &why), ST_UNSUPPORTED);
    assert_non_null(strstr(why.text, "too large for f16 (force_upcast)"));
    d.dtype = DTYPE_BF16;
    if (model_open(&m, &d, p.folder, &why) != ST_OK)
        fail_msg("%s", why.text);
    model_close(&m);
    patchwork_close(&p);
}

#define SD_INDEX(pipeline, encoder, more)                                                          \
    "{\"_class_name\":\"" pipeline "\",\"tokenizer\":[\"transformers\",\"CLIPTokenizer\"],"        \
    "\"text_encoder\":[\"transformers\",\"" encoder "\"],"                                         \
    "\"unet\":[\"diffusers\",\"UNet2DConditionModel\"],"                                           \
    "\"vae\":[\"diffusers\",\"AutoencoderKL\"],"                                                   \
    "\"scheduler\":[\"diffusers\",\"DDIMScheduler\"]" more "}"

static void model_refuses_other_pipelines_by_their_class(void **state)
{
    const char *index = "model_index.json";
    struct patchwork p;
    (void)state;

    patchwork_open(&p, "sd1");
    write_file(&p, index, SD_INDEX("StableDiffusion3Pipeline", "CLIPTextModel", ""));
    refuses(&p, ST_UNSUPPORTED, "StableDiffusion3Pipeline");
    write_file(&p, index, SD_INDEX("StableDiffusionXLPipeline", "CLIPTextModel", ""));
    refuses(&p, ST_INVALID, "there is no tokenizer_2, which a StableDiffusionXLPipeline has");
    write_file(&p, index,
               SD_INDEX("StableDiffusionXLPipeline", "CLIPTextModel",
                        ",\"tokenizer_2\":[\"transformers\",\"CLIPTokenizer\"],"
                        "\"text_encoder_2\":[null,null]"));
    refuses(&p, ST_INVALID, "there is no text_encoder_2, which");
    write_file(&p, index,
               SD_INDEX("StableDiffusionXLPipeline", "CLIPTextModel",
                        ",\"tokenizer_2\":[\"transformers\",\"CLIPTokenizer\"],"
                        "\"text_encoder_2\":[\"transformers\",\"CLIPTextModel\"]"));
    refuses(&p, ST_UNSUPPORTED, "limner runs CLIPTextModelWithProjection");
    write_file(&p, index,
               SD_INDEX("StableDiffusionPipeline", "CLIPTextModel",
                        ",\"text_encoder_2\":[\"transformers\",\"CLIPTextModelWithProjection\"]"));
    refuses(&p, ST_UNSUPPORTED, "the part text_encoder_2 is not supported");
    write_file(&p, index, SD_INDEX("StableDiffusionPipeline", "T5EncoderModel", ""));
    refuses(&p, ST_UNSUPPORTED, "T5EncoderModel");
    write_file(&p, index,
               SD_INDEX("StableDiffusionPipeline", "CLIPTextModel",
                        ",\"controlnet\":[\"diffusers\",\"ControlNetModel\"]"));
    refuses(&p, ST_UNSUPPORTED, "controlnet");
    write_file(&p, index, "{\"_class_name\":\"StableDiffusionPipeline\"}");
    refuses(&p, ST_INVALID, "tokenizer");
    write_file(&p, index, "{\"_class_name\":");
    refuses(&p, ST_INVALID, "model_index.json");
    patchwork_close(&p);
}

static void model_reads_limits_from_limner_json(void **state)
{
    struct device *d = parity_device(true);
    struct patchwork p;
    struct model *m;
    (void)state;

    patchwork_open(&p, "sd1");
    write_file(&p, "limner.json",
               "{\"steps\":12,\"guidance\":4,\"size_min\":128,\"size_max\":136}");
    m = open_model(d, p.folder);
    assert_int_equal(model_info(m)->steps_default, 12);
    assert_true(model_info(m)->guidance_default == 4);
    assert_int_equal(model_info(m)->size_min, 128);
    assert_int_equal(model_info(m)->size_max, 136);
    model_close(&m);
    write_file(&p, "limner.json", "{\"size_min\":256}");
    refuses(&p, ST_INVALID, "size_min 256");
    write_file(&p, "limner.json", "{\"steps\":0}");
    refuses(&p, ST_INVALID, "steps must be");
    patchwork_close(&p);
    device_close(&d);
}

static void model_check_folder_describes_every_part(void **state)
{
    struct why why = {{0}};
    char report[4096], tiny[16];
    (void)state;

    for (int i = 0; i < PARITY_COUNT; i++) {
        char path[256];
        parity_path(path, parity_names[i], "");
        if (model_check_folder(path, report, sizeof(report), &why) != ST_OK)
            fail_msg("%s: %s", path, why.text);
        assert_non_null(strstr(report, "unet: UNet2DConditionModel"));
        assert_non_null(strstr(report, "one picture"));
    }
    assert_int_equal(model_check_folder("tests/golden/tiny_sd1", tiny, sizeof(tiny), &why), ST_OK);
    assert_int_equal(strlen(tiny), sizeof(tiny) - 1);
    assert_int_equal(model_check_folder("tests/golden", report, sizeof(report), &why), ST_MISSING);
    assert_non_null(strstr(why.text, "model_index.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_makes_the_same_picture_in_any_company),
        cmocka_unit_test(model_reads_time_for_many_steps_as_for_one),
        cmocka_unit_test(model_reads_the_negative_prompt_only_with_guidance),
        cmocka_unit_test(model_says_when_a_prompt_was_cut),
        cmocka_unit_test(model_info_comes_from_the_folder),
        cmocka_unit_test(model_defaults_of_sdxl_come_from_its_scheduler),
        cmocka_unit_test(model_zeroes_an_empty_negative_prompt_if_told_to),
        cmocka_unit_test(model_check_names_the_field_and_its_range),
        cmocka_unit_test(model_open_survives_every_failed_allocation),
        cmocka_unit_test(model_refuses_parts_that_do_not_fit),
        cmocka_unit_test(model_refuses_parts_of_sdxl_that_do_not_fit),
        cmocka_unit_test(model_refuses_f16_where_the_autoencoder_overflows),
        cmocka_unit_test(model_refuses_other_pipelines_by_their_class),
        cmocka_unit_test(model_reads_limits_from_limner_json),
        cmocka_unit_test(model_check_folder_describes_every_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
