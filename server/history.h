/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - the last quarter of an hour of a server, for the page that draws it.
 *
 * Somebody reads all counters every few seconds and notes them here; a point says what happened
 * since the one before, and the percentiles of a minute: a few seconds have too few pictures to
 * have any. Memory is fixed. One thread notes, any thread writes.
 */
#ifndef SERVER_HISTORY_H
#define SERVER_HISTORY_H

#include "base/json.h"
#include "engine/stages.h"
#include "moderation/policy.h"

#define HISTORY_POINTS 180
#define HISTORY_STEP_S 5
#define HISTORY_WINDOW 12 /* points that a percentile looks back over */

/* What has percentiles: whole pictures, each stage of them, and the sending of answers. */
#define HISTORY_PICTURE 0
#define HISTORY_STAGE   1 /* the first of STAGE_COUNT */
#define HISTORY_SEND    (HISTORY_STAGE + STAGE_COUNT)
#define HISTORY_SERIES  (HISTORY_SEND + 1)

/* All counters, since the start. */
struct history_counts {
    uint64_t ended[OUTCOME_COUNT]; /* pictures */
    uint64_t refused;              /* requests */
    uint64_t steps, rows;          /* of the network; pictures in them */
    uint64_t steps_us;             /* that they took */
    uint64_t judged[BAND_COUNT];   /* pictures, by what was done with them */
};

/* What is seen at one moment. */
struct history_view {
    int64_t now_us, unix_s;
    int waiting, seated;
    int64_t oldest_us;
    int lanes;
    struct history_counts counts;
    struct histogram series[HISTORY_SERIES]; /* of pictures that were made; microseconds */
};

struct history;

MUST_USE enum status history_open(struct history **out);
void history_close(struct history **h);

/* Is it time to look again? The first look is a beginning and makes no point. */
bool history_is_due(const struct history *h, int64_t now_us);
/* An empty view to be filled, the history's own; then note it. */
struct history_view *history_look(struct history *h);
void history_note(struct history *h);

const char *history_series_name(int series);

/* Members of an object: "points", those with a number above `since`, the oldest first, and what
   their arrays are in the order of. */
void history_write(struct history *h, int64_t since, struct json_out *o);

#endif /* SERVER_HISTORY_H */
