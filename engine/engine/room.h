/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h - what the engine's threads share.
 *
 *     engine.c  opens and closes it, and lets jobs in, from any thread
 *     turn.c    the engine threads: one owns each device and takes turns on it
 *     hand.c    the judge's thread, the finish threads, and how a job goes back to whoever asked
 */
#ifndef ENGINE_ENGINE_ROOM_H
#define ENGINE_ENGINE_ROOM_H

#include "base/ring.h"
#include "engine/engine.h"
#include "engine/finish.h"
#include "engine/lane.h"
#include "engine/options.h"
#include "engine/preview.h"
#include "models/digest.h"

#include <pthread.h>

/* One device, and the thread that takes turns on it. */
struct worker {
    struct engine *engine;
    int index;
    struct lane lane; /* the thread's */
    pthread_t thread;
};

struct engine {
    struct engine_options options;
    struct clock clock;
    struct finish finish;                       /* what a picture meets on its last stretch */
    char digest[ENGINE_MODELS_MAX][DIGEST_HEX]; /* of each model's weights; empty: nobody asks */
    struct worker worker[DEVICES_MAX];
    int lanes;              /* open */
    int turning;            /* their threads that were started */
    pthread_mutex_t lock;   /* of the schedule, and of `shut`; held for no longer than it thinks */
    pthread_cond_t changed; /* somebody came, or nobody will */
    struct schedule *schedule;
    struct ring *outbox; /* from the engine threads to the judge's, or else to the finish threads */
    struct ring *allowed; /* from the judge's to the finish threads; NULL: there is no judge */
    pthread_t judging;    /* the judge's thread */
    bool judging_started;
    struct previews *previews;
    pthread_t finisher[OPTIONS_FINISH_MAX];
    int finishers;         /* started */
    bool shut;             /* under the lock: nothing new is taken */
    atomic_bool stopping;  /* the engine threads end when nobody sits or waits */
    atomic_bool giving_up; /* they end now, and who sits stands up */
    atomic_int ended;      /* of them have */
    atomic_bool broken;    /* a device is: all of them stop, and the program starts afresh */
    atomic_int owned;      /* taken and not handed back: at most what the outbox holds */
    atomic_int seated, finishing;
    atomic_ullong done, failed, cancelled, late, withheld, steps;
    atomic_llong busy_us; /* devices, with texts, steps and pictures */
    atomic_ullong refused[ENGINE_REFUSALS];
    struct stages *stages;            /* how long everything took */
    int slot[ENGINE_MODELS_MAX];      /* the models' numbers in there, */
    int judged_as[ENGINE_MODELS_MAX]; /* and at the judge; below 0: he has not heard of it */
};

/* An engine thread; its argument is a struct worker. */
void *turn_main(void *worker);
/* Nothing new is taken from now on. */
void turn_refuse_new(struct engine *e);
/* How many wait, and since when the first of them; INT64_MAX when nobody does. */
int turn_waiting(struct engine *e, int64_t *since_us);

/* The judge's thread; its argument is the engine. It ends with the outbox, and ends the ring of
   what was allowed. */
void *hand_judge_main(void *engine);
/* A finish thread; its argument is the engine. */
void *hand_main(void *engine);
/* The job goes back to whoever asked, for good or bad, once nobody here has it any more. */
void hand_back(struct engine *e, struct job *job);
/* The same, with what failed. */
void hand_fail(struct engine *e, struct job *job, enum status st, const char *text);

#endif /* ENGINE_ENGINE_ROOM_H */
