/* SPDX-License-Identifier: Apache-2.0 */
/*
 * winograd.h - 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), channels-last to
 * channels-last.
 *
 * A tile of 4x4 outputs needs 36 products per pair of channels where the direct sum needs 144: the
 * 6x6 inputs under the tile and the 3x3 filter are brought to 36 values each ("elements"), the
 * elements are multiplied as 36 matrix products over the channels, and 36 sums become 16 outputs.
 * The points are 0, +-11/16, +-3/2 and infinity: relative error about 1.6e-6 against 3.5e-6 of the
 * usual 0, +-1, +-2.
 *
 * oneDNN's own Winograd wants blocked pictures, keeps four times the filter's memory, and reads
 * those four times from memory on every call. Here the filter stays as large as in the file and is
 * brought to its 36 elements in the second-level cache, a slice of channels at a time, next to the
 * product that uses it: that costs about 2.5 / tiles of the product (4 % for 64 tiles, the whole of
 * a 32x32 picture; 16 % for 16x16, where reading four times from memory would cost more).
 *
 * Every sum runs over the channels in order, one fused multiply-add after another, however tiles
 * are grouped, so the tiles of all images are one list and image b is bit for bit what it is alone.
 */
#ifndef KERNELS_ONEDNN_WINOGRAD_H
#define KERNELS_ONEDNN_WINOGRAD_H

#include "kernels/device.h"

enum {
    WINOGRAD_OUT = 4,       /* outputs of a tile in each direction */
    WINOGRAD_IN = 6,        /* inputs */
    WINOGRAD_ELEMENTS = 36, /* products per tile and pair of channels */
    WINOGRAD_TAPS = 9,
    WINOGRAD_DEPTH = 64, /* input channels in a slice */
};

/* Where the outputs of one tile go. Strides in floats. */
struct winograd_tile {
    const float *m; /* [36 planes][2 vectors] of this tile */
    size_t plane;   /* from one element to the next */
    float *y;
    int64_t y_row, y_pixel;
    const float *add; /* NULL: nothing */
    int64_t add_row, add_pixel;
    const float *bias; /* of two vectors of channels */
    int rows, cols;    /* 1..4 of each lie inside the picture */
    int channels;      /* 1..two vectors of them exist */
    enum act act;      /* ACT_NONE, ACT_RELU, ACT_RELU6 */
};

/* m[rows][block] (+)= v[rows][depth] u[depth][block], where rows of v are WINOGRAD_DEPTH apart. */
struct winograd_product {
    float *m;
    const float *v, *u;
    int64_t rows, depth;
    bool first;  /* of its sum: m is set, not added to */
    int vectors; /* 1 or 2 of the block's vectors are wanted */

    /* What the next calls will read: it is fetched beside the products, a line at a time, because
       a processor drops what is asked for faster than its memory can follow. */
    const float *next_v; /* of the next call */
    const float *next_g; /* a 36th of the filter's next slice */
};

/* The inner loops for one instruction set. */
struct winograd_kernel {
    int block; /* output channels at a time: two vectors */

    /* v[36 planes][channels] from 36 pixels; channels is a multiple of 16. */
    void (*input)(float *v, size_t plane, const float *const pixels[WINOGRAD_ELEMENTS],
                  int64_t channels);

    /* u[36 planes][depth][block] from g[depth][9][block], for one or both vectors of the block. */
    void (*filter)(float *u, size_t plane, const float *g, int64_t depth, int vectors);

    void (*multiply)(const struct winograd_product *p);

    void (*output)(const struct winograd_tile *tile);
};

extern const struct winograd_kernel winograd_avx2, winograd_avx512;

/* Can this weight be convolved so? */
bool winograd_suits(const struct weight *w);

/* Floats that the packed filter takes, and packing it. */
size_t winograd_packed_count(const struct winograd_kernel *k, const struct weight *w);
void winograd_pack(const struct winograd_kernel *k, const struct weight *w, float *packed);

/* One convolution: everything but the memory. */
struct winograd_job {
    const struct winograd_kernel *kernel;
    const float *packed;
    const float *bias; /* [B][block-padded N]: bias and shift */
    struct tensor y, x, add;
    int64_t height, width; /* of x as it is convolved */
    int up;                /* 1: every pixel of x counts four times */
    const int *pad;
    enum act act;
    int threads;
};

/* Bytes of scratch, and the convolution itself. Scratch is aligned to 64. */
size_t winograd_scratch_bytes(const struct winograd_job *job);
void winograd_run(const struct winograd_job *job, void *scratch);

#endif /* KERNELS_ONEDNN_WINOGRAD_H */
