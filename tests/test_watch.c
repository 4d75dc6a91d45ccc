/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a server is watched: its metrics, its log of requests, the traces it goes on in, the
 * dashboard.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define QUICK "{\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\",\"n\":2}"
#define SLOW                                                                                       \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"num_inference_steps\":150,\"n\":%d}"
#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static int server_open(void **state)
{
    static struct program server;
    static const char *const args[] = {"--model",   "tests/golden/tiny_lcm",
                                       "--model",   "tests/golden/tiny_sd1",
                                       "--seats",   "2",
                                       "--queue",   "10",
                                       "--threads", "1",
                                       NULL};

    program_serve(&server, args);
    *state = &server;
    return 0;
}

static int server_close(void **state)
{
    return program_stop(*state);
}

/* The line of the log about the request with this header's id; close it. Lines are written when the
   answer has left, which may be after it came. */
static struct json *logged(const struct program *server, const char *id)
{
    static char text[1 << 20];
    char start[128];

    snprintf(start, sizeof(start), "\"event\":\"request\",\"id\":\"%s\"", id);
    for (int tries = 0; tries < 200; tries++) {
        char *at, *end;

        program_read(server, text, sizeof(text));
        at = strstr(text, start);
        end = at ? strchr(at, '\n') : NULL;
        if (end) {
            struct json *line;

            while (at > text && at[-1] != '\n')
                at--;
            assert_int_equal(json_parse(&line, at, (size_t)(end - at), NULL), ST_OK);
            return line;
        }
        program_sleep_ms(20);
    }
    fail_msg("no line about %s", id);
    return NULL;
}

static const char *text_of(const struct json *object, const char *key)
{
    const char *value = NULL;

    assert_int_equal(json_get_string(object, key, &value, NULL), ST_OK);
    return value ? value : "";
}

static double number_of(const struct json *object, const char *key)
{
    double value = -1;

    assert_int_equal(json_get_real(object, key, &value, NULL), ST_OK);
    return value;
}

static struct json *logged_answer(const struct program *server, const struct reply *r)
{
    char id[64];

    assert_true(reply_header(r, "x-request-id", id, sizeof(id)));
    return logged(server, id);
}

/* ---- answers and the log ---- */

static void a_picture_tells_its_stages_to_client_and_log(void **state)
{
    static const char *const stages[] = {"admit",  "queue", "text", "wait",   "denoise",
                                         "decode", "judge", "mark", "encode", "log"};
    const struct program *server = *state;
    char timing[512], value[64];
    const struct json *ms;
    struct json *line;
    struct reply r;
    double sum = 0;

    client_generate(server->port, "", QUICK, &r); /* so that the next can be foretold */
    reply_close(&r);
    client_generate(server->port, "", QUICK, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "server-timing", timing, sizeof(timing)));
    assert_true(reply_header(&r, "x-limner-predicted-ms", value, sizeof(value)));
    line = logged_answer(server, &r);
    ms = json_get(line, "stages_ms");
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "%s;dur=", stages[i]);
        assert_non_null(strstr(timing, wanted));
        assert_true(number_of(ms, stages[i]) >= 0);
        sum += number_of(ms, stages[i]);
    }
    assert_true(sum > 0);
    assert_true(number_of(line, "predicted_ms") >= atof(value));
    assert_true(number_of(line, "batch") >= 1);
    assert_int_equal((int)number_of(line, "status"), 200);
    assert_int_equal((int)number_of(line, "bytes"), (int)r.bytes);
    assert_true(number_of(line, "ms") >= number_of(ms, "denoise"));
    assert_string_equal(text_of(line, "tenant"), "default");
    assert_string_equal(text_of(line, "method"), "POST");
    assert_string_equal(text_of(line, "path"), "/v1/images/generations");
    json_close(&line);
    reply_close(&r);
}

/* Goal: what a stranger chose stays inside its string, is cut, and a query is never written. */
static void a_strange_path_stays_in_its_place(void **state)
{
    const struct program *server = *state;
    char path[1024] = "/\",\"status\":1,\"x\":\"";
    struct json *line;
    struct reply r;

    memset(path + strlen(path), '"', 600);
    strncat(path, "?secret=1", 16);
    client_ask(server->port, "GET", path, "", NULL, &r);
    assert_int_equal(r.status, 404);
    line = logged_answer(server, &r);
    assert_int_equal((int)number_of(line, "status"), 404);
    assert_int_equal(strlen(text_of(line, "path")), 128);
    assert_memory_equal(text_of(line, "path"), path, 128);
    assert_null(json_get(line, "tenant"));
    json_close(&line);
    reply_close(&r);
}

