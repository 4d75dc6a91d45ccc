/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WEIGHT        8    /* a new measurement counts for one in eight */
#define HOPE          0.9  /* what a row more costs, beside what the last one known did */
#define NEARLY        0.95 /* of the best rate */
#define COST_LINE_MAX 256
#define TITLE         "# limner costs 1, "

bool cost_shape_is(struct cost_shape a, struct cost_shape b)
{
    return a.model == b.model && a.width == b.width && a.height == b.height;
}

/* --- what is known ----------------------------------------------------------------------- */

static const struct cost_entry *find(const struct costs *c, struct cost_shape shape)
{
    for (int i = 0; i < COST_SHAPES_MAX; i++)
        if (c->entry[i].used && cost_shape_is(c->entry[i].shape, shape))
            return &c->entry[i];
    return NULL;
}

static struct cost_entry *use(struct costs *c, struct cost_shape shape)
{
    struct cost_entry *e = (struct cost_entry *)find(c, shape);

    if (!e) {
        e = &c->entry[0];
        for (int i = 1; i < COST_SHAPES_MAX; i++)
            if (c->entry[i].used < e->used)
                e = &c->entry[i];
        memset(e, 0, sizeof(*e));
        e->shape = shape;
    }
    e->used = ++c->turn;
    return e;
}

static void learn(float *known, int64_t us)
{
    if (us < 1)
        us = 1;
    if (*known > 0 && (float)us > *known / 2)
        *known += ((float)us - *known) / WEIGHT;
    else /* what came before also made plans, and does so once */
        *known = (float)us;
}

void cost_learn_step(struct costs *c, struct cost_shape shape, int rows, int64_t us)
{
    if (rows >= 1 && rows <= COST_ROWS_MAX)
        learn(&use(c, shape)->step_us[rows], us);
}

void cost_learn_rest(struct costs *c, struct cost_shape shape, int64_t us)
{
    learn(&use(c, shape)->rest_us, us);
}

bool cost_is_measured(const struct costs *c, struct cost_shape shape, int rows)
{
    const struct cost_entry *e = find(c, shape);

    return e && rows <= COST_ROWS_MAX && (rows ? e->step_us[rows] : e->rest_us) > 0;
}

/* --- what is guessed --------------------------------------------------------------------- */

/* The nearest number of rows below (step -1) or above (1) that was measured; 0: none. */
static int measured(const struct cost_entry *e, int rows, int step)
{
    for (int r = rows; r >= 1 && r <= COST_ROWS_MAX; r += step)
        if (e->step_us[r] > 0)
            return r;
    return 0;
}

static double step_of(const struct cost_entry *e, int rows)
{
    int below = measured(e, rows, -1), above = measured(e, rows, 1);
    double low = below ? (double)e->step_us[below] : 0,
           high = above ? (double)e->step_us[above] : 0;

    if (below == rows)
        return low;
    if (below && above)
        return low + (high - low) * (rows - below) / (above - below);
    if (below)
        return low + HOPE * (low / below) * (rows - below);
    return above ? high * rows / above : 0;
}

static bool is_known(const struct cost_entry *e, bool rest)
{
    return rest ? e->rest_us > 0 : measured(e, 1, 1) > 0;
}

/* The shape whose numbers stand in for this one: itself, or the same model's nearest in size. */
static const struct cost_entry *stand_in(const struct costs *c, struct cost_shape shape, bool rest)
{
    const struct cost_entry *best = find(c, shape);
    double pixels = (double)shape.width * shape.height, nearest = 0;

    if (best && is_known(best, rest))
        return best;
    best = NULL;
    for (int i = 0; i < COST_SHAPES_MAX; i++) {
        const struct cost_entry *e = &c->entry[i];
        double own = (double)e->shape.width * e->shape.height;
        double ratio = own > pixels ? own / pixels : pixels / own;

        if (!e->used || e->shape.model != shape.model || (best && ratio >= nearest) ||
            !is_known(e, rest))
            continue;
        best = e;
        nearest = ratio;
    }
    return best;
}

static double scale_of(const struct cost_entry *e, struct cost_shape shape)
{
    return (double)shape.width * shape.height / ((double)e->shape.width * e->shape.height);
}

