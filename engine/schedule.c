/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLACK        1.1      /* by which a step may be slower than a share promises: times vary */
#define NO_DEADLINE  60000000 /* us: where pictures without a deadline stand among the others */
#define TURNS        2        /* steps by which a tenant may be ahead and still be due */
#define BROKEN       0.01     /* of the deadlines of those who were let in may be missed */
#define CAUTION_STEP 0.02     /* small: what comes of a promise is known seconds later */
#define CAUTION_MAX  4.0
#define TURN_WEIGHT  16 /* a new step counts for one in so many in the mean of them */

/* What a tenant has had of the devices. */
struct share {
    double served_us; /* of device time, weighed: the virtual time */
    int weight;
    int present; /* pictures that wait or sit */
    int seated;
    int at; /* place in `active` */
};

#define RUNNING_MAX (SCHEDULE_LANES_MAX * SCHEDULE_SEATS_MAX)

/* Scratch of a forecast: everybody there is, in a line by tenants, and who runs. */
struct outlook_queue {
    int next, end, running, weight;
    double time_us; /* virtual */
};

struct outlook_run {
    double left_us;
    const struct entry *entry;
    struct outlook_queue *queue;
};

struct outlook {
    double now_us;
    int count, queues, running;
    struct outlook_queue queue[SCHEDULE_TENANTS_MAX + 1];
    struct outlook_run run[RUNNING_MAX];
    const struct entry *line[]; /* of the waiting, the seated, and a request's */
};

struct schedule {
    struct schedule_options options;
    struct outlook *outlook;
    struct costs costs;
    struct share share[SCHEDULE_TENANTS_MAX];
    int active[SCHEDULE_TENANTS_MAX]; /* tenants that are present, in no order */
    int active_count;
    double floor_us; /* the virtual time of the whole: where a tenant begins who was away */
    double caution;  /* what a forecast is multiplied with */
    double turn_us;  /* the mean time of a step */
    int64_t order;
    int waiting;
    struct entry *seat[SCHEDULE_LANES_MAX][SCHEDULE_SEATS_MAX];
    int seated[SCHEDULE_LANES_MAX];
    struct entry *waiter[]; /* waiting_max */
};

/* --- opening ----------------------------------------------------------------------------- */

enum status schedule_open(struct schedule **out, struct schedule_options o)
{
    size_t waiting = (size_t)o.waiting_max * sizeof(struct entry *);
    size_t others = (RUNNING_MAX + SCHEDULE_REQUEST_MAX) * sizeof(struct entry *);
    struct schedule *s = calloc(1, sizeof(*s) + waiting);

    assert(o.lanes >= 1 && o.lanes <= SCHEDULE_LANES_MAX && o.batch_max >= 1 && o.spare >= 0);
    assert(o.batch_max + o.spare <= SCHEDULE_SEATS_MAX && o.waiting_max >= 1);
    *out = s;
    if (!s)
        return ST_FULL;
    s->options = o;
    s->caution = 1;
    s->outlook = malloc(sizeof(*s->outlook) + waiting + others);
    if (s->outlook)
        return ST_OK;
    schedule_close(out);
    return ST_FULL;
}

void schedule_close(struct schedule **s)
{
    if (*s)
        free((*s)->outlook);
    free(*s);
    *s = NULL;
}

struct costs *schedule_costs(struct schedule *s)
{
    return &s->costs;
}

/* --- tenants ----------------------------------------------------------------------------- */

static double virtual_time(const struct schedule *s, int tenant)
{
    return s->share[tenant].served_us / s->share[tenant].weight;
}

/* Of those who are present, the least. */
static double least_time(const struct schedule *s)
{
    double least = 0;

    for (int i = 0; i < s->active_count; i++) {
        double own = virtual_time(s, s->active[i]);

        least = i && least < own ? least : own;
    }
    return least;
}

static int weight_present(const struct schedule *s)
{
    int sum = 0;

    for (int i = 0; i < s->active_count; i++)
        sum += s->share[s->active[i]].weight;
    return sum;
}

static void raise_floor(struct schedule *s)
{
    double least = least_time(s);

    s->floor_us = s->active_count && least > s->floor_us ? least : s->floor_us;
}

/* Who comes back does not bring with him what he left unused, and does not pay for what nobody else
   wanted. */
static void come(struct schedule *s, const struct entry *e)
{
    struct share *share = &s->share[e->tenant];

    share->weight = e->weight;
    if (!share->present++) {
        raise_floor(s);
        if (share->served_us < s->floor_us * share->weight)
            share->served_us = s->floor_us * share->weight;
        share->at = s->active_count;
        s->active[s->active_count++] = e->tenant;
    }
}

