/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark_file.c - the mark, for bench/watermark/report.py: pictures in files, answers as lines of
 * JSON.
 *
 *     bench_mark_file embed KEY ID PSNR IN OUT.ppm   KEY: 64 hex digits, ID: 16; PSNR 0: by size
 *     bench_mark_file detect KEY FILE...             a line for each
 *     bench_mark_file null COUNT SEED FILE...        COUNT detections without a mark, each with the
 *                                                    next of the files and a key of its own
 *
 * Files are PNG, or binary PPM, which costs the tools between here and there the least.
 */
#include "base/crypto.h"
#include "codec/decode.h"
#include "watermark/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FILE_BYTES_MAX = 256 << 20 };

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_mark_file: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint8_t *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;

    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > 0 && size < FILE_BYTES_MAX)
        data = malloc((size_t)size + 1);
    if (!data)
        stop(path, "cannot be read");
    rewind(file);
    *bytes = fread(data, 1, (size_t)size, file);
    data[*bytes] = 0;
    fclose(file);
    return data;
}

static void read_picture(struct image *image, const char *path)
{
    struct why why = {{0}};
    size_t bytes, header = 0;
    uint8_t *data = read_file(path, &bytes);
    int width = 0, height = 0, head = 0;

    if (bytes > 3 && !memcmp(data, "P6", 2)) {
        if (sscanf((char *)data, "P6 %d %d 255%n", &width, &height, &head) != 2 || head == 0)
            stop(path, "has another header than these PPM files have");
        header = (size_t)head + 1;
        if (width < 1 || height < 1 || image_open(image, width, height))
            stop(path, "no memory");
        if (bytes != header + image_bytes(image))
            stop(path, "has another size than its header says");
        memcpy(image->rgb, data + header, image_bytes(image));
    } else if (decode_png(image, data, bytes, &why)) {
        stop(path, why.text);
    }
    free(data);
}

static void write_ppm(const char *path, const struct image *image)
{
    FILE *file = fopen(path, "wb");

    if (!file || fprintf(file, "P6\n%d %d\n255\n", image->width, image->height) < 0 ||
        fwrite(image->rgb, 1, image_bytes(image), file) != image_bytes(image) || fclose(file))
        stop(path, "cannot be written");
}

static struct mark_key *open_key(const uint8_t secret[MARK_SECRET_BYTES])
{
    struct mark_key *key;
    struct why why = {{0}};

    if (mark_key_open(&key, secret, &why))
        stop("key", why.text);
    return key;
}

static struct mark_key *read_key(const char *hex)
{
    uint8_t secret[MARK_SECRET_BYTES];

    if (!crypto_unhex(secret, sizeof(secret), hex, strlen(hex)))
        stop(hex, "is no key of 64 hex digits");
    return open_key(secret);
}

static void embed(char **args)
{
    struct mark_key *key = read_key(args[0]);
    struct mark_options options = {.psnr = atof(args[2])};
    struct mark_result result;
    struct image image;
    struct why why = {{0}};
    double start;

    read_picture(&image, args[3]);
    start = now();
    if (mark_embed(&image, key, strtoull(args[1], NULL, 16), &options, &result, &why))
        stop(args[3], why.text);
    printf("{\"psnr\":%.3f,\"strength\":%.4f,\"activity\":%.3f,\"weak\":%s,\"ms\":%.2f}\n",
           result.psnr, result.strength, result.activity, result.weak ? "true" : "false",
           1e3 * (now() - start));
    write_ppm(args[4], &image);
    image_close(&image);
    mark_key_close(&key);
}

static void detect(const char *path, const struct mark_key *key)
{
    static const char *const verdicts[] = {"absent", "present", "id"};
    struct mark_finding found;
    struct image image;
    struct why why = {{0}};
    double start;

    read_picture(&image, path);
    start = now();
    if (mark_detect(&found, &image, &key, 1, &why))
        stop(path, why.text);
    printf("{\"verdict\":\"%s\",\"id\":\"%016" PRIx64 "\",\"p_present\":%.4e,\"p_id\":%.4e,"
           "\"z_pilot\":%.4f,\"z_id\":%.4f,\"scale\":%.4f,\"degrees\":%.3f,\"words\":%d,"
           "\"ms\":%.1f,\"file\":\"%s\"}\n",
           verdicts[found.verdict], found.id, found.p_present, found.p_id, found.z_pilot,
           found.z_id, found.scale, found.degrees, found.words, 1e3 * (now() - start), path);
    fflush(stdout);
    image_close(&image);
}

static void detect_nothing(char **args, int count)
{
    int trials = atoi(args[0]);

    for (int i = 0; i < trials; i++) {
        char text[64];
        uint8_t secret[MARK_SECRET_BYTES];
        struct mark_key *key;

        snprintf(text, sizeof(text), "null %s %d", args[1], i);
        crypto_sha256(secret, text, strlen(text));
        key = open_key(secret);
        detect(args[2 + i % (count - 2)], key);
        mark_key_close(&key);
    }
}

int main(int argc, char **argv)
{
    if (argc == 7 && !strcmp(argv[1], "embed")) {
        embed(argv + 2);
    } else if (argc >= 4 && !strcmp(argv[1], "detect")) {
        struct mark_key *key = read_key(argv[2]);

        for (int i = 3; i < argc; i++)
            detect(argv[i], key);
        mark_key_close(&key);
    } else if (argc >= 5 && !strcmp(argv[1], "null")) {
        detect_nothing(argv + 2, argc - 2);
    } else {
        stop("arguments", "embed KEY ID PSNR IN OUT, detect KEY FILE..., null COUNT SEED FILE...");
    }
    return 0;
}
