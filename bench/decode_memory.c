/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_decode_memory - what an autoencoder needs beside its weights to decode a picture, whole and
 * in tiles, as the measuring arena counts it. Nothing is computed, so any machine and any weights
 * of the right shapes will do.
 *
 *     bench_decode_memory VAE_FOLDER [SIZE...]
 *
 * Sizes are pixels along a square picture. Counted are the latents, the pixels and all between.
 */
#include "models/vae.h"

#include <stdio.h>
#include <stdlib.h>

static double peak_mib(struct device *d, const struct vae *v, int size, int tile)
{
    struct vae_info info = vae_info(v);
    int64_t latents = size / info.scale;
    struct why why;
    struct tensor y, z;
    size_t peak;

    device_measure_begin(d);
    y = tensor_carve(&d->arena, DTYPE_F32, 1, size, size, 3);
    z = tensor_carve(&d->arena, DTYPE_F32, 1, latents, latents, info.latent_channels);
    vae_decode_tiled(v, y, z, tile);
    peak = d->arena.peak;
    arena_init(&d->arena, d->arena.name); /* counted is enough: nothing is taken */
    if (device_measure_end(d, &why)) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return (double)peak / (1 << 20);
}

/* A GPU's activations are of 16 bits; the weights stay as they were packed, nobody reads them. */
static void print_rows(struct device *d, const struct vae *v, int size)
{
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16};
    int own = vae_info(v).tile;

    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        d->dtype = dtypes[i];
        printf("%4d x %-4d  %-4s  whole %8.1f MiB", size, size, dtype_name(d->dtype),
               peak_mib(d, v, size, 0));
        for (int tile = own; tile >= 32; tile /= 2)
            printf("  tiles of %d: %8.1f MiB", tile, peak_mib(d, v, size, tile));
        printf("\n");
    }
    d->dtype = DTYPE_F32;
}

int main(int count, char **args)
{
    static const char *const usual[] = {"512", "1024"};
    struct device *d = NULL;
    struct vae *v = NULL;
    struct why why;

    if (count < 2) {
        fprintf(stderr, "usage: bench_decode_memory VAE_FOLDER [SIZE...]\n");
        return 2;
    }
    if (device_open(&d, (struct device_options){.threads = 1}, &why) ||
        vae_open(&v, d, args[1], &why)) {
        fprintf(stderr, "%s\n", why.text);
        device_close(&d);
        return 1;
    }
    if (count == 2)
        for (int i = 0; i < 2; i++)
            print_rows(d, v, atoi(usual[i]));
    for (int i = 2; i < count; i++)
        print_rows(d, v, atoi(args[i]));
    vae_close(&v);
    device_close(&d);
    return 0;
}
