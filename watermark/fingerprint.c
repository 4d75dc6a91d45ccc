/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/fingerprint.h"

#include "base/crypto.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    GRID = 32,
    BAND = 12, /* half periods a side, at most */
    TERMS_MAX = (BAND + 1) * (BAND + 1),
    SIDE_MAX = 1 << 16, /* what a row's sum holds */
};

#define PI    3.14159265358979323846
#define FLAT  1.0 /* grey levels: below it, rounding and noise would make the bits */
#define FAINT 0.3 /* of the mean term: what is below is noise, and a root would raise it */

/* The low frequencies of a picture, in a fixed order. */
struct terms {
    double value[TERMS_MAX];
    double weight[TERMS_MAX];
    bool odd[TERMS_MAX]; /* changes its sign in a mirror */
    int count;
};

/* The grid's columns of one row of pixels: the luma under each. A column's edge may fall within a
   pixel, of which each side takes its share; so the size of the picture is not seen. */
static void sum_row(double out[GRID], const uint8_t *rgb, int width)
{
    double before = 0;
    uint32_t sum = 0, luma;
    int x = 0;

    for (int i = 0; i < GRID; i++) {
        double edge = (double)(i + 1) * width / GRID, after;
        int end = (int)edge < width ? (int)edge : width - 1;

        for (; x < end; x++)
            sum += 77u * rgb[3 * x] + 150u * rgb[3 * x + 1] + 29u * rgb[3 * x + 2];
        luma = 77u * rgb[3 * x] + 150u * rgb[3 * x + 1] + 29u * rgb[3 * x + 2];
        after = sum + (edge - x) * luma;
        out[i] = after - before;
        before = after;
    }
}

/* Mean luma of each cell, 0 to 255. */
static void shrink(double grid[GRID][GRID], const struct image *image)
{
    const double tall = (double)image->height / GRID; /* of a cell, in rows of pixels */
    const double area = 256.0 * tall * image->width / GRID;

    memset(grid, 0, sizeof(double[GRID][GRID]));
    for (int y = 0; y < image->height; y++) {
        double row[GRID];

        sum_row(row, image->rgb + (size_t)y * (size_t)image->width * 3, image->width);
        for (int i = (int)(y / tall); i < GRID && i * tall < y + 1; i++) {
            double share = fmin(y + 1, (i + 1) * tall) - fmax(y, i * tall);

            for (int j = 0; share > 0 && j < GRID; j++)
                grid[i][j] += row[j] * share / area;
        }
    }
}

/* The low corner of its cosine transform (DCT-II, orthonormal), without the mean. */
static void transform(struct terms *t, double grid[GRID][GRID])
{
    double wave[BAND + 1][GRID], rows[GRID][BAND + 1];

    for (int u = 0; u <= BAND; u++)
        for (int x = 0; x < GRID; x++)
            wave[u][x] = cos(PI * (2 * x + 1) * u / (2 * GRID)) * sqrt((u ? 2.0 : 1.0) / GRID);
    for (int y = 0; y < GRID; y++)
        for (int u = 0; u <= BAND; u++) {
            rows[y][u] = 0;
            for (int x = 0; x < GRID; x++)
                rows[y][u] += grid[y][x] * wave[u][x];
        }
    t->count = 0;
    for (int v = 0; v <= BAND; v++)
        for (int u = 0; u <= BAND; u++) {
            double sum = 0;

            if ((u == 0 && v == 0) || u * u + v * v > BAND * BAND)
                continue;
            for (int y = 0; y < GRID; y++)
                sum += rows[y][u] * wave[v][y];
            t->odd[t->count] = u % 2;
            t->weight[t->count] = pow(u * u + v * v, 0.75); /* the power 1.5 of its frequency */
            t->value[t->count++] = sum;
        }
}

/* Pictures have most of their power in their lowest terms. These are held down, by what pictures
   have in common and then by a root, so that no few of them decide: the more have a say, the less
   the distance of unrelated pictures wanders about 128. False: flat. */
