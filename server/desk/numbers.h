/* SPDX-License-Identifier: Apache-2.0 */
/*
 * numbers.h - what is counted of reviews, and how: shares, middles, agreement, a forecast. Private
 * to the desk; pure, and tested by itself.
 */
#ifndef SERVER_DESK_ROOM_NUMBERS_H
#define SERVER_DESK_ROOM_NUMBERS_H

#include "store/store.h"

#include <stdbool.h>

/* Two people's words about the same thing, each "let it go" or not. */
struct doubles {
    int both, neither, first_only, second_only;
};

/* Cohen's kappa: how much more they agree than by chance. NAN: nothing to tell. */
double numbers_kappa(const struct doubles *d);

/* The value below which a share `q` of `values` lies; sorts them. NAN: there are none. */
double numbers_quantile(double *values, int count, double q);

/* What a queue is like when `arrivals` per hour come in, `done` per hour were done lately, and each
   of `people` could do `service` per hour. */
struct forecast {
    double utilisation, wait_s; /* NAN: not known */
    int64_t first_missed_s;     /* when the first deadline is missed; 0: none is */
    int missed;                 /* how many of those that wait */
};

/* `due_s` in the order in which they will be taken. */
void numbers_forecast(struct forecast *out, double arrivals, double done, double service,
                      int people, const int64_t *due_s, int count, int64_t now_s);

bool numbers_lets_go(enum store_outcome outcome);

#endif /* SERVER_DESK_ROOM_NUMBERS_H */
