/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/mark.h"
#include "watermark/mark/lines.h"
#include "watermark/mark/plane.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FOLD          256
#define CAP_FLAT      2.0f /* grey levels at 42 dB: the most where nothing hides a change */
#define CAP_LIVELY    7.0f
#define SPARSE        5 /* rows: one of so many tells the strength well enough to begin with */
#define STRONGEST     6 /* times what would do without caps */
#define TRIES         8
#define WEAK_ACTIVITY 1.0 /* grey levels: flat art */

double mark_psnr(int width, int height)
{
    double octaves = log2((double)width * height / (512.0 * 512.0));

    octaves = octaves > 2 ? 2 : octaves;
    return 42 + (octaves < 0 ? 2 : 1.5) * octaves;
}

/* What is drawn: the mask times the tile, and how far it may go. */
struct drawing {
    struct plane plane;
    struct transform *fold, *tile;
    struct grid mask, cap;
    float *room;  /* FOLD * (2 * FOLD + 2 * LANES) */
    float *wave;  /* [tile][tile] */
    float *shape; /* of the plane: mask times wave */
    float *row, *cells;
    int16_t *change; /* a row of it */
    double share;    /* mean of the mask over the divisor of the residual */
    double activity;
};

static void drawing_close(struct drawing *d)
{
    plane_close(&d->plane);
    transform_close(&d->fold);
    transform_close(&d->tile);
    grid_close(&d->mask);
    grid_close(&d->cap);
    free(d->room);
    free(d->wave);
    free(d->shape);
    free(d->row);
    free(d->cells);
    free(d->change);
}

static enum status drawing_open(struct drawing *d, const struct image *image)
{
    size_t width = (size_t)image->width, height = (size_t)image->height;
    enum status st;

    *d = (struct drawing){0};
    st = plane_open(&d->plane, image, 1);
    if (st == ST_OK)
        st = transform_open(&d->fold, FOLD);
    if (st == ST_OK)
        st = transform_open(&d->tile, KEY_TILE);
    if (st == ST_OK)
        st = grid_open(&d->mask, image->width, image->height);
    if (st == ST_OK)
        st = grid_open(&d->cap, image->width, image->height);
    d->room = malloc((size_t)FOLD * (2 * FOLD + 2 * TRANSFORM_LANES) * sizeof(float));
    d->wave = malloc((size_t)KEY_TILE * KEY_TILE * sizeof(float));
    d->shape = malloc(width * height * sizeof(float));
    d->row = malloc(width * sizeof(float));
    d->cells = malloc(width * sizeof(float));
    d->change = malloc(width * sizeof(int16_t));
    if (st == ST_OK && (!d->room || !d->wave || !d->shape || !d->row || !d->cells || !d->change))
        st = ST_FULL;
    if (st != ST_OK)
        drawing_close(d);
    return st;
}

/* The lesser of two windows, so that the flat sides of an edge are not taken for lively. Dark and
   bright places hide more than middle grey, but next to black half of the mark would be cut off,
   and the other half would lift the black. Flat places get as much as JPEG needs to keep something
   of it, and the cap holds them to that. */
static void fill_mask(struct drawing *d, double psnr)
{
    const struct plane *p = &d->plane;
    size_t count = (size_t)d->mask.width * (size_t)d->mask.height;
    float louder = (float)fmax(1, pow(10, (42 - psnr) / 20));
    double share = 0, activity = 0;

    for (size_t i = 0; i < count; i++) {
        float lively = fminf(p->narrow.at[i], 1.6f * p->wide.at[i]);
        float capped = fminf(lively, 12);
        float dark = fminf(1, 0.4f + p->mean.at[i] / 40);
        float bright = dark * (0.8f + 0.35f * fabsf(p->mean.at[i] - 128) / 128);

        d->mask.at[i] = (2.0f + 0.25f * powf(capped, 0.8f)) * bright;
        d->cap.at[i] = louder * fminf(CAP_FLAT + 0.6f * fmaxf(lively - 1, 0), CAP_LIVELY);
        share += (double)(d->mask.at[i] / (p->middle.at[i] + PLANE_FLOOR));
        activity += (double)lively;
    }
    d->share = share / (double)count;
    d->activity = activity / (double)count;
}

