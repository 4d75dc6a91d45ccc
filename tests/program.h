/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - the built limner as a child process: what it says, how it ends, where it listens.
 *
 * The program is the one that lies beside the test. What it writes goes to a file, so that it never
 * waits for us to read.
 */
#ifndef TESTS_PROGRAM_H
#define TESTS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROGRAM_ARGS_MAX 32

struct program {
    pid_t pid;
    int port, metrics_port; /* of a server */
    char output[128];       /* the file that holds stdout and stderr */
    char state[128];        /* of a server: its folder; empty when it was named in the arguments */
};

/* Start `limner ARGS...`; the list ends with NULL. */
void program_start(struct program *p, const char *const *args);

/* Start `limner serve` on free ports and, unless ARGS name one, a state folder of its own, then
   ARGS, and wait until it is ready. */
void program_serve(struct program *p, const char *const *args);

void program_signal(const struct program *p, int signal);

/* Wait for the end, at most `wait_ms`, then kill. The exit code, or -1 when it did not exit. */
int program_wait(struct program *p, int wait_ms);

/* Tell it to stop, wait for its end, and forget it. The exit code. */
int program_stop(struct program *p);

/* What it has written so far, with a NUL. */
void program_read(const struct program *p, char *text, size_t bytes);

/* A folder with all that is in it, such as a server's state. */
void program_remove(const char *folder);
void program_forget(struct program *p); /* removes the file and the folder */

void program_sleep_ms(int ms);

#endif /* TESTS_PROGRAM_H */
