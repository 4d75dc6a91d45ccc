/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/capacity.h"

#include <assert.h>
#include <limits.h>
#include <math.h>

#define REVIEWERS_MAX 1000000

/* Erlang's C formula over its B formula, whose recursion can not overflow. `load` is arrivals by
   one reviewer's rate. */
static double wait_of(double load, int reviewers, double rate_h)
{
    double blocked = 1, busy = load / reviewers;

    if (load <= 0)
        return 0;
    if (busy >= 1)
        return INFINITY;
    for (int i = 1; i <= reviewers; i++)
        blocked = load * blocked / (i + load * blocked);
    return blocked / (1 - busy + busy * blocked) / (reviewers * rate_h * (1 - busy));
}

void capacity_forecast(struct capacity_forecast *out, const struct policy_capacity *c,
                       double arrivals_h, double wait_h_max)
{
    double rate_h = c->items_per_reviewer_hour, load = arrivals_h / rate_h;
    double least = fmax(1, ceil(load / c->max_utilisation));

    assert(c->reviewers > 0 && rate_h > 0 && arrivals_h >= 0);
    out->arrivals_h = arrivals_h;
    out->utilisation = load / c->reviewers;
    out->wait_h = wait_of(load, c->reviewers, rate_h);
    out->waiting = arrivals_h > 0 ? arrivals_h * out->wait_h : 0;
    out->needed = least < REVIEWERS_MAX ? (int)least : REVIEWERS_MAX;
    for (int step = 0; step < 1000 && wait_of(load, out->needed, rate_h) > wait_h_max; step++)
        out->needed++;
}
