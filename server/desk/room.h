/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h - what the desk's thread works with. Private to desk.c and here.
 *
 * But for what stands under the lock, everything belongs to that thread.
 */
#ifndef SERVER_DESK_ROOM_H
#define SERVER_DESK_ROOM_H

#include "server/desk.h"

#include <pthread.h>

/* Of desk_run. */
struct call {
    void (*run)(void *owner);
    void *owner;
};

struct desk {
    struct service *service;
    struct store *store;
    pthread_t thread;
    bool running; /* the thread was started */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    struct call *calls;     /* a ring */
    int calls_max, call_first, call_count;
    bool stop;
};

#endif /* SERVER_DESK_ROOM_H */
