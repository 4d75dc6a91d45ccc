/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole server through its socket, with tiny models of random weights: `tiny_lcm` makes a
 * picture in no time, `tiny_sd1` with 150 steps of 256x256 takes long enough to be interrupted.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define QUICK "\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\""
#define SLOW                                                                                       \
    "\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"256x256\","                        \
    "\"num_inference_steps\":150"
#define JSON_HEAD                                                                                  \
    "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

static int server_open(void **state)
{
    static struct program server;
    static const char *const args[] = {"--model",
                                       "tests/golden/tiny_lcm",
                                       "--model",
                                       "tests/golden/tiny_sd1",
                                       "--seats",
                                       "1",
                                       "--queue",
                                       "10",
                                       "--threads",
                                       "1",
                                       "--drain",
                                       "60",
                                       "--queue-seconds",
                                       "0", /* a slow build foretells hours */
                                       NULL};

    program_serve(&server, args);
    *state = &server;
    return 0;
}

/* Goal: a server that was told to stop ends well, whatever the tests did to it. */
static int server_close(void **state)
{
    struct program *server = *state;
    char text[65536];
    int code;

    program_signal(server, SIGTERM);
    code = program_wait(server, 60000);
    program_read(server, text, sizeof(text));
    if (code != 0) /* the end says why; more than a thousand characters cmocka does not print */
        fprintf(stderr, "the server ended with %d: %s\n", code, text);
    program_forget(server);
    return code;
}

static void assert_metric_becomes(const struct program *server, const char *name, double wanted)
{
    double value = -1;

    for (int waited = 0; waited < 10000 && value != wanted; waited += 50) {
        value = client_metric(server->metrics_port, name);
        program_sleep_ms(value == wanted ? 0 : 50);
    }
    if (value != wanted)
        fail_msg("%s is %g, not %g", name, value, wanted);
}

/* A request whose answer nobody has read yet; read it from the file descriptor, or close it. */
static int begin_generate(const struct program *server, const char *body)
{
    char head[512];
    int fd = client_connect(server->port);

    assert_true(fd >= 0);
    snprintf(head, sizeof(head), JSON_HEAD "Content-Length: %zu\r\n\r\n", strlen(body));
    client_send(fd, head);
    client_send(fd, body);
    return fd;
}

/* ---- health, models, methods ---- */

static void health_is_answered_on_both_ports(void **state)
{
    static const char *const paths[] = {"/livez", "/readyz", "/healthz", "/livez?verbose=1"};
    const struct program *server = *state;
    struct reply r;
    char value[128];

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        client_ask(server->port, "GET", paths[i], "", NULL, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "ok\n");
        assert_true(reply_header(&r, "x-request-id", value, sizeof(value)));
        reply_close(&r);
        client_ask(server->metrics_port, "GET", paths[i], "", NULL, &r);
        assert_int_equal(r.status, 200);
        reply_close(&r);
    }
    client_ask(server->port, "GET", "/metrics", "", NULL, &r);
    assert_int_equal(r.status, 404); /* for the operator's port only */
    reply_close(&r);
    client_ask(server->metrics_port, "GET", "/v1/models", "", NULL, &r);
    assert_int_equal(r.status, 404);
    reply_close(&r);
}

static void head_is_get_without_a_body(void **state)
{
    const struct program *server = *state;
    int fd = client_connect(server->port);
    struct reply r;
    char value[32];

    client_send(fd,
                "HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    client_read(fd, false, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "content-length", value, sizeof(value)));
    assert_string_equal(value, "3");
    reply_close(&r);
    client_read(fd, true, &r); /* had HEAD sent a body, it would stand here */
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "ok\n");
    reply_close(&r);
    close(fd);
}

static void models_are_listed_and_found_by_name(void **state)
{
    const struct program *server = *state;
    const struct json *data;
    struct json *root;
    struct reply r;

    client_ask(server->port, "GET", "/v1/models", "", NULL, &r);
    assert_int_equal(r.status, 200);
    root = reply_json(&r);
    data = json_get(root, "data");
    assert_int_equal(json_size(data), 2);
    assert_string_equal(json_as_string(json_get(json_at(data, 0), "id")), "tiny_lcm");
    assert_string_equal(json_as_string(json_get(json_at(data, 1), "object")), "model");
    json_close(&root);
    reply_close(&r);

    client_ask(server->port, "GET", "/v1/models/tiny%5Fsd1", "", NULL, &r);
    assert_int_equal(r.status, 200);
    root = reply_json(&r);
    assert_string_equal(json_as_string(json_get(root, "id")), "tiny_sd1");
    json_close(&root);
    reply_close(&r);
}

