/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h - who waits, who sits down next, who takes the next step, and who can be promised
 * what.
 *
 * Pictures of many tenants share a device step by step. Three rules, in this order:
 *
 *   1. Fairness: a tenant who asks for much does not slow down one who asks for little. Device time
 *      is charged to tenants by weight (deficit round robin, the deficits kept as virtual time:
 *      start-time fair queueing, Goyal, Vin and Cheng 1996): who had less than others comes first,
 *      but for a step or two. And a step takes no more pictures than leave everybody in it at least
 *      the speed of his share of the device.
 *
 *   2. Deadlines: among those who are due, the earliest first. A priority moves it: half or twice
 *      as far from the arrival. Nobody's deadline moves while he waits, so nobody starves.
 *
 *   3. Batches: pictures of one shape go together, as many as bring nearly the best rate there is
 *      (cost_batch).
 *
 * More may sit than step: there are spare seats for tenants who have less than their share and for
 * deadlines before those of who sits. A picture that sits and does not step keeps its seat and
 * loses nothing. So a long picture is interrupted between two steps, and a large one beside small
 * ones takes turns with them.
 *
 * No clock, no lock, no device: whoever owns the schedule says what time it is. The engine and the
 * simulator run this same code. Memory is taken at the start.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "engine/cost.h"

#define SCHEDULE_TENANTS_MAX 1024
#define SCHEDULE_LANES_MAX   16
#define SCHEDULE_SEATS_MAX   64 /* of a lane */
#define SCHEDULE_REQUEST_MAX 16 /* pictures of one request */
#define SCHEDULE_NEVER       INT64_MAX

enum priority { PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_LOW };

/* One picture as the schedule sees it; it lives in the job. All times on one clock. */
struct entry {
    /* Whoever asks fills these. */
    int tenant; /* below SCHEDULE_TENANTS_MAX */
    int weight; /* of the tenant, at least 1 */
    enum priority priority;
    struct cost_shape shape;
    int rows, steps; /* of a step, in all */
    int previews;    /* decodes beside the last one */
    int64_t arrived_us, deadline_us;

    /* The schedule's own. */
    int64_t key_us; /* the moved deadline */
    int64_t order;  /* of coming: decides between equal ones */
    int lane;       /* below 0: waits */
    int done;       /* steps */
};

struct schedule_options {
    int waiting_max;
    int lanes;
    int batch_max; /* pictures that may step together */
    int spare;     /* seats of a lane beside these */
};

struct schedule;

MUST_USE enum status schedule_open(struct schedule **out, struct schedule_options options);
void schedule_close(struct schedule **s);
struct costs *schedule_costs(struct schedule *s);

/* All `count` begin to wait, or none does: ST_FULL. */
MUST_USE enum status schedule_put(struct schedule *s, struct entry *const *entries, int count);

int schedule_waiting(const struct schedule *s);
struct entry *schedule_waiter(struct schedule *s, int i); /* in no order */
int schedule_seated(const struct schedule *s, int lane);
/* How many wait who would come before this one if all were one tenant's. */
int schedule_before(const struct schedule *s, const struct entry *entry);

/* The next to sit down on this lane; NULL when nobody may. He sits from now on. */
struct entry *schedule_seat(struct schedule *s, int lane);

/* Who takes the next step together; 0 when nobody sits who has steps left. `out` has room for
 * batch_max. */
int schedule_pick(struct schedule *s, int lane, struct entry **out);

/* The step of these took so long: it is charged, and learned from. */
void schedule_stepped(struct schedule *s, struct entry *const *entries, int count, int64_t us);

/* The same of everything else that this picture needs of the device. */
void schedule_rested(struct schedule *s, const struct entry *entry, int64_t us);

/* One of its previews took so long: it is charged. */
void schedule_previewed(struct schedule *s, struct entry *entry, int64_t us);

/* Out of the schedule, waiting or seated: finished, cancelled, failed. */
void schedule_leave(struct schedule *s, struct entry *entry);

/* In how many microseconds from now the last of `count` pictures like this would be finished if
   they came now and nobody after them. 0: nothing is known of their model yet. At most
   SCHEDULE_REQUEST_MAX. */
int64_t schedule_forecast(struct schedule *s, const struct entry *entry, int count);

/* When a picture came to its end (given up: SCHEDULE_NEVER). Forecasts grow more cautious with each
   deadline that is missed, and bolder with each that is not, until one in a hundred is missed. They
   are never bolder than what is played through. */
void schedule_judge(struct schedule *s, const struct entry *entry, int64_t end_us);

/* Could this picture not be finished by its deadline even if it had the device for itself from now
   on? Then the time it takes is lost to those who can. */
bool schedule_is_hopeless(const struct schedule *s, const struct entry *entry, int64_t now_us);

#endif /* ENGINE_SCHEDULE_H */
