/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages.c - how long one forward pass of each network of a model folder takes: the numerator.
 *
 *     bench_stages FOLDER [--precision=f32|mixed] [--stage=text|unet|vae] [--rows=N] [--size=PX]
 *                  [--threads=N] [--runs=N]
 *
 * Loads one network at a time as the server does, makes its plans with one pass that is not
 * counted, then prints per stage: rows, seconds to load, median and fastest wall seconds, and
 * median CPU seconds over all threads, as TSV. What the numbers in the latents are does not matter
 * to the time; they are noise. The last line is the process's peak memory.
 */
#include "base/rng.h"
#include "models/text_encoder.h"
#include "models/unet.h"
#include "models/vae.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { RUNS_MAX = 100, CONTEXT_TOKENS = 77 };

struct bench {
    const char *folder, *stage; /* stage NULL: all */
    struct device *device;
    int rows, size, runs;
    struct why why;
};

/* One network on the bench. */
struct subject {
    struct text_encoder *text;
    struct unet *unet;
    struct vae *vae;
    struct tensor y, x, t, context;
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

static enum status open_text(struct bench *b, struct subject *s)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/text_encoder", b->folder);
    return text_encoder_open(&s->text, b->device, path, &b->why);
}

static void carve_text(struct bench *b, struct subject *s)
{
    int tokens = text_encoder_length(s->text);
    struct arena *a = &b->device->arena;

    s->x = tensor_carve(a, DTYPE_I32, b->rows, 1, 1, tokens);
    s->y = tensor_carve(a, DTYPE_F32, b->rows, 1, tokens, text_encoder_width(s->text));
    if (s->x.data)
        memset(s->x.data, 0, tensor_bytes(s->x));
}

static void run_text(struct subject *s)
{
    text_encoder_forward(s->text, s->y, s->x);
}

static enum status open_unet(struct bench *b, struct subject *s)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/unet", b->folder);
    return unet_open(&s->unet, b->device, path, &b->why);
}

static void fill_noise(struct tensor t)
{
    if (t.data)
        rng_normal(t.data, (size_t)tensor_count(t), 1, 0);
}

static void carve_unet(struct bench *b, struct subject *s)
{
    struct unet_info info = unet_info(s->unet);
    struct arena *a = &b->device->arena;
    int side = b->size / 8;

    s->x = tensor_carve(a, DTYPE_F32, b->rows, side, side, info.channels);
    s->y = tensor_carve_like(a, s->x);
    s->context = tensor_carve(a, DTYPE_F32, b->rows, 1, CONTEXT_TOKENS, info.context_width);
    s->t = tensor_carve(a, DTYPE_F32, b->rows, 1, 1, 1);
    for (int r = 0; r < b->rows && s->t.data; r++)
        ((float *)s->t.data)[r] = 500;
    fill_noise(s->x);
    fill_noise(s->context);
}

static void run_unet(struct subject *s)
{
    unet_forward(s->unet, s->y, s->x, s->t, s->context);
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
    fill_noise(s->x);
}

static void run_vae(struct subject *s)
{
    vae_decode(s->vae, s->y, s->x);
}

struct stage {
    const char *name;
    enum status (*open)(struct bench *b, struct subject *s);
    void (*carve)(struct bench *b, struct subject *s);
    void (*run)(struct subject *s);
};

static const struct stage stages[] = {
    {"text", open_text, carve_text, run_text},
    {"unet", open_unet, carve_unet, run_unet},
    {"vae", open_vae, carve_vae, run_vae},
};

/* --- timing ------------------------------------------------------------------------------ */

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
    stage->run(s);
    return device_sync(b->device);
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

        stage->run(s);
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
        else if (!strcmp(argv[i], "--precision=mixed"))
            o->precision = PRECISION_MIXED;
        else if (!strncmp(argv[i], "--stage=", 8))
            b->stage = argv[i] + 8;
        else if (strcmp(argv[i], "--precision=f32") != 0 && !takes(argv[i], "--rows=", &b->rows) &&
                 !takes(argv[i], "--size=", &b->size) &&
                 !takes(argv[i], "--threads=", &o->threads) && !takes(argv[i], "--runs=", &b->runs))
            return false;
    }
    return b->folder && b->rows >= 1 && b->rows <= 16 && b->runs >= 1 && b->runs <= RUNS_MAX &&
           b->size >= 64 && b->size <= 4096 && b->size % 64 == 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.rows = 1, .size = 512, .runs = 3};
    struct device_options options = {0};
    struct rusage usage;

    if (!parse(&b, &options, argc, argv)) {
        fprintf(stderr, "usage: bench_stages FOLDER [--precision=f32|mixed] "
                        "[--stage=text|unet|vae] [--rows=1..16] [--size=PX] [--threads=N] "
                        "[--runs=1..100]\n");
        return 2;
    }
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
