/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_room.h - a judge and the pictures that a test brings before him. Setups for cmocka leave a
 * room in the state.
 */
#ifndef TESTS_JUDGE_ROOM_H
#define TESTS_JUDGE_ROOM_H

#include "tests/verdicts.h"

#define ROOM_SIDE 16 /* pixels of a picture's side */

struct room {
    struct verdicts v;
    struct job_pool *pool;
    struct job *jobs[JUDGE_BATCH_MAX];
    int count;
};

/* With a policy of these members (verdicts.h). */
int room_open(void **state, const char *members);
int room_open_classes(void **state);
int room_close(void **state);
int room_be_quiet(void **state); /* for a group: what is expected to fail is not logged */

/* One more picture, of pixels that follow from its first byte. */
struct job *room_add(struct room *r, uint8_t first);
void room_judge(struct room *r); /* all of them, as one batch */
void room_put(struct room *r);   /* and away with them */

struct store_decision room_row(struct room *r, const struct job *job);
int room_rows(struct room *r); /* decisions in the store */
struct judge_stats room_stats(struct room *r);

#endif /* TESTS_JUDGE_ROOM_H */
