/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - what this process takes of its machine, as the system counts it.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

/* Below 0: the system does not tell. */
struct process_use {
    double cpu_s; /* of all threads, since the start */
    double resident_bytes, virtual_bytes;
    double open_fds, max_fds;
};

/* Reads /proc: takes microseconds, and no disk. */
void process_look(struct process_use *out);

/* Bytes of memory that could be had now, as the machine and the group of processes say it; below 0:
   neither tells. */
double process_memory_left(void);

#endif /* SERVER_PROCESS_H */