static float between(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* How strong each wave is, so that the picture's own waves are made up for: those that say the
   right thing already get less, those that say the wrong thing more. `alone`: what a wave of
   strength 1 will add to the transform at its line. Small pictures have few tiles that drown their
   own waves, so that more is made up for. */
static void choose_waves(struct lines *out, float found[KEY_LINES][2], const struct mark_key *key,
                         uint64_t id, double alone, double pixels)
{
    double small = fmax(0, fmin(1, log2(512.0 * 512.0 / pixels) / 2));
    const float informed = (float)(0.4 + 0.6 * small), most = (float)(2.2 + 1.8 * small);
    const int half = KEY_LINES - KEY_PILOTS;
    int8_t bits[PAYLOAD_BITS];

    payload_encode(bits, id);
    for (int i = 0; i < KEY_LINES; i++) {
        double r2 = (double)(key->kx[i] * key->kx[i] + key->ky[i] * key->ky[i]);
        double sigma = M_PI * (double)PLANE_SIGMA / KEY_TILE;
        float passed = (float)(alone * (1 - exp(-2 * sigma * sigma * r2)));
        float c = key->phase[i][0], s = key->phase[i][1];
        float re = (found[i][0] * c + found[i][1] * s) / passed * informed;
        float im = (found[i][1] * c - found[i][0] * s) / passed * informed;

        if (i < KEY_PILOTS) {
            out->re[i] = between(1 - re, 1, most);
            out->im[i] = between(-im, -0.5f, 0.5f);
        } else {
            int a = i - KEY_PILOTS, b = a + half;
            float wa = (float)(bits[key->bit[a]] * key->sign[a]);
            float wb = (float)(bits[key->bit[b]] * key->sign[b]);
            const float each = (float)M_SQRT1_2;

            out->re[i] = wa * each * between(1 - wa * re / each, 1, most);
            out->im[i] = wb * each * between(1 - wb * im / each, 1, most);
        }
    }
}

/* The tile: with all strengths 1 its standard deviation is 1. */
static void draw_wave(struct drawing *d, const struct lines *l, const struct mark_key *key)
{
    float *re = d->room, *im = re + KEY_TILE * KEY_TILE, *lanes = im + KEY_TILE * KEY_TILE;
    float size = sqrtf(2.0f / KEY_LINES);

    memset(re, 0, (size_t)2 * KEY_TILE * KEY_TILE * sizeof(float));
    for (int i = 0; i < KEY_LINES; i++) {
        int at = key->ky[i] * KEY_TILE + (key->kx[i] & (KEY_TILE - 1));
        float c = key->phase[i][0] * size, s = key->phase[i][1] * size;

        re[at] = l->re[i] * c - l->im[i] * s;
        im[at] = l->re[i] * s + l->im[i] * c;
    }
    lines_square(im, re, KEY_TILE, d->tile, lanes); /* backward */
    memcpy(d->wave, re, (size_t)KEY_TILE * KEY_TILE * sizeof(float));
}

/* Sum of squares of the mask. */
static double fill_shape(struct drawing *d)
{
    double sum = 0;

    for (int y = 0; y < d->plane.height; y++) {
        float *to = d->shape + (size_t)y * (size_t)d->plane.width, row = 0;
        const float *wave = d->wave + (size_t)(y & (KEY_TILE - 1)) * KEY_TILE;

        grid_row(d->row, d->cells, &d->mask, y, d->plane.width);
        for (int x = 0; x < d->plane.width; x += KEY_TILE)
            for (int i = 0; i < KEY_TILE && x + i < d->plane.width; i++)
                to[x + i] = d->row[x + i] * wave[i];
        for (int x = 0; x < d->plane.width; x++)
            row += to[x] * to[x];
        sum += (double)row;
    }
    return sum;
}

static void change_row(struct drawing *d, int y, float strength)
{
    const float *restrict shape = d->shape + (size_t)y * (size_t)d->plane.width;
    int16_t *restrict change = d->change;
    float *restrict cap = d->row;

    grid_row(cap, d->cells, &d->cap, y, d->plane.width);
    for (int x = 0; x < d->plane.width; x++) {
        float v = strength * shape[x];

        v = v < cap[x] ? v : cap[x];
        v = v > -cap[x] ? v : -cap[x];
        change[x] = (int16_t)((int32_t)(v + 32768.5f) - 32768); /* rounds to nearest */
    }
}

static uint8_t changed(uint8_t old, int change)
{
    int v = old + change;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* The squared error of a row, over three channels; the row is changed when `keep`. */
static int64_t apply_row(uint8_t *restrict rgb, const int16_t *restrict change, int width,
                         bool keep)
{
    int64_t sum = 0;

    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            uint8_t v = changed(rgb[3 * x + c], change[x]);
            int error = v - rgb[3 * x + c];

            sum += error * error;
            if (keep)
                rgb[3 * x + c] = v;
        }
    return sum;
}

/* The PSNR that this strength gives, of one row in `step`; the picture is changed when `keep`. */
static double apply(struct drawing *d, struct image *image, double strength, int step, bool keep)
{
    size_t row = (size_t)image->width * 3;
    int64_t sum = 0, rows = 0;

    for (int y = 0; y < image->height; y += step, rows++) {
        change_row(d, y, (float)strength);
        sum += apply_row(image->rgb + (size_t)y * row, d->change, image->width, keep);
    }
    return sum > 0 ? 10 * log10(255 * 255 * (double)rows * (double)row / (double)sum) : 99;
}

/* Looks for the strength on one row in `step`, from `start` on. */
static double find_strength(struct drawing *d, struct image *image, double psnr, double start,
                            double most, int step)
{
    double strength = start, before = 0, reached = 0, power = 1;

    for (int i = 0; i < TRIES; i++) {
        double missing, last = reached;

        reached = apply(d, image, strength, step, false);
        missing = (reached - psnr) / 20;
        if (fabs(missing) < 0.001)
            break;
        /* The caps make the error grow slower than the strength does: as the last step has shown.
         */
        if (i > 0)
            power = (last - reached) / 20 / log10(strength / before);
        power = power > 0.2 ? power : 0.2;
        before = strength;
        strength *= pow(10, missing / (power < 1 ? power : 1));
        strength = strength < most ? strength : most;
        if (strength == before)
            break;
    }
    return strength;
}

/* Finds the strength for the PSNR, as far as the caps let it, and changes the picture. */
static void draw(struct drawing *d, struct image *image, double psnr, double start,
                 struct mark_result *out)
{
    double most = STRONGEST * start;

    start = find_strength(d, image, psnr, start, most, SPARSE);
    out->strength = find_strength(d, image, psnr, start, most, 1);
    out->psnr = apply(d, image, out->strength, 1, true);
}

enum status mark_embed(struct image *image, const struct mark_key *key, uint64_t id,
                       const struct mark_options *options, struct mark_result *out, struct why *why)
{
    double psnr =
        options && options->psnr > 0 ? options->psnr : mark_psnr(image->width, image->height);
    double pixels = (double)image->width * image->height, wanted = 255 / pow(10, psnr / 20),
           strength;
    float found[KEY_LINES][2], beside[KEY_LINES];
    struct lines waves;
    struct drawing d;

    *out = (struct mark_result){0};
    if (image->width < MARK_SIDE_MIN || image->height < MARK_SIDE_MIN ||
        image->width > MARK_SIDE_MAX || image->height > MARK_SIDE_MAX)
        return why_fail(why, ST_UNSUPPORTED,
                        "a picture of %d x %d pixels can't be marked: each side must be %d to %d",
                        image->width, image->height, MARK_SIDE_MIN, MARK_SIDE_MAX);
    if (drawing_open(&d, image) != ST_OK)
        return why_fail(why, ST_FULL, "no memory to mark a picture of %d x %d pixels", image->width,
                        image->height);
    fill_mask(&d, psnr);
    lines_fold(found, beside, key, d.plane.residual, image->width, image->height, d.fold, d.room);
    strength = wanted / 2; /* the mask is about 2 where a picture is lively */
    for (int i = 0; i < 2; i++) {
        choose_waves(&waves, found, key, id, strength * d.share * pixels * sqrt(0.5 / KEY_LINES),
                     pixels);
        draw_wave(&d, &waves, key);
        strength = wanted / sqrt(fill_shape(&d) / pixels);
    }
    draw(&d, image, psnr, strength, out);
    out->activity = d.activity;
    out->weak = d.activity < WEAK_ACTIVITY || out->psnr > psnr + 0.5;
    drawing_close(&d);
    return ST_OK;
}
