/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker.h - stops automatic blocks where people keep overturning them.
 *
 * A classifier that is wrong with confidence can not be seen in its scores, only in what people say
 * of what it blocked. For each slice (policy_slice: category, tenant, context, generator) a window
 * of outcomes is kept. When at least min_n are there, and even the lower Wilson bound of the share
 * that was overturned exceeds max_overturn, the slice opens: its blocks become holds.
 *
 *     CLOSED --overturned too often--> OPEN --a named person, a newer policy--> HALF_OPEN
 *        ^                               ^                                       |     |
 *        |                               `---------- overturned too often -------'     |
 *        `------------------------------------------ min_n outcomes, and it held ------'
 *
 * Half open, a share of the blocks is blocked again. Which ones, is said by a hash of the
 * decision's id: the same each time that it is asked.
 *
 * Any thread may call anything; there is a lock inside. Rows are for the store: breaker_print and
 * breaker_parse, and breaker_restore at the start.
 */
#ifndef MODERATION_BREAKER_H
#define MODERATION_BREAKER_H

#include "base/status.h"
#include "moderation/policy.h"

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SLICES_MAX 4096
#define BREAKER_WINDOW_MAX 1024
#define BREAKER_TEXT_MAX   3072 /* of a row, with a NUL */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };

struct breaker_slice {
    char slice[POLICY_SLICE_MAX];
    enum breaker_state state;
    int64_t since_s;               /* in this state */
    int64_t last_s;                /* the newest outcome */
    int version;                   /* of the policy under which it last opened */
    char opened_by[POLICY_ID_MAX]; /* the decision whose outcome was one too many; or empty */
    char closed_by[POLICY_ID_MAX]; /* who let it block again; or empty */
    int overturned, outcomes;      /* in the window */
    int next;                      /* where the next outcome goes */
    uint8_t window[BREAKER_WINDOW_MAX / 8];
};

struct breaker;

MUST_USE enum status breaker_open(struct breaker **out, const struct policy_breaker *rules,
                                  struct why *why);
void breaker_close(struct breaker **b);

/* A newer policy's rules. Windows that are longer now lose their oldest outcomes. */
void breaker_set_rules(struct breaker *b, const struct policy_breaker *rules);

/* Is an automatic block of this slice to be a hold? */
bool breaker_is_open(struct breaker *b, const char *slice, const char *decision);

/* For policy_case.is_open: `ask` is a struct breaker_ask. */
struct breaker_ask {
    struct breaker *breaker;
    const char *decision;
};
bool breaker_ask(void *ask, const char *slice);

/* What a person said of something that was blocked, or would have been without the breaker. *row is
   as it is now, to be kept; true when its state is another one. ST_FULL: there are
   BREAKER_SLICES_MAX slices, none of them closed. */
MUST_USE enum status breaker_add(struct breaker *b, const char *slice, const char *decision,
                                 bool overturned, int version, int64_t now_s,
                                 struct breaker_slice *row, bool *changed);

/* A named person lets an open slice block again, half at first. ST_MISSING: no such slice;
   ST_INVALID: it is not open; ST_REFUSED: the policy is not newer than the one that opened it. */
MUST_USE enum status breaker_approve(struct breaker *b, const char *slice, const char *who,
                                     int version, int64_t now_s, struct breaker_slice *row,
                                     struct why *why);

MUST_USE enum status breaker_restore(struct breaker *b, const struct breaker_slice *row);

/* The slices from `from` on, `max` at most; how many were written. */
int breaker_list(struct breaker *b, int from, struct breaker_slice *out, int max);
int breaker_open_count(struct breaker *b); /* open or half open */

const char *breaker_state_name(enum breaker_state state);
void breaker_print(char out[BREAKER_TEXT_MAX], const struct breaker_slice *row);
MUST_USE enum status breaker_parse(struct breaker_slice *out, const char *text, struct why *why);

#endif /* MODERATION_BREAKER_H */
