/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulation.h - `limner bench --simulate`: policies and sizes judged on a virtual day.
 */
#ifndef SERVER_BENCH_SIMULATION_H
#define SERVER_BENCH_SIMULATION_H

/* `args` are what follows "--simulate". Returns the process's exit code. */
int simulation_run(int count, char **args);

#endif /* SERVER_BENCH_SIMULATION_H */
