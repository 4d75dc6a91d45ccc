/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH      960
#define HEIGHT     760
#define CELL       3   /* pixels: points nearer than this are one */
#define CURVE_MAX  400 /* corners of a curve */
#define TICKS      6
#define LEGEND_MAX 8
#define STAGES_MAX 8
#define GRAY       "#666"
#define MISS       "#c00000"

/* A rectangle of the picture, and what its edges stand for. */
struct panel {
    double left, top, width, height; /* pixels */
    double x_max, y_max;             /* at the right and upper edge; 0 is at the others */
    const char *title, *x_name;
};

struct plot {
    FILE *out;
    const struct report *report;
    const struct samples *samples;
    const struct mix *mix;
    const struct report_about *about;
    double *room;     /* one number per sample */
    double unit;      /* milliseconds in one of the axis */
    const char *name; /* of the unit */
};

/* Okabe and Ito's colours, which most people can tell apart. */
static const char *const colours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                      "#56b4e9", "#d55e00", "#8f7f00", "#333333"};

static const char *colour_of(int kind)
{
    return colours[(size_t)kind % (sizeof(colours) / sizeof(colours[0]))];
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '<' || c == '>' || c == '&' || c == '"')
            fprintf(out, "&#%d;", c);
        else
            fputc(c < ' ' || c > '~' ? '?' : c, out);
    }
}

static void put_text(const struct plot *p, double x, double y, const char *style, const char *text)
{
    fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style);
    put_escaped(p->out, text);
    fputs("</text>\n", p->out);
}

static double x_of(const struct panel *a, double value)
{
    return a->left + a->width * value / a->x_max;
}

static double y_of(const struct panel *a, double value)
{
    return a->top + a->height * (1 - value / a->y_max);
}

/* 1, 2 or 5 times a power of ten, so that at most TICKS of them reach `max`. */
static double step_of(double max)
{
    double power = pow(10, floor(log10(max / TICKS)));
    static const double steps[] = {1, 2, 5};

    for (int i = 0; i < 3; i++) {
        if (steps[i] * power * TICKS >= max * (1 - 1e-9))
            return steps[i] * power;
    }
    return 10 * power;
}

static void put_line(const struct plot *p, double x1, double y1, double x2, double y2,
                     const char *style)
{
    fprintf(p->out, "<path d=\"M%.1f %.1fL%.1f %.1f\" %s/>\n", x1, y1, x2, y2, style);
}

static void draw_y_tick(const struct plot *p, const struct panel *a, double value, const char *end)
{
    char text[32];

    put_line(p, a->left, y_of(a, value), a->left + a->width, y_of(a, value), "stroke=\"#ddd\"");
    snprintf(text, sizeof(text), "%g%s", value, end);
    put_text(p, a->left - 6, y_of(a, value) + 4, "text-anchor=\"end\"", text);
}

static void draw_frame(const struct plot *p, const struct panel *a)
{
    double step = step_of(a->x_max);
    char text[32];

    put_text(p, a->left, a->top - 10, "font-weight=\"bold\"", a->title);
    for (int i = 0; i * step <= a->x_max * (1 + 1e-9); i++) {
        snprintf(text, sizeof(text), "%g", i * step);
        put_text(p, x_of(a, i * step), a->top + a->height + 16, "text-anchor=\"middle\"", text);
        put_line(p, x_of(a, i * step), a->top, x_of(a, i * step), a->top + a->height,
                 "stroke=\"#eee\"");
    }
    put_text(p, a->left + a->width, a->top + a->height + 32,
             "text-anchor=\"end\" fill=\"" GRAY "\"", a->x_name);
    fprintf(p->out, "<path d=\"M%.1f %.1fv%.1fh%.1f\" fill=\"none\" stroke=\"" GRAY "\"/>\n",
            a->left, a->top, a->height, a->width);
}

static bool is_drawn(const struct sample *s, int kind)
{
    return s->kind == kind && s->fate == FATE_OK;
}

static double value_of(const struct plot *p, const struct sample *s)
{
    return (double)(s->ended_us - s->intended_us) / 1000 / p->unit;
}

static double time_of(const struct sample *s)
{
    return (double)s->intended_us / 1e6;
}

/* ---- latency over time ---- */

/* Every answer of a kind as a dot; dots that share a cell are one. */
static void draw_dots(const struct plot *p, const struct panel *a, int kind, bool *cells,
                      size_t cell_count)
{
    size_t columns = (size_t)(a->width / CELL) + 1;

    memset(cells, 0, cell_count);
    fprintf(p->out,
            "<path fill=\"none\" stroke=\"%s\" stroke-width=\"4\" stroke-linecap=\"round\" "
            "stroke-opacity=\".75\" d=\"",
            colour_of(kind));
    for (size_t i = 0; i < p->samples->count; i++) {
        const struct sample *s = &p->samples->of[i];
        double x, y;
        size_t cell;

        if (!is_drawn(s, kind))
            continue;
        x = x_of(a, time_of(s));
        y = y_of(a, value_of(p, s));
        cell = (size_t)((y - a->top) / CELL) * columns + (size_t)((x - a->left) / CELL);
        if (cell >= cell_count || cells[cell])
            continue;
        cells[cell] = true;
        fprintf(p->out, "M%.1f %.1fh0", x, y);
    }
    fputs("\"/>\n", p->out);
}

