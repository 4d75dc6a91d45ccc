/* SPDX-License-Identifier: Apache-2.0 */
#include "server/history.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define QUANTILES 3

static const double shares[QUANTILES] = {0.5, 0.95, 0.99};

struct point {
    int64_t number, unix_s, span_us;
    struct history_counts counts; /* of the span */
    int waiting, seated;
    int64_t oldest_us;
    int lanes;
    uint64_t made;                                  /* pictures in the percentiles */
    int64_t quantile_us[HISTORY_SERIES][QUANTILES]; /* below 0: there was nothing */
};

/* All histograms as they were at a point. */
struct past {
    struct histogram series[HISTORY_SERIES];
};

struct history {
    pthread_mutex_t lock;                 /* of the points */
    struct point point[HISTORY_POINTS];   /* number n at n % HISTORY_POINTS; from 1 */
    int64_t last;                         /* number of the newest; 0: none */
    bool begun;                           /* from here on the noting thread's own */
    int64_t noted_us;                     /* when */
    struct history_counts before;         /* then */
    struct past past[HISTORY_WINDOW + 1]; /* of point n at n % (HISTORY_WINDOW + 1) */
    struct history_view view;
};

enum status history_open(struct history **out)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return ST_FULL;
    pthread_mutex_init(&(*out)->lock, NULL);
    return ST_OK;
}

void history_close(struct history **h)
{
    if (*h)
        pthread_mutex_destroy(&(*h)->lock);
    free(*h);
    *h = NULL;
}

bool history_is_due(const struct history *h, int64_t now_us)
{
    return !h->begun || now_us - h->noted_us >= (int64_t)HISTORY_STEP_S * 1000000;
}

struct history_view *history_look(struct history *h)
{
    memset(&h->view, 0, sizeof(h->view));
    return &h->view;
}

const char *history_series_name(int series)
{
    if (series == HISTORY_PICTURE)
        return "picture";
    return series == HISTORY_SEND ? "send" : stage_name((enum stage)(series - HISTORY_STAGE));
}

static struct history_counts since(const struct history_counts *now,
                                   const struct history_counts *before)
{
    struct history_counts d = {.refused = now->refused - before->refused,
                               .steps = now->steps - before->steps,
                               .rows = now->rows - before->rows,
                               .steps_us = now->steps_us - before->steps_us};

    for (int i = 0; i < OUTCOME_COUNT; i++)
        d.ended[i] = now->ended[i] - before->ended[i];
    for (int i = 0; i < BAND_COUNT; i++)
        d.judged[i] = now->judged[i] - before->judged[i];
    return d;
}

/* Of what came after the moment of `past`. */
static void fill_quantiles(struct point *p, const struct history_view *v, const struct past *past)
{
    for (int s = 0; s < HISTORY_SERIES; s++) {
        struct histogram h = v->series[s];

        histogram_subtract(&h, &past->series[s]);
        for (int q = 0; q < QUANTILES; q++)
            p->quantile_us[s][q] = h.count ? (int64_t)histogram_quantile(&h, shares[q]) : -1;
        p->made = s == HISTORY_PICTURE ? h.count : p->made;
    }
}

void history_note(struct history *h)
{
    const struct history_view *v = &h->view;
    int64_t number = h->begun ? h->last + 1 : 0;
    struct point p = {.number = number,
                      .unix_s = v->unix_s,
                      .span_us = v->now_us - h->noted_us,
                      .counts = since(&v->counts, &h->before),
                      .waiting = v->waiting,
                      .seated = v->seated,
                      .oldest_us = v->oldest_us,
                      .lanes = v->lanes};

    if (number) {
        int64_t from = number > HISTORY_WINDOW ? number - HISTORY_WINDOW : 0;

        fill_quantiles(&p, v, &h->past[from % (HISTORY_WINDOW + 1)]);
        pthread_mutex_lock(&h->lock);
        h->point[number % HISTORY_POINTS] = p;
        h->last = number;
        pthread_mutex_unlock(&h->lock);
    }
    memcpy(h->past[number % (HISTORY_WINDOW + 1)].series, v->series, sizeof(v->series));
    h->before = v->counts;
    h->noted_us = v->now_us;
    h->begun = true;
}

/* --- writing ----------------------------------------------------------------------------- */

/* A series that had nothing in this minute is null. */
static void write_quantiles(struct json_out *o, const struct point *p)
{
    json_out_array(o, "quantiles_us");
    for (int s = 0; s < HISTORY_SERIES; s++) {
        if (p->quantile_us[s][0] < 0) {
            json_out_string(o, NULL, NULL);
            continue;
        }
        json_out_array(o, NULL);
        for (int q = 0; q < QUANTILES; q++)
            json_out_int(o, NULL, p->quantile_us[s][q]);
        json_out_array_end(o);
    }
    json_out_array_end(o);
}

static void write_point(struct json_out *o, const struct point *p)
{
    static const char *const judged[] = {[BAND_ALLOW] = "allowed",
                                         [BAND_BLUR] = "blurred",
                                         [BAND_HOLD] = "held",
                                         [BAND_BLOCK] = "blocked"};
    const struct history_counts *c = &p->counts;
    int64_t room_us = p->span_us * p->lanes;

    json_out_object(o, NULL);
    json_out_int(o, "number", p->number);
    json_out_int(o, "unix_s", p->unix_s);
    json_out_int(o, "span_us", p->span_us);
    for (enum stages_outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++)
        json_out_int(o, outcome_name(outcome), (int64_t)c->ended[outcome]);
    json_out_int(o, "refused", (int64_t)c->refused);
    for (enum band band = 0; band < BAND_COUNT; band++)
        json_out_int(o, judged[band], (int64_t)c->judged[band]);
    json_out_int(o, "waiting", p->waiting);
    json_out_int(o, "oldest_us", p->oldest_us);
    json_out_int(o, "seated", p->seated);
    json_out_int(o, "steps", (int64_t)c->steps);
    json_out_int(o, "rows", (int64_t)c->rows);
    json_out_int(o, "busy_permille",
                 room_us > 0 ? (int64_t)(c->steps_us * 1000 / (uint64_t)room_us) : 0);
    json_out_int(o, "made", (int64_t)p->made);
    write_quantiles(o, p);
    json_out_object_end(o);
}

void history_write(struct history *h, int64_t after, struct json_out *o)
{
    json_out_int(o, "step_s", HISTORY_STEP_S);
    json_out_int(o, "window_s", HISTORY_STEP_S * HISTORY_WINDOW);
    json_out_int(o, "points_max", HISTORY_POINTS);
    json_out_array(o, "series");
    for (int s = 0; s < HISTORY_SERIES; s++)
        json_out_string(o, NULL, history_series_name(s));
    json_out_array_end(o);
    json_out_array(o, "points");
    pthread_mutex_lock(&h->lock);
    if (after < h->last - HISTORY_POINTS)
        after = h->last - HISTORY_POINTS;
    for (int64_t n = after < 0 ? 1 : after + 1; n <= h->last; n++)
        write_point(o, &h->point[n % HISTORY_POINTS]);
    pthread_mutex_unlock(&h->lock);
    json_out_array_end(o);
}
