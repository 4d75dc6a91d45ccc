/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/mark/lines.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define LANES     TRANSFORM_LANES
#define NEIGHBOUR 12   /* lines of a like frequency, each way, that share their noise */
#define LIMIT     4.0f /* of a line: one that is much louder is the picture's own */

/* Half of the noise is what stands beside the line, half what stands beside lines alike. */
static void share_noise(float out[KEY_LINES], const struct mark_key *key,
                        const float beside[KEY_LINES])
{
    for (int i = 0; i < KEY_LINES; i++) {
        int from = i - NEIGHBOUR > 0 ? i - NEIGHBOUR : 0;
        int to = i + NEIGHBOUR < KEY_LINES - 1 ? i + NEIGHBOUR : KEY_LINES - 1;
        float sum = 0;

        for (int j = from; j <= to; j++)
            sum += beside[key->order[j]];
        out[key->order[i]] = 0.5f * beside[key->order[i]] + 0.5f * sum / (float)(to - from + 1);
    }
}

void lines_level(struct lines *out, const struct mark_key *key, float found[KEY_LINES][2],
                 const float beside[KEY_LINES])
{
    float noise[KEY_LINES];

    share_noise(noise, key, beside);
    for (int i = 0; i < KEY_LINES; i++) {
        float share = 1 / sqrtf(noise[i] + 1e-9f);
        float re = found[i][0] * share, im = found[i][1] * share;
        float size = sqrtf(re * re + im * im), less = size > LIMIT ? LIMIT / size : 1.0f;
        float c = key->phase[i][0] * less, s = key->phase[i][1] * less;

        out->re[i] = re * c + im * s;
        out->im[i] = im * c - re * s;
    }
}

/* The transform at -k is the conjugate of that at k; the key's phase is put back and taken out. */
void lines_turn(struct lines *out, const struct lines *in, const struct mark_key *key)
{
    for (int i = 0; i < KEY_LINES; i++) {
        float c = key->phase[i][0], s = key->phase[i][1];
        float c2 = c * c - s * s, s2 = 2 * c * s, re = in->re[i], im = in->im[i];

        out->re[i] = re * c2 - im * s2;
        out->im[i] = -(re * s2 + im * c2);
    }
}

static double pilot_power(const struct lines *l)
{
    double sum = 1e-12;

    for (int i = 0; i < KEY_PILOTS; i++)
        sum += (double)l->re[i] * l->re[i] + (double)l->im[i] * l->im[i];
    return sum;
}

float lines_pilot_z(const struct lines *l)
{
    double sum = 0;

    for (int i = 0; i < KEY_PILOTS; i++)
        sum += l->re[i];
    return (float)(sum / sqrt(0.5 * pilot_power(l)));
}

#define COLUMNS 40 /* kx -18 to 18, filled up to whole lanes */

/* The pilots summed along y: column kx + KEY_OUTER of `columns` has `side` numbers, re before im.
 */
static void sum_columns(float *columns, const struct lines *l, const struct mark_key *key,
                        struct transform *t, int side, float *lanes)
{
    float *re = lanes, *im = lanes + side * LANES;

    for (int from = 0; from < COLUMNS; from += LANES) {
        memset(lanes, 0, (size_t)side * LANES * 2 * sizeof(float));
        for (int i = 0; i < KEY_PILOTS; i++) {
            int lane = key->kx[i] + KEY_OUTER - from;

            if (lane >= 0 && lane < LANES) {
                re[key->ky[i] * LANES + lane] = l->re[i];
                im[key->ky[i] * LANES + lane] = l->im[i];
            }
        }
        transform_run(t, im, re); /* backward */
        for (int lane = 0; lane < LANES; lane++)
            for (int y = 0; y < side; y++) {
                columns[(from + lane) * side + y] = re[y * LANES + lane];
                columns[(COLUMNS + from + lane) * side + y] = im[y * LANES + lane];
            }
    }
}

/* Rows y and y + side / 2 of the correlation, which are real, as one complex transform. */
static void load_rows(float *lanes, const float *columns, int y, int side)
{
    float *re = lanes, *im = lanes + side * LANES;

    memset(lanes, 0, (size_t)side * LANES * 2 * sizeof(float));
    for (int k = -KEY_OUTER; k <= KEY_OUTER; k++) {
        const float *ar = columns + (KEY_OUTER + k) * side + y, *ai = ar + COLUMNS * side;
        const float *br = columns + (KEY_OUTER - k) * side + y, *bi = br + COLUMNS * side;
        int half = side / 2, to = (k & (side - 1)) * LANES;

        for (int lane = 0; lane < LANES; lane++) {
            int next = lane + half;

            re[to + lane] = 0.5f * (ar[lane] + br[lane] - ai[next] + bi[next]);
            im[to + lane] = 0.5f * (ai[lane] - bi[lane] + ar[next] + br[next]);
        }
    }
}

