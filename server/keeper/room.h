/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h - what the keeper's thread works with. Private to keeper.c and here.
 *
 * But for what stands under the lock, everything belongs to that thread.
 */
#ifndef SERVER_KEEPER_ROOM_H
#define SERVER_KEEPER_ROOM_H

#include "server/generation.h"
#include "server/keeper.h"
#include "server/result.h"

#include <pthread.h>

#define FALLS_MAX 10 /* servers that may fall under a job before it is given up */

#define EVENTS_MAX     64 /* of a job that are kept for readers who come back */
#define EVENT_TEXT_MAX 160

#define PREVIEWS_MAX 16 /* on their way to listeners; one more is left out */

struct event {
    int64_t number;
    char text[EVENT_TEXT_MAX]; /* its fields as they are sent */
};

/* A picture of the way to a picture, as it is told to those who asked, and to nobody later. */
struct preview {
    struct live *live;
    int image; /* which of the job's pictures it is of */
    struct json_out data;
};

/* A job that is under way. */
struct live {
    struct store_job job; /* its row */
    struct generation *generation;
    bool dropped;          /* its end is of no interest: cancelled, or never stored */
    bool done;             /* its pictures wait for a store that can take them */
    struct errand *waiter; /* who wants the pictures themselves; or NULL */
    int position, steps;   /* as the last event said them */
    int previews, wanted;  /* of each picture, as the engine knows it and as listeners want it */
    int64_t events;        /* that have been, the newest EVENTS_MAX of them in the ring */
    struct event event[EVENTS_MAX];
    struct live *next; /* under way, or free */
};

struct keeper {
    struct service *service;
    struct store *store;
    struct store_keep keep;
    pthread_t thread;
    bool running; /* the thread was started */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    struct errand *free, *first, **last;
    struct generation *finished;  /* promised, */
    struct generation *unsettled; /* and not */
    struct preview preview[PREVIEWS_MAX];
    int preview_count;
    bool drain, drained, stop;

    struct errand *errands; /* memory */
    struct live *lives;
    struct live *live, *live_free;
    atomic_int live_count;
    struct errand *watchers; /* who listen, to any job */
    bool resuming;           /* there may be jobs of before */
    int64_t resumed;         /* up to this row they were taken up */
    int64_t resume_us;       /* not before then */
    int64_t sweep_us;        /* when the store is to be swept again */
    bool store_failed;       /* as it was said already */
    bool draining;           /* the thread's own copy */
};

/* keeper.c */
struct live *live_take(struct keeper *k);        /* clean and under way; NULL: there is no room */
void live_put(struct keeper *k, struct live *l); /* with its generation, if it has one */
struct live *live_find(struct keeper *k, const char *id);
void keeper_finished(struct generation *g); /* for generation->finished */
int64_t keeper_unix_ms(void);
/* Tell the log once that the store fails, and once that it does no more. */
void keeper_note(struct keeper *k, enum status st, const struct why *why);
void keeper_sweep(struct keeper *k);
void errand_forget(struct errand *e); /* its order and body; they are in the store now */
void errand_answer(struct errand *e, struct answer *a);
void errand_refuse(struct errand *e, enum status st, struct failure failure, const char *message);
void errand_refuse_http(struct errand *e, int status, struct failure failure, const char *message);
void errand_refuse_store(struct errand *e, enum status st); /* it failed */

/* create.c: a job comes, fresh or from the store. */
void create_run(struct keeper *k, struct errand *e);
void create_resume(struct keeper *k);                             /* as many as there is room for */
void create_again(struct keeper *k, const struct store_job *job); /* in a while */
/* The row of what an errand asks for. */
MUST_USE enum status create_row(struct keeper *k, struct store_job *job, const struct errand *e);

/* settle.c: what was decided about pictures, for those who are told. */
void settle_run(struct keeper *k, struct generation *g);
/* What a generation's records say, where that is more than "allowed"; settle_close afterwards, in
   any case. Other than ST_OK: the store failed. */
MUST_USE enum status settle_read(struct keeper *k, const struct generation *g,
                                 struct outcomes *out);
/* The same of a job that is over or held, by the decisions that its pictures name; *moderated: one
   of them says more. */
MUST_USE enum status settle_read_job(struct keeper *k, const struct store_job *job,
                                     struct outcomes *out, bool *moderated);
void settle_close(struct keeper *k, struct outcomes *o);
/* What was kept back of it, for the metrics. */
void settle_count(struct keeper *k, const struct generation *g, bool told);
/* The words of a request were blocked: written down, and told. True: they may pass after all, and
   the errand is still to be done. */
bool settle_blocked(struct keeper *k, struct errand *e);
/* A promised job whose words want a person to look at what is made, from one start to the next:
   which category that is for, or "". */
MUST_USE enum status settle_keep_held(struct keeper *k, const char *id, const char *held_for);
void settle_forget_held(struct keeper *k, const char *id); /* the job is over */
MUST_USE enum status settle_held_for(struct keeper *k, const char *id,
                                     char held_for[STORE_NAME_MAX]);

/* end.c: a job ends. */
/* The rows of a generation's pictures; what was kept back has no bytes. */
void end_pictures(const struct generation *g, struct store_picture *pictures);
void end_generation(struct keeper *k, struct live *l);
/* The row of a job that failed; the message is fit for strangers. */
void end_fail(struct store_job *job, enum status st, const char *code, const char *message);
MUST_USE enum status end_store(struct keeper *k, struct store_job *job,
                               const struct store_picture *pictures, int count);
void end_cancel(struct keeper *k, struct errand *e);
void end_hand_over(struct keeper *k); /* what nobody has begun, to the next start */

/* look.c: what is to be seen of a job. */
void look_run(struct keeper *k, struct errand *e);
void look_picture(struct keeper *k, struct errand *e);
/* The job, if it is the asker's; else the errand is answered with 404, or with the store's
   trouble. */
bool look_find(struct keeper *k, struct errand *e, struct store_job *out);
/* Its time is over, though it was not swept yet. */
bool look_is_expired(const struct keeper *k, const struct store_job *job);
/* As a member of an object, or by itself without a name. */
void look_write(struct keeper *k, struct json_out *o, const char *name,
                const struct store_job *job);
/* Begin an answer with the job object. */
void look_answer(struct keeper *k, struct answer *a, int status, const struct store_job *job);
/* 202 for who asked for pictures, all of which wait for a person. */
void look_promise(struct keeper *k, struct errand *e, const struct store_job *job);
/* The answer to who asked for pictures of a job that is over or held. */
void look_replay(struct keeper *k, struct errand *e, const struct store_job *job);
/* Steps of all pictures that are done; *begun: is one of them seated, or further? */
int look_steps(const struct generation *g, bool *begun);

/* watch.c: what happens to a job, as events. */
void watch_run(struct keeper *k, struct errand *e);
void watch_tick(struct keeper *k);
/* For job->previewed. */
void watch_previewed(struct job *job, int index, const struct bytes *body);
void watch_show(struct keeper *k, struct preview *p); /* to those who asked; its data is freed */
/* A job is over, or this server lets go of it: its listeners are told, and sent away. */
void watch_end(struct keeper *k, const struct store_job *job);
void watch_stop(struct keeper *k); /* all of them */
/* The number of a job's last event, if it ends now; and of one that is not under way. */
int64_t watch_last(const struct live *l);
int64_t watch_last_of(const struct store_job *job);

#endif /* SERVER_KEEPER_ROOM_H */