static void go(struct schedule *s, const struct entry *e)
{
    struct share *share = &s->share[e->tenant];

    if (--share->present)
        return;
    raise_floor(s);
    s->active[share->at] = s->active[--s->active_count];
    s->share[s->active[share->at]].at = share->at;
}

/* Is this tenant as far behind as the one who is furthest behind, but for a turn or two? */
static bool is_due(const struct schedule *s, int tenant, double least)
{
    return virtual_time(s, tenant) <= least + TURNS * s->turn_us / s->share[tenant].weight;
}

static bool comes_before(const struct schedule *s, const struct entry *a, const struct entry *b,
                         double least)
{
    bool a_due = is_due(s, a->tenant, least), b_due = is_due(s, b->tenant, least);

    if (a_due != b_due)
        return a_due;
    if (!a_due && a->tenant != b->tenant)
        return virtual_time(s, a->tenant) < virtual_time(s, b->tenant);
    return a->key_us != b->key_us ? a->key_us < b->key_us : a->order < b->order;
}

/* --- work -------------------------------------------------------------------------------- */

/* Device time that is left of a picture when it has the device for itself. */
static double work_of(const struct schedule *s, const struct entry *e)
{
    return (e->steps - e->done) * cost_step(&s->costs, e->shape, e->rows) +
           (1 + e->previews) * cost_rest(&s->costs, e->shape);
}

static int batch_of(const struct schedule *s, const struct entry *e)
{
    return cost_batch(&s->costs, e->shape, e->rows, s->options.batch_max);
}

static int64_t key_of(const struct entry *e)
{
    int64_t room = e->deadline_us == SCHEDULE_NEVER ? NO_DEADLINE : e->deadline_us - e->arrived_us;

    if (e->priority == PRIORITY_HIGH)
        room /= 2;
    if (e->priority == PRIORITY_LOW)
        room *= 2;
    return e->arrived_us + room;
}

/* --- waiting and sitting ----------------------------------------------------------------- */

enum status schedule_put(struct schedule *s, struct entry *const *entries, int count)
{
    if (s->waiting + count > s->options.waiting_max)
        return ST_FULL;
    for (int i = 0; i < count; i++) {
        struct entry *e = entries[i];

        assert(e->tenant >= 0 && e->tenant < SCHEDULE_TENANTS_MAX && e->weight >= 1);
        assert(e->rows >= 1 && e->steps >= 1);
        e->key_us = key_of(e);
        e->order = s->order++;
        e->lane = -1;
        e->done = 0;
        come(s, e);
        s->waiter[s->waiting++] = e;
    }
    return ST_OK;
}

int schedule_waiting(const struct schedule *s)
{
    return s->waiting;
}

int schedule_before(const struct schedule *s, const struct entry *entry)
{
    int before = 0;

    for (int i = 0; i < s->waiting; i++) {
        const struct entry *other = s->waiter[i];

        before += other->key_us < entry->key_us ||
                  (other->key_us == entry->key_us && other->order < entry->order);
    }
    return before;
}

struct entry *schedule_waiter(struct schedule *s, int i)
{
    assert(i >= 0 && i < s->waiting);
    return s->waiter[i];
}

int schedule_seated(const struct schedule *s, int lane)
{
    return s->seated[lane];
}

/* Does somebody of the same tenant sit here whose turn is after e's? */
static bool is_urgent(const struct schedule *s, const struct entry *e, int lane)
{
    if (e->deadline_us == SCHEDULE_NEVER)
        return false;
    for (int i = 0; i < s->seated[lane]; i++)
        if (s->seat[lane][i]->tenant == e->tenant && s->seat[lane][i]->key_us > e->key_us)
            return true;
    return false;
}

/* A spare seat is for those who have fewer than their share, and for the urgent. */
static bool may_have_spare(const struct schedule *s, const struct entry *e, int lane, int weights)
{
    double seats = (double)s->options.batch_max * s->options.lanes;

    return s->share[e->tenant].seated < seats * e->weight / weights - 0.5 || is_urgent(s, e, lane);
}

static void take_waiter(struct schedule *s, int i)
{
    s->waiter[i] = s->waiter[--s->waiting];
}

struct entry *schedule_seat(struct schedule *s, int lane)
{
    bool spare = s->seated[lane] >= s->options.batch_max;
    double least = least_time(s);
    int best = -1, weights = spare ? weight_present(s) : 0;

    if (s->seated[lane] == s->options.batch_max + s->options.spare)
        return NULL;
    for (int i = 0; i < s->waiting; i++) {
        const struct entry *e = s->waiter[i];

        if ((best < 0 || comes_before(s, e, s->waiter[best], least)) &&
            (!spare || may_have_spare(s, e, lane, weights)))
            best = i;
    }
    if (best < 0)
        return NULL;
    struct entry *e = s->waiter[best];
    take_waiter(s, best);
    e->lane = lane;
    s->seat[lane][s->seated[lane]++] = e;
    s->share[e->tenant].seated++;
    return e;
}

