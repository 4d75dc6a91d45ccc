/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/mark/plane.h"

#include "watermark/transform.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLIP 3.0f /* of the residual: an edge is no louder than this */

enum status grid_open(struct grid *g, int plane_width, int plane_height)
{
    g->width = (plane_width + GRID_CELL - 1) / GRID_CELL;
    g->height = (plane_height + GRID_CELL - 1) / GRID_CELL;
    g->at = malloc((size_t)g->width * (size_t)g->height * sizeof(float));
    return g->at ? ST_OK : ST_FULL;
}

void grid_close(struct grid *g)
{
    free(g->at);
    *g = (struct grid){0};
}

/* A pixel lies between the centres of two cells: which one before, and how far towards the next. */
static int between(float *part, int pixel, int cells)
{
    float at = ((float)pixel - (GRID_CELL - 1) / 2.0f) / GRID_CELL;

    if (at <= 0 || cells == 1) {
        *part = 0;
        return 0;
    }
    if (at >= (float)(cells - 1)) {
        *part = 1;
        return cells - 2;
    }
    *part = at - (float)(int)at;
    return (int)at;
}

void grid_row(float *out, float *cells, const struct grid *g, int y, int plane_width)
{
    float part;
    int before = between(&part, y, g->height);
    const float *a = g->at + (size_t)before * (size_t)g->width;
    const float *b = a + (g->height > 1 ? g->width : 0);

    for (int i = 0; i < g->width; i++)
        cells[i] = a[i] + part * (b[i] - a[i]);
    for (int x = 0; x < plane_width; x++) {
        if (x >= 2 && x + 3 * GRID_CELL < plane_width && g->width > 2) {
            float base = cells[(x - 2) / 4], step = (cells[(x - 2) / 4 + 1] - base) * 0.125f;

            out[x] = base + step;
            out[x + 1] = base + 3 * step;
            out[x + 2] = base + 5 * step;
            out[x + 3] = base + 7 * step;
            x += 3;
        } else {
            before = between(&part, x, g->width);
            out[x] = g->width == 1 ? cells[0]
                                   : cells[before] + part * (cells[before + 1] - cells[before]);
        }
    }
}

/* Means of the cells of a plane, or of its squares. */
static void fill_grid(struct grid *g, const float *plane, int width, int height, int squared)
{
    memset(g->at, 0, (size_t)g->width * (size_t)g->height * sizeof(float));
    for (int y = 0; y < height; y++) {
        const float *row = plane + (size_t)y * (size_t)width;
        float *to = g->at + (size_t)(y / GRID_CELL) * (size_t)g->width;
        int tall = height - y / GRID_CELL * GRID_CELL;

        tall = tall < GRID_CELL ? tall : GRID_CELL;
        for (int i = 0; i < g->width; i++) {
            int wide = width - i * GRID_CELL;
            float sum = 0;

            if (wide >= GRID_CELL) {
                for (int j = 0; j < GRID_CELL; j++) {
                    float v = row[i * GRID_CELL + j];

                    sum += squared ? v * v : v;
                }
                wide = GRID_CELL;
            } else {
                for (int j = 0; j < wide; j++)
                    sum += squared ? row[i * GRID_CELL + j] * row[i * GRID_CELL + j]
                                   : row[i * GRID_CELL + j];
            }
            to[i] += sum / (float)(wide * tall);
        }
    }
}

static void luma_row(float *restrict out, const uint8_t *restrict rgb, int width)
{
    for (int x = 0; x < width; x++)
        out[x] = 0.299f * rgb[3 * x] + 0.587f * rgb[3 * x + 1] + 0.114f * rgb[3 * x + 2];
}