/* ---- what is wrong ---- */

static void assert_envelope(const struct reply *r, const char *param, const char *says)
{
    struct json *root = reply_json(r);
    const struct json *error = json_get(root, "error");
    const struct json *named = json_get(error, "param");
    const char *message = json_as_string(json_get(error, "message"));
    char id[128];

    assert_int_equal(json_size(error), 4);
    assert_int_equal(json_type_of(json_get(error, "type")), JSON_TYPE_STRING);
    assert_int_equal(json_type_of(json_get(error, "code")), JSON_TYPE_STRING);
    if (strcmp(param, json_type_of(named) == JSON_TYPE_STRING ? json_as_string(named) : ""))
        fail_msg("the wrong param in %s", r->body);
    if (!strstr(message, says))
        fail_msg("'%s' does not say '%s'", message, says);
    assert_true(reply_header(r, "x-request-id", id, sizeof(id)));
    json_close(&root);
}

static const struct {
    const char *body;
    int status;
    const char *param, *says;
} bad_bodies[] = {
    {"{}", 400, "prompt", "required"},
    {"{\"prompt\":\"\"}", 400, "prompt", "1 to 32000"},
    {"{\"prompt\":\"a\",\"size\":\"20x24\"}", 400, "size", "divisible by 8"},
    {"{\"prompt\":\"a\",\"size\":\"72x64\"}", 400, "size", "from 16 to 64"},
    {"{\"prompt\":\"a\",\"size\":\"8x8\"}", 400, "size", "from 16 to 64"},
    {"{\"prompt\":\"a\",\"size\":\"big\"}", 400, "size", "WIDTHxHEIGHT"},
    {"{\"prompt\":\"a\",\"n\":0}", 400, "n", "from 1 to 10"},
    {"{\"prompt\":\"a\",\"n\":11}", 400, "n", "from 1 to 10"},
    {"{\"prompt\":\"a\",\"guidance_scale\":NaN}", 400, "", "line 1"},
    {"{\"prompt\":\"a\",\"guidance_scale\":1e999}", 400, "", "line 1"},
    {"{\"prompt\":\"a\",\"seed\":1e400}", 400, "", "line 1"},
    {"{\"prompt\":\"a\",\"seed\":-1}", 400, "seed", "from 0 to 9007199254740991"},
    {"{\"prompt\":\"a\",\"num_inference_steps\":1000}", 400, "num_inference_steps", "1 to 150"},
    {"{\"prompt\":\"\xc3\x28\"}", 400, "", "line 1"},
    {"{\"prompt\":\"a\"", 400, "", "line 1"},
    {"{\"prompt\":\"a\",\"prompt\":\"b\"}", 400, "", "line 1"},
    {"[1]", 400, "", "object"},
    {"", 400, "", "line 1"},
    {"{\"prompt\":\"a\",\"colour\":\"red\"}", 400, "colour", "not a field"},
    {"{\"prompt\":\"a\",\"model\":\"dall-e-3\"}", 404, "model", "/v1/models"},
    {"{\"prompt\":\"a\",\"stream\":\"yes\"}", 400, "stream", "true or false"},
    {"{\"prompt\":\"a\",\"response_format\":\"url\"}", 400, "response_format", "b64_json"},
    {"{\"prompt\":\"a\",\"background\":\"transparent\"}", 400, "background", "not supported"},
    {"{\"prompt\":\"a\",\"output_compression\":50}", 400, "output_compression", "webp and jpeg"},
};

