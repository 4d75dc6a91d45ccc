/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `limner bench` as it is run: against limner itself, and against servers that misbehave.
 */
#include "base/json.h"
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run it against a port with `flags` (ending in NULL), and read its report; close it. */
static struct json *bench(int port, int expected, const char *const *flags)
{
    char path[] = P_tmpdir "/limner-bench.XXXXXX", url[64], text[4096];
    const char *args[PROGRAM_ARGS_MAX] = {"bench", "--url", url, "--json", path};
    struct json *root = NULL;
    struct program p;
    int fd = mkstemp(path), count = 5, code;

    assert_true(fd >= 0);
    close(fd);
    for (int i = 0; flags[i]; i++)
        args[count++] = flags[i];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    program_start(&p, args);
    code = program_wait(&p, 120000);
    program_read(&p, text, sizeof(text));
    if (code != expected || json_load(&root, path, 1 << 20, NULL))
        fail_msg("code %d, not %d, or no report: %s", code, expected, text);
    unlink(path);
    program_forget(&p);
    return root;
}

static double number(const struct json *object, const char *name)
{
    double value = -1;

    assert_int_equal(json_get_real(object, name, &value, NULL), ST_OK);
    return value;
}

/* How many requests missed with this fate and status (0: none). */
static int missed(const struct json *root, const char *fate, int status)
{
    const struct json *misses = json_get(root, "misses");
    int count = 0;

    for (size_t i = 0; i < json_size(misses); i++) {
        const struct json *m = json_at(misses, i);
        const char *name = "";
        int64_t http = 0;

        assert_int_equal(json_get_string(m, "fate", &name, NULL), ST_OK);
        assert_int_equal(json_get_int(m, "status", &http, NULL), ST_OK);
        if (!strcmp(name, fate) && http == status)
            count += (int)number(m, "count");
    }
    return count;
}

static void serve(struct program *server, const char *queue)
{
    const char *const args[] = {"--model",   "tests/golden/tiny_lcm",
                                "--model",   "tests/golden/tiny_sd1",
                                "--seats",   "1",
                                "--queue",   queue,
                                "--threads", "1",
                                NULL};

    program_serve(server, args);
}

static void stop(struct program *server)
{
    assert_int_equal(program_stop(server), 0);
}

/* Goal: every request is counted once, as what it was, in both forms of answers. */
static void counts_are_those_of_what_was_sent(void **state)
{
    char trace[] = P_tmpdir "/limner-trace.XXXXXX";
    const char *const flags[] = {"--trace",  trace,
                                 "--mix",    "name=one,model=tiny_lcm",
                                 "--mix",    "name=two,model=tiny_lcm,n=2",
                                 "--mix",    "name=bad,model=absent",
                                 "--warmup", "0.1",
                                 NULL};
    int fd = mkstemp(trace);
    struct program server;
    struct json *root;

    (void)state;
    dprintf(fd, "0 one\n0 bad\n100 one\n150 two\n200 bad\n250 one\n300 two\n");
    close(fd);
    serve(&server, "16");
    root = bench(server.port, 0, flags);
    assert_int_equal(number(root, "warmup_requests"), 2);
    assert_int_equal(number(root, "requests"), 5);
    assert_int_equal(number(root, "answered"), 4);
    assert_int_equal(number(root, "pictures"), 6);
    assert_int_equal(missed(root, "status", 404), 1);
    assert_int_equal(number(json_get(json_get(root, "stages_ms"), "denoise"), "count"), 4);
    assert_int_equal(json_size(json_get(root, "kinds")), 3);
    json_close(&root);
    unlink(trace);
    stop(&server);
}

/* Goal: a server that is asked for more than it can do looks as slow as it is.
   Method: requests of one kind, once far apart and once 50 in the same moment over two connections
   only: each waits for those before it, though the server never sees more than two. */
static void latency_counts_from_when_a_request_was_due(void **state)
{
    char trace[] = P_tmpdir "/limner-trace.XXXXXX";
    const char *const calm[] = {"--rate", "4", "--requests", "5", "--mix", "model=tiny_lcm,steps=4",
                                NULL};
    const char *const hasty[] = {
        "--trace", trace, "--connections", "2", "--mix", "model=tiny_lcm,steps=4", NULL};
    int fd = mkstemp(trace);
    struct program server;
    struct json *root;
    double alone, crowded;

    (void)state;
    for (int i = 0; i < 50; i++)
        dprintf(fd, "0\n");
    close(fd);
    serve(&server, "16");
    root = bench(server.port, 0, calm);
    alone = number(json_get(root, "latency_ms"), "p50");
    json_close(&root);
    root = bench(server.port, 0, hasty);
    crowded = number(json_get(root, "latency_ms"), "p50");
    assert_int_equal(number(root, "answered"), 50);
    assert_true(number(json_get(root, "sent_after_due_ms"), "p95") > crowded / 2);
    if (crowded < 3 * alone)
        fail_msg("%.2f ms alone, %.2f ms in a crowd", alone, crowded);
    json_close(&root);
    unlink(trace);
    stop(&server);
}

