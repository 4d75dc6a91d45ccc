/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - what scoring pictures costs.
 *
 *     bench_judge [FOLDER] [--threads=N] [--runs=N] [--size=N]
 *
 * The median time of each classifier by itself, of both with the resizing of the picture as
 * vision_score does it, and of a batch of eight, in milliseconds.
 */
#include "base/clock.h"
#include "moderation/nsfw.h"
#include "moderation/resize.h"
#include "moderation/vision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 1000

struct bench {
    struct clock clock;
    const char *folder;
    int threads, runs, size;
    double times[RUNS_MAX];
};

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(struct bench *b)
{
    qsort(b->times, (size_t)b->runs, sizeof(double), by_size);
    return b->times[b->runs / 2];
}

static void stop(const char *what, const struct why *why)
{
    fprintf(stderr, "bench_judge: %s: %s\n", what, why->text);
    exit(1);
}

static struct image picture(int size)
{
    struct image image;
    struct why why = {{0}};
    uint32_t seed = 1;

    if (image_open(&image, size, size))
        stop("picture", &why);
    for (size_t i = 0; i < image_bytes(&image); i++) {
        seed = seed * 1664525u + 1013904223u;
        image.rgb[i] = (uint8_t)(seed >> 24);
    }
    return image;
}

/* One network without anything around it. */
static double time_network(struct bench *b, const char *name, int count)
{
    struct device *d = NULL;
    struct nsfw *n = NULL;
    struct why why = {{0}};
    static char data[8 << 20];
    char path[4096];
    size_t bytes;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    file = fopen(path, "rb");
    bytes = file ? fread(data, 1, sizeof(data), file) : 0;
    if (file)
        fclose(file);
    if (device_open(&d, (struct device_options){.threads = b->threads}, &why) ||
        nsfw_open(&n, d, data, bytes, &why))
        stop(path, &why);
    for (int i = -3; i < b->runs; i++) {
        struct tensor x, y;
        int64_t start;

        if (i == -3)
            device_measure_begin(d);
        x = tensor_carve(&d->arena, DTYPE_F32, count, NSFW_SIZE, NSFW_SIZE, 3);
        y = tensor_carve(&d->arena, DTYPE_F32, count, 1, 1, NSFW_CLASSES);
        start = clock_now_us(&b->clock);
        nsfw_forward(n, y, x);
        if (i >= 0)
            b->times[i] = (double)(clock_now_us(&b->clock) - start) / 1e3;
        arena_rewind(&d->arena, 0);
        if (i == -3 && device_measure_end(d, &why))
            stop("memory", &why);
    }
    nsfw_close(&n);
    device_close(&d);
    return median(b);
}

static double time_vision(struct bench *b, int count)
{
    struct vision_options options = {.folder = b->folder, .threads = b->threads};
    struct image image = picture(b->size);
    const struct image *images[VISION_BATCH_MAX];
    struct scores scores[VISION_BATCH_MAX];
    struct vision *v = NULL;
    struct why why = {{0}};

    if (vision_open(&v, &options, &why))
        stop("vision", &why);
    for (int i = 0; i < VISION_BATCH_MAX; i++)
        images[i] = &image;
    for (int i = -2; i < b->runs; i++) {
        int64_t start = clock_now_us(&b->clock);

        if (vision_score(v, scores, images, NULL, count, &why))
            stop("score", &why);
        if (i >= 0)
            b->times[i] = (double)(clock_now_us(&b->clock) - start) / 1e3;
    }
    vision_close(&v);
    image_close(&image);
    return median(b);
}

static void report(struct bench *b)
{
    double main_ms = time_network(b, "main.safetensors", 1);
    double main8 = time_network(b, "main.safetensors", 8);
    double second = time_network(b, "second.safetensors", 1);
    double second8 = time_network(b, "second.safetensors", 8);
    double both = time_vision(b, 1), both8 = time_vision(b, VISION_BATCH_MAX);

    printf("%d thread%s, pictures of %d x %d, median of %d\n", b->threads,
           b->threads > 1 ? "s" : "", b->size, b->size, b->runs);
    printf("  main    %8.2f ms    batch of 8 %8.2f ms   %.2f x one\n", main_ms, main8,
           main8 / main_ms);
    printf("  second  %8.2f ms    batch of 8 %8.2f ms   %.2f x one\n", second, second8,
           second8 / second);
    printf("  vision  %8.2f ms    batch of 8 %8.2f ms   %.2f x one\n", both, both8, both8 / both);
}

int main(int argc, char **argv)
{
    static struct bench b = {.folder = "moderation/weights", .threads = 2, .runs = 50, .size = 512};

    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--threads=", 10))
            b.threads = atoi(argv[i] + 10);
        else if (!strncmp(argv[i], "--runs=", 7))
            b.runs = atoi(argv[i] + 7);
        else if (!strncmp(argv[i], "--size=", 7))
            b.size = atoi(argv[i] + 7);
        else
            b.folder = argv[i];
    }
    if (b.threads < 1 || b.runs < 1 || b.runs > RUNS_MAX || b.size < 1) {
        fprintf(stderr, "usage: bench_judge [FOLDER] [--threads=N] [--runs=N] [--size=N]\n");
        return 1;
    }
    clock_init_real(&b.clock);
    report(&b);
    return 0;
}
