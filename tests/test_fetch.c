/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies at a stranger's URL, and where he does not get us to.
 */
#include "server/fetch.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE 5000

/* ---- where it may lead ---- */

static bool is_public(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return fetch_is_public((const struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return fetch_is_public((const struct sockaddr *)&six);
}

static void only_public_addresses_are_public(void **state)
{
    static const char *const closed[] = {"0.0.0.0",
                                         "0.1.2.3",
                                         "10.0.0.1",
                                         "10.255.255.255",
                                         "100.64.0.1",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "127.8.8.8",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.8",
                                         "192.0.2.1",
                                         "192.88.99.1",
                                         "192.168.1.1",
                                         "198.18.0.1",
                                         "198.19.255.255",
                                         "198.51.100.7",
                                         "203.0.113.9",
                                         "224.0.0.1",
                                         "239.255.255.255",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "::ffff:8.8.8.8",
                                         "::ffff:127.0.0.1",
                                         "64:ff9b::7f00:1",
                                         "100::1",
                                         "2001::1",
                                         "2001:db8::1",
                                         "2002:7f00:1::",
                                         "3fff::1",
                                         "fc00::1",
                                         "fd12::1",
                                         "fe80::1",
                                         "fec0::1",
                                         "ff02::1"};
    static const char *const open[] = {
        "1.1.1.1",     "8.8.8.8",         "9.255.255.255", "11.0.0.0",     "100.63.255.255",
        "100.128.0.0", "172.15.0.1",      "172.32.0.1",    "192.167.0.1",  "198.17.0.1",
        "198.20.0.1",  "223.255.255.255", "2606:4700::1",  "2a00:1450::1", "2001:4860:4860::8888"};
    const struct sockaddr none = {.sa_family = AF_UNIX};
    (void)state;

    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        if (is_public(closed[i]))
            fail_msg("%s", closed[i]);
    }
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (!is_public(open[i]))
            fail_msg("%s", open[i]);
    }
    assert_false(fetch_is_public(&none));
}

/* ---- what comes from there ---- */

/* A server of a few lines: /ok, /large, /empty, /slow, /loop and /step (a redirect to /ok). */
struct place {
    int fd, port;
    pthread_t thread;
    atomic_bool stop;
};

static void answer(int fd, const char *request)
{
    static const char close_head[] = "connection: close\r\n";
    char text[LARGE + 256];
    int bytes;

    if (!strncmp(request, "GET /ok ", 8))
        bytes = snprintf(text, sizeof(text), "HTTP/1.1 200 ok\r\n%scontent-length: 5\r\n\r\nhello",
                         close_head);
    else if (!strncmp(request, "GET /large ", 11))
        bytes = snprintf(text, sizeof(text), "HTTP/1.1 200 ok\r\n%s\r\n%0*d", close_head, LARGE, 0);
    else if (!strncmp(request, "GET /empty ", 11))
        bytes = snprintf(text, sizeof(text), "HTTP/1.1 200 ok\r\n%scontent-length: 0\r\n\r\n",
                         close_head);
    else if (!strncmp(request, "GET /loop ", 10) || !strncmp(request, "GET /step ", 10))
        bytes = snprintf(text, sizeof(text),
                         "HTTP/1.1 302 found\r\n%slocation: %s\r\ncontent-length: 0\r\n\r\n",
                         close_head, request[5] == 'l' ? "/loop" : "/ok");
    else
        bytes = snprintf(text, sizeof(text), "HTTP/1.1 404 no\r\n%scontent-length: 0\r\n\r\n",
                         close_head);
    if (strncmp(request, "GET /slow ", 10) != 0)
        send(fd, text, (size_t)bytes, MSG_NOSIGNAL);
}

static void *run(void *memory)
{
    struct place *p = memory;
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    int slow = -1;

    while (!atomic_load(&p->stop)) {
        char request[1024];
        ssize_t count;
        int fd;

        if (poll(&ready, 1, 20) != 1)
            continue;
        fd = accept(p->fd, NULL, NULL);
        count = recv(fd, request, sizeof(request) - 1, 0);
        request[count > 0 ? count : 0] = '\0';
        answer(fd, request);
        if (strncmp(request, "GET /slow ", 10) != 0)
            close(fd);
        else
            slow = fd; /* one that never says anything */
    }
    if (slow >= 0)
        close(slow);
    return NULL;
}

