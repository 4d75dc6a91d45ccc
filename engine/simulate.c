/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/simulate.h"

#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 4096  /* of limner's queue */
#define QUEUE_MAX   16384 /* of the baselines': who refuses nobody fills it when overloaded */
#define LOOK_MAX    256   /* how far a static batch looks for its own shape */
#define REFUSED     (-1.0f)
#define LATE        (-2.0f)

/* A request on its way. */
struct arrival {
    struct entry entry;
    int64_t number; /* which of all requests */
    int64_t promised_us;
    int kind;
    struct arrival *next;
};

/* One device: what it does, and until when. */
struct station {
    int64_t until_us;                      /* SCHEDULE_NEVER: nothing */
    struct entry *set[SCHEDULE_SEATS_MAX]; /* that step */
    int count;
    int64_t step_us;
    struct entry *seated[SCHEDULE_SEATS_MAX];
    int seated_count;
};

struct simulation {
    const struct simulate_options *options;
    struct schedule *schedule;
    struct arrival *pool, *free;     /* WAITING_MAX + QUEUE_MAX + seats */
    struct arrival *line[QUEUE_MAX]; /* of the baselines, a ring */
    int line_first, line_count;
    struct station station[SCHEDULE_LANES_MAX];
    float *latency; /* by request: seconds, or REFUSED or LATE */
    uint8_t *kind;
    int64_t busy_us, steps, stepped; /* steps, and pictures in them */
    int64_t foretold;                /* of those that came */
    double error;
    int64_t last_us;
    double shares;
};

/* --- chance ------------------------------------------------------------------------------ */

/* Uniform in (0, 1): number `i` of a stream. */
static double chance(const struct simulation *s, int64_t i, uint32_t stream)
{
    const uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), stream, 0x51u};
    const uint32_t key[2] = {(uint32_t)s->options->seed, (uint32_t)(s->options->seed >> 32)};
    uint32_t word[4];

    rng_philox(word, counter, key);
    return ((double)word[0] + 0.5) / 4294967296.0;
}

static int kind_of(const struct simulation *s, int64_t i)
{
    double at = chance(s, i, 1) * s->shares;
    int k = 0;

    while (k < s->options->kind_count - 1 && at >= s->options->kinds[k].share)
        at -= s->options->kinds[k++].share;
    return k;
}

static int64_t pause_before(const struct simulation *s, int64_t i)
{
    return (int64_t)(-log(chance(s, i, 0)) / s->options->rate * 1e6);
}

/* --- requests ---------------------------------------------------------------------------- */

static struct arrival *come(struct simulation *s, int64_t number, int64_t now)
{
    const struct simulate_kind *k = &s->options->kinds[s->kind[number]];
    struct arrival *p = s->free;

    assert(p && "there is one for every place");
    s->free = p->next;
    *p = (struct arrival){
        .entry = {.tenant = k->tenant,
                  .weight = k->weight > 0 ? k->weight : 1,
                  .shape = k->shape,
                  .rows = k->rows,
                  .steps = k->steps,
                  .arrived_us = now,
                  .deadline_us = k->deadline_us ? now + k->deadline_us : SCHEDULE_NEVER},
        .number = number,
        .kind = s->kind[number]};
    return p;
}

static struct arrival *arrival_of(struct entry *e)
{
    return (struct arrival *)((char *)e - offsetof(struct arrival, entry));
}

/* `end` SCHEDULE_NEVER: given up. */
static void judge(struct simulation *s, const struct arrival *a, int64_t end)
{
    schedule_judge(s->schedule, &a->entry, end);
    if (!a->promised_us || end == SCHEDULE_NEVER)
        return;
    s->error += fabs((double)(end - a->promised_us)) / (double)(end - a->entry.arrived_us);
    s->foretold++;
}

static void go(struct simulation *s, struct arrival *p, float latency)
{
    s->latency[p->number] = latency;
    p->next = s->free;
    s->free = p;
}

static void arrive_home(struct simulation *s, struct arrival *p, int64_t now)
{
    int64_t end = now + s->options->encode_us, took = end - p->entry.arrived_us;

    if (s->options->policy == POLICY_LIMNER)
        judge(s, p, end);
    s->last_us = end > s->last_us ? end : s->last_us;
    go(s, p, (float)((double)took / 1e6));
}

/* --- limner's turn ----------------------------------------------------------------------- */