static void health_checks_do_not_fill_the_log(void **state)
{
    const struct program *server = *state;
    static char text[1 << 20];
    struct json *line;
    struct reply live, other;
    char id[64];

    client_ask(server->port, "GET", "/livez", "", NULL, &live);
    client_ask(server->port, "GET", "/nowhere", "", NULL, &other);
    line = logged_answer(server, &other); /* which was later */
    program_read(server, text, sizeof(text));
    assert_true(reply_header(&live, "x-request-id", id, sizeof(id)));
    assert_null(strstr(text, id));
    json_close(&line);
    reply_close(&live);
    reply_close(&other);
}

static void a_request_goes_on_in_its_callers_trace(void **state)
{
    const struct program *server = *state;
    struct json *line;
    struct reply r;
    char value[64];

    client_ask(server->port, "GET", "/v1/models", "TraceParent: 00-" TRACE "-" PARENT "-01\r\n",
               NULL, &r);
    assert_true(reply_header(&r, "traceparent", value, sizeof(value)));
    assert_memory_equal(value, "00-" TRACE "-", 36);
    assert_string_equal(value + 52, "-01");
    line = logged_answer(server, &r);
    assert_string_equal(text_of(line, "trace_id"), TRACE);
    assert_string_equal(text_of(line, "parent_id"), PARENT);
    assert_memory_equal(text_of(line, "span_id"), value + 36, 16);
    assert_memory_not_equal(text_of(line, "span_id"), PARENT, 16);
    json_close(&line);
    reply_close(&r);
}

static void a_bad_trace_is_not_gone_on_in(void **state)
{
    const struct program *server = *state;
    struct json *line;
    struct reply r;
    char value[64];

    client_ask(server->port, "GET", "/v1/models",
               "traceparent: 00-" TRACE "-0000000000000000-01\r\n", NULL, &r);
    assert_true(reply_header(&r, "traceparent", value, sizeof(value)));
    assert_int_equal(strlen(value), 55);
    assert_null(strstr(value, TRACE));
    line = logged_answer(server, &r);
    assert_null(json_get(line, "parent_id"));
    json_close(&line);
    reply_close(&r);
}

/* ---- metrics ---- */

static void assert_metric(const struct program *server, const char *series, double wanted)
{
    double value = client_metric(server->metrics_port, series);

    if (value != wanted)
        fail_msg("%s is %g, not %g", series, value, wanted);
}

/* Goal: every picture is in every stage once, however its request was answered. */
static void pictures_are_counted_in_every_stage(void **state)
{
    static const char *const stages[] = {"admit", "queue", "text", "wait", "denoise", "decode"};
    const struct program *server = *state;
    double done = client_metric(server->metrics_port, "limner_pictures_done_total");
    char series[128];
    struct reply r;

    client_generate(server->port, "", QUICK, &r);
    reply_close(&r);
    done += 2;
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        snprintf(series, sizeof(series),
                 "limner_stage_duration_seconds_count{stage=\"%s\",model=\"tiny_lcm\","
                 "outcome=\"ok\"}",
                 stages[i]);
        assert_metric(server, series, done);
    }
    assert_metric(server,
                  "limner_picture_duration_seconds_bucket{model=\"tiny_lcm\",outcome=\"ok\","
                  "le=\"600\"}",
                  done);
    assert_metric(server, "limner_batch_size_sum",
                  client_metric(server->metrics_port, "limner_denoise_steps_total"));
    assert_true(client_metric(server->metrics_port, "limner_batch_size_count") > 0);
    assert_true(client_metric(server->metrics_port,
                              "limner_request_duration_seconds_sum{route=\"/v1/images/generations\""
                              "}") > 0);
}

