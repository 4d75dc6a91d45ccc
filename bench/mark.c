/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.c - what the invisible mark costs and how well it stands out: for each PNG file named, the
 * times to embed, to read back and to look for the mark blindly, on one core, and the z values; the
 * unmarked picture is looked at too, which is the slower case.
 *
 *     bench_mark [--psnr DB] FILE.png...
 */
#include "watermark/mark.h"

#include "codec/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_MAX (64 << 20)

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static enum status read_picture(struct image *image, const char *path, struct why *why)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(FILE_MAX);
    enum status st = ST_IO;

    if (!file || !bytes)
        why_fail(why, ST_IO, "can't read it");
    else
        st = decode_png(image, bytes, fread(bytes, 1, FILE_MAX, file), why);
    free(bytes);
    if (file)
        fclose(file);
    return st;
}

static enum status measure(struct image *image, const struct mark_key *key,
                           const struct mark_options *options, const char *name, struct why *why)
{
    struct mark_finding plain, back, blind;
    struct mark_result result;
    double times[5];
    enum status st;

    times[0] = cpu_ms();
    st = mark_detect(&plain, image, &key, 1, why);
    times[1] = cpu_ms();
    if (st == ST_OK)
        st = mark_embed(image, key, 0x0123456789abcdef, options, &result, why);
    times[2] = cpu_ms();
    if (st == ST_OK)
        st = mark_read_back(&back, image, key, why);
    times[3] = cpu_ms();
    if (st == ST_OK)
        st = mark_detect(&blind, image, &key, 1, why);
    times[4] = cpu_ms();
    if (st == ST_OK)
        printf("%4dx%-4d %6.2f %8.1f %7.1f %7.1f %7.1f %7.1f %7.1f %7.1f %7.1f  %s\n", image->width,
               image->height, result.psnr, result.activity, times[2] - times[1],
               times[3] - times[2], times[4] - times[3], times[1] - times[0], back.z_pilot,
               back.z_id, plain.z_pilot, name);
    return st;
}

int main(int argc, char **argv)
{
    static const uint8_t secret[MARK_SECRET_BYTES] = {1};
    struct mark_options options = {0};
    struct why why = {""};
    struct mark_key *key;
    int first = 1, bad = 0;

    if (argc > 2 && strcmp(argv[1], "--psnr") == 0) {
        options.psnr = atof(argv[2]);
        first = 3;
    }
    if (first >= argc || mark_key_open(&key, secret, &why) != ST_OK) {
        fprintf(stderr, "usage: bench_mark [--psnr DB] FILE.png... %s\n", why.text);
        return 2;
    }
    printf("size        dB   activity  embed ms back ms blind ms none ms z_pilot    z_id z none\n");
    for (int i = first; i < argc; i++) {
        struct image image = {0};

        if (read_picture(&image, argv[i], &why) != ST_OK ||
            measure(&image, key, &options, argv[i], &why) != ST_OK) {
            fprintf(stderr, "%s: %s\n", argv[i], why.text);
            bad = 1;
        }
        image_close(&image);
    }
    mark_key_close(&key);
    return bad;
}