static void bad_bodies_are_refused_by_field_and_range(void **state)
{
    const struct program *server = *state;

    for (size_t i = 0; i < COUNT_OF(bad_bodies); i++) {
        struct reply r;
        char retry[16];

        client_generate(server->port, "", bad_bodies[i].body, &r);
        if (r.status != bad_bodies[i].status)
            fail_msg("%s: status %d, %s", bad_bodies[i].body, r.status, r.body);
        assert_envelope(&r, bad_bodies[i].param, bad_bodies[i].says);
        assert_true(reply_header(&r, "x-should-retry", retry, sizeof(retry)));
        assert_string_equal(retry, "false");
        reply_close(&r);
    }
}

/* Method: a body of `bytes` bytes whose prompt fills it, with a length or in chunks. */
static void send_long_body(const struct program *server, size_t bytes, bool chunked,
                           struct reply *r)
{
    char head[256], *body = malloc(bytes + 1);
    int fd = client_connect(server->port);

    assert_non_null(body);
    memset(body, 'a', bytes);
    memcpy(body, "{\"prompt\":\"", 11);
    memcpy(body + bytes - 2, "\"}", 2);
    if (chunked)
        snprintf(head, sizeof(head), JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", bytes);
    else
        snprintf(head, sizeof(head), JSON_HEAD "Content-Length: %zu\r\n\r\n", bytes);
    client_send(fd, head);
    client_send_bytes(fd, body, bytes);
    if (chunked)
        client_send(fd, "\r\n0\r\n\r\n");
    client_read(fd, true, r);
    if (reply_header(r, "connection", head, sizeof(head)) && !strcmp(head, "close"))
        assert_int_equal(recv(fd, head, 1, 0), 0); /* ended, not reset */
    close(fd);
    free(body);
}

/* Goal: long prompts are 400, and bodies beyond any use 413, also when much more is sent than is
   ever read: the answer must arrive before the connection breaks. */
static void long_bodies_are_refused(void **state)
{
    static const struct {
        size_t bytes;
        bool chunked;
        int status;
    } cases[] = {
        {32000 + 14, false, 400},   {900000, true, 400},   {(1 << 20) + 1, false, 413},
        {(1 << 20) + 1, true, 413}, {3 << 20, false, 413}, {3 << 20, true, 413},
        {20 << 20, false, 413},
    };
    const struct program *server = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reply r;

        send_long_body(server, cases[i].bytes, cases[i].chunked, &r);
        if (r.status != cases[i].status)
            fail_msg("%zu bytes, chunked %d: status %d", cases[i].bytes, cases[i].chunked,
                     r.status);
        assert_envelope(&r, cases[i].status == 400 ? "prompt" : "",
                        cases[i].status == 400 ? "1 to 32000" : "larger");
        reply_close(&r);
    }
}

static void deep_json_is_refused(void **state)
{
    const struct program *server = *state;
    char body[4096] = "{\"prompt\":";
    struct reply r;

    memset(body + strlen(body), '[', 3000);
    client_generate(server->port, "", body, &r);
    assert_int_equal(r.status, 400);
    assert_envelope(&r, "", "deeper");
    reply_close(&r);
}

static void wrong_paths_methods_and_types_are_refused(void **state)
{
    static const struct {
        const char *method, *path, *headers, *body;
        int status;
        const char *says, *allow;
    } cases[] = {
        {"GET", "/", "", NULL, 404, "nothing", NULL},
        {"GET", "/v1/images", "", NULL, 404, "nothing", NULL},
        {"POST", "/v1/images/generations/x", "", "{}", 404, "nothing", NULL},
        {"GET", "/v1/models/", "", NULL, 404, "nothing", NULL},
        {"GET", "/v1/models/none", "", NULL, 404, "no model", NULL},
        {"GET", "/v1/models/a%00b", "", NULL, 404, "no model", NULL},
        {"GET", "/v1/models/%zz", "", NULL, 404, "no model", NULL},
        {"GET", "/../livez", "", NULL, 404, "nothing", NULL},
        {"GET", "/v1/images/generations", "", NULL, 405, "POST", "POST"},
        {"DELETE", "/v1/models", "", NULL, 405, "GET", "GET, HEAD"},
        {"POST", "/livez", "", "x", 405, "GET", "GET, HEAD"},
        {"POST", "/v1/images/generations", "", "{}", 415, "application/json", NULL},
        {"POST", "/v1/images/generations", "Content-Type: text/plain\r\n", "{}", 415,
         "application/json", NULL},
        {"POST", "/livez", "Expect: nonsense\r\n", "x", 417, "", NULL},
    };
    const struct program *server = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reply r;
        char allow[32];

        client_ask(server->port, cases[i].method, cases[i].path, cases[i].headers, cases[i].body,
                   &r);
        if (r.status != cases[i].status)
            fail_msg("%s %s: status %d, %s", cases[i].method, cases[i].path, r.status, r.body);
        assert_envelope(&r, strstr(cases[i].says, "no model") ? "model" : "", cases[i].says);
        assert_true(reply_header(&r, "allow", allow, sizeof(allow)) == (cases[i].allow != NULL));
        if (cases[i].allow)
            assert_string_equal(allow, cases[i].allow);
        reply_close(&r);
    }
}

