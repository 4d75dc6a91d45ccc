/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client.h"

#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define READ_TIMEOUT_S 120

int client_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = READ_TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

void client_send_bytes(int fd, const char *data, size_t bytes)
{
    while (bytes) {
        ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        data += sent;
        bytes -= (size_t)sent;
    }
}

void client_send(int fd, const char *text)
{
    client_send_bytes(fd, text, strlen(text));
}

/* One byte at a time up to the empty line, so that nothing of a next answer is taken. */
static bool read_head(int fd, struct reply *r)
{
    size_t used = 0;

    while (used + 1 < sizeof(r->head) && recv(fd, r->head + used, 1, 0) == 1) {
        r->head[++used] = '\0';
        if (used >= 4 && !strcmp(r->head + used - 4, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void read_body(int fd, char *out, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = recv(fd, out + done, bytes - done, 0);

        if (got <= 0)
            fail_msg("the body ended after %zu of %zu bytes", done, bytes);
        done += (size_t)got;
    }
}

/* A line without its CRLF. False: the connection ended. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t used = 0;

    while (used < size && recv(fd, line + used, 1, 0) == 1) {
        if (line[used++] == '\n') {
            line[used - 2] = '\0';
            return true;
        }
    }
    return false;
}

bool client_read_chunk(int fd, struct reply *r)
{
    char line[32], end[2];
    size_t bytes;

    if (!read_line(fd, line, sizeof(line)))
        return false;
    bytes = (size_t)strtoul(line, NULL, 16);
    r->body = realloc(r->body, r->bytes + bytes + 1);
    assert_non_null(r->body);
    read_body(fd, r->body + r->bytes, bytes);
    read_body(fd, end, 2);
    r->bytes += bytes;
    r->body[r->bytes] = '\0';
    return bytes > 0;
}

void client_read_head(int fd, struct reply *r)
{
    memset(r, 0, sizeof(*r));
    do {
        if (!read_head(fd, r))
            return;
        assert_int_equal(sscanf(r->head, "HTTP/1.1 %d", &r->status), 1);
    } while (r->status == 100);
}

void client_read(int fd, bool has_body, struct reply *r)
{
    char value[32];

    client_read_head(fd, r);
    if (!r->status)
        return;
    if (reply_header(r, "transfer-encoding", value, sizeof(value)) && has_body) {
        while (client_read_chunk(fd, r))
            ;
        return;
    }
    if (!reply_header(r, "content-length", value, sizeof(value)) && has_body)
        fail_msg("an answer without a length: %s", r->head);
    r->bytes = has_body ? (size_t)strtoul(value, NULL, 10) : 0;
    r->body = calloc(1, r->bytes + 1);
    assert_non_null(r->body);
    read_body(fd, r->body, r->bytes);
}

void client_ask(int port, const char *method, const char *path, const char *headers,
                const char *body, struct reply *r)
{
    char head[2048], length[64] = "";
    int fd = client_connect(port);

    if (fd < 0)
        fail_msg("nobody listens on port %d", port);
    if (body)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: test\r\n%s%s\r\n", method, path, headers,
             length);
    client_send(fd, head);
    if (body)
        client_send(fd, body);
    client_read(fd, strcmp(method, "HEAD") != 0, r);
    close(fd);
}

void client_generate(int port, const char *extra, const char *body, struct reply *r)
{
    char headers[1024];

    snprintf(headers, sizeof(headers), "Content-Type: application/json\r\n%s", extra);
    client_ask(port, "POST", "/v1/images/generations", headers, body, r);
}

bool reply_header(const struct reply *r, const char *name, char *out, size_t bytes)
{
    size_t length = strlen(name);
    const char *line = strstr(r->head, "\r\n");

    for (; line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        const char *value = line + 2 + length + 2; /* behind ": " */

        if (!strncasecmp(line + 2, name, length) && line[2 + length] == ':') {
            snprintf(out, bytes, "%.*s", (int)strcspn(value, "\r"), value);
            return true;
        }
    }
    return false;
}

struct json *reply_json(const struct reply *r)
{
    struct json *root = NULL;
    struct why why = {""};

    if (json_parse(&root, r->body ? r->body : "", r->bytes, &why))
        fail_msg("status %d, no JSON: %s\n%.500s", r->status, why.text, r->body);
    return root;
}

void reply_close(struct reply *r)
{
    free(r->body);
    r->body = NULL;
}

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

unsigned char *client_decode(const char *base64, size_t *bytes)
{
    size_t length = strlen(base64), used = 0;
    unsigned char *out = malloc(length + 1);
    unsigned held = 0;
    int bits = 0;

    assert_non_null(out);
    assert_int_equal(length % 4, 0);
    for (size_t i = 0; i < length && base64[i] != '='; i++) {
        assert_true(value_of(base64[i]) >= 0);
        held = held << 6 | (unsigned)value_of(base64[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[used++] = (unsigned char)(held >> bits);
        }
    }
    *bytes = used;
    return out;
}

double client_metric(int metrics_port, const char *name)
{
    struct reply r;
    const char *at;
    double value;
    char line[128];

    client_ask(metrics_port, "GET", "/metrics", "", NULL, &r);
    assert_int_equal(r.status, 200);
    snprintf(line, sizeof(line), "\n%s ", name);
    at = strstr(r.body, line);
    if (!at)
        fail_msg("the page has no %s", name);
    value = strtod(at + strlen(line), NULL);
    reply_close(&r);
    return value;
}
