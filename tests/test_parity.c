/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage by stage against diffusers, on the tiny pipelines of tools/oracle/tiny.py. Every stage gets
 * the golden numbers of the stage before, so an error shows where it is made; one run on its own
 * numbers follows. Bounds are relative L2: 1e-5 without Winograd, 1e-4 with it.
 *
 *     test_parity [--device=cuda] [FOLDER...]
 *
 * judges these folders instead, whose golden.safetensors comes from tools/oracle/golden.py: full
 * sizes, so neither on the reference device nor in company.
 */
#include "kernels/cuda.h"
#include "kernels/device.h"
#include "kernels/half.h"
#include "models/model.h"
#include "models/vae.h"
#include "models/weights.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES  256
#define SEATS       2
#define BOUND_EXACT 1e-5
#define BOUND_FAST  1e-4

struct parity {
    const char *folder;
    const char *device_name;
    struct device_options options;
    double bound;
};

struct run {
    const struct parity *parity;
    struct weights *golden;
    struct device *device;
    struct model *model;
    struct latent latent, neighbour;
    struct picture picture;
    double worst; /* error over its bound */
    int bad;
};

static struct tensor golden(const struct run *r, const char *name)
{
    struct tensor t;
    struct why why = {0};

    if (weights_find(r->golden, name, &t, &why))
        fail_msg("%s: %s", r->parity->folder, why.text);
    return t;
}

static struct tensor golden_step(const struct run *r, const char *stage, int step)
{
    char name[32];

    snprintf(name, sizeof(name), "%s.%d", stage, step);
    return golden(r, name);
}

static const char *text(const struct run *r, const char *key)
{
    const char *value = weights_metadata(r->golden, key);

    if (!value)
        fail_msg("%s: golden has no %s", r->parity->folder, key);
    return value;
}

