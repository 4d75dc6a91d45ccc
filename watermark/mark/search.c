/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/mark/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 8.0f /* of a levelled power: a peak of the picture's own counts no more than this */
#define F_MIN (KEY_INNER / (SEARCH_SCALE_MAX * KEY_TILE)) /* cycles per pixel */
#define F_MAX (KEY_OUTER / (SEARCH_SCALE_MIN * KEY_TILE))

void pose_line(float out[2], const struct pose *p, const struct mark_key *key, int line, float dx,
               float dy)
{
    double kx = (double)key->kx[line] + (double)dx, ky = (double)key->ky[line] + (double)dy;
    double c = cos(p->turn) / (KEY_TILE * p->scale), s = sin(p->turn) / (KEY_TILE * p->scale);

    kx = p->mirrored ? -kx : kx;
    out[0] = (float)(kx * c - ky * s);
    out[1] = (float)(kx * s + ky * c);
}

/* Powers over their local mean, of the half plane kx >= 0: [kx][ky + reach]. */
struct level {
    int reach, width, box;
    float *power, *out;
    double *column; /* sums over the box's rows, for each ky */
    double mean;    /* of out */
};

static void add_row(struct level *l, int kx, double sign)
{
    const float *row;

    if (abs(kx) > l->reach)
        return;
    row = l->power + (size_t)abs(kx) * (size_t)l->width;
    if (kx >= 0)
        for (int i = 0; i < l->width; i++)
            l->column[i] += sign * (double)row[i];
    else
        for (int i = 0; i < l->width; i++)
            l->column[i] += sign * (double)row[l->width - 1 - i];
}

/* A box that is cut off at the band's edge is a mean of fewer. */
static void level_row(struct level *l, int kx)
{
    const float *in = l->power + (size_t)kx * (size_t)l->width;
    float *out = l->out + (size_t)kx * (size_t)l->width;
    int tall = (kx + l->box < l->reach ? kx + l->box : l->reach) -
               (kx - l->box > -l->reach ? kx - l->box : -l->reach) + 1;
    double sum = 0;

    for (int i = 0; i < l->box && i < l->width; i++)
        sum += l->column[i];
    for (int i = 0; i < l->width; i++) {
        int from = i - l->box > 0 ? i - l->box : 0;
        int to = i + l->box < l->width - 1 ? i + l->box : l->width - 1;
        float v;

        if (i + l->box < l->width)
            sum += l->column[i + l->box];
        if (i - l->box - 1 >= 0)
            sum -= l->column[i - l->box - 1];
        v = in[i] / ((float)(sum / (double)(tall * (to - from + 1))) + 1e-9f);
        out[i] = v < LIMIT ? v : LIMIT;
        l->mean += (double)out[i];
    }
}

static void run_level(struct level *l, const struct spectrum *s)
{
    for (int kx = 0; kx <= l->reach; kx++) {
        size_t from = (size_t)(kx + SPECTRUM_PAD) * (size_t)s->width + SPECTRUM_PAD;
        float *to = l->power + (size_t)kx * (size_t)l->width;

        for (int i = 0; i < l->width; i++) {
            float re = s->re[from + (size_t)i], im = s->im[from + (size_t)i];

            to[i] = re * re + im * im;
        }
    }
    for (int kx = -l->box - 1; kx < l->box; kx++)
        add_row(l, kx, 1);
    for (int kx = 0; kx <= l->reach; kx++) {
        add_row(l, kx + l->box, 1);
        add_row(l, kx - l->box - 1, -1);
        level_row(l, kx);
    }
    l->mean /= (double)(l->reach + 1) * l->width;
}

static void fill_map(struct search *s, const struct level *l, int side)
{
    for (int a = 0; a < s->angles; a++) {
        double c = cos(M_PI * a / s->angles) * side, n = sin(M_PI * a / s->angles) * side;
        double sign = c < 0 ? -1 : 1, f = F_MIN;
        float *row = s->map + (size_t)a * (size_t)s->columns;

        for (int i = 0; i < s->columns; i++, f *= exp(s->step)) {
            int kx = (int)(sign * c * f + 0.5), ky = (int)floor(sign * n * f + 0.5);

            row[i] = kx > l->reach || abs(ky) > l->reach
                         ? 0
                         : l->out[(size_t)kx * (size_t)l->width + (size_t)(ky + l->reach)] -
                               (float)l->mean;
        }
    }
}

void search_close(struct search *s)
{
    free(s->map);
    free(s->scores);
    *s = (struct search){0};
}