static void give_up(struct simulation *s, struct entry *e)
{
    schedule_leave(s->schedule, e);
    judge(s, arrival_of(e), SCHEDULE_NEVER);
    go(s, arrival_of(e), LATE);
}

static void ask(struct simulation *s, int64_t number, int64_t now)
{
    struct arrival *p = come(s, number, now);
    struct entry *e = &p->entry;
    int64_t in_us = schedule_forecast(s->schedule, e, 1) + s->options->encode_us;

    p->promised_us = now + in_us;
    if (p->promised_us > e->deadline_us || schedule_put(s->schedule, &e, 1))
        go(s, p, REFUSED);
}

static void give_up_late(struct simulation *s, struct station *st, int64_t now)
{
    for (int i = schedule_waiting(s->schedule) - 1; i >= 0; i--) {
        struct entry *e = schedule_waiter(s->schedule, i);

        if (!schedule_is_hopeless(s->schedule, e, now))
            continue;
        give_up(s, e);
    }
    for (int i = st->seated_count - 1; i >= 0; i--) {
        struct entry *e = st->seated[i];

        if (!schedule_is_hopeless(s->schedule, e, now))
            continue;
        give_up(s, e);
        st->seated[i] = st->seated[--st->seated_count];
    }
}

/* The finished one whose turn it is, out of his seat; NULL: nobody is. */
static struct entry *take_done(struct station *st)
{
    int best = -1;
    struct entry *e;

    for (int i = 0; i < st->seated_count; i++)
        if (st->seated[i]->done >= st->seated[i]->steps &&
            (best < 0 || st->seated[i]->key_us < st->seated[best]->key_us))
            best = i;
    if (best < 0)
        return NULL;
    e = st->seated[best];
    st->seated[best] = st->seated[--st->seated_count];
    return e;
}

/* Decoding, no longer than the step took, but one at least. Returns how long. */
static int64_t decode(struct simulation *s, struct station *st, int64_t now)
{
    int64_t spent = 0;
    struct entry *e;

    while ((spent == 0 || spent < st->step_us || !st->step_us) && (e = take_done(st))) {
        int64_t us = (int64_t)cost_rest(s->options->costs, e->shape);

        spent += us;
        schedule_rested(s->schedule, e, us);
        schedule_leave(s->schedule, e);
        arrive_home(s, arrival_of(e), now + spent);
    }
    return spent;
}

/* engine_turn, on a clock that is told. */
static void turn(struct simulation *s, int lane, int64_t now)
{
    struct station *st = &s->station[lane];
    int64_t spent;
    struct entry *e;

    if (st->count)
        schedule_stepped(s->schedule, st->set, st->count, st->step_us);
    spent = decode(s, st, now);
    give_up_late(s, st, now + spent);
    while ((e = schedule_seat(s->schedule, lane)))
        st->seated[st->seated_count++] = e;
    st->count = schedule_pick(s->schedule, lane, st->set);
    st->step_us = 0;
    if (st->count) {
        int rows = 0;

        for (int i = 0; i < st->count; i++)
            rows += st->set[i]->rows;
        st->step_us = (int64_t)cost_step(s->options->costs, st->set[0]->shape, rows);
        s->steps++;
        s->stepped += st->count;
    }
    spent += st->step_us;
    s->busy_us += spent;
    st->until_us = spent ? now + spent : SCHEDULE_NEVER;
}

/* --- the baselines ----------------------------------------------------------------------- */

static void line_up(struct simulation *s, int64_t number, int64_t now)
{
    struct arrival *p = come(s, number, now);

    if (s->line_count == QUEUE_MAX)
        go(s, p, REFUSED);
    else
        s->line[(s->line_first + s->line_count++) % QUEUE_MAX] = p;
}

/* Takes the i-th of the line; those in front of it move up by one. */
static struct arrival *take_from_line(struct simulation *s, int i)
{
    struct arrival *p = s->line[(s->line_first + i) % QUEUE_MAX];

    for (; i > 0; i--)
        s->line[(s->line_first + i) % QUEUE_MAX] = s->line[(s->line_first + i - 1) % QUEUE_MAX];
    s->line_first = (s->line_first + 1) % QUEUE_MAX;
    s->line_count--;
    return p;
}

