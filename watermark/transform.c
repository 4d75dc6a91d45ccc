/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/transform.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES TRANSFORM_LANES

struct transform {
    int side;
    float *twiddle; /* cos and -sin of 2 pi i / side */
    float *room;    /* the other half of each pass, re before im */
};

void transform_close(struct transform **t)
{
    if (!*t)
        return;
    free((*t)->twiddle);
    free((*t)->room);
    free(*t);
    *t = NULL;
}

enum status transform_open(struct transform **out, int side)
{
    struct transform *t = calloc(1, sizeof(*t));

    assert(side >= 4 && side <= 65536 && (side & (side - 1)) == 0);
    *out = NULL;
    if (!t)
        return ST_FULL;
    t->side = side;
    t->twiddle = malloc((size_t)side * 2 * sizeof(float));
    t->room = malloc((size_t)side * LANES * 2 * sizeof(float));
    if (!t->twiddle || !t->room) {
        transform_close(&t);
        return ST_FULL;
    }
    for (int i = 0; i < side; i++) {
        t->twiddle[2 * i] = (float)cos(2 * M_PI * i / side);
        t->twiddle[2 * i + 1] = (float)-sin(2 * M_PI * i / side);
    }
    *out = t;
    return ST_OK;
}

/* One butterfly of four for `count` elements that share their factors w1, w2, w3. */
static void four(const float *restrict xr, const float *restrict xi, float *restrict yr,
                 float *restrict yi, size_t count, size_t quarter, const float w[6])
{
    for (size_t q = 0; q < count; q++) {
        float ar = xr[q], ai = xi[q], br = xr[q + quarter], bi = xi[q + quarter];
        float cr = xr[q + 2 * quarter], ci = xi[q + 2 * quarter];
        float dr = xr[q + 3 * quarter], di = xi[q + 3 * quarter];
        float sr = ar + cr, si = ai + ci, tr = ar - cr, ti = ai - ci;
        float ur = br + dr, ui = bi + di, vr = di - bi, vi = br - dr; /* v = j (b - d) */
        float er = tr - vr, ei = ti - vi, fr = sr - ur, fi = si - ui, gr = tr + vr, gi = ti + vi;

        yr[q] = sr + ur;
        yi[q] = si + ui;
        yr[q + count] = er * w[0] - ei * w[1];
        yi[q + count] = er * w[1] + ei * w[0];
        yr[q + 2 * count] = fr * w[2] - fi * w[3];
        yi[q + 2 * count] = fr * w[3] + fi * w[2];
        yr[q + 3 * count] = gr * w[4] - gi * w[5];
        yi[q + 3 * count] = gr * w[5] + gi * w[4];
    }
}

static void two(const float *restrict x, float *restrict y, size_t half)
{
    for (size_t q = 0; q < half; q++) {
        float a = x[q], b = x[q + half];

        y[q] = a + b;
        y[q + half] = a - b;
    }
}

/* Stockham's order: each pass writes where the next one reads in one line, and nothing is left to
   be sorted. */
void transform_run(struct transform *t, float *re, float *im)
{
    size_t side = (size_t)t->side, all = side * LANES, stride = LANES;
    float *xr = re, *xi = im, *yr = t->room, *yi = t->room + all, *swap;
    size_t n = side;

    for (; n >= 4; n /= 4, stride *= 4) {
        size_t quarter = n / 4;

        for (size_t p = 0; p < quarter; p++) {
            const float *w1 = t->twiddle + 2 * p * (side / n);
            const float *w2 = t->twiddle + 4 * p * (side / n);
            const float *w3 = t->twiddle + 6 * p * (side / n);
            float w[6] = {w1[0], w1[1], w2[0], w2[1], w3[0], w3[1]};

            four(xr + stride * p, xi + stride * p, yr + 4 * stride * p, yi + 4 * stride * p, stride,
                 stride * quarter, w);
        }
        swap = xr, xr = yr, yr = swap;
        swap = xi, xi = yi, yi = swap;
    }
    if (n == 2) {
        two(xr, yr, stride);
        two(xi, yi, stride);
        swap = xr, xr = yr, yr = swap;
        swap = xi, xi = yi, yi = swap;
    }
    if (xr != re) {
        memcpy(re, xr, all * sizeof(float));
        memcpy(im, xi, all * sizeof(float));
    }
}