static int open_place(void **state)
{
    static struct place p;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p.fd < 0 || bind(p.fd, (struct sockaddr *)&address, sizeof(address)) || listen(p.fd, 16))
        return -1;
    getsockname(p.fd, (struct sockaddr *)&address, &bytes);
    p.port = ntohs(address.sin_port);
    *state = &p;
    return pthread_create(&p.thread, NULL, run, &p);
}

static int close_place(void **state)
{
    struct place *p = *state;

    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    return close(p->fd);
}

static enum status fetch_from(const struct place *p, const char *path, bool near, struct bytes *out,
                              struct why *why)
{
    const struct fetch_options options = {.bytes_max = LARGE - 1, .timeout_ms = 700, .near = near};
    char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", p->port, path);
    return fetch_url(out, url, &options, why);
}

static void what_lies_there_comes(void **state)
{
    static const char *const paths[] = {"/ok", "/step"};
    struct why why = {""};
    struct bytes body;

    for (int i = 0; i < 2; i++) {
        if (fetch_from(*state, paths[i], true, &body, &why))
            fail_msg("%s: %s", paths[i], why.text);
        assert_int_equal(body.count, 5);
        assert_memory_equal(body.data, "hello", 5);
        bytes_close(&body);
    }
}

static void what_cannot_be_had_is_told(void **state)
{
    static const struct {
        const char *path;
        enum status status;
        const char *says;
    } cases[] = {
        {"/nothing", ST_MISSING, "404"},
        {"/empty", ST_MISSING, "200"},
        {"/large", ST_INVALID, "larger than 4999"},
        {"/slow", ST_LATE, "too long"},
        {"/loop", ST_IO, "redirect"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct why why = {""};
        struct bytes body;
        enum status st = fetch_from(*state, cases[i].path, true, &body, &why);

        if (st != cases[i].status || !strstr(why.text, cases[i].says) || body.data)
            fail_msg("%s: %d, %s", cases[i].path, (int)st, why.text);
    }
}

/* Goal: this machine is not reached in any way of writing it. The server is there and would
   answer. */
static void this_machine_is_not_reached(void **state)
{
    static const char *const hosts[] = {
        "127.0.0.1", "localhost", "2130706433",         "0x7f000001",  "127.1",
        "0.0.0.0",   "[::1]",     "[::ffff:127.0.0.1]", "017700000001"};
    const struct fetch_options options = {.bytes_max = LARGE, .timeout_ms = 3000};
    const struct place *p = *state;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct why why = {""};
        struct bytes body;
        char url[128];
        enum status st;

        snprintf(url, sizeof(url), "http://%s:%d/ok", hosts[i], p->port);
        st = fetch_url(&body, url, &options, &why);
        if (st != ST_REFUSED || body.data)
            fail_msg("%s: %d, %s", url, (int)st, why.text);
    }
}

static void what_is_no_url_is_told(void **state)
{
    static const char *const urls[] = {"",
                                       "picture.png",
                                       "file:///etc/passwd",
                                       "ftp://example.org/a.png",
                                       "gopher://example.org/",
                                       "http://a:b@127.0.0.1/",
                                       "http://",
                                       "http://exa mple.org/"};
    const struct fetch_options options = {.bytes_max = LARGE, .timeout_ms = 3000};
    char longest[FETCH_URL_MAX + 1];
    struct bytes body;
    (void)state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct why why = {""};
        enum status st = fetch_url(&body, urls[i], &options, &why);

        if (st != ST_INVALID || body.data || !why.text[0])
            fail_msg("%s: %d, %s", urls[i], (int)st, why.text);
    }
    memset(longest, 'a', FETCH_URL_MAX);
    longest[FETCH_URL_MAX] = '\0';
    assert_int_equal(fetch_url(&body, longest, &options, NULL), ST_INVALID);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_addresses_are_public),
        cmocka_unit_test(what_lies_there_comes),
        cmocka_unit_test(what_cannot_be_had_is_told),
        cmocka_unit_test(this_machine_is_not_reached),
        cmocka_unit_test(what_is_no_url_is_told),
    };

    return cmocka_run_group_tests(tests, open_place, close_place);
}