/* Goal: what two servers in a row could read differently is refused, and the connection ends. */
static void ambiguous_requests_are_refused(void **state)
{
    static const char *const requests[] = {
        JSON_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
        JSON_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "GET /livez HTTP/1.1\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        "GET /livez HTTP/1.1\nHost: a\r\n\r\n",
        JSON_HEAD "Transfer-Encoding: gzip\r\n\r\n",
        JSON_HEAD "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        JSON_HEAD "Content-Length: 1x\r\n\r\n",
    };
    const struct program *server = *state;

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int fd = client_connect(server->port);
        struct reply r;
        char byte;

        client_send(fd, requests[i]);
        client_read(fd, true, &r);
        if (r.status != 400)
            fail_msg("%s: status %d", requests[i], r.status);
        assert_envelope(&r, "", "");
        reply_close(&r);
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
}

/* ---- connections ---- */

static void requests_may_be_sent_ahead(void **state)
{
    static const char body[] = "{" QUICK ",\"seed\":1}";
    const struct program *server = *state;
    int fd = begin_generate(server, body);
    struct reply r;

    client_send(fd, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET http://a/nope?x HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET http://a/livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    static const int wanted[] = {200, 200, 404, 200};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        client_read(fd, true, &r);
        assert_int_equal(r.status, wanted[i]);
        reply_close(&r);
    }
    client_read(fd, true, &r);
    assert_int_equal(r.status, 0);
    close(fd);
}

static void slow_bodies_are_waited_for(void **state)
{
    const struct program *server = *state;
    int fd = client_connect(server->port);
    struct reply r;

    client_send(fd, JSON_HEAD "Content-Length: 13\r\nExpect: 100-continue\r\n\r\n{\"pro");
    program_sleep_ms(300);
    client_send(fd, "mpt\":7}");
    client_send(fd, " ");
    client_read(fd, true, &r);
    assert_int_equal(r.status, 400);
    assert_envelope(&r, "prompt", "string");
    reply_close(&r);
    close(fd);
}

/* Goal: clients that break off at any place leave nothing behind. */
static void broken_connections_leave_nothing(void **state)
{
    static const char *const starts[] = {"", "GET", "GET /livez HTTP/1.1\r\nHo",
                                         JSON_HEAD "Content-Length: 100\r\n\r\n{\"prompt\"",
                                         JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"p"};
    const struct program *server = *state;

    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(starts); i++) {
            int fd = client_connect(server->port);

            client_send(fd, starts[i]);
            close(fd);
        }
    }
    assert_metric_becomes(server, "limner_http_connections", 1); /* the one that asks */
    assert_metric_becomes(server, "limner_http_requests_inflight", 1);
}

/* ---- pictures ---- */

static const char *b64_of(const struct json *root, size_t index)
{
    return json_as_string(json_get(json_at(json_get(root, "data"), index), "b64_json"));
}

static int64_t seed_of(const struct json *root, size_t index)
{
    return json_as_int(json_get(json_at(json_get(root, "data"), index), "seed"));
}

static struct json *generate(const struct program *server, const char *body)
{
    struct json *root;
    struct reply r;

    client_generate(server->port, "", body, &r);
    if (r.status != 200)
        fail_msg("%s: status %d, %s", body, r.status, r.body);
    root = reply_json(&r);
    reply_close(&r);
    return root;
}

