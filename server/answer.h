/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.h - what goes back to a stranger: a status, a few headers, one body.
 *
 * Every failure is a JSON object in OpenAI's shape, {"error":{"message","type","param","code"}},
 * with headers that tell a client whether trying again can help. The one table that turns an
 * `enum status` into an HTTP status stands in answer.c.
 */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "base/json.h"
#include "codec/encode.h"
#include "server/timing.h"

#define ANSWER_HEADERS_MAX 24

struct answer {
    int status;             /* of HTTP */
    const char *media_type; /* a constant */
    const char *text;       /* one of three bodies: a constant, */
    struct json_out json;   /* JSON that the answer owns, */
    struct bytes raw;       /* or bytes that it owns */
    bool close;             /* end the connection after it */
    struct timing timing;   /* of the pictures; its headers are timing_write's */
    struct {
        const char *name; /* a constant, lower-case */
        size_t value_at;  /* in header_text, ends with a NUL */
    } header[ANSWER_HEADERS_MAX];
    int header_count;
    char header_text[2048];
    size_t header_bytes;
};

/* Begin an answer whose body is a constant (NULL: none yet). Overwrites *a. */
void answer_text(struct answer *a, int status, const char *media_type, const char *text);

/* Begin a 200 whose body is JSON: write into a->json, then answer_json_end. */
void answer_json(struct answer *a);
/* Without memory for the body the answer becomes a failure. */
void answer_json_end(struct answer *a);

/* A header more. At most ANSWER_HEADERS_MAX, all values together within header_text; a value that
   does not fit is a mistake of ours and asserts. */
void answer_header(struct answer *a, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* What failed, for people and programs. */
struct failure {
    const char *param;  /* the request's field, or NULL */
    const char *code;   /* NULL: the status's own */
    int retry_after_ms; /* trying again can help; 0: 429 and 503 say after a second */
};

/* Begin an answer that says why not. Overwrites *a. */
void answer_fail(struct answer *a, enum status st, struct failure failure, const char *message);
/* The sentence that strangers are told of it: `message`, or a constant in its place. */
const char *answer_message(enum status st, const char *message);
/* The same for what HTTP itself refuses, and what no status of ours says: 400, 401, 403, 404, 405,
   409, 410, 413, 415, 417, 422, 503. */
void answer_fail_http(struct answer *a, int status, struct failure failure, const char *message);

void answer_close(struct answer *a); /* frees a body that was never sent */

#endif /* SERVER_ANSWER_H */