static void refusals_of_a_full_server_are_misses(void **state)
{
    const char *const flags[] = {"--rate", "1000",  "--requests",
                                 "60",     "--mix", "model=tiny_sd1,steps=20,size=128x128",
                                 NULL};
    struct program server;
    struct json *root;
    int refused;

    (void)state;
    serve(&server, "10");
    root = bench(server.port, 0, flags);
    refused = missed(root, "status", 429);
    assert_true(refused > 0);
    assert_int_equal(number(root, "answered") + refused, 60);
    assert_true(number(root, "attainment") < 1);
    json_close(&root);
    stop(&server);
}

/* ---- servers that misbehave ---- */

/* A child that answers every connection with `says` once it has read something, and closes; NULL:
   never answers. */
static pid_t misbehave(int *port, const char *says)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    pid_t pid;

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    *port = ntohs(address.sin_port);
    pid = fork();
    if (pid == 0) {
        char request[4096];

        for (int client; (client = accept(fd, NULL, NULL)) >= 0;) {
            if (!says)
                continue;
            if (read(client, request, sizeof(request)) > 0)
                client_send(client, says);
            close(client);
        }
        _exit(0);
    }
    close(fd);
    return pid;
}

static void expect_miss(const char *says, const char *fate, int status)
{
    const char *const flags[] = {"--rate", "100", "--requests", "5", "--timeout", "0.3", NULL};
    int port;
    pid_t pid = misbehave(&port, says);
    struct json *root = bench(port, 1, flags);

    if (missed(root, fate, status) != 5)
        fail_msg("not 5 times %s %d after: %s", fate, status, says ? says : "nothing");
    assert_int_equal(number(root, "requests"), 5);
    assert_int_equal(number(root, "answered"), 0);
    json_close(&root);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void every_misbehaviour_has_its_name(void **state)
{
    (void)state;
    expect_miss(NULL, "timeout", 0);
    expect_miss("", "cut", 0);
    expect_miss("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\nabc",
                "cut", 200);
    expect_miss("\x01\x02 nonsense\r\n\r\n", "garbage", 0);
    expect_miss("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "garbage", 200);
    expect_miss("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\nhi",
                "garbage", 200);
    expect_miss("HTTP/1.1 500 No\r\nServer-Timing: ;;,\r\nContent-Length: 3\r\n\r\n{]}", "status",
                500);
}

static void a_server_that_is_absent_is_counted(void **state)
{
    const char *const flags[] = {"--rate", "100", "--requests", "5", NULL};
    int port;
    pid_t pid = misbehave(&port, "");
    struct json *root;

    (void)state;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    root = bench(port, 1, flags);
    assert_int_equal(missed(root, "absent", 0), 5);
    json_close(&root);
}

/* Goal: Ctrl-C ends a run early, with a report of what has ended until then. */
static void a_signal_ends_the_run_with_a_report(void **state)
{
    char url[64], text[4096];
    const char *const args[] = {"bench",      "--url", url,     "--rate",         "50",
                                "--duration", "600",   "--mix", "model=tiny_lcm", NULL};
    struct program server, p;

    (void)state;
    serve(&server, "16");
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", server.port);
    program_start(&p, args);
    program_sleep_ms(1500);
    program_signal(&p, SIGINT);
    assert_int_equal(program_wait(&p, 10000), 0);
    program_read(&p, text, sizeof(text));
    assert_non_null(strstr(text, "ENDED EARLY"));
    assert_non_null(strstr(text, "end to end"));
    program_forget(&p);
    stop(&server);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[][4] = {
        {"bench", NULL},
        {"bench", "--rate", "0", NULL},
        {"bench", "--rate", "x", NULL},
        {"bench", "--trace", "/nowhere", NULL},
        {"bench", "--rate=1", "--url=ftp://a", NULL},
        {"bench", "--rate=1", "--mix=what", NULL},
        {"bench", "--rate=1", "more", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[1024];
        struct program p;
        int code;

        program_start(&p, bad[i]);
        code = program_wait(&p, 10000);
        program_read(&p, text, sizeof(text));
        if ((code != 2 && code != 1) || strncmp(text, "limner bench: ", 14) != 0)
            fail_msg("case %zu: code %d, %s", i, code, text);
        program_forget(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_what_was_sent),
        cmocka_unit_test(latency_counts_from_when_a_request_was_due),
        cmocka_unit_test(refusals_of_a_full_server_are_misses),
        cmocka_unit_test(every_misbehaviour_has_its_name),
        cmocka_unit_test(a_server_that_is_absent_is_counted),
        cmocka_unit_test(a_signal_ends_the_run_with_a_report),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
