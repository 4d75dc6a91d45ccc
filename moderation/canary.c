/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every picture is a function of one pixel's place. They use whole numbers, products, sums and
 * quotients only, which are the same everywhere; no sine, no power.
 */
#include "moderation/canary.h"

#include "moderation/canary_table.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct colour {
    int r, g, b;
};

static const struct colour white = {255, 255, 255}, ink = {40, 36, 40}, blood = {170, 44, 48};
static const struct colour tones[6] = {{250, 222, 200}, {236, 188, 155}, {214, 158, 120},
                                       {170, 112, 78},  {122, 78, 54},   {78, 50, 38}};

/* Noise of a place: the same for the same place and seed. */
static unsigned hash(int x, int y, unsigned seed)
{
    unsigned h = (unsigned)x * 374761393u + (unsigned)y * 668265263u + seed * 2246822519u;

    h = (h ^ (h >> 13)) * 1274126177u;
    return (h ^ (h >> 16)) & 255;
}

/* Soft spots: noise of a coarse grid, blended between its corners. */
static int cloud(int x, int y, int cell, unsigned seed)
{
    int cx = x / cell, cy = y / cell, fx = x % cell, fy = y % cell;
    int top = (int)hash(cx, cy, seed) * (cell - fx) + (int)hash(cx + 1, cy, seed) * fx;
    int bottom = (int)hash(cx, cy + 1, seed) * (cell - fx) + (int)hash(cx + 1, cy + 1, seed) * fx;

    return (top * (cell - fy) + bottom * fy) / (cell * cell) - 128;
}

/* Below 1 inside the ellipse about (cx, cy). */
static double ellipse(int x, int y, double cx, double cy, double rx, double ry)
{
    double u = (x - cx) / rx, v = (y - cy) / ry;

    return u * u + v * v;
}

static struct colour shade(struct colour c, int by)
{
    return (struct colour){c.r + by, c.g + by, c.b + by};
}

/* Head, torso, arms and legs, as little as makes a body of it. */
static bool in_body(int x, int y)
{
    int side = x < 128 ? 128 - x : x - 128;

    return ellipse(x, y, 128, 36, 17, 22) < 1 || (y >= 54 && y < 66 && side < 8) ||
           (y >= 64 && y < 140 && side < 40 - (y - 64) / 6 + (y > 116 ? (y - 116) / 3 : 0)) ||
           (y >= 66 && y < 150 && side >= 42 && side < 54) ||
           (y >= 140 && y < 246 && side >= 3 && side < 31 - (y - 140) / 8);
}

static struct colour anatomy(int x, int y)
{
    bool edge = in_body(x, y) != in_body(x + 2, y) || in_body(x, y) != in_body(x, y + 2);

    if (edge)
        return ink;
    if (ellipse(x, y, 118, 92, 9, 16) < 1 || ellipse(x, y, 140, 92, 9, 16) < 1)
        return (struct colour){232, 150, 156};
    if (ellipse(x, y, 128, 122, 14, 10) < 1)
        return (struct colour){196, 120, 96};
    if ((y == 80 || y == 122) && x > 190)
        return ink;
    return in_body(x, y) ? (struct colour){252, 232, 216} : white;
}

static struct colour histology(int x, int y)
{
    int cell_x = x / 22, cell_y = y / 22;
    double cx = cell_x * 22 + 6 + (int)hash(cell_x, cell_y, 5) % 11;
    double cy = cell_y * 22 + 6 + (int)hash(cell_x, cell_y, 6) % 11;
    double d = ellipse(x, y, cx, cy, 6, 5), gland = ellipse(x, y, 90, 120, 46, 34);
    int grain = cloud(x, y, 9, 7) / 6;

    if (gland < 0.7)
        return (struct colour){250, 238, 246};
    if (gland < 1 || d < 1)
        return shade((struct colour){116, 66, 146}, grain);
    return shade((struct colour){238, 178, 206}, grain);
}

static struct colour skin(int x, int y, struct colour tone, unsigned seed)
{
    int grain = cloud(x, y, 40, seed) / 10 + cloud(x, y, 6, seed + 1) / 14 +
                ((int)hash(x, y, seed + 2) - 128) / 24;

    return shade(tone, grain);
}

static struct colour dermatology(int x, int y)
{
    double spot = ellipse(x, y, 140, 120, 26, 20) + cloud(x, y, 12, 31) / 300.0;

    if (spot < 1)
        return shade((struct colour){104, 62, 48}, cloud(x, y, 7, 33) / 8);
    return skin(x, y, tones[1], 41);
}

static struct colour surgery(int x, int y)
{
    double field = ellipse(x, y, 130, 128, 74, 56), wound = ellipse(x, y, 134, 130, 40, 24);
    bool tool = x + y > 300 && x + y < 420 && x - y > -6 && x - y < 6;

    if (tool)
        return (struct colour){196, 202, 208};
    if (wound < 1)
        return shade(blood, cloud(x, y, 10, 51) / 5);
    if (field < 1)
        return skin(x, y, tones[1], 53);
    return shade((struct colour){70, 132, 130}, cloud(x, y, 30, 55) / 8);
}

/* Marble before a wall, light from the left. */
static struct colour statue(int x, int y)
{
    int light = (128 - x) / 2 + cloud(x, y, 8, 61) / 20;

    if (y > 244)
        return (struct colour){150, 146, 140};
    return in_body(x, y) ? shade((struct colour){196, 194, 188}, light)
                         : shade((struct colour){120, 124, 132}, cloud(x, y, 50, 63) / 12);
}