static double norm(const float *x, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static double distance(const float *a, const float *b, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

/* NaN fails too. */
static void judge_host(struct run *r, const char *stage, const float *got, struct tensor want,
                       double bound)
{
    int64_t count = tensor_count(want);
    double error = distance(got, want.data, count) / norm(want.data, count);

    r->worst = fmax(r->worst, error / bound);
    if (error <= bound)
        return;
    print_error("%s on %s: %s is off by %.2e, allowed %.0e\n", r->parity->folder,
                r->parity->device_name, stage, error, bound);
    r->bad++;
}

static void judge(struct run *r, const char *stage, struct tensor got, struct tensor want,
                  double bound)
{
    int64_t count = tensor_count(got);
    float *host = malloc((size_t)count * sizeof(*host));
    uint16_t *halves = (uint16_t *)(void *)host;

    assert_non_null(host);
    assert_int_equal(count, tensor_count(want));
    r->device->ops.download(r->device, host, got);
    for (int64_t i = count - 1; i >= 0 && got.dtype != DTYPE_F32; i--) { /* widened in place */
        uint16_t half;

        memcpy(&half, &halves[i], sizeof(half));
        host[i] = got.dtype == DTYPE_F16 ? half_to_float(half) : bf16_to_float(half);
    }
    judge_host(r, stage, host, want, bound);
    free(host);
}

static void read_picture(struct run *r)
{
    struct why why = {0};

    r->picture = (struct picture){
        .prompt = text(r, "prompt"),
        .negative = text(r, "negative"),
        .width = atoi(text(r, "width")),
        .height = atoi(text(r, "height")),
        .steps = atoi(text(r, "steps")),
        .guidance = atof(text(r, "guidance")),
        .seed = strtoull(text(r, "seed"), NULL, 10),
    };
    assert_int_equal(sampler_from_name(&r->picture.sampler, text(r, "sampler"), &why), ST_OK);
}

static void carve(struct run *r)
{
    model_latent_carve(r->model, &r->latent, r->picture.width, r->picture.height);
    model_latent_carve(r->model, &r->neighbour, r->picture.width, r->picture.height);
}

static void open_run(struct run *r, const struct parity *p)
{
    char path[PATH_BYTES];
    struct why why = {0};

    *r = (struct run){.parity = p};
    snprintf(path, sizeof(path), "%s/golden.safetensors", p->folder);
    if (weights_open(&r->golden, path, &why) || device_open(&r->device, p->options, &why) ||
        model_open(&r->model, r->device, p->folder, &why))
        fail_msg("%s: %s", p->folder, why.text);
    read_picture(r);
    if (model_check(r->model, &r->picture, &why))
        fail_msg("%s: %s", p->folder, why.text);
    device_measure_begin(r->device);
    carve(r);
    if (model_rehearse(r->model, SEATS, r->picture.width, r->picture.height, &why) ||
        device_measure_end(r->device, &why))
        fail_msg("%s: %s", p->folder, why.text);
    carve(r);
    if (device_prepare(r->device)) /* a GPU repeats from here on */
        fail_msg("%s: the device does not get prepared", p->folder);
}

static void close_run(struct run *r)
{
    model_close(&r->model);
    device_close(&r->device);
    weights_close(&r->golden);
}

/* Seat the picture; noise NULL lets the seed make it. */
static void start(struct run *r, const float *noise)
{
    static const char *const names[] = {"ids", "ids_2"};
    int64_t count = tensor_count(golden(r, "ids")), encoders = model_info(r->model)->encoders;
    int32_t *got = malloc((size_t)(encoders * count) * sizeof(*got));
    struct why why = {0};

    assert_non_null(got);
    if (model_latent_start(r->model, &r->latent, &r->picture, noise, got, &why))
        fail_msg("%s: %s", r->parity->folder, why.text);
    for (int i = 0; i < encoders; i++)
        assert_memory_equal(got + i * count, golden(r, names[i]).data,
                            (size_t)count * sizeof(*got));
    free(got);
}

/* Give the latent the oracle's numbers: x after step - 1, and the denoised estimate it made. */
static void force(struct run *r, int step)
{
    const struct sampler_step *s;
    struct tensor x, out;
    float *previous;

    if (step == 0)
        return;
    r->device->ops.upload(r->device, r->latent.x, golden_step(r, "latents", step - 1).data);
    if (step == 1)
        return; /* the estimate of step 0 came from the golden noise already */
    s = &r->latent.plan.step[step - 1];
    x = golden_step(r, "latents", step - 2);
    out = golden_step(r, "output", step - 1);
    previous = malloc(tensor_bytes(x));
    assert_non_null(previous);
    for (int64_t i = 0; i < tensor_count(x); i++)
        previous[i] = s->x0_x * ((float *)x.data)[i] + s->x0_out * ((float *)out.data)[i];
    r->device->ops.upload(r->device, r->latent.previous, previous);
    free(previous);
}

/* How much of a bound step N's output gets. Guidance g adds g times one row of the UNet to
   1 - g times the other: their rounding errors grow by that, while the rows may cancel. */
static double loosened(const struct run *r, int step)
{
    struct tensor rows = golden_step(r, "unet", step), output = golden_step(r, "output", step);
    int64_t count = tensor_count(output);
    const float *negative = rows.data, *prompt = negative + count;
    double g = r->picture.guidance;

    if (g <= 1)
        return 1;
    return ((g - 1) * norm(negative, count) + g * norm(prompt, count)) / norm(output.data, count);
}

static void judge_steps(struct run *r, bool forced, double bound)
{
    struct latent *latent = &r->latent;

    while (!model_latent_done(latent)) {
        int step = latent->step;
        char stage[64];

        if (forced)
            force(r, step);
        model_step(r->model, &latent, 1);
        assert_int_equal(device_sync(r->device), ST_OK);
        snprintf(stage, sizeof(stage), "output.%d%s", step, forced ? "" : " of a free run");
        judge(r, stage, latent->output, golden_step(r, "output", step), bound * loosened(r, step));
        snprintf(stage, sizeof(stage), "latents.%d%s", step, forced ? "" : " of a free run");
        judge(r, stage, latent->x, golden_step(r, "latents", step), bound);
    }
}

static void judge_decode(struct run *r)
{
    struct tensor rgb = golden(r, "rgb");
    float *got = malloc(tensor_bytes(rgb));
    struct image image = {0};
    struct why why = {0};

    assert_non_null(got);
    r->device->ops.upload(r->device, r->latent.x,
                          golden_step(r, "latents", r->latent.plan.count - 1).data);
    assert_int_equal(model_decode(r->model, &r->latent, &image, got, &why), ST_OK);
    assert_int_equal(image.width, rgb.dim[2]);
    assert_int_equal(image.height, rgb.dim[1]);
    judge_host(r, "rgb", got, rgb, r->parity->bound);
    image_close(&image);
    free(got);
}

static void pipeline_gives_the_oracles_numbers(void **state)
{
    struct run r;

    open_run(&r, *state);
    start(&r, golden(&r, "noise").data);
    judge(&r, "context", r.latent.context, golden(&r, "context"), r.parity->bound);
    if (r.latent.pooled.data)
        judge(&r, "pooled", r.latent.pooled, golden(&r, "pooled"), r.parity->bound);
    judge_steps(&r, true, r.parity->bound);
    judge_decode(&r);
    print_message("worst stage: %.0f %% of its bound\n", 100 * r.worst);
    close_run(&r);
    assert_int_equal(r.bad, 0);
}

/* Goal: errors do not grow beyond reason when limner walks on its own numbers, noise included.
   Method: from the seed alone; five steps may multiply a stage's error, by ten at most. */
static void a_free_run_from_the_seed_ends_where_the_oracle_does(void **state)
{
    struct run r;

    open_run(&r, *state);
    start(&r, NULL);
    judge_steps(&r, false, 10 * r.parity->bound);
    print_message("worst step: %.0f %% of its bound\n", 100 * r.worst);
    close_run(&r);
    assert_int_equal(r.bad, 0);
}

/* Goal: pictures at different steps share a batch and no bit of any of them changes.
   Method: one picture alone; then the same one with a neighbour that is a step ahead. */
static void a_neighbour_changes_nothing(void **state)
{
    struct run r;
    struct latent *both[2] = {&r.neighbour, &r.latent};
    struct why why = {0};
    size_t bytes;
    char *x;

    open_run(&r, *state);
    bytes = tensor_bytes(r.latent.x);
    x = malloc(2 * bytes);
    assert_non_null(x);
    start(&r, NULL);
    model_step(r.model, &both[1], 1);
    r.device->ops.download(r.device, x, r.latent.x);

    start(&r, NULL);
    r.picture.seed++;
    assert_int_equal(model_latent_start(r.model, &r.neighbour, &r.picture, NULL, NULL, &why),
                     ST_OK);
    model_step(r.model, both, 1);
    model_step(r.model, both, 2);
    r.device->ops.download(r.device, x + bytes, r.latent.x);

    assert_memory_equal(x, x + bytes, bytes);
    free(x);
    close_run(&r);
}

/* The autoencoder the other way round. */
static void encoder_gives_the_oracles_latents(void **state)
{
    const struct parity *p = *state;
    struct run r = {.parity = p};
    struct vae *vae = NULL;
    char path[PATH_BYTES];
    struct why why = {0};
    struct tensor in, out, y, z;

    snprintf(path, sizeof(path), "%s/golden.safetensors", p->folder);
    assert_int_equal(weights_open(&r.golden, path, &why), ST_OK);
    assert_int_equal(device_open(&r.device, p->options, &why), ST_OK);
    snprintf(path, sizeof(path), "%s/vae", p->folder);
    if (vae_open(&vae, r.device, path, &why))
        fail_msg("%s: %s", p->folder, why.text);
    in = golden(&r, "encode_in");
    out = golden(&r, "encode_out");
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 0)
            device_measure_begin(r.device);
        y = tensor_carve_like(&r.device->arena, in);
        z = tensor_carve_like(&r.device->arena, out);
        r.device->ops.upload(r.device, y, in.data);
        vae_encode(vae, z, y);
        if (pass == 0)
            assert_int_equal(device_measure_end(r.device, &why), ST_OK);
    }
    judge(&r, "encode_out", z, out, p->bound);
    vae_close(&vae);
    device_close(&r.device);
    weights_close(&r.golden);
    assert_int_equal(r.bad, 0);
}

