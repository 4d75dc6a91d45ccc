/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages.c - how long one forward pass of each network of a model folder takes: the numerator.
 *
 *     bench_stages FOLDER [--device=cpu|cuda|cuda:N] [--precision=f32|mixed|bf16|f16|fp8]
 *                  [--stage=text|unet|vae] [--rows=N] [--size=PX] [--threads=N] [--runs=N]
 *                  [--plans=FILE]
 *
 * Loads one network at a time as the server does, prepares its device with passes that are not
 * counted, then prints per stage: rows, seconds to load, median and fastest wall seconds, and
 * median CPU seconds over all threads, as TSV. What the numbers in the latents are does not matter
 * to the time; they are noise. The last line is the process's peak memory.
 */
#include "kernels/devices.h"
#include "models/text_encoder.h"
#include "models/unet.h"
#include "models/vae.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { RUNS_MAX = 1000, ROWS_MAX = 64, CONTEXT_TOKENS = 77 };

struct bench {
    const char *folder, *stage, *words; /* stage NULL: all; words: the device */
    struct device *device;
    int rows, size, runs;
    struct why why;
};

/* One network on the bench. */
struct subject {
    struct text_encoder *text;
    struct unet *unet;
    struct vae *vae;
    struct tensor y, x;
    struct unet_rows rows;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* --- what there is to time --------------------------------------------------------------- */

/* Numbers from the host, or as many of one number; nothing while only memory is counted. */
static void fill(struct device *d, struct tensor t, const float *numbers, float same)
{
    float *host = malloc((size_t)tensor_count(t) * sizeof(*host));

    for (int64_t i = 0; host && i < tensor_count(t); i++)
        host[i] = numbers ? numbers[i] : same;
    if (host && t.data)
        d->ops.upload(d, t, host);
    free(host);
}

static void fill_noise(struct device *d, struct tensor t)
{
    struct tensor noise;
    size_t mark = arena_mark(&d->arena);

    noise = tensor_carve(&d->arena, DTYPE_F32, 1, t.dim[0] * t.dim[1], t.dim[2], t.dim[3]);
    d->ops.noise(d, noise, 1, 0);
    d->ops.convert(d, tensor_reshape(t, 1, t.dim[0] * t.dim[1], t.dim[2], t.dim[3]), noise);
    arena_rewind(&d->arena, mark);
}

static enum status open_text(struct bench *b, struct subject *s)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/text_encoder", b->folder);
    return text_encoder_open(&s->text, b->device, path, false, &b->why);
}

static void carve_text(struct bench *b, struct subject *s)
{
    int tokens = text_encoder_length(s->text);
    struct arena *a = &b->device->arena;

    s->x = tensor_carve(a, DTYPE_I32, b->rows, 1, 1, tokens);
    s->y = tensor_carve(a, b->device->dtype, b->rows, 1, tokens, text_encoder_width(s->text));
    fill(b->device, s->x, NULL, 0);
}

static void run_text(void *context)
{
    struct subject *s = context;

    text_encoder_forward(s->text, s->y, s->x, 0);
}

static enum status open_unet(struct bench *b, struct subject *s)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/unet", b->folder);
    return unet_open(&s->unet, b->device, path, &b->why);
}

static void carve_unet(struct bench *b, struct subject *s)
{
    struct unet_info info = unet_info(s->unet);
    struct arena *a = &b->device->arena;
    int side = b->size / 8;

    struct unet_rows *r = &s->rows;

    r->x = tensor_carve(a, b->device->dtype, b->rows, side, side, info.channels);
    s->y = tensor_carve(a, DTYPE_F32, b->rows, side, side, info.channels);
    r->prompt = tensor_carve(a, b->device->dtype, b->rows, 1, CONTEXT_TOKENS, info.prompt_width);
    r->shift = tensor_carve(a, b->device->dtype, b->rows, 1, 1, info.shift_width);
    fill_noise(b->device, r->x);
    fill_noise(b->device, r->prompt);
    fill_noise(b->device, r->shift);
}

static void run_unet(void *context)
{
    struct subject *s = context;

    unet_forward(s->unet, s->y, s->rows);
}

static enum status open_vae(struct bench *b, struct subject *s)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/vae", b->folder);
    return vae_open(&s->vae, b->device, path, &b->why);
}

static void carve_vae(struct bench *b, struct subject *s)
{
    struct vae_info info = vae_info(s->vae);
    struct arena *a = &b->device->arena;
    int side = b->size / info.scale;

    s->x = tensor_carve(a, DTYPE_F32, 1, side, side, info.latent_channels);
    s->y = tensor_carve(a, DTYPE_F32, 1, b->size, b->size, 3);
    fill_noise(b->device, s->x);
}

static void run_vae(void *context)
{
    struct subject *s = context;

    vae_decode(s->vae, s->y, s->x);
}

struct stage {
    const char *name;
    enum status (*open)(struct bench *b, struct subject *s);
    void (*carve)(struct bench *b, struct subject *s);
    void (*run)(void *subject);
};

static const struct stage stages[] = {
    {"text", open_text, carve_text, run_text},
    {"unet", open_unet, carve_unet, run_unet},
    {"vae", open_vae, carve_vae, run_vae},
};

/* --- timing ------------------------------------------------------------------------------ */

