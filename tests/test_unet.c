/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UNet against diffusers, on six tiny ones: convolutional and linear projections, numbers and
 * lists of heads, transformers of several depths, blocks with and without attention, sharded and
 * half precision files, flipped and shifted time embeddings, pooled prompts and sizes.
 */
#include "models/sampler.h"
#include "models/unet.h"
#include "tests/fault.h"
#include "tests/parity.h"

#include <unistd.h>

/* One forward pass, all numbers on the host. */
struct run {
    struct unet *unet;
    struct tensor x, context;
    struct tensor pooled, sizes; /* of SDXL */
    struct tensor t;
    float *out;
};

static void forward(struct device *d, void *context)
{
    struct run *r = context;
    struct unet_info info = unet_info(r->unet);
    struct unet_rows rows = {.x = parity_upload(d, r->x)};
    struct tensor added = {0};
    struct tensor y = tensor_carve_like(&d->arena, rows.x);
    struct tensor read = parity_upload(d, r->context);
    int64_t count = read.dim[0];

    rows.prompt = tensor_carve(&d->arena, d->dtype, count, 1, read.dim[2], info.prompt_width);
    unet_read_prompt(r->unet, rows.prompt, read);
    if (info.pooled_width) {
        added = tensor_carve(&d->arena, d->dtype, count, 1, 1, info.added_width);
        unet_read_pooled(r->unet, added, parity_upload(d, r->pooled), parity_upload(d, r->sizes));
    }
    rows.shift = tensor_carve(&d->arena, d->dtype, count, 1, 1, info.shift_width);
    unet_read_time(r->unet, rows.shift, parity_upload(d, r->t), added);
    unet_forward(r->unet, y, rows);
    d->ops.download(d, r->out, y);
}

static struct unet *open_unet(struct device *d, const char *name)
{
    struct unet *u = NULL;
    struct why why = {{0}};
    char path[256];

    if (unet_open(&u, d, parity_path(path, name, "unet"), &why) != ST_OK)
        fail_msg("%s", why.text);
    return u;
}

/* The steps that the golden picture took. */
static void read_plan(struct sampler_plan *plan, const struct weights *golden, const char *name)
{
    struct schedule *schedule = malloc(sizeof(*schedule));
    int steps = atoi(weights_metadata(golden, "steps"));
    struct why why = {{0}};
    char path[256];

    assert_non_null(schedule);
    parity_path(path, name, "scheduler/scheduler_config.json");
    if (schedule_load(schedule, path, &why) != ST_OK ||
        sampler_make_plan(plan, schedule->sampler, schedule, steps, &why) != ST_OK)
        fail_msg("%s", why.text);
    free(schedule);
}

/* What the model saw at a step: two rows of in_scale * x. */
static struct tensor input(const struct weights *golden, const struct sampler_plan *plan, int step)
{
    char name[32] = "noise";
    struct tensor from, x;
    float scale = plan->step[step].in_scale * (step ? 1 : plan->init_noise);
    float *numbers;

    if (step)
        snprintf(name, sizeof(name), "latents.%d", step - 1);
    from = parity_find(golden, name);
    numbers = malloc(2 * tensor_bytes(from));
    assert_non_null(numbers);
    for (int64_t i = 0; i < 2 * tensor_count(from); i++)
        numbers[i] = scale * ((const float *)from.data)[i % tensor_count(from)];
    x = tensor_view(numbers, DTYPE_F32, 2, from.dim[1], from.dim[2], from.dim[3]);
    return x;
}

static void check_step(struct device *d, struct run *r, const struct weights *golden,
                       const struct sampler_plan *plan, int step)
{
    double guidance = atof(weights_metadata(golden, "guidance"));
    float t[2] = {plan->step[step].t, plan->step[step].t};
    struct tensor want;
    char name[32];

    snprintf(name, sizeof(name), "output.%d", step);
    want = parity_find(golden, name);
    r->t = tensor_view(t, DTYPE_F32, 2, 1, 1, 1);
    r->x = input(golden, plan, step);
    parity_run(d, forward, r);
    for (int64_t i = 0; i < tensor_count(want); i++) {
        float negative = r->out[i], prompt = r->out[i + tensor_count(want)];
        r->out[i] = guidance > 1 ? (float)(negative + guidance * (prompt - negative)) : prompt;
    }
    parity_near(r->out, want, PARITY_BOUND, name);
    free(r->x.data);
}

