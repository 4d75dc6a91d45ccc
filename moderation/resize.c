/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/resize.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where one output line or column comes from: between two of the source's. */
struct between {
    int low, high;
    double share; /* of the high one */
};

static struct between between_of(int at, int output, int input)
{
    double ratio = output > 1 ? (double)(input - 1) / (output - 1) : (double)input / output;
    double exact = ratio * at;
    int low = (int)floor(exact), high = (int)ceil(exact);

    if (high > input - 1)
        high = input - 1;
    return (struct between){low, high, exact - low};
}

/* Every byte as TensorFlow.js holds it: divided in double, kept in float. */
static void divide_bytes(float divided[256])
{
    for (int i = 0; i < 256; i++)
        divided[i] = (float)(i / 255.0);
}

/* One output line, between two of the source's. */
static void blend_lines(float *y, int width, const uint8_t *top, const uint8_t *bottom,
                        double share, const struct between *columns, const float divided[256])
{
    for (int column = 0; column < width; column++) {
        const struct between c = columns[column];

        for (int i = 0; i < 3; i++) {
            double top_left = divided[top[c.low * 3 + i]];
            double bottom_left = divided[bottom[c.low * 3 + i]];
            double above = top_left + (divided[top[c.high * 3 + i]] - top_left) * c.share;
            double below = bottom_left + (divided[bottom[c.high * 3 + i]] - bottom_left) * c.share;

            *y++ = (float)(above + (below - above) * share);
        }
    }
}

void resize_bilinear(float *y, int height, int width, const struct image *image)
{
    const size_t line = (size_t)image->width * 3, count = image_bytes(image);
    struct between columns[RESIZE_WIDTH_MAX];
    float divided[256];

    assert(height > 0 && width > 0 && width <= RESIZE_WIDTH_MAX);
    assert(image->height > 0 && image->width > 0);
    divide_bytes(divided);
    if (image->height == height && image->width == width) {
        for (size_t i = 0; i < count; i++)
            y[i] = divided[image->rgb[i]];
        return;
    }
    for (int column = 0; column < width; column++)
        columns[column] = between_of(column, width, image->width);
    for (int row = 0; row < height; row++) {
        struct between r = between_of(row, height, image->height);

        blend_lines(y + (size_t)row * (size_t)width * 3, width, image->rgb + (size_t)r.low * line,
                    image->rgb + (size_t)r.high * line, r.share, columns, divided);
    }
}

/*
 * Pillow's resampling of bytes: a window of the filter for every output, its weights in whole
 * numbers of 22 bits behind the point; columns first, rounded to bytes, then lines. (Pillow 13
 * takes very tall pictures the other way round, where a byte may differ by one from all versions
 * before.)
 */
enum { WEIGHT_BITS = 22 };

struct windows {
    int first, count; /* outputs [first, first + count) of the resized side */
    int taps;         /* most weights of a window */
    int *from, *used; /* of each output: the first source pixel, and how many */
    int32_t *weight;  /* [count][taps] */
};

/* Keys' cubic with a = -1/2. */
static double cubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static void windows_close(struct windows *w)
{
    free(w->from);
    free(w->used);
    free(w->weight);
    *w = (struct windows){0};
}

static void fill_window(struct windows *w, int index, int input, double scale)
{
    double filter = scale < 1 ? 1 : scale, support = 2 * filter, sum = 0;
    double center = (w->first + index + 0.5) * scale;
    int from = (int)(center - support + 0.5), to = (int)(center + support + 0.5);
    int32_t *weight = w->weight + (size_t)index * (size_t)w->taps;

    if (center - support + 0.5 < 0)
        from = 0;
    if (to > input)
        to = input;
    for (int i = from; i < to; i++)
        sum += cubic((i - center + 0.5) * (1 / filter));
    for (int i = from; i < to; i++) {
        double share = cubic((i - center + 0.5) * (1 / filter));

        if (sum != 0)
            share /= sum;
        share *= 1 << WEIGHT_BITS;
        weight[i - from] = (int32_t)(share < 0 ? share - 0.5 : share + 0.5);
    }
    w->from[index] = from;
    w->used[index] = to - from;
}

/* The middle `count` outputs of `input` pixels made `output` pixels. */
static bool windows_open(struct windows *w, int input, int64_t output, int count)
{
    double scale = (double)input / (double)output, filter = scale < 1 ? 1 : scale;

    *w = (struct windows){.first = (int)((output - count) / 2), .count = count};
    w->taps = (int)ceil(2 * filter) * 2 + 1;
    w->from = calloc((size_t)count, sizeof(*w->from));
    w->used = calloc((size_t)count, sizeof(*w->used));
    w->weight = calloc((size_t)count * (size_t)w->taps, sizeof(*w->weight));
    if (!w->from || !w->used || !w->weight) {
        windows_close(w);
        return false;
    }
    for (int i = 0; i < count; i++)
        fill_window(w, i, input, scale);
    return true;
}

/* One output of the three channels: pixels that lie `step` bytes apart. */
static void mix(uint8_t *y, const struct windows *w, int index, const uint8_t *x, size_t step)
{
    const int32_t *weight = w->weight + (size_t)index * (size_t)w->taps;

    for (int channel = 0; channel < 3; channel++) {
        const uint8_t *from = x + (size_t)w->from[index] * step + channel;
        int64_t sum = 1 << (WEIGHT_BITS - 1);

        for (int i = 0; i < w->used[index]; i++)
            sum += (int64_t)weight[i] * from[(size_t)i * step];
        sum >>= WEIGHT_BITS;
        y[channel] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

/* A side that keeps its size has windows that copy. */
static void resample(uint8_t *y, int size, const struct image *image, uint8_t *lines,
                     const struct windows *across, const struct windows *down)
{
    const size_t line = (size_t)size * 3, source = (size_t)image->width * 3;
    const int first = down->from[0], last = down->from[size - 1] + down->used[size - 1];

    for (int row = first; row < last; row++)
        for (int column = 0; column < size; column++)
            mix(lines + (size_t)(row - first) * line + (size_t)column * 3, across, column,
                image->rgb + (size_t)row * source, 3);
    for (int row = 0; row < size; row++)
        down->from[row] -= first; /* the lines before were not made */
    for (int row = 0; row < size; row++)
        for (int column = 0; column < size; column++)
            mix(y + (size_t)row * line + (size_t)column * 3, down, row, lines + (size_t)column * 3,
                line);
}

enum status resize_bicubic_middle(uint8_t *y, int size, const struct image *image, struct why *why)
{
    int width = image->width, height = image->height, shorter = width < height ? width : height;
    int64_t new_width = (int64_t)size * width / shorter,
            new_height = (int64_t)size * height / shorter;
    struct windows across = {0}, down = {0};
    uint8_t *lines = NULL;
    enum status st = ST_OK;

    assert(size > 0 && shorter > 0);
    if (windows_open(&across, width, new_width, size) &&
        windows_open(&down, height, new_height, size)) {
        int count = down.from[size - 1] + down.used[size - 1] - down.from[0];
        lines = malloc((size_t)count * (size_t)size * 3);
    }
    if (lines)
        resample(y, size, image, lines, &across, &down);
    else
        st = why_fail(why, ST_FULL, "no memory to resize a picture of %d x %d", width, height);
    free(lines);
    windows_close(&across);
    windows_close(&down);
    return st;
}