#define FOLDERS_MAX 16
#define DEVICES     3
#define CLAIMS      4

static char *tiny_folders[] = {
    "tests/golden/tiny_sd1", "tests/golden/tiny_sd2",  "tests/golden/tiny_odd",
    "tests/golden/tiny_lcm", "tests/golden/tiny_sdxl", "tests/golden/tiny_turbo",
};

static const struct parity devices[DEVICES] = {
    {NULL, "reference", {.threads = 2, .reference = true}, BOUND_EXACT},
    {NULL, "cpu without Winograd", {.threads = 2, .caps_off = CAP_WINOGRAD}, BOUND_EXACT},
    {NULL, "cpu", {.threads = 2}, BOUND_FAST},
};

/* 16 bits keep 11 or 8 digits of every activation; what that comes to over a whole network was
   measured on the tiny ones, and stands here at about three times the most. */
#define BOUND_F16  5e-3
#define BOUND_BF16 5e-2

static const struct parity gpus[DEVICES] = {
    {NULL, "cuda f32", {.accelerator = ACCELERATOR_CUDA, .precision = PRECISION_F32}, BOUND_EXACT},
    {NULL, "cuda f16", {.accelerator = ACCELERATOR_CUDA, .precision = PRECISION_F16}, BOUND_F16},
    {NULL, "cuda bf16", {.accelerator = ACCELERATOR_CUDA, .precision = PRECISION_BF16}, BOUND_BF16},
};