double cost_step(const struct costs *c, struct cost_shape shape, int rows)
{
    const struct cost_entry *e = stand_in(c, shape, false);

    return e ? scale_of(e, shape) * step_of(e, rows < COST_ROWS_MAX ? rows : COST_ROWS_MAX) : 0;
}

double cost_rest(const struct costs *c, struct cost_shape shape)
{
    const struct cost_entry *e = stand_in(c, shape, true);

    return e ? scale_of(e, shape) * (double)e->rest_us : 0;
}

int cost_batch(const struct costs *c, struct cost_shape shape, int rows, int most)
{
    const struct cost_entry *e = stand_in(c, shape, false);
    double best = 0;

    if (!e)
        return most;
    for (int n = 1; n <= most && n * rows <= COST_ROWS_MAX; n++) {
        double rate = n / step_of(e, n * rows);

        best = rate > best ? rate : best;
    }
    for (int n = 1; n < most && n * rows <= COST_ROWS_MAX; n++)
        if (n / step_of(e, n * rows) >= NEARLY * best)
            return n;
    return most;
}

/* --- from one start to the next ---------------------------------------------------------- */

static int model_index(const char *name, const char *const *models, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(name, models[i]))
            return i;
    return -1;
}

/* "NAME WIDTH HEIGHT ROWS US"; rows 0 is the rest. A line that is anything else is left out. */
static void read_line(struct costs *c, const char *line, const char *const *models, int count)
{
    struct cost_shape shape;
    char name[COST_LINE_MAX];
    int rows;
    float us;

    if (sscanf(line, "%255s %d %d %d %f", name, &shape.width, &shape.height, &rows, &us) != 5)
        return;
    shape.model = model_index(name, models, count);
    if (shape.model < 0 || shape.width < 1 || shape.height < 1 || rows < 0 ||
        rows > COST_ROWS_MAX || !(us >= 1 && us < 1e12f))
        return;
    if (rows)
        use(c, shape)->step_us[rows] = us;
    else
        use(c, shape)->rest_us = us;
}

void cost_load(struct costs *c, const char *path, const char *device, const char *const *models,
               int count)
{
    char line[COST_LINE_MAX + 256];
    FILE *file = fopen(path, "r");

    if (!file)
        return;
    if (fgets(line, sizeof(line), file) && !strncmp(line, TITLE, strlen(TITLE)) &&
        (!device || (!strncmp(line + strlen(TITLE), device, strlen(device)) &&
                     line[strlen(TITLE) + strlen(device)] == '\n')))
        while (fgets(line, sizeof(line), file))
            read_line(c, line, models, count);
    fclose(file);
}

static void write_entry(FILE *file, const struct cost_entry *e, const char *model)
{
    if (e->rest_us > 0)
        fprintf(file, "%s %d %d 0 %.0f\n", model, e->shape.width, e->shape.height,
                (double)e->rest_us);
    for (int rows = 1; rows <= COST_ROWS_MAX; rows++)
        if (e->step_us[rows] > 0)
            fprintf(file, "%s %d %d %d %.0f\n", model, e->shape.width, e->shape.height, rows,
                    (double)e->step_us[rows]);
}

enum status cost_save(const struct costs *c, const char *path, const char *device,
                      const char *const *models, int count, struct why *why)
{
    char beside[4096];
    FILE *file;
    bool failed;

    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return why_fail(why, ST_INVALID, "the path %s is too long", path);
    file = fopen(beside, "w");
    if (!file)
        return why_fail(why, ST_IO, "%s cannot be written", beside);
    fprintf(file, "%s%s\n", TITLE, device);
    for (int i = 0; i < COST_SHAPES_MAX; i++)
        if (c->entry[i].used && c->entry[i].shape.model < count)
            write_entry(file, &c->entry[i], models[c->entry[i].shape.model]);
    failed = fflush(file) || ferror(file) || fsync(fileno(file));
    failed |= fclose(file) != 0;
    if (!failed && rename(beside, path) == 0)
        return ST_OK;
    unlink(beside);
    return why_fail(why, ST_IO, "%s cannot be written: the disk may be full", path);
}