/* A request whose answer nobody has read yet, and whose pictures have begun. */
static int begin(const struct program *server, const char *body)
{
    int fd = client_connect(server->port);
    char head[256];

    snprintf(head, sizeof(head),
             "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             strlen(body));
    client_send(fd, head);
    client_send(fd, body);
    while (client_metric(server->metrics_port, "limner_pictures_seated") < 1)
        program_sleep_ms(5);
    return fd;
}

static void refusals_are_counted_by_reason(void **state)
{
    const struct program *server = *state;
    char one[160], ten[160];
    struct reply r;
    int fd;

    snprintf(one, sizeof(one), SLOW, 1);
    snprintf(ten, sizeof(ten), SLOW, 10);
    client_generate(server->port, "", one, &r); /* so that a deadline can be too early */
    assert_int_equal(r.status, 200);
    reply_close(&r);
    client_generate(server->port, "x-request-deadline-ms: 1\r\n", one, &r);
    assert_int_equal(r.status, 429);
    reply_close(&r);
    assert_metric(server, "limner_refusals_total{reason=\"deadline\"}", 1);

    assert_metric(server, "limner_refusals_total{reason=\"queue_full\"}", 0);
    fd = begin(server, ten);
    client_generate(server->port, "", ten, &r);
    assert_int_equal(r.status, 429);
    reply_close(&r);
    assert_metric(server, "limner_refusals_total{reason=\"queue_full\"}", 1);
    assert_true(client_metric(server->metrics_port, "limner_queue_oldest_seconds") > 0);
    close(fd);
    while (client_metric(server->metrics_port, "limner_pictures_cancelled_total") < 10)
        program_sleep_ms(5);
    assert_metric(server,
                  "limner_picture_duration_seconds_count{model=\"tiny_sd1\","
                  "outcome=\"cancelled\"}",
                  10);
    assert_metric(server, "limner_queue_oldest_seconds", 0);
}

static void the_process_and_the_build_are_told(void **state)
{
    const struct program *server = *state;

    assert_true(client_metric(server->metrics_port, "process_start_time_seconds") > 1.7e9);
    assert_true(client_metric(server->metrics_port, "process_cpu_seconds_total") > 0);
    assert_true(client_metric(server->metrics_port, "process_resident_memory_bytes") > 1e6);
    assert_true(client_metric(server->metrics_port, "process_open_fds") > 5);
    assert_metric(server, "limner_seats", 2);
    assert_metric(server, "limner_build_info{version=\"0.1.0\"}", 1);
}

/* ---- the dashboard ---- */

static struct json *dashboard_data(const struct program *server, const char *query)
{
    struct json *root;
    char path[128];
    struct reply r;

    snprintf(path, sizeof(path), "/dashboard/data%s", query);
    client_ask(server->metrics_port, "GET", path, "", NULL, &r);
    assert_int_equal(r.status, 200);
    root = reply_json(&r);
    reply_close(&r);
    return root;
}

static void the_dashboard_is_for_the_operators_port(void **state)
{
    static const char *const paths[] = {"/dashboard", "/dashboard/data"};
    const struct program *server = *state;
    char value[512];
    struct reply r;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        client_ask(server->port, "GET", paths[i], "", NULL, &r);
        assert_int_equal(r.status, 404);
        reply_close(&r);
    }
    client_ask(server->metrics_port, "GET", "/dashboard", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "content-security-policy", value, sizeof(value)));
    assert_non_null(strstr(value, "default-src 'none'"));
    assert_non_null(strstr(r.body, "</html>"));
    reply_close(&r);
}

/* Goal: after a while there is a point with percentiles of every stage, and who has it already does
   not get it again. */
static void the_dashboard_has_points(void **state)
{
    const struct program *server = *state;
    struct json *root = NULL;
    int64_t number = 0;
    char query[64];
    struct reply r;

    for (int tries = 0; tries < 60 && !number; tries++) {
        const struct json *point;

        client_generate(server->port, "", QUICK, &r);
        reply_close(&r);
        program_sleep_ms(200);
        root = dashboard_data(server, "");
        point = json_at(json_get(root, "points"), 0);
        if (point) {
            const struct json *all = json_get(point, "quantiles_us");

            assert_int_equal(json_get_int(point, "number", &number, NULL), ST_OK);
            assert_int_equal(json_size(all), json_size(json_get(root, "series")));
            assert_true(number_of(point, "made") > 0);
            for (size_t i = 0; i < json_size(all); i++)
                assert_int_equal(json_size(json_at(all, i)), 3);
        }
        json_close(&root);
    }
    assert_int_equal(number, 1);
    snprintf(query, sizeof(query), "?since=%lld", (long long)number);
    root = dashboard_data(server, query);
    for (size_t i = 0; i < json_size(json_get(root, "points")); i++)
        assert_true(number_of(json_at(json_get(root, "points"), i), "number") > (double)number);
    assert_true(json_size(json_get(root, "steps")) > 0);
    assert_int_equal((int)number_of(json_get(root, "now"), "batch_max"), 2);
    json_close(&root);
}

static void a_strange_since_is_from_the_start(void **state)
{
    static const char *const queries[] = {
        "?since=", "?since=-1", "?since=1x", "?since=99999999999999999999999",
        "?x=1",    "?",         "?since"};
    const struct program *server = *state;

    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct json *root = dashboard_data(server, queries[i]);

        if (json_size(json_get(root, "points")) < 1)
            fail_msg("no points for %s", queries[i]);
        json_close(&root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_tells_its_stages_to_client_and_log),
        cmocka_unit_test(a_strange_path_stays_in_its_place),
        cmocka_unit_test(health_checks_do_not_fill_the_log),
        cmocka_unit_test(a_request_goes_on_in_its_callers_trace),
        cmocka_unit_test(a_bad_trace_is_not_gone_on_in),
        cmocka_unit_test(pictures_are_counted_in_every_stage),
        cmocka_unit_test(refusals_are_counted_by_reason),
        cmocka_unit_test(the_process_and_the_build_are_told),
        cmocka_unit_test(the_dashboard_is_for_the_operators_port),
        cmocka_unit_test(the_dashboard_has_points),
        cmocka_unit_test(a_strange_since_is_from_the_start),
    };

    return cmocka_run_group_tests(tests, server_open, server_close);
}