/* One pass, finished when it returns. */
static enum status run(struct bench *b, const struct stage *stage, struct subject *s)
{
    b->device->ops.repeat(b->device, (struct repeat_key){s, b->rows, b->size, b->size}, stage->run,
                          s);
    return device_sync(b->device);
}

static enum status warm_up(struct bench *b, const struct stage *stage, struct subject *s)
{
    enum status st;

    device_measure_begin(b->device);
    stage->carve(b, s);
    stage->run(s);
    st = device_measure_end(b->device, &b->why);
    if (st)
        return st;
    stage->carve(b, s);
    device_calibrate_begin(b->device);
    st = run(b, stage, s);
    if (!st && device_calibrate_end(b->device))
        st = why_fail(&b->why, ST_DEVICE, "the device failed while it was calibrated");
    if (!st)
        st = run(b, stage, s);
    if (!st)
        st = device_prepare(b->device);
    for (int i = 0; i < 2 && !st; i++) /* a GPU remembers the first, and warms up */
        st = run(b, stage, s);
    return st;
}

static enum status time_stage(struct bench *b, const struct stage *stage, struct subject *s)
{
    double wall[RUNS_MAX], cpu[RUNS_MAX], begun = seconds(CLOCK_MONOTONIC), loaded;
    enum status st = stage->open(b, s);

    if (st)
        return st;
    loaded = seconds(CLOCK_MONOTONIC) - begun;
    st = warm_up(b, stage, s);
    if (st)
        return st;
    for (int i = 0; i < b->runs; i++) {
        double wall_begun = seconds(CLOCK_MONOTONIC), cpu_begun = seconds(CLOCK_PROCESS_CPUTIME_ID);

        st = run(b, stage, s);
        if (st)
            return st;
        wall[i] = seconds(CLOCK_MONOTONIC) - wall_begun;
        cpu[i] = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun;
    }
    qsort(wall, (size_t)b->runs, sizeof(*wall), by_size);
    qsort(cpu, (size_t)b->runs, sizeof(*cpu), by_size);
    printf("%s\t%d\t%.2f\t%.4f\t%.4f\t%.4f\n", stage->name, stage->run == run_vae ? 1 : b->rows,
           loaded, wall[b->runs / 2], wall[0], cpu[b->runs / 2]);
    fflush(stdout);
    return device_sync(b->device);
}

static enum status run_stage(struct bench *b, struct device_options options,
                             const struct stage *stage)
{
    struct subject s = {0};
    char text[128];
    enum status st = device_open(&b->device, options, &b->why);

    if (st)
        return st;
    device_describe(b->device, text, sizeof(text));
    printf("# %s, %d px\n", text, b->size);
    st = time_stage(b, stage, &s);
    text_encoder_close(&s.text);
    unet_close(&s.unet);
    vae_close(&s.vae);
    device_close(&b->device);
    return st;
}

/* --- the command line -------------------------------------------------------------------- */

/* "--name=12" into *out, if argument is that. */
static bool takes(const char *argument, const char *name, int *out)
{
    size_t bytes = strlen(name);

    if (strncmp(argument, name, bytes) != 0)
        return false;
    *out = atoi(argument + bytes);
    return true;
}

static bool parse(struct bench *b, struct device_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            b->folder = argv[i];
        else if (!strncmp(argv[i], "--device=", 9))
            b->words = argv[i] + 9;
        else if (!strncmp(argv[i], "--plans=", 8))
            o->plans = argv[i] + 8;
        else if (!strncmp(argv[i], "--precision=", 12)) {
            if (devices_precision(&o->precision, argv[i] + 12, &b->why))
                return false;
        } else if (!strncmp(argv[i], "--stage=", 8))
            b->stage = argv[i] + 8;
        else if (!takes(argv[i], "--rows=", &b->rows) && !takes(argv[i], "--size=", &b->size) &&
                 !takes(argv[i], "--threads=", &o->threads) && !takes(argv[i], "--runs=", &b->runs))
            return false;
    }
    return b->folder && b->rows >= 1 && b->rows <= ROWS_MAX && b->runs >= 1 &&
           b->runs <= RUNS_MAX && b->size >= 64 && b->size <= 4096 && b->size % 64 == 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.words = "cpu", .rows = 1, .size = 512, .runs = 3};
    struct devices devices;
    struct device_options options = {0};
    struct rusage usage;

    if (!parse(&b, &options, argc, argv)) {
        fprintf(stderr,
                "usage: bench_stages FOLDER [--device=cpu|cuda|cuda:N] "
                "[--precision=f32|mixed|bf16|f16|fp8] [--stage=text|unet|vae] [--rows=1..64] "
                "[--size=PX] [--threads=N] [--runs=1..1000] [--plans=FILE]\n");
        return 2;
    }
    if (devices_find(&devices, b.words, options, &b.why)) {
        fprintf(stderr, "bench_stages: %s\n", b.why.text);
        return 1;
    }
    options = devices.device[0];
    printf("stage\trows\tload_s\tmedian_s\tfastest_s\tcpu_s\n");
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        if (b.stage && strcmp(b.stage, stages[i].name) != 0)
            continue;
        if (run_stage(&b, options, &stages[i])) {
            fprintf(stderr, "bench_stages: %s: %s\n", stages[i].name, b.why.text);
            return 1;
        }
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("# peak memory %.0f MiB\n", (double)usage.ru_maxrss / 1024);
    return 0;
}
