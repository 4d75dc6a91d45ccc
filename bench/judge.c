/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - what scoring pictures costs.
 *
 *     bench_judge [FOLDER] [--threads=N] [--runs=N] [--size=N]
 *
 * The time of each classifier by itself, one picture on all threads; and of both with the resizing
 * of the picture as vision_score does it, one and a batch of eight, in milliseconds: the median,
 * and the least, which is what the code takes when nothing else runs on the machine.
 */
#include "base/clock.h"
#include "moderation/nsfw.h"
#include "moderation/resize.h"
#include "moderation/vision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS_MAX 1000

struct bench {
    struct clock clock;
    const char *folder;
    int threads, runs, size;
    double times[RUNS_MAX], cpu[RUNS_MAX];
    int64_t wall_start;
    clock_t cpu_start;
};

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct times {
    double median, least, cpu;
};

static void start(struct bench *b)
{
    b->wall_start = clock_now_us(&b->clock);
    b->cpu_start = clock();
}

/* Runs before 0 only warm up. */
static void stop_watch(struct bench *b, int run)
{
    if (run < 0)
        return;
    b->times[run] = (double)(clock_now_us(&b->clock) - b->wall_start) / 1e3;
    b->cpu[run] = (double)(clock() - b->cpu_start) * 1e3 / CLOCKS_PER_SEC;
}

static struct times sum_up(struct bench *b)
{
    qsort(b->times, (size_t)b->runs, sizeof(double), by_size);
    qsort(b->cpu, (size_t)b->runs, sizeof(double), by_size);
    return (struct times){b->times[b->runs / 2], b->times[0], b->cpu[b->runs / 2]};
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
static struct times time_network(struct bench *b, const char *name)
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

        if (i == -3)
            device_measure_begin(d);
        x = tensor_carve(&d->arena, DTYPE_F32, 1, NSFW_SIZE, NSFW_SIZE, 3);
        y = tensor_carve(&d->arena, DTYPE_F32, 1, 1, 1, NSFW_CLASSES);
        start(b);
        nsfw_forward(n, y, x);
        stop_watch(b, i);
        arena_rewind(&d->arena, 0);
        if (i == -3 && device_measure_end(d, &why))
            stop("memory", &why);
    }
    nsfw_close(&n);
    device_close(&d);
    return sum_up(b);
}

static struct times time_vision(struct bench *b, int count)
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
        start(b);
        if (vision_score(v, scores, images, NULL, count, &why))
            stop("score", &why);
        stop_watch(b, i);
    }
    vision_close(&v);
    image_close(&image);
    return sum_up(b);
}

static void print_row(const char *name, struct times t)
{
    printf("  %-12s %8.2f (%8.2f), CPU %8.2f\n", name, t.median, t.least, t.cpu);
}

static void report(struct bench *b)
{
    struct times one, eight;

    printf("%d thread%s, pictures of %d x %d, ms: median of %d (least)\n", b->threads,
           b->threads > 1 ? "s" : "", b->size, b->size, b->runs);
    print_row("main", time_network(b, "main.safetensors"));
    print_row("second", time_network(b, "second.safetensors"));
    one = time_vision(b, 1);
    eight = time_vision(b, VISION_BATCH_MAX);
    print_row("both", one);
    print_row("both, of 8", eight);
    printf("  a batch of 8 is %.2f (%.2f) x one, CPU %.2f\n", eight.median / one.median,
           eight.least / one.least, eight.cpu / one.cpu);
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