static int highest(float *best, const float *values, int count)
{
    int at = -1;

    for (int i = 0; i < count; i++)
        if (values[i] > *best) {
            *best = values[i];
            at = i;
        }
    return at;
}

void lines_find(struct pilots *out, const struct lines *l, const struct mark_key *key,
                struct transform *t, int side, float *room)
{
    float *lanes = room, *columns = room + side * LANES * 2, best = -1;

    *out = (struct pilots){0};
    sum_columns(columns, l, key, t, side, lanes);
    for (int y = 0; y < side / 2; y += LANES) {
        load_rows(lanes, columns, y, side);
        transform_run(t, lanes + side * LANES, lanes);
        for (int half = 0; half < 2; half++) {
            int at = highest(&best, lanes + half * side * LANES, side * LANES);

            if (at >= 0) {
                out->x = at / LANES;
                out->y = y + at % LANES + half * side / 2;
            }
        }
    }
    out->z = (float)(best / sqrt(0.5 * pilot_power(l)));
}

double lines_soft(float soft[PAYLOAD_BITS], const struct lines *l, const struct mark_key *key,
                  int x, int y, int side)
{
    const int half = KEY_LINES - KEY_PILOTS;
    double energy = 0;

    memset(soft, 0, PAYLOAD_BITS * sizeof(float));
    for (int i = 0; i < half; i++) {
        int line = KEY_PILOTS + i;
        double turn = 2 * M_PI * ((key->kx[line] * x + key->ky[line] * y) & (side - 1)) / side;
        float c = (float)cos(turn), s = (float)sin(turn);
        float re = l->re[line] * c - l->im[line] * s, im = l->re[line] * s + l->im[line] * c;

        soft[key->bit[i]] += re * key->sign[i];
        soft[key->bit[half + i]] += im * key->sign[half + i];
        energy += (double)re * re + (double)im * im;
    }
    return energy;
}

void lines_square(float *re, float *im, int side, struct transform *t, float *lanes)
{
    float *lre = lanes, *lim = lanes + side * LANES;

    for (int x = 0; x < side; x += LANES) {
        for (int y = 0; y < side; y++) {
            memcpy(lre + y * LANES, re + y * side + x, LANES * sizeof(float));
            memcpy(lim + y * LANES, im + y * side + x, LANES * sizeof(float));
        }
        transform_run(t, lre, lim);
        for (int y = 0; y < side; y++) {
            memcpy(re + y * side + x, lre + y * LANES, LANES * sizeof(float));
            memcpy(im + y * side + x, lim + y * LANES, LANES * sizeof(float));
        }
    }
    for (int y = 0; y < side; y += LANES) {
        for (int lane = 0; lane < LANES; lane++)
            for (int x = 0; x < side; x++) {
                lre[x * LANES + lane] = re[(y + lane) * side + x];
                lim[x * LANES + lane] = im[(y + lane) * side + x];
            }
        transform_run(t, lre, lim);
        for (int lane = 0; lane < LANES; lane++)
            for (int x = 0; x < side; x++) {
                re[(y + lane) * side + x] = lre[x * LANES + lane];
                im[(y + lane) * side + x] = lim[x * LANES + lane];
            }
    }
}

#define FOLD (2 * KEY_TILE)

static float power(const float *re, const float *im, int kx, int ky)
{
    int at = (ky & (FOLD - 1)) * FOLD + (kx & (FOLD - 1));

    return re[at] * re[at] + im[at] * im[at];
}

void lines_fold(float found[KEY_LINES][2], float beside[KEY_LINES], const struct mark_key *key,
                const float *residual, int width, int height, struct transform *t, float *room)
{
    float *re = room, *im = re + FOLD * FOLD, *lanes = im + FOLD * FOLD;

    memset(re, 0, 2 * FOLD * FOLD * sizeof(float));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x += FOLD) {
            const float *from = residual + (size_t)y * (size_t)width + x;
            float *to = re + (y & (FOLD - 1)) * FOLD;
            int count = width - x < FOLD ? width - x : FOLD;

            for (int i = 0; i < count; i++)
                to[i] += from[i];
        }
    lines_square(re, im, FOLD, t, lanes);
    for (int i = 0; i < KEY_LINES; i++) {
        int kx = 2 * key->kx[i], ky = 2 * key->ky[i];
        int at = (ky & (FOLD - 1)) * FOLD + (kx & (FOLD - 1));

        found[i][0] = re[at];
        found[i][1] = im[at];
        beside[i] = 0.5f * (power(re, im, kx + 1, ky + 1) + power(re, im, kx + 1, ky - 1));
    }
}
