/* SPDX-License-Identifier: Apache-2.0 */
#include "server/desk/numbers.h"

#include <math.h>
#include <stdlib.h>

#define HOUR_S 3600.0

bool numbers_lets_go(enum store_outcome outcome)
{
    return outcome == STORE_OVERTURNED || outcome == STORE_PARTLY;
}

double numbers_kappa(const struct doubles *d)
{
    double n = d->both + d->neither + d->first_only + d->second_only;
    double seen, first, second, chance;

    if (n == 0)
        return NAN;
    seen = (d->both + d->neither) / n;
    first = (d->both + d->first_only) / n;
    second = (d->both + d->second_only) / n;
    chance = first * second + (1 - first) * (1 - second);
    return chance < 1 ? (seen - chance) / (1 - chance) : NAN;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double numbers_quantile(double *values, int count, double q)
{
    int at = (int)(q * count);

    if (!count)
        return NAN;
    qsort(values, (size_t)count, sizeof(values[0]), by_size);
    return values[at < count ? at : count - 1];
}

/* At the rate of lately, or, when nothing was done lately, at that of people who come now. */
static double rate_of(double done, double service, int people)
{
    double able = isnan(service) ? 0 : service * people;

    return done > 0 ? done : able;
}

void numbers_forecast(struct forecast *out, double arrivals, double done, double service,
                      int people, const int64_t *due_s, int count, int64_t now_s)
{
    double rate = rate_of(done, service, people);

    *out = (struct forecast){.utilisation = NAN, .wait_s = NAN};
    if (!isnan(service) && service > 0 && people > 0)
        out->utilisation = arrivals / (service * people);
    if (!count)
        out->wait_s = 0;
    else if (rate > 0)
        out->wait_s = count / rate * HOUR_S;
    for (int i = 0; i < count; i++) {
        double ready_s = rate > 0 ? (double)now_s + (i + 1) / rate * HOUR_S : INFINITY;

        if ((double)due_s[i] >= ready_s)
            continue;
        out->missed++;
        if (!out->first_missed_s || due_s[i] < out->first_missed_s)
            out->first_missed_s = due_s[i];
    }
}