static bool even_out(struct terms *t)
{
    double power = 0, mean = 0;

    for (int i = 0; i < t->count; i++)
        power += t->value[i] * t->value[i];
    if (power < FLAT * FLAT * GRID * GRID)
        return false;
    for (int i = 0; i < t->count; i++) {
        t->value[i] *= t->weight[i];
        mean += fabs(t->value[i]) / t->count;
    }
    for (int i = 0; i < t->count; i++)
        t->value[i] /= sqrt(fabs(t->value[i]) + FAINT * mean);
    return true;
}

/* 256 sums of the terms with signs from the key; term by term, as a hash gives 256 signs. */
static void project(uint8_t out[FINGERPRINT_BYTES], const struct terms *t,
                    const uint8_t key[FINGERPRINT_KEY_BYTES])
{
    double sums[FINGERPRINT_BITS] = {0};

    for (int i = 0; i < t->count; i++) {
        struct crypto_hmac h;
        uint8_t signs[32], number = (uint8_t)i;

        crypto_hmac(&h, key, FINGERPRINT_KEY_BYTES);
        crypto_hmac_add_text(&h, "limner fingerprint 1");
        crypto_hmac_add(&h, &number, 1);
        crypto_hmac_end(&h, signs);
        for (int b = 0; b < FINGERPRINT_BITS; b++)
            sums[b] += signs[b / 8] >> b % 8 & 1 ? t->value[i] : -t->value[i];
        crypto_wipe(signs, sizeof(signs));
    }
    memset(out, 0, FINGERPRINT_BYTES);
    for (int b = 0; b < FINGERPRINT_BITS; b++)
        out[b / 8] |= (uint8_t)((sums[b] > 0) << b % 8);
}

static bool make(uint8_t out[FINGERPRINT_BYTES], const struct image *image,
                 const uint8_t key[FINGERPRINT_KEY_BYTES], bool mirrored)
{
    double grid[GRID][GRID];
    struct terms t;

    assert(image->width > 0 && image->height > 0 && image->width <= SIDE_MAX);
    shrink(grid, image);
    transform(&t, grid);
    memset(out, 0, FINGERPRINT_BYTES);
    if (!even_out(&t))
        return false;
    for (int i = 0; mirrored && i < t.count; i++)
        t.value[i] = t.odd[i] ? -t.value[i] : t.value[i];
    project(out, &t, key);
    return true;
}

bool fingerprint_make(uint8_t out[FINGERPRINT_BYTES], const struct image *image,
                      const uint8_t key[FINGERPRINT_KEY_BYTES])
{
    return make(out, image, key, false);
}

bool fingerprint_make_mirrored(uint8_t out[FINGERPRINT_BYTES], const struct image *image,
                               const uint8_t key[FINGERPRINT_KEY_BYTES])
{
    return make(out, image, key, true);
}

/* Ones of 256 bits, without an instruction for it: not every x86-64 has one, and this keeps up
   with memory. The bytes of `sum` hold at most 32 each; pairs of them are added in wider words,
   as 256 is one too many for a byte. */
static int ones(const uint64_t a[4], const uint64_t b[4])
{
    const uint64_t twos = 0x3333333333333333, bytes = 0x00ff00ff00ff00ff;
    uint64_t sum = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t x = a[i] ^ b[i];

        x -= x >> 1 & 0x5555555555555555;
        x = (x & twos) + (x >> 2 & twos);
        sum += (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    }
    sum = (sum & bytes) + (sum >> 8 & bytes);
    return (int)((sum * 0x0001000100010001) >> 48);
}

int fingerprint_distance(const uint8_t a[FINGERPRINT_BYTES], const uint8_t b[FINGERPRINT_BYTES])
{
    uint64_t x[4], y[4];

    memcpy(x, a, sizeof(x));
    memcpy(y, b, sizeof(y));
    return ones(x, y);
}