/* A batch of one kind starts and ends together. */
static void batch(struct simulation *s, int lane, int64_t now)
{
    int most = s->options->policy == POLICY_SINGLE ? 1 : s->options->batch_max, count = 0;
    struct arrival *set[SCHEDULE_SEATS_MAX];
    int64_t spent;

    s->station[lane].until_us = SCHEDULE_NEVER;
    for (int i = 0; i < s->line_count && i < LOOK_MAX && count < most; i++) {
        const struct arrival *p = s->line[(s->line_first + i) % QUEUE_MAX];

        if (count && p->kind != set[0]->kind)
            continue;
        set[count++] = take_from_line(s, i);
        i--;
    }
    if (!count)
        return;
    spent = (int64_t)(set[0]->entry.steps * cost_step(s->options->costs, set[0]->entry.shape,
                                                      set[0]->entry.rows * count) +
                      count * cost_rest(s->options->costs, set[0]->entry.shape));
    s->steps += set[0]->entry.steps;
    s->stepped += set[0]->entry.steps * count;
    s->busy_us += spent;
    for (int i = 0; i < count; i++)
        arrive_home(s, set[i], now + spent);
    s->station[lane].until_us = now + spent;
}

/* --- the day ----------------------------------------------------------------------------- */

static int next_station(const struct simulation *s)
{
    int next = 0;

    for (int l = 1; l < s->options->lanes; l++)
        if (s->station[l].until_us < s->station[next].until_us)
            next = l;
    return next;
}

static void wake(struct simulation *s, int lane, int64_t now)
{
    if (s->options->policy == POLICY_LIMNER)
        turn(s, lane, now);
    else
        batch(s, lane, now);
}

static void arrive(struct simulation *s, int64_t number, int64_t now)
{
    if (s->options->policy == POLICY_LIMNER)
        ask(s, number, now);
    else
        line_up(s, number, now);
    for (int l = 0; l < s->options->lanes; l++)
        if (s->station[l].until_us == SCHEDULE_NEVER) {
            wake(s, l, now);
            return;
        }
}

static void live(struct simulation *s)
{
    int64_t number = 0, next_us = pause_before(s, 0);

    for (;;) {
        int lane = next_station(s);
        int64_t ready = s->station[lane].until_us;

        if (number < s->options->requests && next_us <= ready) {
            arrive(s, number, next_us);
            if (++number < s->options->requests)
                next_us += pause_before(s, number);
        } else if (ready != SCHEDULE_NEVER) {
            wake(s, lane, ready);
        } else {
            return;
        }
    }
}

/* --- the report -------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double quantile(const float *sorted, int64_t count, double q)
{
    int64_t rank = (int64_t)ceil(q * (double)count) - 1;

    return count ? (double)sorted[rank < 0 ? 0 : rank] : 0;
}

/* Of kind k, or of all below 0. `scratch` has room for every request. */
static void report_kind(const struct simulation *s, int k, float *scratch,
                        struct simulate_result *r)
{
    double sum = 0;

    memset(r, 0, sizeof(*r));
    for (int64_t i = 0; i < s->options->requests; i++) {
        const struct simulate_kind *kind = &s->options->kinds[s->kind[i]];

        if (k >= 0 && s->kind[i] != k)
            continue;
        r->asked++;
        r->refused += s->latency[i] == REFUSED;
        r->late += s->latency[i] == LATE;
        if (s->latency[i] < 0)
            continue;
        r->in_time +=
            !kind->deadline_us || (double)s->latency[i] <= (double)kind->deadline_us / 1e6;
        sum += (double)s->latency[i];
        scratch[r->done++] = s->latency[i];
    }
    qsort(scratch, (size_t)r->done, sizeof(float), by_size);
    r->p50_s = quantile(scratch, r->done, 0.50);
    r->p95_s = quantile(scratch, r->done, 0.95);
    r->p99_s = quantile(scratch, r->done, 0.99);
    r->mean_s = r->done ? sum / (double)r->done : 0;
}

static double alone_us(const struct costs *c, const struct simulate_kind *k)
{
    return k->steps * cost_step(c, k->shape, k->rows) + cost_rest(c, k->shape);
}