static struct tensor golden_context(const struct weights *golden)
{
    struct tensor c = parity_find(golden, "context");

    return tensor_view(c.data, DTYPE_F32, 2, 1, c.dim[2], c.dim[3]);
}

/* The pooled prompts and sizes of the golden picture, for both rows; `host` keeps the sizes. */
static void read_pooled(struct run *r, const struct weights *golden, float host[2 * UNET_SIZES])
{
    struct tensor pooled = parity_find(golden, "pooled");
    float height = (float)atof(weights_metadata(golden, "height"));
    float width = (float)atof(weights_metadata(golden, "width"));
    const float sizes[UNET_SIZES] = {height, width, 0, 0, height, width};

    memcpy(host, sizes, sizeof(sizes));
    memcpy(host + UNET_SIZES, sizes, sizeof(sizes));
    r->sizes = tensor_view(host, DTYPE_F32, 2 * UNET_SIZES, 1, 1, 1);
    r->pooled = tensor_view(pooled.data, DTYPE_F32, 2, 1, 1, pooled.dim[3]);
}

static void check(const char *name, bool reference)
{
    float sizes[2 * UNET_SIZES];

    struct device *d = parity_device(reference);
    struct weights *golden = parity_open(name);
    struct sampler_plan plan;
    struct run r = {.unet = open_unet(d, name), .context = golden_context(golden)};

    read_plan(&plan, golden, name);
    if (unet_info(r.unet).pooled_width)
        read_pooled(&r, golden, sizes);
    r.out = malloc(2 * tensor_bytes(parity_find(golden, "noise")));
    assert_non_null(r.out);
    for (int i = 0; i < plan.count; i++)
        check_step(d, &r, golden, &plan, i);
    free(r.out);
    unet_close(&r.unet);
    weights_close(&golden);
    device_close(&d);
}

static void unet_equals_diffusers_in_plain_c(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++)
        check(parity_names[i], true);
}

static void unet_equals_diffusers_on_the_fast_filling(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++)
        check(parity_names[i], false);
}