static void fill_luma(struct plane *p, const struct image *image, int shrink, float *row)
{
    float share = 1.0f / (float)(shrink * shrink);

    for (int y = 0; y < p->height; y++) {
        float *to = p->luma + (size_t)y * (size_t)p->width;

        if (shrink == 1) {
            luma_row(to, image->rgb + (size_t)y * (size_t)image->width * 3, image->width);
            continue;
        }
        memset(to, 0, (size_t)p->width * sizeof(float));
        for (int i = 0; i < shrink; i++) {
            luma_row(row, image->rgb + (size_t)(y * shrink + i) * (size_t)image->width * 3,
                     image->width);
            for (int x = 0; x < p->width; x++)
                for (int j = 0; j < shrink; j++)
                    to[x] += share * row[x * shrink + j];
        }
    }
}

/* A blur of `sigma` pixels on the grid, then the root. */
static void deviation(struct grid *out, const struct grid *squares, float *scratch, float sigma)
{
    size_t count = (size_t)out->width * (size_t)out->height;

    transform_blur(out->at, squares->at, scratch, out->width, out->height, sigma / GRID_CELL);
    for (size_t i = 0; i < count; i++)
        out->at[i] = sqrtf(out->at[i]);
}

/* `high` is the luma less its blur; it becomes the residual. */
static void whiten(struct plane *p, struct grid *share, float *scratch)
{
    size_t cells = (size_t)share->width * (size_t)share->height;
    float *row = scratch, *small = scratch + p->width;

    for (size_t i = 0; i < cells; i++)
        share->at[i] = 1 / (p->middle.at[i] + PLANE_FLOOR);
    for (int y = 0; y < p->height; y++) {
        float *r = p->residual + (size_t)y * (size_t)p->width;

        grid_row(row, small, share, y, p->width);
        for (int x = 0; x < p->width; x++) {
            float v = r[x] * row[x];

            v = v < CLIP ? v : CLIP;
            r[x] = v > -CLIP ? v : -CLIP;
        }
    }
}

static void fill_plane(struct plane *p, float *scratch)
{
    size_t count = (size_t)p->width * (size_t)p->height;
    struct grid squares;

    transform_blur(p->residual, p->luma, scratch, p->width, p->height, PLANE_SIGMA);
    for (size_t i = 0; i < count; i++)
        p->residual[i] = p->luma[i] - p->residual[i];
    fill_grid(&p->mean, p->luma, p->width, p->height, 0);
    squares = (struct grid){p->mean.width, p->mean.height, scratch};
    scratch += (size_t)squares.width * (size_t)squares.height;
    fill_grid(&squares, p->residual, p->width, p->height, 1);
    deviation(&p->narrow, &squares, scratch, 5.0f);
    deviation(&p->middle, &squares, scratch, 8.0f);
    deviation(&p->wide, &squares, scratch, 12.0f);
    whiten(p, &squares, scratch);
}

enum status plane_open(struct plane *out, const struct image *image, int shrink)
{
    struct plane p = {.width = image->width / shrink, .height = image->height / shrink};
    size_t count;
    float *scratch;

    assert(p.width > 0 && p.height > 0);
    *out = (struct plane){0};
    count = (size_t)p.width * (size_t)p.height;
    p.luma = malloc(count * sizeof(float));
    p.residual = malloc(count * sizeof(float));
    /* A blur's, or two grids and two rows: the former is more for all but the smallest. */
    scratch =
        malloc((count + (size_t)image->width + (size_t)p.width * 4 + (size_t)p.height * 2 + 64) *
               sizeof(float));
    if (!p.luma || !p.residual || !scratch || grid_open(&p.mean, p.width, p.height) != ST_OK ||
        grid_open(&p.narrow, p.width, p.height) != ST_OK ||
        grid_open(&p.middle, p.width, p.height) != ST_OK ||
        grid_open(&p.wide, p.width, p.height) != ST_OK) {
        free(scratch);
        plane_close(&p);
        return ST_FULL;
    }
    fill_luma(&p, image, shrink, scratch);
    fill_plane(&p, scratch);
    free(scratch);
    *out = p;
    return ST_OK;
}

void plane_close(struct plane *p)
{
    free(p->luma);
    free(p->residual);
    grid_close(&p->mean);
    grid_close(&p->narrow);
    grid_close(&p->middle);
    grid_close(&p->wide);
    *p = (struct plane){0};
}