void schedule_leave(struct schedule *s, struct entry *e)
{
    struct entry **list = e->lane < 0 ? s->waiter : s->seat[e->lane];
    int *count = e->lane < 0 ? &s->waiting : &s->seated[e->lane];
    int i = 0;

    while (i < *count && list[i] != e)
        i++;
    assert(i < *count && "who leaves was here");
    list[i] = list[--*count];
    if (e->lane >= 0)
        s->share[e->tenant].seated--;
    go(s, e);
}

/* --- stepping ---------------------------------------------------------------------------- */

static int count_of(struct entry *const *entries, int count, int tenant)
{
    int own = 0;

    for (int i = 0; i < count; i++)
        own += entries[i]->tenant == tenant;
    return own;
}

static int rows_of(struct entry *const *entries, int count)
{
    int rows = 0;

    for (int i = 0; i < count; i++)
        rows += entries[i]->rows;
    return rows;
}

/* Does everybody in this step still get his share? A tenant with k of the pictures, alone on his
   share of the device, would see each advance at share / k of the speed it has alone. */
static bool is_fair(const struct schedule *s, struct entry *const *entries, int count, int weights)
{
    double step = cost_step(&s->costs, entries[0]->shape, rows_of(entries, count));

    for (int i = 0; i < count; i++) {
        const struct entry *e = entries[i];
        double alone = cost_step(&s->costs, e->shape, e->rows);
        double share = (double)e->weight / weights;

        if (step > SLACK * alone * count_of(entries, count, e->tenant) / share)
            return false;
    }
    return true;
}

/* Weights of the tenants who sit on the lane. */
static int weight_seated(const struct schedule *s, int lane)
{
    int sum = 0;

    for (int i = 0; i < s->seated[lane]; i++)
        if (!count_of(s->seat[lane], i, s->seat[lane][i]->tenant))
            sum += s->seat[lane][i]->weight;
    return sum;
}

/* Of those on the lane that are not `used`, who comes first; -1: nobody of this shape. */
static int first_of(const struct schedule *s, int lane, const bool *used,
                    const struct cost_shape *shape)
{
    double least = least_time(s);
    int best = -1;

    for (int i = 0; i < s->seated[lane]; i++) {
        const struct entry *e = s->seat[lane][i];

        if (used[i] || e->done >= e->steps || (shape && !cost_shape_is(e->shape, *shape)))
            continue;
        if (best < 0 || comes_before(s, e, s->seat[lane][best], least))
            best = i;
    }
    return best;
}

int schedule_pick(struct schedule *s, int lane, struct entry **out)
{
    bool used[SCHEDULE_SEATS_MAX] = {false};
    int first = first_of(s, lane, used, NULL), count = 0, most, weights = weight_seated(s, lane);

    if (first < 0)
        return 0;
    most = batch_of(s, s->seat[lane][first]);
    for (int i = first; i >= 0 && count < most; i = first_of(s, lane, used, &out[0]->shape)) {
        used[i] = true;
        out[count++] = s->seat[lane][i];
        if (count > 1 && !is_fair(s, out, count, weights))
            count--;
    }
    return count;
}

void schedule_stepped(struct schedule *s, struct entry *const *entries, int count, int64_t us)
{
    for (int i = 0; i < count; i++) {
        entries[i]->done++;
        s->share[entries[i]->tenant].served_us += (double)us / count;
    }
    s->turn_us += s->turn_us > 0 ? ((double)us - s->turn_us) / TURN_WEIGHT : (double)us;
    cost_learn_step(&s->costs, entries[0]->shape, rows_of(entries, count), us);
    raise_floor(s);
}

void schedule_rested(struct schedule *s, const struct entry *e, int64_t us)
{
    s->share[e->tenant].served_us += (double)us;
    cost_learn_rest(&s->costs, e->shape, us);
}

void schedule_previewed(struct schedule *s, struct entry *e, int64_t us)
{
    s->share[e->tenant].served_us += (double)us;
    e->previews -= e->previews > 0;
}

/* --- foretelling ------------------------------------------------------------------------- */

/* How many times longer than alone a picture like e takes beside `count` - 1 others on a lane. */
static double slowness(const struct schedule *s, const struct entry *e, int count)
{
    return cost_step(&s->costs, e->shape, e->rows * count) /
           cost_step(&s->costs, e->shape, e->rows);
}

