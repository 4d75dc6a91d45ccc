/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - everything that is counted for the page of a lead, for the metrics and the dashboard.
 * Private to the desk, on its thread.
 */
#ifndef SERVER_DESK_REPORT_H
#define SERVER_DESK_REPORT_H

#include "server/desk/numbers.h"
#include "server/desk/room.h"

#define REPORT_PEOPLE    64 /* that a lead is told of */
#define REPORT_HOUR_S    3600
#define REPORT_CONFIDENT 0.95 /* p of a block that leaves hardly a doubt */

/* Everything that the page of a lead is made of. */
struct report {
    int64_t now_s, window_s;
    struct store_counts counts;
    const struct store_item *decided; /* of the last 30 days, the newest first */
    int decided_count;
    double *number; /* room for as many */
    struct doubles doubles;
    struct desk_share appeals, audit_blocks, audit_allows, confident, in_time;
    struct desk_share golden[REPORT_PEOPLE];
    char prefix[REPORT_PEOPLE][STORE_PREFIX_MAX];
    int people, at_work; /* who decided something; in the last hour */
    struct forecast forecast;
    int capacity; /* people that the policy counts on */
    double max_utilisation;
    double arrivals_h, done_h, service_h;
    double spent[2], review[2]; /* p50 and p95 on one item, and until the first word */
    int64_t age_s[ITEMS_MAX];   /* of what waits */
    int age_count;
    int64_t per_outcome[STORE_ITEM_KINDS][STORE_OUTCOMES];
};

struct report *report_open(void); /* NULL without memory */
void report_close(struct report *r);

/* The newest ITEMS_MAX decided items of a month, and how much waits. r->decided lies in d->items.
 */
MUST_USE enum status report_gather(struct desk *d, struct report *r, struct why *why);
/* r->confident. */
void report_add_confident(struct desk *d, struct report *r);
/* r->forecast and r->age_s, of what waits. r->decided is gone afterwards: it is the same room. */
MUST_USE enum status report_look_ahead(struct desk *d, struct report *r, struct why *why);

#endif /* SERVER_DESK_REPORT_H */
