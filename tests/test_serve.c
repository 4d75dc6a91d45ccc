/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a server starts, stops and refuses to start: each test runs one of its own.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUICK "{\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\"}"
#define LONG                                                                                       \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"256x256\",\"n\":%d,"              \
    "\"num_inference_steps\":%d}"

static void serve(struct program *server, const char *drain_s)
{
    const char *const args[] = {"--model",
                                "tests/golden/tiny_lcm",
                                "--model",
                                "tests/golden/tiny_sd1",
                                "--seats",
                                "2",
                                "--threads",
                                "1",
                                "--drain",
                                drain_s,
                                "--queue-seconds",
                                "0", /* a slow build foretells hours */
                                NULL};

    program_serve(server, args);
}

static int begin(const struct program *server, int images, int steps)
{
    int fd = client_connect(server->port);
    char head[512], body[256];

    snprintf(body, sizeof(body), LONG, images, steps);
    snprintf(head, sizeof(head),
             "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    client_send(fd, head);
    for (int waited = 0; client_metric(server->metrics_port, "limner_pictures_seated") < 1;) {
        assert_true((waited += 10) < 60000);
        program_sleep_ms(10);
    }
    return fd;
}

/* Goal: who was promised a picture gets it; who comes later is sent away, and health says so. */
static void a_signal_lets_what_is_under_way_finish(void **state)
{
    struct program server;
    struct reply r;
    char value[32];
    int waiting, idle;

    (void)state;
    serve(&server, "600");
    idle = client_connect(server.port);
    client_send(idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    client_read(idle, true, &r);
    reply_close(&r);
    waiting = begin(&server, 3, 8);

    program_signal(&server, SIGTERM);
    do {
        client_ask(server.metrics_port, "GET", "/readyz", "", NULL, &r);
        reply_close(&r);
    } while (r.status == 200);
    assert_int_equal(r.status, 503);
    assert_true(reply_header(&r, "retry-after", value, sizeof(value)));
    program_sleep_ms(100);
    assert_int_equal(client_connect(server.port), -1);
    client_read(idle, true, &r); /* an idle connection does not hold the server up */
    assert_int_equal(r.status, 0);

    client_read(waiting, true, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "connection", value, sizeof(value)));
    assert_string_equal(value, "close");
    reply_close(&r);
    close(waiting);
    close(idle);
    assert_int_equal(program_wait(&server, 60000), 0);
    program_forget(&server);
}

static void expect_unfinished(struct program *server, int waiting)
{
    struct reply r;
    char value[32];

    client_read(waiting, true, &r);
    assert_int_equal(r.status, 503);
    assert_true(reply_header(&r, "retry-after", value, sizeof(value)));
    assert_true(reply_header(&r, "x-should-retry", value, sizeof(value)));
    assert_string_equal(value, "true");
    reply_close(&r);
    close(waiting);
    assert_int_equal(program_wait(server, 20000), 0);
    program_forget(server);
}

static void a_second_signal_ends_the_waiting(void **state)
{
    struct program server;
    int waiting;

    (void)state;
    serve(&server, "600");
    waiting = begin(&server, 10, 150);
    program_signal(&server, SIGTERM);
    program_sleep_ms(300);
    program_signal(&server, SIGINT);
    expect_unfinished(&server, waiting);
}

static void a_deadline_ends_the_waiting(void **state)
{
    struct program server;
    int waiting;

    (void)state;
    serve(&server, "0");
    waiting = begin(&server, 10, 150);
    program_signal(&server, SIGTERM);
    expect_unfinished(&server, waiting);
}

/* Start with `args`, which must end with exit code `code` and words about it. */
static void expect_refusal(const char *const *args, int code, const char *says)
{
    struct program p;
    char text[8192];
    int ended;

    program_start(&p, args);
    ended = program_wait(&p, 60000);
    program_read(&p, text, sizeof(text));
    if (ended != code || !strstr(text, says))
        fail_msg("code %d, not %d, or no '%s' in: %s", ended, code, says, text);
    program_forget(&p);
}

static void a_server_that_cannot_start_says_why(void **state)
{
    char taken[32], state_folder[] = P_tmpdir "/limner-refused.XXXXXX";
    struct program server;
    const char *const port[] = {
        "serve", "--model",   "tests/golden/tiny_lcm", "--state", state_folder, "--listen",
        taken,   "--metrics", "127.0.0.1:0",           NULL};
    const char *const model[] = {"serve",       "--model",    "tests/golden/tokenizer",
                                 "--state",     state_folder, "--listen",
                                 "127.0.0.1:0", "--metrics",  "127.0.0.1:0",
                                 NULL};
    const char *const flag[] = {"serve", "--modle", "x", NULL};
    const char *const address[] = {"serve",      "--model",  "x",    "--state",
                                   state_folder, "--listen", "8080", NULL};

    (void)state;
    assert_non_null(mkdtemp(state_folder));
    serve(&server, "0");
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", server.port);
    expect_refusal(port, 1, "in use");
    expect_refusal(model, 1, "model_index.json");
    expect_refusal(flag, 2, "--modle");
    expect_refusal(address, 1, "HOST:PORT");
    program_remove(state_folder);
    assert_int_equal(program_stop(&server), 0);
}

/* Goal: strangers who only connect cannot use up the server: more than the limit are let go at
   once, and there is room again when one leaves. Method: one io thread, four connections, and a
   fifth; waiting for readiness uses none. */
static void connections_beyond_the_limit_are_let_go(void **state)
{
    const char *const args[] = {
        "--model", "tests/golden/tiny_lcm", "--threads", "1", "--io-threads",
        "1",       "--connections",         "4",         NULL};
    struct program server;
    struct reply r;
    int fd[4], beyond;

    (void)state;
    program_serve(&server, args);
    for (int i = 0; i < 4; i++)
        fd[i] = client_connect(server.port);
    beyond = client_connect(server.port);
    client_send(beyond, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    client_read(beyond, true, &r);
    assert_int_equal(r.status, 0);
    close(beyond);
    for (int i = 0; i < 4; i++) {
        client_send(fd[i], "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        client_read(fd[i], true, &r);
        assert_int_equal(r.status, 200);
        reply_close(&r);
        close(fd[i]);
    }
    program_sleep_ms(200);
    client_ask(server.port, "GET", "/livez", "", NULL, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    assert_int_equal(program_stop(&server), 0);
}

/* Goal: two servers never work in one state folder, and the one that comes second says who has it;
   a server that was killed holds nothing. */
static void a_state_folder_has_one_server(void **state)
{
    const char *const model[] = {"--model", "tests/golden/tiny_lcm", "--threads", "1", NULL};
    struct program first, second;
    char text[4096], name[64];

    (void)state;
    program_serve(&first, model);
    const char *const args[] = {"serve",       "--model",   "tests/golden/tiny_lcm", "--listen",
                                "127.0.0.1:0", "--metrics", "127.0.0.1:0",           "--state",
                                first.state,   NULL};
    program_start(&second, args);
    assert_int_equal(program_wait(&second, 60000), 1);
    program_read(&second, text, sizeof(text));
    snprintf(name, sizeof(name), "process %d", (int)first.pid);
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, "--state"));
    program_forget(&second);

    program_signal(&first, SIGKILL);
    program_wait(&first, 60000);
    const char *const again[] = {
        "--model", "tests/golden/tiny_lcm", "--threads", "1", "--state", first.state, NULL};
    program_serve(&second, again);
    assert_int_equal(program_stop(&second), 0);
    program_forget(&first);
}

static void check_config_prints_and_stops(void **state)
{
    const char *const args[] = {"serve", "--model", "x", "--check-config", NULL};

    (void)state;
    expect_refusal(args, 0, "model:\n- x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_lets_what_is_under_way_finish),
        cmocka_unit_test(a_second_signal_ends_the_waiting),
        cmocka_unit_test(a_deadline_ends_the_waiting),
        cmocka_unit_test(a_server_that_cannot_start_says_why),
        cmocka_unit_test(connections_beyond_the_limit_are_let_go),
        cmocka_unit_test(check_config_prints_and_stops),
        cmocka_unit_test(a_state_folder_has_one_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
