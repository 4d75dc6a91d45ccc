/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation.h - the pictures of one request on their way.
 *
 * A generation is what n jobs have in common: who asked, what was granted, and who is called when
 * the last of them is done. Generations and their jobs come from pools of fixed size.
 */
#ifndef SERVER_GENERATION_H
#define SERVER_GENERATION_H

#include "server/order.h"

struct generations;
struct outcomes; /* of keeper.h */

struct generation {
    struct service *service;
    struct engine *engine;                  /* that makes them; held until this is given back */
    void *owner;                            /* whose it is */
    void (*finished)(struct generation *g); /* the last job is done; on its thread */
    void (*made)(struct generation *g, struct job *job); /* or NULL: this one is; before that */
    /* Its records were read, on the keeper's thread; NULL: they could not be, and `st` says so. The
       row of what waits for a person, if anything does, is written. */
    void (*settled)(struct generation *g, const struct outcomes *outcomes, enum status st);
    struct http_ticket *ticket;
    struct job *job[REQUEST_IMAGES_MAX];
    int count;
    atomic_int left; /* jobs that are not done */
    bool granted;    /* by the tenant's limits */
    struct tenant_grant grant;
    bool refused; /* after the grant: it is given back */
    bool raw;
    int64_t arrived_us;
    int64_t made_s; /* wall time that the answer says; 0: when it is written */
    char id[HTTP_ID_MAX];
    char model[MODEL_NAME_MAX];
    int prompt_tokens;       /* that the model reads */
    struct generation *next; /* free, or in a list of whoever owns it */
};

/* Room for `jobs_max` pictures on their way, and as many requests. */
MUST_USE enum status generations_open(struct generations **out, int jobs_max);
void generations_close(struct generations **all); /* when all are back */

/* A clean one with `count` clean jobs; NULL: all are out. From any thread, as the next. */
struct generation *generation_take(struct generations *all, int count);
/* Ends its grant and gives it back. */
void generation_put(struct generation *g);

/* What the order says into the jobs; id, grant and arrival are set. */
void generation_fill(struct generation *g, struct service *s, const struct order *order);

/* The engine takes the jobs; or it does not, and *refusal is begun with the reason. */
MUST_USE enum status generation_submit(struct generation *g, struct answer *refusal);
/* Begin the answer to one more than there is room for. */
void generation_write_full(struct answer *a, const struct service *s);

/* Which of its pictures this job is, from 0 on. */
int generation_index(const struct generation *g, const struct job *job);

/* Nobody waits for it any more. */
void generation_cancel(struct generation *g);

/* The failure to tell, or NULL: siblings of a failed picture are cancelled, which is not the
   reason; and a picture that was judged, and kept back, did not fail. */
const struct job *generation_failed(const struct generation *g);
/* Was this one made and kept back, with a record of why? */
bool generation_is_withheld(const struct job *job);
/* Is there more to be told than that everything is fine: kept back, or shown behind a click? */
bool generation_is_moderated(const struct generation *g);

/* One line in the log about how it went. */
void generation_log(const struct generation *g);

#endif /* SERVER_GENERATION_H */
