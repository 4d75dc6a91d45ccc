/* SPDX-License-Identifier: Apache-2.0 */
#include "server/veil.h"

#include <assert.h>
#include <string.h>

#define GLYPH_WIDTH  5
#define GLYPH_HEIGHT 7
#define LINE_EVERY   5 /* heights of a line */

/* ---- letters ---- */

struct glyph {
    char character;
    uint8_t row[GLYPH_HEIGHT]; /* bit 4 is the leftmost pixel */
};

/* What a reviewer's name and a time are written with. */
static const struct glyph glyphs[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}},
    {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}},
    {'3', {0x1e, 0x01, 0x01, 0x0e, 0x01, 0x01, 0x1e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}},
    {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}},
    {'7', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}},
    {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {'A', {0x04, 0x0a, 0x11, 0x11, 0x1f, 0x11, 0x11}},
    {'B', {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e}},
    {'C', {0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e}},
    {'D', {0x1c, 0x12, 0x11, 0x11, 0x11, 0x12, 0x1c}},
    {'E', {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f}},
    {'F', {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10}},
    {'R', {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}},
    {'T', {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}},
    {'U', {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}},
    {'Z', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f}},
    {'-', {0x00, 0x00, 0x00, 0x0e, 0x00, 0x00, 0x00}},
    {':', {0x00, 0x04, 0x04, 0x00, 0x04, 0x04, 0x00}},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct glyph *glyph_of(char c)
{
    for (size_t i = 0; i < COUNT_OF(glyphs); i++) {
        if (glyphs[i].character == c)
            return &glyphs[i];
    }
    return NULL; /* a space */
}

/* Half of what is there and half of what it is farthest from, so it is seen on any ground. */
static void dot(struct image *image, int x, int y, int size)
{
    for (int dy = 0; dy < size && y + dy < image->height; dy++) {
        for (int dx = 0; dx < size && x + dx < image->width; dx++) {
            uint8_t *p =
                image->rgb + 3 * ((size_t)(y + dy) * (size_t)image->width + (size_t)(x + dx));
            int light = p[0] + p[1] + p[2] < 3 * 128 ? 255 : 0;

            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)((p[c] + light) / 2);
        }
    }
}

static void letter(struct image *image, int x, int y, int size, char c)
{
    const struct glyph *g = glyph_of(c);

    for (int row = 0; g && row < GLYPH_HEIGHT; row++) {
        for (int column = 0; column < GLYPH_WIDTH; column++) {
            if (g->row[row] >> (GLYPH_WIDTH - 1 - column) & 1)
                dot(image, x + column * size, y + row * size, size);
        }
    }
}

static void mark_all(struct image *image, const char *mark)
{
    int side = image->width < image->height ? image->width : image->height;
    int size = side >= 512 ? side / 256 : 1;
    size_t length = strlen(mark), at = 0;

    for (int y = size; y < image->height; y += LINE_EVERY * GLYPH_HEIGHT * size) {
        for (int x = size; x < image->width; x += (GLYPH_WIDTH + 1) * size)
            letter(image, x, y, size, mark[at++ % length]);
    }
}

/* ---- grids ---- */

static int at_least_one(int a)
{
    return a > 0 ? a : 1;
}

/* Between the middles of the grid's cells, in whole numbers of 1/256. */
static void stretch(struct image *out, const uint8_t *grid, int columns, int rows)
{
    for (int y = 0; y < out->height; y++) {
        int64_t fy = ((2 * (int64_t)y + 1) * rows * 128) / out->height - 128;
        int row = fy < 0 ? 0 : (int)(fy >> 8), below = row + 1 < rows ? row + 1 : row;
        int wy = fy < 0 ? 0 : (int)(fy & 255);

        for (int x = 0; x < out->width; x++) {
            int64_t fx = ((2 * (int64_t)x + 1) * columns * 128) / out->width - 128;
            int column = fx < 0 ? 0 : (int)(fx >> 8);
            int right = column + 1 < columns ? column + 1 : column;
            int wx = fx < 0 ? 0 : (int)(fx & 255);

            for (int c = 0; c < 3; c++) {
                int above = grid[3 * (row * columns + column) + c] * (256 - wx) +
                            grid[3 * (row * columns + right) + c] * wx;
                int under = grid[3 * (below * columns + column) + c] * (256 - wx) +
                            grid[3 * (below * columns + right) + c] * wx;

                out->rgb[3 * ((size_t)y * (size_t)out->width + (size_t)x) + (size_t)c] =
                    (uint8_t)((above * (256 - wy) + under * wy + 32768) >> 16);
            }
        }
    }
}

/* The mean of a cell's pixels. */
static void mean(uint8_t out[3], const struct image *image, int x0, int x1, int y0, int y1)
{
    int64_t sum[3] = {0}, count = (int64_t)(x1 - x0) * (y1 - y0);

    for (int y = y0; y < y1; y++) {
        const uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x0);

        for (int x = x0; x < x1; x++, p += 3) {
            for (int c = 0; c < 3; c++)
                sum[c] += p[c];
        }
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)(sum[c] / count);
}

static void blur(struct image *image)
{
    uint8_t grid[3 * VEIL_CELLS * VEIL_CELLS];
    int longer = image->width > image->height ? image->width : image->height;
    int cells = longer < VEIL_CELLS ? longer : VEIL_CELLS;
    int columns = at_least_one(image->width * cells / longer);
    int rows = at_least_one(image->height * cells / longer);

    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            mean(grid + 3 * (r * columns + c), image, image->width * c / columns,
                 image->width * (c + 1) / columns, image->height * r / rows,
                 image->height * (r + 1) / rows);
    }
    stretch(image, grid, columns, rows);
}

static void grey(struct image *image)
{
    uint8_t *p = image->rgb;

    for (size_t i = 0; i < (size_t)image->width * (size_t)image->height; i++, p += 3)
        p[0] = p[1] = p[2] = (uint8_t)((p[0] * 299 + p[1] * 587 + p[2] * 114 + 500) / 1000);
}

/* ---- veils ---- */

static const char *const names[VEIL_COUNT] = {
    [VEIL_BLUR] = "blur", [VEIL_GREY] = "grey", [VEIL_FULL] = "full"};

const char *veil_name(enum veil v)
{
    return names[v];
}

int veil_find(const char *name)
{
    for (int i = 0; i < VEIL_COUNT; i++) {
        if (!strcmp(names[i], name))
            return i;
    }
    return -1;
}

void veil_draw(struct image *image, enum veil v, const char *mark)
{
    assert(image->width > 0 && image->height > 0 && mark[0]);
    if (v == VEIL_BLUR)
        blur(image);
    else if (v == VEIL_GREY)
        grey(image);
    mark_all(image, mark);
}

enum status veil_spread(struct image *out, const uint8_t *rgb, int side, int pixels)
{
    enum status st = image_open(out, pixels, pixels);

    if (!st)
        stretch(out, rgb, side, side);
    return st;
}