/* Requests without an answer stand above, where they were due. */
static void draw_misses(const struct plot *p, const struct panel *a)
{
    double last = -CELL;

    fputs("<path fill=\"none\" stroke=\"" MISS "\" stroke-width=\"1.5\" d=\"", p->out);
    for (size_t i = 0; i < p->samples->count; i++) {
        const struct sample *s = &p->samples->of[i];
        double x = x_of(a, time_of(s));

        if (s->fate == FATE_OK || s->fate == FATE_UNFINISHED || x < last + CELL)
            continue;
        last = x;
        fprintf(p->out, "M%.1f %.1fl5 5m0 -5l-5 5", x - 2.5, a->top - 2.5);
    }
    fputs("\"/>\n", p->out);
}

static void draw_deadlines(const struct plot *p, const struct panel *a)
{
    for (int i = 0; i < p->mix->count; i++) {
        double value = (double)p->mix->kind[i].deadline_ms / p->unit;
        char style[96];

        if (value <= 0 || value > a->y_max || !p->report->kind[i].requests)
            continue;
        snprintf(style, sizeof(style), "stroke=\"%s\" stroke-dasharray=\"6 4\"", colour_of(i));
        put_line(p, a->left, y_of(a, value), a->left + a->width, y_of(a, value), style);
    }
}

static void draw_legend(const struct plot *p, const struct panel *a)
{
    double x = a->left + a->width;
    int shown = 0;

    put_text(p, x, a->top - 10, "text-anchor=\"end\" fill=\"" MISS "\"", "x no answer");
    x -= 90;
    for (int i = p->mix->count - 1; i >= 0 && shown < LEGEND_MAX; i--) {
        char style[64];

        if (!p->report->kind[i].requests)
            continue;
        snprintf(style, sizeof(style), "text-anchor=\"end\" fill=\"%s\"", colour_of(i));
        put_text(p, x, a->top - 10, style, p->mix->kind[i].name);
        x -= 16 + 7 * (double)strlen(p->mix->kind[i].name);
        shown++;
    }
}

static void draw_over_time(const struct plot *p, const struct panel *a)
{
    double step = step_of(a->y_max), warm = (double)p->samples->warmup_us / 1e6;
    size_t cell_count = (size_t)(a->width / CELL + 1) * (size_t)(a->height / CELL + 1);
    bool *cells = (bool *)(void *)p->room;

    if (warm > 0 && warm < a->x_max)
        fprintf(p->out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#f0f0f0\"/>\n",
                a->left, a->top, x_of(a, warm) - a->left, a->height);
    for (int i = 0; i * step <= a->y_max * (1 + 1e-9); i++)
        draw_y_tick(p, a, i * step, "");
    draw_frame(p, a);
    for (int i = 0; i < p->mix->count; i++)
        draw_dots(p, a, i, cells, cell_count);
    draw_deadlines(p, a);
    draw_misses(p, a);
    draw_legend(p, a);
}

/* ---- distribution ---- */

/* The share of all requests of a kind (all kinds: below 0) that were answered within x. */
static void draw_curve(const struct plot *p, const struct panel *a, int kind, const char *style)
{
    size_t count = 0, all = kind < 0 ? p->report->requests : p->report->kind[kind].requests;
    size_t corners;

    for (size_t i = 0; i < p->samples->count; i++) {
        const struct sample *s = &p->samples->of[i];

        if (s->intended_us >= p->samples->warmup_us && is_drawn(s, kind < 0 ? s->kind : kind))
            p->room[count++] = value_of(p, s);
    }
    if (count == 0)
        return;
    report_quantiles(p->room, count); /* sorts them */
    fprintf(p->out, "<path fill=\"none\" %s d=\"M%.1f %.1f", style, x_of(a, 0), y_of(a, 0));
    corners = count < CURVE_MAX ? count : CURVE_MAX;
    for (size_t i = 1; i <= corners; i++) {
        size_t rank = i * count / corners;

        fprintf(p->out, "H%.1fV%.1f", x_of(a, p->room[rank - 1]),
                y_of(a, 100 * (double)rank / (double)all));
    }
    fprintf(p->out, "H%.1f\"/>\n", a->left + a->width);
}

static void draw_distribution(const struct plot *p, const struct panel *a)
{
    static const double shares[] = {0, 25, 50, 75, 95};

    for (int i = 0; i < 5; i++)
        draw_y_tick(p, a, shares[i], " %");
    draw_frame(p, a);
    for (int i = 0; i < p->mix->count && p->mix->count > 1; i++) {
        char style[64];

        snprintf(style, sizeof(style), "stroke=\"%s\" stroke-width=\"1.2\"", colour_of(i));
        if (p->report->kind[i].requests)
            draw_curve(p, a, i, style);
    }
    draw_curve(p, a, -1, "stroke=\"black\" stroke-width=\"2\"");
}