/* Goal: a seed gives one picture, alone or as the kth of n. */
static void the_same_seed_gives_the_same_picture(void **state)
{
    const struct program *server = *state;
    struct json *one = generate(server, "{" QUICK ",\"seed\":41}");
    struct json *three = generate(server, "{" QUICK ",\"seed\":40,\"n\":3}");

    assert_int_equal(json_size(json_get(three, "data")), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seed_of(three, i), 40 + (int64_t)i);
    assert_string_equal(b64_of(one, 0), b64_of(three, 1));
    assert_string_not_equal(b64_of(three, 0), b64_of(three, 1));
    assert_string_not_equal(b64_of(three, 1), b64_of(three, 2));
    assert_string_equal(json_as_string(json_get(one, "size")), "32x32");
    assert_string_equal(json_as_string(json_get(one, "output_format")), "png");
    assert_string_equal(json_as_string(json_get(one, "model")), "tiny_lcm");
    assert_null(json_get(one, "warnings"));
    json_close(&one);
    json_close(&three);
}

/* Goal: without a seed there is a random one, and it gives the same picture again. */
static void a_random_seed_is_told(void **state)
{
    const struct program *server = *state;
    struct json *first = generate(server, "{" QUICK "}");
    struct json *other = generate(server, "{" QUICK "}");
    struct json *again;
    char body[256];

    assert_true(seed_of(first, 0) != seed_of(other, 0));
    snprintf(body, sizeof(body), "{" QUICK ",\"seed\":%lld}", (long long)seed_of(first, 0));
    again = generate(server, body);
    assert_string_equal(b64_of(first, 0), b64_of(again, 0));
    json_close(&first);
    json_close(&other);
    json_close(&again);
}

static void a_prompt_that_is_too_long_is_cut_with_a_warning(void **state)
{
    const struct program *server = *state;
    char body[4096] = "{\"model\":\"tiny_lcm\",\"prompt\":\"";
    struct json *root;

    for (int i = 0; i < 300; i++)
        strncat(body, "fox ", 5);
    strncat(body, "\"}", 3);
    root = generate(server, body);
    assert_int_equal(json_size(json_get(root, "warnings")), 1);
    json_close(&root);
}

static const struct {
    const char *format, *type, *magic;
    size_t magic_bytes;
} formats[] = {
    {"png", "image/png", "\x89PNG\r\n\x1a\n", 8},
    {"webp", "image/webp", "RIFF", 4},
    {"jpeg", "image/jpeg", "\xff\xd8\xff", 3},
};

/* Goal: bytes by Accept are the very bytes that base64 carries. */
static void raw_bytes_come_by_accept(void **state)
{
    const struct program *server = *state;

    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        char body[256], accept[64], value[64];
        unsigned char *bytes;
        struct json *root;
        struct reply r;
        size_t count;

        snprintf(body, sizeof(body), "{" QUICK ",\"seed\":5,\"output_format\":\"%s\"}",
                 formats[i].format);
        root = generate(server, body);
        bytes = client_decode(b64_of(root, 0), &count);
        assert_memory_equal(bytes, formats[i].magic, formats[i].magic_bytes);

        snprintf(accept, sizeof(accept), "Accept: %s\r\n", formats[i].type);
        client_generate(server->port, accept, "{" QUICK ",\"seed\":5}", &r);
        assert_int_equal(r.status, 200);
        assert_true(reply_header(&r, "content-type", value, sizeof(value)));
        assert_string_equal(value, formats[i].type);
        assert_true(reply_header(&r, "x-limner-seed", value, sizeof(value)));
        assert_string_equal(value, "5");
        assert_true(reply_header(&r, "server-timing", value, sizeof(value)));
        assert_int_equal(r.bytes, count);
        assert_memory_equal(r.body, bytes, count);
        free(bytes);
        json_close(&root);
        reply_close(&r);
    }
}

static void raw_bytes_are_for_one_picture_of_a_taken_format(void **state)
{
    const struct program *server = *state;
    struct reply r;

    client_generate(server->port, "Accept: image/*\r\n", "{" QUICK ",\"n\":2}", &r);
    assert_int_equal(r.status, 400);
    assert_envelope(&r, "n", "must be 1");
    reply_close(&r);
    client_generate(server->port, "Accept: image/png\r\n", "{" QUICK ",\"output_format\":\"webp\"}",
                    &r);
    assert_int_equal(r.status, 400);
    assert_envelope(&r, "output_format", "Accept");
    reply_close(&r);
}