static int mirrored(int i, int count)
{
    while (i < 0 || i >= count)
        i = i < 0 ? -1 - i : 2 * count - 1 - i;
    return i;
}

static void blur_down(float *restrict out, const float *in, int width, int height,
                      const float *taps, int reach)
{
    for (int y = 0; y < height; y++) {
        float *restrict to = out + (size_t)y * (size_t)width;
        const float *middle = in + (size_t)y * (size_t)width;

        for (int x = 0; x < width; x++)
            to[x] = taps[0] * middle[x];
        for (int i = 1; i <= reach; i++) {
            const float *restrict up = in + (size_t)mirrored(y - i, height) * (size_t)width;
            const float *restrict down = in + (size_t)mirrored(y + i, height) * (size_t)width;

            for (int x = 0; x < width; x++)
                to[x] += taps[i] * (up[x] + down[x]);
        }
    }
}

static void blur_across(float *restrict out, const float *restrict in, int width, int height,
                        const float *taps, int reach)
{
    int edge = reach < width / 2 ? reach : width / 2;

    for (int y = 0; y < height; y++, in += width, out += width) {
        for (int x = edge; x < width - edge; x++)
            out[x] = taps[0] * in[x];
        for (int i = 1; i <= reach; i++)
            for (int x = edge; x < width - edge; x++)
                out[x] += taps[i] * (in[x - i] + in[x + i]);
        for (int x = 0; x < width; x = x + 1 == edge ? width - edge : x + 1) {
            float sum = taps[0] * in[x];

            for (int i = 1; i <= reach; i++)
                sum += taps[i] * (in[mirrored(x - i, width)] + in[mirrored(x + i, width)]);
            out[x] = sum;
        }
    }
}

void transform_blur(float *out, const float *in, float *scratch, int width, int height, float sigma)
{
    float taps[17], sum = 0;
    int reach = (int)ceilf(3.0f * sigma);

    assert(sigma > 0 && sigma <= 4.0f);
    reach = reach < 16 ? reach : 16;
    for (int i = 0; i <= reach; i++) {
        taps[i] = expf(-0.5f * (float)(i * i) / (sigma * sigma));
        sum += i ? 2 * taps[i] : taps[i];
    }
    for (int i = 0; i <= reach; i++)
        taps[i] /= sum;
    blur_down(scratch, in, width, height, taps, reach);
    blur_across(out, scratch, width, height, taps, reach);
}

/* The kernel that sums neighbours: Kaiser and Bessel's, six points wide. */
#define REACH 3
#define STEPS 512 /* of its table, per point */

static double bessel_i0(double x)
{
    double term = 1, sum = 1;

    for (int i = 1; i < 60; i++) {
        term *= x * x / (4.0 * i * i);
        sum += term;
    }
    return sum;
}

/* Beatty's choice for a grid that is 1.6 times finer than needed. */
static double kernel_beta(void)
{
    return M_PI * sqrt(4.0 * REACH * REACH / (1.6 * 1.6) * 1.1 * 1.1 - 0.8);
}

static void kernel_table(float table[REACH * STEPS + 2])
{
    double beta = kernel_beta();

    for (int i = 0; i <= REACH * STEPS; i++) {
        double u = (double)i / (REACH * STEPS);

        table[i] = (float)(bessel_i0(beta * sqrt(1 - u * u)) / bessel_i0(beta));
    }
    table[REACH * STEPS + 1] = 0;
}

/* Its Fourier transform at xi cycles per point. */
static double kernel_transform(double xi)
{
    double beta = kernel_beta(), w = 2 * M_PI * REACH * xi, root = sqrt(beta * beta - w * w);

    return 2 * REACH * sinh(root) / root / bessel_i0(beta);
}

static void weigh(float *weights, int count, int centre, int side, enum spectrum_kind kind)
{
    for (int i = 0; i < count; i++)
        weights[i] = kind == SPECTRUM_SOFT
                         ? (float)sin(M_PI * (i + 1) / (count + 1))
                         : (float)(1 / kernel_transform((double)(i - centre) / side));
}

int spectrum_side(int width, int height)
{
    int longer = width > height ? width : height, side = 64;

    while (side * 5 < longer * 8)
        side *= 2;
    return side;
}

