/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.c - what it costs to sign where a picture comes from, and to read it: milliseconds of
 * the processor, the median of rounds, beside the encoding that comes before. Keys are made in a
 * folder that goes again.
 *
 *     bench_manifest
 */
#include "watermark/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 51

struct bench {
    struct manifest_signer signer;
    struct image image;
    struct encode_options options;
    struct bytes plain, file;
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void or_die(enum status st, const struct why *why)
{
    if (!st)
        return;
    fprintf(stderr, "%s\n", why->text);
    exit(1);
}

static void encode(struct bench *b)
{
    bytes_close(&b->plain);
    or_die(encode_image(&b->plain, &b->image, b->options), &(struct why){"no picture"});
}

static void sign_only(struct bench *b)
{
    uint8_t signature[SIGN_BYTES];

    or_die(sign_make(signature, b->signer.key, b, 32), &(struct why){"no signature"});
}

static void sign(struct bench *b)
{
    const struct manifest_facts facts = {.id = 7, .time_s = 1796100000, .model = "starter"};
    struct manifest_made made;
    struct why why = {""};

    bytes_close(&b->file);
    b->file = (struct bytes){malloc(b->plain.count), b->plain.count};
    or_die(b->file.data ? ST_OK : ST_FULL, &(struct why){"no memory"});
    memcpy(b->file.data, b->plain.data, b->plain.count);
    or_die(manifest_sign(&b->signer, &b->file, &facts, &made, &why), &why);
}

static void read_back(struct bench *b)
{
    struct manifest_found found;
    struct why why = {""};

    or_die(manifest_read(&found, b->file.data, b->file.count, b->signer.chain, &why), &why);
    or_die(found.is_ours && found.is_bound ? ST_OK : ST_INVALID, &(struct why){"it is not ours"});
}

static double median_ms(struct bench *b, void (*what)(struct bench *), int rounds)
{
    double ms[ROUNDS];

    for (int i = 0; i < rounds; i++) {
        double start = now_ms();

        what(b);
        ms[i] = now_ms() - start;
    }
    qsort(ms, (size_t)rounds, sizeof(*ms), by_value);
    return ms[rounds / 2];
}

static void open_keys(struct bench *b, struct sign_key **key, struct certs **chain)
{
    char folder[64], key_path[96], chain_path[96];
    struct why why = {"no folder for keys"};

    snprintf(folder, sizeof(folder), "%s/bench-manifest.XXXXXX", P_tmpdir);
    or_die(mkdtemp(folder) ? ST_OK : ST_IO, &why);
    snprintf(key_path, sizeof(key_path), "%s/key.pem", folder);
    snprintf(chain_path, sizeof(chain_path), "%s/chain.pem", folder);
    or_die(sign_create(key_path, SIGN_ES256, &why), &why);
    or_die(sign_open(key, key_path, &why), &why);
    or_die(certs_create(chain_path, key_path, "Example", &why), &why);
    or_die(certs_open(chain, chain_path, &why), &why);
    unlink(key_path);
    unlink(chain_path);
    rmdir(folder);
    b->signer = (struct manifest_signer){.key = *key,
                                         .chain = *chain,
                                         .provider = "Example",
                                         .system = "limner",
                                         .version = "0.1.0",
                                         .detector_url = "https://example.org/detect"};
}

/* As hard to pack as a photograph. */
static void fill(struct image *image)
{
    uint32_t noise = 1;

    for (size_t i = 0; i < image_bytes(image); i++) {
        noise = noise * 1664525u + 1013904223u;
        image->rgb[i] = (uint8_t)(96 + i / 3 % 1024 / 16 + (noise >> 28));
    }
}

int main(void)
{
    static const char *const names[] = {"PNG", "WebP", "JPEG"};
    struct bench b = {.plain = {NULL, 0}};
    struct sign_key *key;
    struct certs *chain;

    open_keys(&b, &key, &chain);
    printf("ES256 alone: %.3f ms\n", median_ms(&b, sign_only, ROUNDS));
    printf("%-6s %-5s %9s %9s %9s %9s %7s\n", "side", "", "bytes", "encode ms", "sign ms",
           "read ms", "grows");
    for (int side = 512; side <= 1024; side *= 2) {
        or_die(image_open(&b.image, side, side), &(struct why){"no memory"});
        fill(&b.image);
        for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
            double encode_ms, sign_ms, read_ms;

            b.options = (struct encode_options){.format = format, .quality = 90};
            encode_ms = median_ms(&b, encode, 5);
            sign_ms = median_ms(&b, sign, ROUNDS);
            read_ms = median_ms(&b, read_back, ROUNDS);
            printf("%-6d %-5s %9zu %9.2f %9.3f %9.3f %7zu\n", side, names[format], b.plain.count,
                   encode_ms, sign_ms, read_ms, b.file.count - b.plain.count);
        }
        image_close(&b.image);
    }
    bytes_close(&b.plain);
    bytes_close(&b.file);
    sign_close(&key);
    certs_close(&chain);
    return 0;
}
