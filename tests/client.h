/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - an HTTP client for tests that says exactly the bytes it is told to.
 */
#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct reply {
    int status;      /* 0: the connection ended before an answer */
    char head[4096]; /* status line and headers, with a NUL */
    char *body;      /* with a NUL behind it; reply_close frees it */
    size_t bytes;
};

int client_connect(int port);
void client_send(int fd, const char *text); /* without the NUL; a broken pipe is no failure */
void client_send_bytes(int fd, const char *data, size_t bytes);

/* One answer; `has_body` false after HEAD. Close the reply. */
void client_read(int fd, bool has_body, struct reply *r);

/* The same in parts, of an answer that comes in pieces: first its head, then a chunk more at the
   end of the body. False: that was the last one, or the connection has ended. */
void client_read_head(int fd, struct reply *r);
bool client_read_chunk(int fd, struct reply *r);

/* One request on a connection of its own. `headers` are whole lines, each ending in CRLF; Host,
   and Content-Length for a body that is not NULL, are added. */
void client_ask(int port, const char *method, const char *path, const char *headers,
                const char *body, struct reply *r);

/* POST of JSON to the generations endpoint, with the headers of `extra` as above. */
void client_generate(int port, const char *extra, const char *body, struct reply *r);

/* The value of a header into `out`; false when it is absent. The name is compared without case. */
bool reply_header(const struct reply *r, const char *name, char *out, size_t bytes);

/* The body as JSON; fails the test when it is none. */
struct json *reply_json(const struct reply *r);
void reply_close(struct reply *r);

/* The bytes behind a base64 text; free them. */
unsigned char *client_decode(const char *base64, size_t *bytes);

/* The number behind a name on the metrics page. */
double client_metric(int metrics_port, const char *name);

#endif /* TESTS_CLIENT_H */