static const struct CMUnitTest claims[CLAIMS] = {
    cmocka_unit_test(pipeline_gives_the_oracles_numbers),
    cmocka_unit_test(encoder_gives_the_oracles_latents),
    cmocka_unit_test(a_free_run_from_the_seed_ends_where_the_oracle_does),
    cmocka_unit_test(a_neighbour_changes_nothing),
};

struct suite {
    struct parity cases[FOLDERS_MAX * DEVICES];
    struct CMUnitTest tests[FOLDERS_MAX * DEVICES * CLAIMS];
    char names[FOLDERS_MAX * DEVICES * CLAIMS][PATH_BYTES + 100];
    size_t case_count, test_count;
};

static void add_case(struct suite *s, const char *folder, const struct parity *device,
                     int claim_count)
{
    struct parity *one = &s->cases[s->case_count++];

    *one = *device;
    one->folder = folder;
    for (int i = 0; i < claim_count; i++) {
        char *name = s->names[s->test_count];

        snprintf(name, sizeof(s->names[0]), "%s: %s, %s", claims[i].name, folder,
                 device->device_name);
        s->tests[s->test_count] = claims[i];
        s->tests[s->test_count].initial_state = one;
        s->tests[s->test_count++].name = name;
    }
}

int main(int argc, char **argv)
{
    static struct suite suite;
    bool gpu = argc > 1 && !strcmp(argv[1], "--device=cuda");
    const struct parity *list = gpu ? gpus : devices;
    bool tiny = argc < 2 + gpu;
    char **folders = tiny ? tiny_folders : argv + 1 + gpu;
    int count = tiny ? (int)(sizeof(tiny_folders) / sizeof(*tiny_folders)) : argc - 1 - gpu;
    struct why why = {0};

    if (gpu && !cuda_count(&why)) {
        fprintf(stderr, "%s\n", why.text);
        return 77;
    }

    if (count > FOLDERS_MAX) {
        fprintf(stderr, "at most %d folders\n", FOLDERS_MAX);
        return 2;
    }
    for (int i = 0; i < count * DEVICES; i++)
        if (tiny || !list[i % DEVICES].options.reference)
            add_case(&suite, folders[i / DEVICES], &list[i % DEVICES], tiny ? CLAIMS : 2);
    /* The macro around this wants an array that is full. */
    return _cmocka_run_group_tests("parity", suite.tests, suite.test_count, NULL, NULL);
}