static void report_all(const struct simulation *s, float *scratch, struct simulate_report *r)
{
    const struct simulate_options *o = s->options;

    memset(r, 0, sizeof(*r));
    report_kind(s, -1, scratch, &r->all);
    for (int k = 0; k < o->kind_count; k++) {
        report_kind(s, k, scratch, &r->kind[k]);
        r->kind[k].alone_s = (alone_us(o->costs, &o->kinds[k]) + (double)o->encode_us) / 1e6;
        r->all.alone_s += r->kind[k].alone_s * o->kinds[k].share / s->shares;
    }
    r->duration_s = (double)s->last_us / 1e6;
    if (s->last_us > 0) {
        r->done_per_s = (double)r->all.done / r->duration_s;
        r->in_time_per_s = (double)r->all.in_time / r->duration_s;
        r->busy = (double)s->busy_us / (double)s->last_us / o->lanes;
    }
    r->occupancy = s->steps ? (double)s->stepped / (double)s->steps : 0;
    r->forecast_error = s->foretold ? s->error / (double)s->foretold : 0;
}

/* --- opening and closing ----------------------------------------------------------------- */

static enum status check(const struct simulate_options *o, struct why *why)
{
    assert(o->kind_count >= 1 && o->kind_count <= SIMULATE_KINDS_MAX && o->requests >= 1);
    assert(o->lanes >= 1 && o->lanes <= SCHEDULE_LANES_MAX && o->rate > 0);
    assert(o->batch_max >= 1 && o->batch_max + o->batch_max / 2 <= SCHEDULE_SEATS_MAX);
    for (int k = 0; k < o->kind_count; k++)
        if (cost_step(o->costs, o->kinds[k].shape, o->kinds[k].rows) <= 0)
            return why_fail(why, ST_INVALID, "the table knows no step of %s", o->kinds[k].name);
    return ST_OK;
}

static enum status open_all(struct simulation *s)
{
    const struct simulate_options *o = s->options;
    const struct schedule_options schedule = {.waiting_max = WAITING_MAX,
                                              .lanes = o->lanes,
                                              .batch_max = o->batch_max,
                                              .spare = o->batch_max / 2};
    size_t places = WAITING_MAX + QUEUE_MAX + SCHEDULE_LANES_MAX * SCHEDULE_SEATS_MAX + 1;
    enum status st = schedule_open(&s->schedule, schedule);

    if (st)
        return st;
    *schedule_costs(s->schedule) = *o->costs;
    s->pool = calloc(places, sizeof(*s->pool));
    s->latency = calloc((size_t)o->requests, sizeof(*s->latency));
    s->kind = calloc((size_t)o->requests, sizeof(*s->kind));
    if (!s->pool || !s->latency || !s->kind)
        return ST_FULL;
    for (size_t i = 0; i < places; i++) {
        s->pool[i].next = s->free;
        s->free = &s->pool[i];
    }
    for (int k = 0; k < o->kind_count; k++)
        s->shares += o->kinds[k].share;
    for (int64_t i = 0; i < o->requests; i++)
        s->kind[i] = (uint8_t)kind_of(s, i);
    for (int l = 0; l < o->lanes; l++)
        s->station[l].until_us = SCHEDULE_NEVER;
    return ST_OK;
}

static void close_all(struct simulation *s)
{
    schedule_close(&s->schedule);
    free(s->pool);
    free(s->latency);
    free(s->kind);
    free(s);
}

enum status simulate_run(const struct simulate_options *options, struct simulate_report *report,
                         struct why *why)
{
    enum status st = check(options, why);
    struct simulation *s;
    float *scratch;

    if (st)
        return st;
    s = calloc(1, sizeof(*s));
    scratch = calloc((size_t)options->requests, sizeof(*scratch));
    if (s && scratch) {
        s->options = options;
        st = open_all(s);
    }
    if (!s || !scratch || st) {
        if (s)
            close_all(s);
        free(scratch);
        return why_fail(why, ST_FULL, "no memory for %lld requests", (long long)options->requests);
    }
    live(s);
    report_all(s, scratch, report);
    close_all(s);
    free(scratch);
    return ST_OK;
}

double simulate_saturation(const struct costs *costs, const struct simulate_kind *kinds, int count,
                           int batch_max)
{
    double shares = 0, us = 0;

    for (int k = 0; k < count; k++) {
        double best = 0;

        for (int n = 1; n <= batch_max; n++) {
            double each = cost_step(costs, kinds[k].shape, n * kinds[k].rows) / n;

            best = n == 1 || each < best ? each : best;
        }
        us += kinds[k].share * (kinds[k].steps * best + cost_rest(costs, kinds[k].shape));
        shares += kinds[k].share;
    }
    return us > 0 ? shares * 1e6 / us : 0;
}