static int by_tenant_and_turn(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;

    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    if (x->key_us != y->key_us)
        return x->key_us < y->key_us ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Everybody who is there, tenant by tenant, each in his turn. */
static void line_up(struct schedule *s, struct outlook *o, struct entry *mine, int count)
{
    o->count = 0;
    for (int i = 0; i < s->waiting; i++)
        o->line[o->count++] = s->waiter[i];
    for (int l = 0; l < s->options.lanes; l++)
        for (int i = 0; i < s->seated[l]; i++)
            o->line[o->count++] = s->seat[l][i];
    for (int i = 0; i < count; i++)
        o->line[o->count++] = mine;
    qsort(o->line, (size_t)o->count, sizeof(o->line[0]), by_tenant_and_turn);
    o->queues = 0;
    for (int i = 0; i < o->count; i++) {
        const struct entry *e = o->line[i];
        double served = s->share[e->tenant].served_us, least = s->floor_us * e->weight;

        if (i && o->line[i - 1]->tenant == e->tenant)
            o->queue[o->queues - 1].end++;
        else
            o->queue[o->queues++] =
                (struct outlook_queue){.next = i,
                                       .end = i + 1,
                                       .weight = e->weight,
                                       .time_us = (served > least ? served : least) / e->weight};
    }
}

/* Whose picture runs next: of those who have the fewest running for their weight, who had least. */
static struct outlook_queue *next_queue(struct outlook *o)
{
    struct outlook_queue *best = NULL;

    for (int i = 0; i < o->queues; i++) {
        struct outlook_queue *q = &o->queue[i];
        double own, least;

        if (q->next == q->end)
            continue;
        own = (double)q->running / q->weight;
        least = best ? (double)best->running / best->weight : 0;
        if (!best || own < least || (own == least && q->time_us < best->time_us))
            best = q;
    }
    return best;
}

/* Fill the places that are free. */
static void let_run(const struct schedule *s, struct outlook *o, int places)
{
    while (o->running < places) {
        struct outlook_queue *q = next_queue(o);
        const struct entry *e;
        double work;

        if (!q)
            return;
        e = o->line[q->next++];
        work = work_of(s, e);
        q->time_us += work / q->weight;
        q->running++;
        o->run[o->running++] = (struct outlook_run){.left_us = work, .entry = e, .queue = q};
    }
}

/* On to the next end: the time that passes, with `count` on a lane. Returns how many of `mine`
   ended. */
static int run_on(struct outlook *o, double slow, const struct entry *mine)
{
    double next = o->run[0].left_us;
    int kept = 0, ended = 0;

    for (int i = 1; i < o->running; i++)
        next = o->run[i].left_us < next ? o->run[i].left_us : next;
    o->now_us += next * slow;
    for (int i = 0; i < o->running; i++) {
        o->run[i].left_us -= next;
        if (o->run[i].left_us > 0.5) {
            o->run[kept++] = o->run[i];
            continue;
        }
        o->run[i].queue->running--;
        ended += o->run[i].entry == mine;
    }
    o->running = kept;
    return ended;
}

/* Played through with the pictures that are there: as many at a time as pay, one of each tenant at
   least, all at one speed. A device that was full stays so: others will come. */
int64_t schedule_forecast(struct schedule *s, const struct entry *entry, int count)
{
    struct outlook *o = s->outlook;
    struct entry mine = *entry;
    int lanes = s->options.lanes, places = lanes * batch_of(s, entry), left = count, most = 0;

    mine.key_us = key_of(entry);
    mine.order = INT64_MAX;
    mine.done = 0;
    if (work_of(s, &mine) <= 0)
        return 0;
    line_up(s, o, &mine, count);
    if (places < o->queues)
        places = o->queues < RUNNING_MAX ? o->queues : RUNNING_MAX;
    o->now_us = 0;
    o->running = 0;
    while (left > 0) {
        let_run(s, o, places);
        most = o->running > most ? o->running : most;
        left -= run_on(o, slowness(s, entry, (most + lanes - 1) / lanes), &mine);
    }
    return (int64_t)(o->now_us * s->caution);
}

/* A quantile followed step by step (Robbins and Monro 1951): in balance when BROKEN of the
   deadlines are missed. */
void schedule_judge(struct schedule *s, const struct entry *e, int64_t end_us)
{
    if (e->deadline_us == SCHEDULE_NEVER)
        return;
    s->caution *= 1 + CAUTION_STEP * ((end_us > e->deadline_us) - BROKEN);
    s->caution = s->caution < 1 ? 1 : s->caution > CAUTION_MAX ? CAUTION_MAX : s->caution;
}

bool schedule_is_hopeless(const struct schedule *s, const struct entry *e, int64_t now)
{
    return e->deadline_us != SCHEDULE_NEVER && (double)now + work_of(s, e) > (double)e->deadline_us;
}