void spectrum_close(struct spectrum *s)
{
    free(s->re);
    free(s->im);
    free(s->kernel);
    *s = (struct spectrum){0};
}

/* What making a spectrum needs besides its result. */
struct making {
    struct transform *transform;
    float *re, *im;         /* of one run */
    float *mid_re, *mid_im; /* [kx 0 to band][y]: after the rows, before the columns */
    float *across, *down;   /* weights */
};

static void making_close(struct making *m)
{
    transform_close(&m->transform);
    free(m->re);
    free(m->im);
    free(m->mid_re);
    free(m->mid_im);
    free(m->across);
    free(m->down);
}

static enum status making_open(struct making *m, const struct spectrum *s, int width, int height)
{
    size_t run = (size_t)s->side * LANES * sizeof(float);
    size_t mid = (size_t)(s->band + 1) * (size_t)height * sizeof(float);

    *m = (struct making){.re = malloc(run),
                         .im = malloc(run),
                         .mid_re = malloc(mid),
                         .mid_im = malloc(mid),
                         .across = malloc((size_t)width * sizeof(float)),
                         .down = malloc((size_t)height * sizeof(float))};
    if (!m->re || !m->im || !m->mid_re || !m->mid_im || !m->across || !m->down ||
        transform_open(&m->transform, s->side) != ST_OK) {
        making_close(m);
        return ST_FULL;
    }
    return ST_OK;
}

static void place_row(float *run, int lane, const float *row, const struct making *m, float weight,
                      const struct spectrum *s, int width)
{
    for (int x = 0; x < width; x++)
        run[(size_t)((x - s->cx) & (s->side - 1)) * LANES + (size_t)lane] =
            row[x] * m->across[x] * weight;
}

/* Two real rows go through as one complex one: y as its real part, y + half as its imaginary. */
static void take_rows(struct making *m, const struct spectrum *s, int y, int half, int height)
{
    for (int k = 0; k <= s->band; k++) {
        const float *ar = m->re + (size_t)k * LANES, *ai = m->im + (size_t)k * LANES;
        size_t back = (size_t)((s->side - k) & (s->side - 1)) * LANES;
        const float *br = m->re + back, *bi = m->im + back;
        float *to_re = m->mid_re + (size_t)k * (size_t)height;
        float *to_im = m->mid_im + (size_t)k * (size_t)height;

        for (int lane = 0; lane < LANES && y + lane < half; lane++) {
            to_re[y + lane] = 0.5f * (ar[lane] + br[lane]);
            to_im[y + lane] = 0.5f * (ai[lane] - bi[lane]);
            if (y + lane + half < height) {
                to_re[y + lane + half] = 0.5f * (ai[lane] + bi[lane]);
                to_im[y + lane + half] = 0.5f * (br[lane] - ar[lane]);
            }
        }
    }
}

static void run_rows(struct making *m, const struct spectrum *s, const float *plane, int width,
                     int height)
{
    int half = (height + 1) / 2;
    size_t run = (size_t)s->side * LANES * sizeof(float);

    for (int y = 0; y < half; y += LANES) {
        memset(m->re, 0, run);
        memset(m->im, 0, run);
        for (int lane = 0; lane < LANES && y + lane < half; lane++) {
            int a = y + lane, b = a + half;

            place_row(m->re, lane, plane + (size_t)a * (size_t)width, m, m->down[a], s, width);
            if (b < height)
                place_row(m->im, lane, plane + (size_t)b * (size_t)width, m, m->down[b], s, width);
        }
        transform_run(m->transform, m->re, m->im);
        take_rows(m, s, y, half, height);
    }
}

static void run_columns(struct making *m, struct spectrum *s, int height)
{
    size_t run = (size_t)s->side * LANES * sizeof(float);
    int reach = s->band + SPECTRUM_PAD;

    for (int k = 0; k <= s->band; k += LANES) {
        int lanes = s->band + 1 - k < LANES ? s->band + 1 - k : LANES;

        memset(m->re, 0, run);
        memset(m->im, 0, run);
        for (int lane = 0; lane < lanes; lane++)
            for (int y = 0; y < height; y++) {
                size_t from = (size_t)(k + lane) * (size_t)height + (size_t)y;
                size_t to = (size_t)((y - s->cy) & (s->side - 1)) * LANES + (size_t)lane;

                m->re[to] = m->mid_re[from];
                m->im[to] = m->mid_im[from];
            }
        transform_run(m->transform, m->re, m->im);
        for (int lane = 0; lane < lanes; lane++)
            for (int ky = -reach; ky <= reach; ky++) {
                size_t from = (size_t)(ky & (s->side - 1)) * LANES + (size_t)lane;
                size_t to =
                    (size_t)(k + lane + SPECTRUM_PAD) * (size_t)s->width + (size_t)(ky + reach);

                s->re[to] = m->re[from];
                s->im[to] = m->im[from];
            }
    }
}

