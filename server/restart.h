/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart.h - a fresh process in the place of this one.
 *
 * A GPU that failed stays failed for the process that used it: memory, streams and graphs are gone,
 * and every call says so. So the server answers who waits, and then starts itself again, with the
 * same process id, arguments and environment. A GPU that fails again and again is not helped by
 * this: after RESTARTS_MAX times in RESTARTS_SECONDS it is left to the supervisor.
 */
#ifndef SERVER_RESTART_H
#define SERVER_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTARTS_MAX     5
#define RESTARTS_SECONDS 600

/* Count one more start; the count travels in the environment (LIMNER_RESTARTED). False: enough. */
bool restart_may(int64_t now_s);

/* Returns only when it does not work. */
void restart_run(char **argv);

#endif /* SERVER_RESTART_H */
