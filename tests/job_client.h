/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_client.h - asks a running server for jobs, and fails the test when it does not get them.
 */
#ifndef TESTS_JOB_CLIENT_H
#define TESTS_JOB_CLIENT_H

#include "tests/client.h"
#include "tests/program.h"

#define JOB_ASYNC "Prefer: respond-async\r\n"

/* A request without a body, on the public port, and the status it must have. */
void job_ask(const struct program *server, const char *method, const char *path, int status,
             struct reply *r);
/* What a member that is a string says. */
const char *job_text(const struct json *o, const char *name);

/* The reply is this failure, and says whether to try again; it is closed. */
void job_expect_error(struct reply *r, int status, const char *code, bool retry);

/* Ask for a job; its path comes back. */
void job_promise(const struct program *server, const char *headers, const char *body,
                 char path[64]);
/* Wait until the job is over; the object is the caller's. */
struct json *job_outcome(const struct program *server, const char *path);
void job_expect_completed(const struct program *server, const char *path);

void job_wait_for_metric(const struct program *server, const char *name, double value);

/* Keep the store in `folder` from being written, as a backup that takes too long would, until what
   comes back is closed. */
int job_lock_store(const char *folder);

#endif /* TESTS_JOB_CLIENT_H */