static void choose_grid(struct search *s, int longer)
{
    double step = 0.3 * KEY_TILE / (KEY_OUTER * (double)longer);

    step = step < 0.02 ? step : 0.02;
    s->angles = 4 * (int)ceil(M_PI / 2 / step);
    s->step = 2 * M_PI / s->angles;
    s->scales = (int)ceil(log(SEARCH_SCALE_MAX / SEARCH_SCALE_MIN) / s->step) + 1;
    s->columns = s->scales + (int)ceil(log((double)KEY_OUTER / KEY_INNER) / s->step) + 1;
    s->turns = 2 * (int)ceil(SEARCH_DEGREES * M_PI / 180 / s->step) + 1;
}

enum status search_open(struct search *out, const struct spectrum *soft, int longer)
{
    struct search s = {0};
    struct level l = {.reach = soft->band, .width = 2 * soft->band + 1};
    size_t count = (size_t)(l.reach + 1) * (size_t)l.width;
    enum status st = ST_FULL;

    *out = (struct search){0};
    choose_grid(&s, longer);
    l.box = soft->side / KEY_TILE * 2;
    l.power = malloc(count * sizeof(float));
    l.out = malloc(count * sizeof(float));
    l.column = calloc((size_t)l.width, sizeof(double));
    s.map = malloc((size_t)s.angles * (size_t)s.columns * sizeof(float));
    s.scores = malloc((size_t)s.turns * (size_t)s.scales * 4 * sizeof(float));
    if (l.power && l.out && l.column && s.map && s.scores) {
        run_level(&l, soft);
        fill_map(&s, &l, soft->side);
        *out = s;
        st = ST_OK;
    } else {
        search_close(&s);
    }
    free(l.power);
    free(l.out);
    free(l.column);
    return st;
}

/* Where each line begins in the map for the largest scale and no turn. */
struct place {
    int row, column;
};

static void place_lines(struct place places[KEY_LINES], const struct search *s,
                        const struct mark_key *key, bool mirror)
{
    for (int i = 0; i < KEY_LINES; i++) {
        double kx = mirror ? -key->kx[i] : key->kx[i], ky = key->ky[i];
        int row = (int)lround(atan2(ky, kx) * s->angles / M_PI);

        places[i].row = row + s->angles;
        places[i].column = (int)lround(log(sqrt(kx * kx + ky * ky) / KEY_INNER) / s->step);
    }
}

static void add_up(float *restrict scores, const float *restrict row, int count)
{
    for (int i = 0; i < count; i++)
        scores[i] += row[i];
}

static void score_all(struct search *s, const struct mark_key *key)
{
    size_t each = (size_t)s->scales;
    float *to = s->scores;
    struct place places[KEY_LINES];

    memset(s->scores, 0, (size_t)s->turns * each * 4 * sizeof(float));
    for (int mirror = 0; mirror < 2; mirror++) {
        place_lines(places, s, key, mirror != 0);
        for (int quarter = 0; quarter < 2; quarter++)
            for (int turn = 0; turn < s->turns; turn++, to += each) {
                /* A turn's step is two rows. */
                int by = quarter * s->angles / 2 + 2 * (turn - s->turns / 2);

                for (int i = 0; i < KEY_LINES; i++) {
                    int row = (places[i].row + by + s->angles) % s->angles;

                    add_up(to, s->map + (size_t)row * (size_t)s->columns + places[i].column,
                           s->scales);
                }
            }
    }
}

/* Takes the neighbours of a peak out of the race. */
static void take_out(struct search *s, int row, int scale)
{
    int block = row / s->turns * s->turns;

    for (int r = row - 2 > block ? row - 2 : block; r <= row + 2 && r < block + s->turns; r++)
        for (int i = scale - 2 > 0 ? scale - 2 : 0; i <= scale + 2 && i < s->scales; i++)
            s->scores[(size_t)r * (size_t)s->scales + (size_t)i] = -1e9f;
}

int search_run(struct pose out[SEARCH_POSES], struct search *s, const struct mark_key *key)
{
    size_t count = (size_t)s->turns * 4 * (size_t)s->scales;
    int found = 0;

    score_all(s, key);
    for (; found < SEARCH_POSES; found++) {
        size_t best = 0;
        int row, scale, quarter;

        for (size_t i = 1; i < count; i++)
            if (s->scores[i] > s->scores[best])
                best = i;
        if (s->scores[best] <= -1e8f)
            break;
        row = (int)(best / (size_t)s->scales);
        scale = (int)(best % (size_t)s->scales);
        quarter = row / s->turns;
        out[found] = (struct pose){.scale = exp(log(SEARCH_SCALE_MAX) - scale * s->step),
                                   .turn = (quarter % 2) * M_PI / 2 +
                                           (row % s->turns - s->turns / 2) * s->step,
                                   .mirrored = quarter / 2 != 0};
        take_out(s, row, scale);
    }
    return found;
}