/* A mother who holds a child, in a few shapes. */
static struct colour nursing(int x, int y)
{
    if (ellipse(x, y, 128, 48, 26, 30) < 1)
        return y < 34 || x < 108 ? (struct colour){72, 46, 36} : tones[2];
    if (ellipse(x, y, 104, 138, 20, 18) < 1)
        return tones[1];
    if (ellipse(x, y, 136, 168, 58, 22) < 1)
        return (struct colour){240, 230, 182};
    if (ellipse(x, y, 116, 124, 24, 18) < 1)
        return tones[2];
    if (ellipse(x, y, 128, 200, 74, 122) < 1)
        return (struct colour){118, 158, 190};
    return (struct colour){255, 248, 240};
}

static struct colour ladder(int x, int y)
{
    int step = x * 6 / CANARY_SIZE;

    return y < 40 || y > 215 ? white : tones[step];
}

static struct colour light_skin(int x, int y)
{
    return skin(x, y, tones[0], 71);
}

static struct colour dark_skin(int x, int y)
{
    return skin(x, y, tones[4], 73);
}

static struct colour flat_skin(int x, int y)
{
    (void)x;
    (void)y;
    return tones[2];
}

static struct colour noise(int x, int y)
{
    return (struct colour){(int)hash(x, y, 81), (int)hash(x, y, 82), (int)hash(x, y, 83)};
}

static struct colour black(int x, int y)
{
    (void)x;
    (void)y;
    return (struct colour){0, 0, 0};
}

static struct colour paper(int x, int y)
{
    (void)x;
    (void)y;
    return white;
}

static struct colour checker(int x, int y)
{
    return (x / 16 + y / 16) % 2 ? white : (struct colour){0, 0, 0};
}

static struct colour chart(int x, int y)
{
    static const int height[5] = {150, 116, 84, 60, 30};
    static const struct colour fill[5] = {
        {70, 110, 190}, {90, 160, 100}, {245, 205, 110}, {200, 90, 60}, {140, 80, 150}};
    int bar = (x - 40) / 40, inside = (x - 40) % 40;

    if (x == 30 || y == 220)
        return ink;
    if (x >= 40 && bar < 5 && inside < 26 && y < 220 && y >= 220 - height[bar])
        return fill[bar];
    return y % 40 == 20 && x > 30 ? (struct colour){225, 225, 225} : white;
}

static const struct {
    const char *name;
    struct colour (*pixel)(int x, int y);
} pictures[CANARY_COUNT] = {
    {"anatomy", anatomy},     {"histology", histology},   {"dermatology", dermatology},
    {"surgery", surgery},     {"statue", statue},         {"nursing", nursing},
    {"skin-ladder", ladder},  {"light-skin", light_skin}, {"dark-skin", dark_skin},
    {"flat-skin", flat_skin}, {"noise", noise},           {"black", black},
    {"white", paper},         {"checkerboard", checker},  {"chart", chart},
};

const char *canary_name(int index)
{
    assert(index >= 0 && index < CANARY_COUNT);
    return pictures[index].name;
}

static uint8_t clamp(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

enum status canary_draw(struct image *out, int index)
{
    enum status st = image_open(out, CANARY_SIZE, CANARY_SIZE);
    uint8_t *rgb = out->rgb;

    assert(index >= 0 && index < CANARY_COUNT);
    for (int y = 0; y < CANARY_SIZE && !st; y++) {
        for (int x = 0; x < CANARY_SIZE; x++) {
            struct colour c = pictures[index].pixel(x, y);

            *rgb++ = clamp(c.r);
            *rgb++ = clamp(c.g);
            *rgb++ = clamp(c.b);
        }
    }
    return st;
}

static enum status compare(int index, const struct scores *s, struct why *why)
{
    static const char *const models[SCORES_MODELS] = {"main", "second"};

    for (int m = 0; m < SCORES_MODELS; m++) {
        double p[SCORES_CLASSES];

        scores_softmax(p, s, (enum scores_model)m, 1);
        for (int c = 0; c < SCORES_CLASSES; c++) {
            double want = canary_table[index][m][c];

            if (!(fabs(p[c] - want) <= CANARY_TOLERANCE))
                return why_fail(why, ST_DEVICE,
                                "canary picture \"%s\": the %s classifier says %s with %.4f, and "
                                "said %.4f when it shipped",
                                pictures[index].name, models[m],
                                scores_class_name((enum scores_class)c), p[c], want);
        }
    }
    return ST_OK;
}

/* Together, as served pictures are: a fault that only large batches meet is met. */
static enum status run_batch(struct vision *v, int first, int count, struct why *why)
{
    struct image image[VISION_BATCH_MAX] = {{0}};
    const struct image *images[VISION_BATCH_MAX] = {NULL};
    struct scores scores[VISION_BATCH_MAX];
    enum status st = ST_OK;

    for (int i = 0; i < count && !st; i++) {
        images[i] = &image[i];
        st = canary_draw(&image[i], first + i);
        if (st)
            why_fail(why, st, "no memory for canary pictures");
    }
    if (!st)
        st = vision_score(v, scores, images, NULL, count, why);
    for (int i = 0; i < count && !st; i++)
        st = compare(first + i, &scores[i], why);
    for (int i = 0; i < count; i++)
        image_close(&image[i]);
    return st;
}

enum status canary_run(struct vision *v, struct why *why)
{
    enum status st = ST_OK;

    for (int first = 0; first < CANARY_COUNT && !st; first += VISION_BATCH_MAX) {
        int left = CANARY_COUNT - first;

        st = run_batch(v, first, left < VISION_BATCH_MAX ? left : VISION_BATCH_MAX, why);
    }
    return st;
}