/* F(-k) is the conjugate of F(k). */
static void fill_pad(struct spectrum *s)
{
    for (int k = 1; k <= SPECTRUM_PAD; k++) {
        size_t to = (size_t)(SPECTRUM_PAD - k) * (size_t)s->width;
        size_t from = (size_t)(SPECTRUM_PAD + k) * (size_t)s->width;

        for (int i = 0; i < s->width; i++) {
            s->re[to + (size_t)i] = s->re[from + (size_t)(s->width - 1 - i)];
            s->im[to + (size_t)i] = -s->im[from + (size_t)(s->width - 1 - i)];
        }
    }
}

enum status spectrum_open(struct spectrum *out, const float *plane, int width, int height, int side,
                          int band, enum spectrum_kind kind)
{
    struct spectrum s = {.side = side, .band = band, .cx = width / 2, .cy = height / 2};
    struct making m = {0};
    size_t count;

    assert(side * 5 >= width * 8 && side * 5 >= height * 8);
    assert(band > SPECTRUM_PAD && band <= side / 2 - SPECTRUM_PAD);
    *out = (struct spectrum){0};
    s.rows = band + 1 + 2 * SPECTRUM_PAD;
    s.width = 2 * (band + SPECTRUM_PAD) + 1;
    count = (size_t)s.rows * (size_t)s.width;
    s.re = calloc(count, sizeof(float));
    s.im = calloc(count, sizeof(float));
    s.kernel = malloc((REACH * STEPS + 2) * sizeof(float));
    if (!s.re || !s.im || !s.kernel || making_open(&m, &s, width, height) != ST_OK) {
        spectrum_close(&s);
        return ST_FULL;
    }
    kernel_table(s.kernel);
    weigh(m.across, width, s.cx, side, kind);
    weigh(m.down, height, s.cy, side, kind);
    run_rows(&m, &s, plane, width, height);
    run_columns(&m, &s, height);
    fill_pad(&s);
    making_close(&m);
    *out = s;
    return ST_OK;
}

/* The kernel's values for the six points around `at`, of which the first is returned. */
static int kernel_at(float taps[2 * REACH], const float *kernel, float at)
{
    float floor = floorf(at), part = at - floor;

    for (int i = 0; i < 2 * REACH; i++) {
        float place = fabsf((float)(i - REACH + 1) - part) * STEPS;
        int step = (int)place;

        taps[i] = kernel[step] + (kernel[step + 1] - kernel[step]) * (place - (float)step);
    }
    return (int)floor - REACH + 1;
}

void spectrum_at(float out[2], const struct spectrum *s, float fx, float fy)
{
    float x = fx * (float)s->side, y = fy * (float)s->side, sign = 1;
    float across[2 * REACH], down[2 * REACH], re = 0, im = 0;
    int kx, ky;

    out[0] = out[1] = 0;
    if (x < 0)
        x = -x, y = -y, sign = -1;
    if (x > (float)s->band || fabsf(y) > (float)s->band)
        return;
    kx = kernel_at(across, s->kernel, x);
    ky = kernel_at(down, s->kernel, y);
    for (int i = 0; i < 2 * REACH; i++) {
        size_t at = (size_t)(kx + i + SPECTRUM_PAD) * (size_t)s->width +
                    (size_t)(ky + s->band + SPECTRUM_PAD);
        float row_re = 0, row_im = 0;

        for (int j = 0; j < 2 * REACH; j++) {
            row_re += down[j] * s->re[at + (size_t)j];
            row_im += down[j] * s->im[at + (size_t)j];
        }
        re += across[i] * row_re;
        im += across[i] * row_im;
    }
    out[0] = re;
    out[1] = sign * im;
}