static float *some_numbers(int64_t count, unsigned seed)
{
    float *numbers = malloc((size_t)count * sizeof(float));

    assert_non_null(numbers);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        numbers[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
    return numbers;
}

#define ROWS 5

/* Rows with prompts, sizes and times of their own, of an odd size. */
static struct run some_rows(struct unet *u, float t[ROWS])
{
    struct unet_info info = unet_info(u);
    struct run r = {.unet = u};

    r.t = tensor_view(t, DTYPE_F32, ROWS, 1, 1, 1);
    r.x = tensor_view(NULL, DTYPE_F32, ROWS, 11, 7, info.channels);
    r.x.data = some_numbers(tensor_count(r.x), 1);
    r.context = tensor_view(NULL, DTYPE_F32, ROWS, 1, 13, info.context_width);
    r.context.data = some_numbers(tensor_count(r.context), 2);
    r.pooled = tensor_view(NULL, DTYPE_F32, ROWS, 1, 1, info.pooled_width ? info.pooled_width : 1);
    r.pooled.data = some_numbers(tensor_count(r.pooled), 3);
    r.sizes = tensor_view(NULL, DTYPE_F32, ROWS * UNET_SIZES, 1, 1, 1);
    r.sizes.data = some_numbers(tensor_count(r.sizes), 4);
    return r;
}

/* Goal: a row's numbers do not depend on its batch.
   Method: five rows together and alone. */
static void rows_are_alone(const char *name, bool reference)
{
    float t[ROWS] = {999, 1, 500, 321, 0};
    struct device *d = parity_device(reference);
    struct unet *u = open_unet(d, name);
    struct run r = some_rows(u, t), one = {.unet = u};
    int64_t count = tensor_count(r.x) / ROWS;

    r.out = malloc(tensor_bytes(r.x));
    one.out = malloc(tensor_bytes(r.x) / ROWS);
    parity_run(d, forward, &r);
    for (int i = 0; i < ROWS; i++) {
        one.x = tensor_slice(r.x, i, 1);
        one.context = tensor_slice(r.context, i, 1);
        one.pooled = tensor_slice(r.pooled, i, 1);
        one.sizes = tensor_slice(r.sizes, i * UNET_SIZES, UNET_SIZES);
        one.t = tensor_slice(r.t, i, 1);
        parity_run(d, forward, &one);
        assert_memory_equal(one.out, r.out + i * count, (size_t)count * sizeof(float));
    }
    free(r.x.data);
    free(r.context.data);
    free(r.pooled.data);
    free(r.sizes.data);
    free(r.out);
    free(one.out);
    unet_close(&u);
    device_close(&d);
}

static void unet_row_of_a_batch_equals_it_alone(void **state)
{
    (void)state;
    for (int i = 0; i < PARITY_COUNT; i++) {
        rows_are_alone(parity_names[i], true);
        rows_are_alone(parity_names[i], false);
    }
}

static enum status open_any(void **out, struct device *d, const char *folder, struct why *why)
{
    return unet_open((struct unet **)out, d, folder, why);
}

static void close_any(void **network)
{
    unet_close((struct unet **)network);
}

static const struct parity_network any = {open_any, close_any};

static void unet_open_survives_every_failed_allocation(void **state)
{
    (void)state;
    parity_survives(any, "tests/golden/tiny_odd/unet");
    parity_survives(any, "tests/golden/tiny_turbo/unet");
}

/* `keys` go into a configuration that is otherwise fine. */
static void refused(struct device *d, const char *keys, enum status want, const char *words)
{
    char config[1024];

    snprintf(config, sizeof(config),
             "{\"block_out_channels\":[32,64],%s"
             "\"down_block_types\":[\"DownBlock2D\",\"CrossAttnDownBlock2D\"],"
             "\"up_block_types\":[\"CrossAttnUpBlock2D\",\"UpBlock2D\"]}",
             keys);
    parity_refused(any, d, config, want, words);
}

static void unet_refuses_what_it_cannot_do_and_names_the_key(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    refused(d, "", ST_MISSING, "diffusion_pytorch_model");
    refused(d, "\"class_embed_type\":\"timestep\",", ST_UNSUPPORTED, "class_embed_type");
    refused(d, "\"addition_embed_type\":\"image\",", ST_UNSUPPORTED, "addition_embed_type");
    refused(d, "\"time_cond_proj_dim\":256,", ST_UNSUPPORTED, "time_cond_proj_dim");
    refused(d, "\"encoder_hid_dim\":4096,", ST_UNSUPPORTED, "encoder_hid_dim");
    refused(d, "\"dual_cross_attention\":true,", ST_UNSUPPORTED, "dual_cross_attention");
    refused(d, "\"only_cross_attention\":[false,true],", ST_UNSUPPORTED, "only_cross_attention");
    refused(d, "\"resnet_time_scale_shift\":\"scale_shift\",", ST_UNSUPPORTED, "scale_shift");
    refused(d, "\"mid_block_type\":\"UNetMidBlock2D\",", ST_UNSUPPORTED, "mid_block_type");
    refused(d, "\"conv_in_kernel\":5,", ST_UNSUPPORTED, "conv_in_kernel");
    refused(d, "\"act_fn\":\"gelu\",", ST_UNSUPPORTED, "act_fn");
    refused(d, "\"in_channels\":9,", ST_UNSUPPORTED, "in_channels 9");
    refused(d, "\"cross_attention_dim\":[768,1024],", ST_UNSUPPORTED, "cross_attention_dim");
    refused(d, "\"_class_name\":\"UNet3D\",", ST_UNSUPPORTED, "_class_name");
    refused(d, "\"norm_num_groups\":24,", ST_INVALID, "norm_num_groups 24");
    refused(d, "\"attention_head_dim\":5,", ST_INVALID, "attention_head_dim 5");
    refused(d, "\"attention_head_dim\":[8,8,8],", ST_INVALID, "attention_head_dim has 3");
    refused(d, "\"layers_per_block\":-1,", ST_INVALID, "layers_per_block");
    refused(d, "\"freq_shift\":16,", ST_INVALID, "freq_shift");
    refused(d, "\"norm_eps\":0,", ST_INVALID, "norm_eps");
    device_close(&d);
}

/* Goal: a configuration that its file does not follow is told with the tensor's name and both
   sizes. Method: turbo's own, whose pooled prompt is said to be one number wider. */
static void unet_compares_pooled_prompts_with_its_file(void **state)
{
    const char *file = "diffusion_pytorch_model.safetensors", *key = "input_dim\": 4";
    char config[4096] = "", folder[64], path[256], target[1024], cwd[512], *at;
    struct device *d = parity_device(true);
    struct unet *u = NULL;
    struct why why = {{0}};
    FILE *from = fopen("tests/golden/tiny_turbo/unet/config.json", "r");
    (void)state;

    assert_non_null(from);
    assert_true(fread(config, 1, sizeof(config) - 1, from) > 0);
    fclose(from);
    at = strstr(config, key);
    assert_non_null(at);
    assert_int_equal(at[strlen(key)], '5');
    at[strlen(key)] = '6';
    parity_config(folder, config);
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    snprintf(target, sizeof(target), "%s/tests/golden/tiny_turbo/unet/%s", cwd, file);
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(unet_open(&u, d, folder, &why), ST_INVALID);
    unlink(path);
    parity_forget(folder);
    assert_null(u);
    if (!strstr(why.text, "add_embedding.linear_1.weight"))
        fail_msg("%s", why.text);
    device_close(&d);
}

#define ADDED(time, inputs)                                                                        \
    "\"addition_embed_type\":\"text_time\"," time                                                  \
    "\"projection_class_embeddings_input_dim\":" inputs ","

static void unet_refuses_pooled_prompts_of_wrong_sizes(void **state)
{
    struct device *d = parity_device(true);
    (void)state;

    refused(d, ADDED("\"addition_time_embed_dim\":8,", "52"), ST_MISSING,
            "diffusion_pytorch_model");
    refused(d, ADDED("", "52"), ST_INVALID, "needs addition_time_embed_dim");
    refused(d, ADDED("\"addition_time_embed_dim\":8,", "null"), ST_INVALID,
            "projection_class_embeddings_input_dim");
    refused(d, ADDED("\"addition_time_embed_dim\":8,", "48"), ST_INVALID,
            "48 leaves nothing for the prompt beside 6 sizes of addition_time_embed_dim 8");
    refused(d, ADDED("\"addition_time_embed_dim\":7,", "52"), ST_INVALID,
            "addition_time_embed_dim 7 must be even");
    refused(d, ADDED("\"addition_time_embed_dim\":2,\"freq_shift\":1,", "52"), ST_INVALID,
            "addition_time_embed_dim 2");
    refused(d, ADDED("\"addition_time_embed_dim\":0,", "52"), ST_INVALID,
            "addition_time_embed_dim must be");
    device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unet_equals_diffusers_in_plain_c),
        cmocka_unit_test(unet_equals_diffusers_on_the_fast_filling),
        cmocka_unit_test(unet_row_of_a_batch_equals_it_alone),
        cmocka_unit_test(unet_open_survives_every_failed_allocation),
        cmocka_unit_test(unet_refuses_what_it_cannot_do_and_names_the_key),
        cmocka_unit_test(unet_refuses_pooled_prompts_of_wrong_sizes),
        cmocka_unit_test(unet_compares_pooled_prompts_with_its_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
