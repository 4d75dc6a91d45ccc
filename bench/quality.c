/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quality.c - what a precision costs in the picture.
 *
 *     bench_quality FOLDER PRECISION [--device=cpu|cuda] [--size=PX] [--steps=N] [--pictures=N]
 *                   [--narrow=WEIGHTS,ROWS]
 *
 * Makes the same pictures, from the same noise, in float32 on the CPU and in PRECISION on the
 * device. Prints for each the relative L2 distance of the last latents and the PSNR of the pixels,
 * then the medians, as TSV. --narrow lowers what counts as a large linear layer in fp8, for models
 * that have none. Built a second time for the emulated GPU: bench_quality_cuda.
 */
#include "engine/generate.h"
#include "kernels/devices.h"
#include "models/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURES_MAX = 64 };

static const char *const prompts[] = {
    "a red apple",
    "a black and white cat",
    "a wooden house",
    "a yellow sailing boat",
    "a green vase with flowers",
    "a brown dog",
    "a blue car",
    "a white clock",
};

struct bench {
    const char *folder;
    struct device_options device;
    int size, steps, pictures;
    char dump[2][32]; /* files */
    struct why why;
};

static enum status make(struct bench *b, int which, int index, struct generate_result *result)
{
    const struct device_options cpu = {
        .accelerator = ACCELERATOR_CPU, .precision = PRECISION_F32, .threads = b->device.threads};
    const struct generate_options options = {
        .device = which ? b->device : cpu,
        .model_folder = b->folder,
        .picture = {.prompt = prompts[index % (int)(sizeof(prompts) / sizeof(prompts[0]))],
                    .width = b->size,
                    .height = b->size,
                    .steps = b->steps,
                    .guidance = -1,
                    .seed = (uint64_t)index},
        .sampler_default = true,
        .dump_path = b->dump[which],
    };

    return generate_run(&options, result, &b->why);
}

static enum status read_latents(struct bench *b, int which, int steps, struct weights **file,
                                struct tensor *out)
{
    char name[32];
    enum status st = weights_open(file, b->dump[which], &b->why);

    snprintf(name, sizeof(name), "latents.%d", steps - 1);
    return st ? st : weights_find(*file, name, out, &b->why);
}

/* Relative L2 distance of the last latents; below 0: they cannot be read. */
static double distance(struct bench *b, int steps)
{
    struct weights *file[2] = {NULL, NULL};
    struct tensor t[2];
    double difference = 0, size = 0;
    enum status st = read_latents(b, 0, steps, &file[0], &t[0]);

    if (!st)
        st = read_latents(b, 1, steps, &file[1], &t[1]);
    for (int64_t i = 0; !st && i < tensor_count(t[0]); i++) {
        double exact = (double)((const float *)t[0].data)[i];
        double gap = (double)((const float *)t[1].data)[i] - exact;

        difference += gap * gap;
        size += exact * exact;
    }
    weights_close(&file[0]);
    weights_close(&file[1]);
    return st ? -1 : sqrt(difference / size);
}

static double psnr(const struct image *a, const struct image *b)
{
    size_t count = (size_t)a->width * (size_t)a->height * 3;
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += pow((double)a->rgb[i] - (double)b->rgb[i], 2);
    return 10 * log10(255.0 * 255.0 * (double)count / (sum > 0 ? sum : 1));
}

static enum status compare(struct bench *b, int index, double *latents, double *pixels)
{
    struct generate_result result[2];
    enum status st;

    memset(result, 0, sizeof(result));
    st = make(b, 0, index, &result[0]);

    if (!st)
        st = make(b, 1, index, &result[1]);
    if (!st) {
        *latents = distance(b, result[0].picture.steps);
        *pixels = psnr(&result[0].image, &result[1].image);
        printf("%d\t%.2e\t%.1f\n", index, *latents, *pixels);
        fflush(stdout);
    }
    image_close(&result[0].image);
    image_close(&result[1].image);
    return st;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool read_option(struct bench *b, const char *word)
{
    struct devices devices;
    long long weights, rows;

    if (sscanf(word, "--size=%d", &b->size) == 1 || sscanf(word, "--steps=%d", &b->steps) == 1 ||
        sscanf(word, "--pictures=%d", &b->pictures) == 1)
        return b->pictures >= 1 && b->pictures <= PICTURES_MAX;
    if (sscanf(word, "--narrow=%lld,%lld", &weights, &rows) == 2) {
        b->device.narrow_weights = weights;
        b->device.narrow_rows = rows;
        return weights > 0 && rows > 0;
    }
    if (strncmp(word, "--device=", 9) != 0 ||
        devices_find(&devices, word + 9, b->device, &b->why) != ST_OK)
        return false;
    b->device = devices.device[0];
    return true;
}

static int fail(struct bench *b)
{
    fprintf(stderr, "bench_quality: %s\n",
            *b->why.text ? b->why.text : "usage: bench_quality FOLDER PRECISION [OPTION...]");
    return 1;
}

int main(int argc, char **argv)
{
    struct bench b = {.size = -1, .steps = -1, .pictures = 8};
    double latents[PICTURES_MAX], pixels[PICTURES_MAX];
    enum status st = ST_OK;

    if (argc < 3 || devices_precision(&b.device.precision, argv[2], &b.why))
        return fail(&b);
    b.folder = argv[1];
    for (int i = 3; i < argc; i++)
        if (!read_option(&b, argv[i]))
            return fail(&b);
    for (int i = 0; i < 2; i++) {
        snprintf(b.dump[i], sizeof(b.dump[i]), "/tmp/limner_quality_XXXXXX");
        close(mkstemp(b.dump[i]));
    }
    printf("picture\tlatents\tpsnr\n");
    for (int i = 0; i < b.pictures && !st; i++)
        st = compare(&b, i, &latents[i], &pixels[i]);
    unlink(b.dump[0]);
    unlink(b.dump[1]);
    if (st)
        return fail(&b);
    qsort(latents, (size_t)b.pictures, sizeof(latents[0]), by_size);
    qsort(pixels, (size_t)b.pictures, sizeof(pixels[0]), by_size);
    printf("median\t%.2e\t%.1f\n", latents[b.pictures / 2], pixels[b.pictures / 2]);
    return 0;
}
