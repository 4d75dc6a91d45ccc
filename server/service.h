/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - what the handlers of all routes share.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "base/clock.h"
#include "engine/judge.h"
#include "engine/tenant.h"
#include "server/engines.h"
#include "server/http.h"
#include "server/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

struct auth;
struct desk;
struct detector;
struct generations;
struct grants;
struct history;
struct hook;
struct keeper;
struct logbook;
struct matters;
struct webhook;

struct service {
    struct engines *engines; /* none serves while the models are loaded, and after they are gone */
    struct http *http;
    struct generations *generations;
    struct keeper *keeper;
    struct desk *desk;
    struct matters *matters; /* requests on their way to the desk */
    struct webhook *webhook;
    struct detector *detector; /* of strangers' pictures; NULL: nothing is marked */
    struct logbook *logbook;   /* of what was made; NULL: nothing is logged */
    struct auth *auth;
    struct tenants *tenants;
    struct judge *judge;    /* of prompts and pictures; NULL in tests of what comes before it */
    struct marker *marker;  /* of all that leaves; NULL: the operator has said so */
    struct hook *hook;      /* a team's own opinion of prompts; NULL: there is none */
    struct grants *grants;  /* of contexts */
    const char *public_url; /* before the paths of links; "": they are paths alone */
    uint8_t secret[32];     /* signs links */
    bool metrics_open;      /* the metrics need no key */
    struct metrics metrics;
    struct history *history;
    struct clock clock;
    int64_t started_s;                 /* wall time of the start, */
    atomic_llong loaded_s;             /* and when the models were there */
    atomic_ullong swaps, swaps_failed; /* changes of models since then */
    atomic_bool swapping;              /* one is under way */
    atomic_int images_max, steps_max;  /* of one request; the main thread may change them, */
    atomic_int prompt_max;             /* and the characters of each of its texts */
    int size_max;                      /* pixels per side; 0: the models' own limits */
    int seats;                         /* pictures that are made at once */
    atomic_bool draining;
    pthread_mutex_t gpus_lock; /* held for as long as a copy takes */
    struct health_gpu gpus[HEALTH_GPUS_MAX];
    int gpu_count;
};

/* The engine for a handler on an io thread, until engines_put: NULL while there is none to be
   asked. Once `draining` is set and http_drain has returned, no handler holds it any more, and it
   may be closed. */
static inline struct engine *service_take_engine(struct service *s)
{
    return atomic_load(&s->draining) ? NULL : engines_take(s->engines);
}

/* Is there one? */
static inline bool service_is_open(struct service *s)
{
    return !atomic_load(&s->draining) && engines_any(s->engines);
}

/* Why no pictures are taken, for people; NULL: they are. */
static inline const char *service_unready(struct service *s)
{
    if (atomic_load(&s->draining))
        return "the server is stopping";
    if (!engines_any(s->engines))
        return "the models are being loaded";
    if (s->judge && !judge_is_sound(s->judge))
        return "pictures cannot be judged";
    return engines_are_healthy(s->engines) ? NULL : "the device failed";
}

static inline struct tenant_time service_time(const struct service *s)
{
    return (struct tenant_time){clock_now_us(&s->clock), clock_unix_s()};
}

#endif /* SERVER_SERVICE_H */
