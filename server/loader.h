/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h - the models that are served: loaded at the start, and changed without a restart.
 *
 * A thread of its own opens an engine, with everything that is prepared before pictures come, while
 * the engine before it goes on; then the fresh one takes its place (engines.h). When it cannot be
 * opened, the models stay as they were, and the log and the metrics say so. Two engines have memory
 * for two: what surely does not fit is not begun, and what a device has not is refused by it; never
 * does the fresh one make do with less than it would have had alone.
 *
 * All functions are for the main thread.
 */
#ifndef SERVER_LOADER_H
#define SERVER_LOADER_H

#include "server/config.h"
#include "server/service.h"

#include <limits.h>
#include <pthread.h>

#define LOADER_NAMES_MAX METRICS_MODELS_MAX /* models by name, from the start on */

/* Folders, as they were when they were looked at. */
struct loader_models {
    int count;
    char folder[ENGINE_MODELS_MAX][PATH_MAX];
    uint64_t mark[ENGINE_MODELS_MAX];
    int64_t bytes; /* of all */
};

struct loader {
    struct service *service;
    const struct config *config;    /* what only a restart changes */
    struct loader_models now, next; /* that are served; that are loaded */
    struct devices devices;         /* as they were found at the start */
    struct stages *stages;          /* of all engines */
    pthread_t thread;
    bool started;        /* the thread was, and was not waited for */
    atomic_bool ended;   /* it has done its work */
    bool wanted;         /* a change came that has to wait */
    enum status outcome; /* of the thread */
    struct why why;
    char plans[PATH_MAX]; /* where a GPU remembers what it was prepared for */
    char costs[PATH_MAX]; /* and where it is kept what steps cost */
};

enum loader_news {
    LOADER_NOTHING,
    LOADER_SERVES, /* the first models are there, or others */
    LOADER_FAILED, /* nothing was served before, and nothing can be */
    LOADER_AGAIN   /* a change that came meanwhile can be made: read the configuration again */
};

/* Begin to load what the configuration names. */
MUST_USE enum status loader_start(struct loader *l, struct service *service,
                                  const struct config *config, struct why *why);

/* Serve what this configuration names, if it is other than what is served. */
void loader_change(struct loader *l, const struct config *fresh);

/* What has happened since the last look; closes an engine that nobody holds any more. */
enum loader_news loader_look(struct loader *l);

/* Is a thread loading, so that nothing it uses may be closed? */
bool loader_is_busy(const struct loader *l);

/* After engines_stop, when it is not busy. */
void loader_close(struct loader *l);

#endif /* SERVER_LOADER_H */
