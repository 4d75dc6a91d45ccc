/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.h - one thread that keeps promises: jobs that are in the store, and those who ask of them.
 *
 * An io thread may not wait for a disk, so whatever needs the store is an errand: the handler fills
 * one, holds its request and sends it; the keeper's thread answers. It alone knows which jobs are
 * under way, so nothing here needs a lock but the way in.
 *
 * A promised job is submitted, then committed, and only then is anybody told. When it is made, its
 * end and its pictures are committed in one transaction. What the process leaves open, by a crash
 * or because it stops, the next start takes up again from the request that was stored.
 *
 *     e = errand_take(k);  fill;  e->ticket = http_hold(r, e, errand_gone, errand_over);
 *     errand_send(e);                                 or, without a ticket: errand_put(e)
 */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include "server/order.h"
#include "store/store.h"

struct generation;

enum errand_kind {
    ERRAND_CREATE,  /* a job, by `order`, `body`, `hash`, `key` */
    ERRAND_LOOK,    /* the job object */
    ERRAND_PICTURE, /* number `k` */
    ERRAND_WATCH,   /* events behind number `event` */
    ERRAND_CANCEL,
};

struct errand {
    enum errand_kind kind;
    struct keeper *keeper;
    struct http_ticket *ticket;
    int tenant;                /* who asks */
    char id[STORE_JOB_ID_MAX]; /* of the job, unless it is to be created */
    int k;
    int64_t event;                     /* the last one that the client has seen */
    int64_t sent_us;                   /* when it was sent something last */
    int64_t look_us;                   /* when its job is looked at again, while that is held */
    int previews;                      /* that it wants of each picture, */
    int previewed[REQUEST_IMAGES_MAX]; /* has been sent, */
    size_t preview_bytes;              /* and how big the last one was */

    struct order order;
    struct store_bytes body; /* a copy, since the client's own may go with the client */
    uint8_t hash[32];
    char key[STORE_JOB_KEY_MAX]; /* empty: none */
    bool async;                  /* a job object is wanted, not pictures */
    char request[HTTP_ID_MAX];
    int64_t arrived_us;

    /* Of a request whose words were blocked: that is written down, and then told, unless a person
       has let them go before. */
    bool blocked;
    struct verdict verdict;
    struct prompt_finding finding;

    _Atomic(struct generation *)
        generation;      /* of what is neither promised nor has a key; or NULL */
    atomic_bool gone;    /* nobody waits for the answer */
    struct errand *next; /* free, or on its way */
};

struct keeper_options {
    int errands_max; /* that may be on their way */
    int jobs_max;    /* that may be under way */
    struct store_keep keep;
};

/* The thread is started; jobs of before are taken up once there is an engine. */
MUST_USE enum status keeper_open(struct keeper **out, struct service *s, struct store *store,
                                 const struct keeper_options *options, struct why *why);

/* After http_drain: nothing is submitted any more, and jobs that nobody has begun and nobody waits
   for are left to the next start. Returns when that is so. */
void keeper_drain(struct keeper *k);
int keeper_busy(const struct keeper *k); /* jobs under way */

/* After the engine has handed back everything: answer who still waits, end the thread. */
void keeper_stop(struct keeper *k);
void keeper_close(struct keeper **k); /* after http_close */

/* A generation that nobody promised is made, and there is more to tell than that everything is
   fine: its records are read, what waits for a person gets a row, and g->settled is called on the
   keeper's thread. From any thread; never full. */
void keeper_settle(struct generation *g);

/* A clean errand, or NULL: all are out. Any thread. */
struct errand *errand_take(struct keeper *k);
void errand_send(struct errand *e);
void errand_put(struct errand *e);
struct service *errand_service(const struct errand *e);
/* For http_hold. */
void errand_gone(void *errand);
void errand_over(void *errand);

#endif /* SERVER_KEEPER_H */
