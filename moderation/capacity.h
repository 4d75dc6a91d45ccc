/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capacity.h - how long what waits for people will wait, and how many people that takes.
 *
 * Items come at random and each takes a reviewer some time that varies as much as its mean (M/M/c).
 * By Little's law what waits is arrivals times waiting time, whatever the order. It is a forecast
 * in the mean: a day has its peaks, and appeals come on top of what a policy holds.
 */
#ifndef MODERATION_CAPACITY_H
#define MODERATION_CAPACITY_H

#include "moderation/policy.h"

struct capacity_forecast {
    double arrivals_h;  /* items */
    double utilisation; /* arrivals of what the reviewers can do; 1 and more: it only grows */
    double wait_h;      /* until somebody takes an item, in the mean; INFINITY: it only grows */
    double waiting;     /* items, in the mean */
    int needed;         /* reviewers: within max_utilisation, and within the wait that was asked */
};

/* wait_h_max: what an item may wait in the mean, such as policy_appeals.first_review_h. */
void capacity_forecast(struct capacity_forecast *out, const struct policy_capacity *c,
                       double arrivals_h, double wait_h_max);

#endif /* MODERATION_CAPACITY_H */
