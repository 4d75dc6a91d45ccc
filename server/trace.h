/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - which trace a request belongs to: W3C Trace Context, the header traceparent.
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *      |               trace id               parent's span  flags
 *
 * A request that brings a sound one goes on in it; any other begins a trace of its own. Either way
 * its stay here gets a span id, and the answer and the log name both.
 */
#ifndef SERVER_TRACE_H
#define SERVER_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_TEXT_MAX 56 /* of a header's value, with a NUL */

struct trace {
    char id[33];     /* empty: there is none */
    char span[17];   /* of this request */
    char parent[17]; /* the caller's; empty: the trace began here */
    uint8_t flags;   /* sampled, random; what else was set is not passed on */
};

/* A header's value to id, parent and flags. False, and nothing is changed, when it is not sound. */
bool trace_read(struct trace *out, const char *text, size_t bytes);

/* What a request with this header (NULL: none) has. Empty when the system has no random numbers. */
void trace_take(struct trace *out, const char *header, size_t bytes);

/* For the answer; of a trace that is not empty. */
void trace_write(char text[TRACE_TEXT_MAX], const struct trace *t);

#endif /* SERVER_TRACE_H */
