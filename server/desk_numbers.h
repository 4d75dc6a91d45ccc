/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk_numbers.h - what is counted of reviews, for those who do not wait: the metrics page and the
 * dashboard. As it was at the desk's last look, some seconds ago.
 */
#ifndef SERVER_DESK_NUMBERS_H
#define SERVER_DESK_NUMBERS_H

#include "base/json.h"
#include "store/store.h"

#include <stdio.h>

struct desk;

/* A share that was counted. */
struct desk_share {
    int hits, count;
};

/* NAN: not known. */
struct desk_numbers {
    int64_t now_s; /* of the look; 0: there was none yet */
    struct store_counts counts;
    int64_t open_breakers, people_at_work;
    int64_t alarms, full_views, refused_views, sweeps; /* since the start */
    int64_t decided[STORE_ITEM_KINDS][STORE_OUTCOMES]; /* of the last 30 days */
    /* Of these: appeals that were overturned, blocks that were wrong, allowed ones that should have
       been blocked, first words that came in time. */
    struct desk_share appeals, audit_blocks, audit_allows, in_time;
    double arrivals_h, completions_h, utilisation, wait_s;
    double first_review_p50_s, first_review_p95_s, spent_p50_s, spent_p95_s, kappa;
};

void desk_look(struct desk *d, struct desk_numbers *out); /* any thread */

/* Lines of Prometheus' text format. */
void desk_numbers_expose(FILE *page, const struct desk_numbers *n);
/* A member of the dashboard's data. */
void desk_numbers_write(struct json_out *o, const char *name, const struct desk_numbers *n);

#endif /* SERVER_DESK_NUMBERS_H */