/* ---- stages ---- */

static double longest_p95(const struct plot *p)
{
    double longest = p->report->late_ms.p95;

    for (int i = 0; i < p->samples->stages.count && i < STAGES_MAX; i++)
        longest = fmax(longest, p->report->stage_ms[i].p95);
    return longest / p->unit;
}

static int digits_of(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

static void draw_bar(const struct plot *p, const struct panel *a, int row, const char *name,
                     const struct quantiles *q)
{
    double y = a->top + 6 + row * 26, p50 = q->p50 / p->unit, p95 = q->p95 / p->unit;
    char text[64];

    if (q->count == 0)
        return;
    snprintf(text, sizeof(text), "%.16s", name);
    put_text(p, a->left - 6, y + 13, "text-anchor=\"end\"", text);
    fprintf(p->out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"18\" fill=\"#9ecae1\"/>"
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"18\" fill=\"#2171b5\"/>\n",
            a->left, y, x_of(a, p95) - a->left, a->left, y, x_of(a, p50) - a->left);
    snprintf(text, sizeof(text), "%.*f, %.*f", digits_of(p50), p50, digits_of(p95), p95);
    put_text(p, x_of(a, p95) + 5, y + 13, "fill=\"" GRAY "\"", text);
}

static void draw_stages(const struct plot *p, const struct panel *a)
{
    int row = 0;

    draw_frame(p, a);
    draw_bar(p, a, row++, "sent late", &p->report->late_ms);
    for (int i = 0; i < p->samples->stages.count && i < STAGES_MAX; i++)
        draw_bar(p, a, row++, p->samples->stages.name[i], &p->report->stage_ms[i]);
}

/* ---- all of it ---- */

static void draw_head(const struct plot *p)
{
    const struct report *r = p->report;
    char text[256];

    fprintf(p->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    snprintf(text, sizeof(text), "%.3g requests/s offered, %.3g answered, %.2f %% in time%s",
             r->offered, r->throughput, 100 * r->attainment,
             p->about->ended_early ? " (ended early)" : "");
    put_text(p, 24, 32, "font-size=\"18\" font-weight=\"bold\"", text);
    snprintf(text, sizeof(text), "p50 %.4g ms, p95 %.4g ms, p99 %.4g ms, %zu requests; %.120s",
             r->latency_ms.p50, r->latency_ms.p95, r->latency_ms.p99, r->requests, p->about->url);
    put_text(p, 24, 54, "font-size=\"13\" fill=\"" GRAY "\"", text);
}

/* The largest of what is drawn over time, never 0. */
static double largest(const struct plot *p, bool of_time)
{
    double most = of_time ? (double)p->samples->end_us / 1e6 : 0;

    for (size_t i = 0; i < p->samples->count; i++) {
        const struct sample *s = &p->samples->of[i];

        if (of_time)
            most = fmax(most, time_of(s));
        else if (s->fate == FATE_OK)
            most = fmax(most, value_of(p, s));
    }
    return most > 0 ? most : 1;
}

static double round_up(double max)
{
    double step = step_of(max);

    return ceil(max / step - 1e-9) * step;
}

static void draw(struct plot *p)
{
    struct panel time = {.left = 70, .top = 96, .width = 860, .height = 300};
    struct panel share = {.left = 70, .top = 466, .width = 400, .height = 240};
    struct panel stage = {.left = 610, .top = 466, .width = 220, .height = 240};
    double latency_max;

    p->unit = 1;
    p->name = "ms";
    latency_max = largest(p, false);
    if (latency_max >= 10000) {
        p->unit = 1000;
        p->name = "s";
        latency_max /= p->unit;
    }
    time.x_max = largest(p, true);
    time.y_max = share.x_max = round_up(latency_max);
    time.title = p->unit > 1 ? "latency, s" : "latency, ms";
    time.x_name = "s since the start: when a request was due";
    share.title = "answered within";
    share.x_name = p->name;
    share.y_max = 100;
    stage.title = "stages: p50, p95";
    stage.x_name = p->name;
    stage.x_max = longest_p95(p) > 0 ? round_up(longest_p95(p)) : 1;
    stage.y_max = 1;
    draw_head(p);
    draw_over_time(p, &time);
    draw_distribution(p, &share);
    draw_stages(p, &stage);
    fputs("</svg>\n", p->out);
}

enum status plot_write(FILE *out, const struct report *r, const struct samples *samples,
                       const struct mix *mix, const struct report_about *about)
{
    struct plot p = {.out = out, .report = r, .samples = samples, .mix = mix, .about = about};
    size_t cells = (size_t)(WIDTH / CELL + 1) * (HEIGHT / CELL + 1) / sizeof(*p.room);

    p.room = calloc(samples->count + cells + 1, sizeof(*p.room));
    if (!p.room)
        return ST_FULL;
    draw(&p);
    free(p.room);
    return ST_OK;
}