/* ---- more than there is room for, clients that leave ---- */

static void a_full_queue_says_when_to_come_back(void **state)
{
    const struct program *server = *state;
    int first = begin_generate(server, "{" SLOW "}"), second;
    struct reply r;
    char value[32];

    assert_metric_becomes(server, "limner_pictures_seated", 1);
    second = begin_generate(server, "{" SLOW ",\"n\":10}");
    assert_metric_becomes(server, "limner_pictures_waiting", 10);

    client_generate(server->port, "", "{" QUICK "}", &r);
    assert_int_equal(r.status, 429);
    assert_envelope(&r, "", "later");
    assert_true(reply_header(&r, "retry-after", value, sizeof(value)));
    assert_in_range(strtol(value, NULL, 10), 1, 60);
    assert_true(reply_header(&r, "retry-after-ms", value, sizeof(value)));
    assert_true(reply_header(&r, "x-should-retry", value, sizeof(value)));
    assert_string_equal(value, "true");
    reply_close(&r);
    close(first);
    close(second);
    assert_metric_becomes(server, "limner_pictures_waiting", 0);
    assert_metric_becomes(server, "limner_pictures_seated", 0);
}

/* Goal: a client that leaves while it waits stops its pictures, seated or in the queue. */
static void a_client_that_leaves_cancels_its_pictures(void **state)
{
    const struct program *server = *state;
    double before = client_metric(server->metrics_port, "limner_pictures_cancelled_total");
    double done = client_metric(server->metrics_port, "limner_pictures_done_total");
    int fd = begin_generate(server, "{" SLOW ",\"n\":3}");

    assert_metric_becomes(server, "limner_pictures_seated", 1);
    close(fd);
    assert_metric_becomes(server, "limner_pictures_cancelled_total", before + 3);
    assert_metric_becomes(server, "limner_http_requests_inflight", 1);
    assert_true(client_metric(server->metrics_port, "limner_pictures_done_total") == done);
}

/* Goal: clients that come and go at any moment leave a server that works.
   Method: quick requests that are left alone after 0 to 40 ms, some read to the end. */
static void clients_that_come_and_go_leave_a_working_server(void **state)
{
    const struct program *server = *state;

    for (int round = 0; round < 60; round++) {
        int fd = begin_generate(server, round % 3 ? "{" QUICK "}" : "{" QUICK ",\"n\":4}");
        struct reply r;

        program_sleep_ms(round * 7 % 41);
        if (round % 4 == 0) {
            client_read(fd, true, &r);
            assert_int_equal(r.status, 200);
            reply_close(&r);
        }
        close(fd);
    }
    assert_metric_becomes(server, "limner_http_requests_inflight", 1);
    assert_metric_becomes(server, "limner_pictures_seated", 0);
    assert_metric_becomes(server, "limner_pictures_waiting", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_answered_on_both_ports),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(models_are_listed_and_found_by_name),
        cmocka_unit_test(bad_bodies_are_refused_by_field_and_range),
        cmocka_unit_test(long_bodies_are_refused),
        cmocka_unit_test(deep_json_is_refused),
        cmocka_unit_test(wrong_paths_methods_and_types_are_refused),
        cmocka_unit_test(ambiguous_requests_are_refused),
        cmocka_unit_test(requests_may_be_sent_ahead),
        cmocka_unit_test(slow_bodies_are_waited_for),
        cmocka_unit_test(broken_connections_leave_nothing),
        cmocka_unit_test(the_same_seed_gives_the_same_picture),
        cmocka_unit_test(a_random_seed_is_told),
        cmocka_unit_test(a_prompt_that_is_too_long_is_cut_with_a_warning),
        cmocka_unit_test(raw_bytes_come_by_accept),
        cmocka_unit_test(raw_bytes_are_for_one_picture_of_a_taken_format),
        cmocka_unit_test(a_full_queue_says_when_to_come_back),
        cmocka_unit_test(a_client_that_leaves_cancels_its_pictures),
        cmocka_unit_test(clients_that_come_and_go_leave_a_working_server),
    };

    return cmocka_run_group_tests(tests, server_open, server_close);
}
