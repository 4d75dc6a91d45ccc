/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint.c - how far apart the fingerprints of unrelated pictures are, and what making and
 * searching costs.
 *
 *     bench_fingerprint SET...
 *
 *     SET  a folder of PNG files, or a file of PNG files one behind the other; no picture twice
 *
 * Every picture is compared with every other of all sets, and with its mirror image. The keys are
 * drawn anew for each of a few rounds, as the distance of one pair varies with the key too. Printed
 * are moments, quantiles, how many pairs are near, and what a normal tail would say.
 */
#include "base/crypto.h"
#include "codec/decode.h"
#include "watermark/fingerprint_index.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 4,
    INDEXED = 1000000,
    FILE_BYTES_MAX = 256 << 20,
};

struct bench {
    uint8_t key[FINGERPRINT_KEY_BYTES];
    uint8_t (*prints)[FINGERPRINT_BYTES], (*mirrored)[FINGERPRINT_BYTES];
    int count, room, flat;
    double seconds; /* in fingerprint_make */
    double pixels;
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_fingerprint: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void draw_key(uint8_t key[FINGERPRINT_KEY_BYTES])
{
    if (crypto_random(key, FINGERPRINT_KEY_BYTES))
        stop("a key", "no randomness");
}

static void add_picture(struct bench *b, const char *name, const void *bytes, size_t count)
{
    struct image image;
    struct why why = {{0}};
    double start;
    bool told;

    if (decode_png(&image, bytes, count, &why))
        stop(name, why.text);
    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : 1024;
        b->prints = realloc(b->prints, (size_t)b->room * sizeof(*b->prints));
        b->mirrored = realloc(b->mirrored, (size_t)b->room * sizeof(*b->mirrored));
        if (!b->prints || !b->mirrored)
            stop(name, "no memory");
    }
    start = now();
    told = fingerprint_make(b->prints[b->count], &image, b->key);
    b->seconds += now() - start;
    b->pixels += (double)image.width * image.height;
    if (told && fingerprint_make_mirrored(b->mirrored[b->count], &image, b->key))
        b->count++;
    else
        b->flat++;
    image_close(&image);
}

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long size = -1;

    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > 0 && size < FILE_BYTES_MAX)
        data = malloc((size_t)size);
    if (!data)
        stop(path, "cannot be read");
    rewind(file);
    *bytes = fread(data, 1, (size_t)size, file);
    fclose(file);
    return data;
}

/* Bytes of the PNG that begins here, by the lengths of its chunks; 0 when there is none. */
static size_t png_length(const unsigned char *at, size_t bytes)
{
    size_t end = 8;

    while (end + 12 <= bytes) {
        size_t length = (size_t)at[end] << 24 | (size_t)at[end + 1] << 16 |
                        (size_t)at[end + 2] << 8 | at[end + 3];
        bool last = !memcmp(at + end + 4, "IEND", 4);

        end += length + 12;
        if (last)
            return end <= bytes ? end : 0;
    }
    return 0;
}

static void add_file(struct bench *b, const char *path)
{
    size_t bytes, at = 0, length;
    char *data = read_file(path, &bytes);

    for (; at < bytes; at += length) {
        length = png_length((unsigned char *)data + at, bytes - at);
        if (!length)
            stop(path, "is not PNG files one behind the other");
        add_picture(b, path, data + at, length);
    }
    free(data);
}

static int is_png(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 4 && !strcmp(entry->d_name + length - 4, ".png");
}

static void add_set(struct bench *b, const char *set)
{
    struct dirent **entries;
    int count = scandir(set, &entries, is_png, alphasort);

    if (count < 0) {
        add_file(b, set);
        return;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", set, entries[i]->d_name);
        add_file(b, path);
        free(entries[i]);
    }
    free(entries);
}

static void count_distances(const struct bench *b, double counts[FINGERPRINT_BITS + 1])
{
    for (int i = 0; i < b->count; i++)
        for (int j = 0; j < i; j++) {
            counts[fingerprint_distance(b->prints[i], b->prints[j])]++;
            counts[fingerprint_distance(b->prints[i], b->mirrored[j])]++;
        }
}

static void print_distances(const double counts[FINGERPRINT_BITS + 1])
{
    double pairs = 0, mean = 0, variance = 0, below = 0, sd;

    for (int d = 0; d <= FINGERPRINT_BITS; d++) {
        pairs += counts[d];
        mean += d * counts[d];
    }
    mean /= pairs;
    for (int d = 0; d <= FINGERPRINT_BITS; d++)
        variance += (d - mean) * (d - mean) * counts[d] / pairs;
    sd = sqrt(variance);
    printf("%.0f pairs: mean %.1f, sd %.1f; a normal tail at %d: %.1e\n", pairs, mean, sd,
           FINGERPRINT_NEAR, erfc((mean - FINGERPRINT_NEAR - 0.5) / sd / sqrt(2)) / 2);
    for (int d = 0; d <= 96; d++) {
        below += counts[d];
        if (d % 8 == 0 || d == FINGERPRINT_NEAR)
            printf("    at most %3d: %8.0f pairs, %.2e of all\n", d, below, below / pairs);
    }
}

static void time_search(void)
{
    struct fingerprint_found found[FINGERPRINT_FOUND_MAX];
    struct fingerprint_index *x;
    struct why why;
    uint8_t print[FINGERPRINT_BYTES];
    double best = 1e9;

    if (fingerprint_index_open(&x, INDEXED, &why))
        stop("index", why.text);
    for (int i = 0; i < INDEXED; i++) {
        draw_key(print);
        if (fingerprint_index_add(x, print, i, &why))
            stop("index", why.text);
    }
    for (int i = 0; i < 20; i++) {
        double start = now();

        fingerprint_index_search(x, print, FINGERPRINT_NEAR, found, FINGERPRINT_FOUND_MAX);
        best = fmin(best, now() - start);
    }
    printf("search of %d: %.1f ms (least of 20)\n", INDEXED, 1e3 * best);
    fingerprint_index_close(&x);
}

int main(int argc, char **argv)
{
    double counts[FINGERPRINT_BITS + 1] = {0};
    struct bench b = {.count = 0};

    if (argc < 2)
        stop("SET", "name a folder of PNG files, or a file of them");
    for (int round = 0; round < ROUNDS; round++) {
        b.count = b.flat = 0;
        draw_key(b.key);
        for (int i = 1; i < argc; i++)
            add_set(&b, argv[i]);
        count_distances(&b, counts);
    }
    printf("%d pictures, %d flat ones left out, %d keys; making one: %.2f ms and %.2f ns a pixel\n",
           b.count, b.flat, ROUNDS, 1e3 * b.seconds / ROUNDS / (b.count + b.flat),
           1e9 * b.seconds / b.pixels);
    print_distances(counts);
    time_search();
    free(b.prints);
    free(b.mirrored);
    return 0;
}
