/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "stream": true through the socket: events in OpenAI's shape, and the pictures that an ordinary
 * request gets.
 */
#include "tests/job_client.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOX    "\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"256x256\""
#define STREAM "\"stream\":true"

static int server_open(void **state)
{
    static struct program server;
    static const char *const args[] = {"--model",   "tests/golden/tiny_sd1",
                                       "--seats",   "2",
                                       "--queue",   "10",
                                       "--threads", "1",
                                       "--drain",   "60",
                                       NULL};

    program_serve(&server, args);
    *state = &server;
    return 0;
}

static int server_close(void **state)
{
    return program_stop(*state);
}

static int begin(const struct program *server, const char *body, int receive_bytes)
{
    int fd = client_connect(server->port);
    char head[512];

    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    snprintf(head, sizeof(head),
             "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\n"
             "Content-Type: application/json\r\nAccept: text/event-stream\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    client_send(fd, head);
    return fd;
}

/* What a stream has brought, by the picture that an event is about. */
struct stream {
    int partial[4], completed[4], errors;
    char sha256[4][65], code[64];
    unsigned char *picture[4];
    size_t bytes[4];
};

static void stream_close(struct stream *s)
{
    for (int i = 0; i < 4; i++)
        free(s->picture[i]);
}

static int number(const struct json *o, const char *name)
{
    return (int)json_as_int(json_get(o, name));
}

static void take_picture(struct stream *s, const struct json *data, bool partial)
{
    const struct json *ours = json_get(data, "limner");
    int index = number(ours, "index");
    size_t bytes;
    unsigned char *png = client_decode(job_text(data, "b64_json"), &bytes);

    assert_true(index >= 0 && index < 4);
    assert_string_equal(job_text(data, "output_format"), "png");
    assert_string_equal(job_text(data, "size"), "256x256");
    assert_string_equal(job_text(data, "background"), "opaque");
    assert_true(number(data, "created_at") > 1700000000);
    assert_memory_equal(png, "\x89PNG", 4);
    assert_int_equal(s->completed[index], 0);
    if (partial) {
        assert_true(number(data, "partial_image_index") >= s->partial[index]);
        s->partial[index] = number(data, "partial_image_index") + 1;
        free(png);
        return;
    }
    s->completed[index]++;
    snprintf(s->sha256[index], 65, "%s", job_text(ours, "pixels_sha256"));
    s->picture[index] = png;
    s->bytes[index] = bytes;
}

static void take_event(struct stream *s, const char *text)
{
    struct json *data = NULL;
    struct why why = {""};
    char name[64];
    int at = 0;

    if (!strcmp(text, ":"))
        return;
    assert_int_equal(sscanf(text, "event: %63s\ndata: %n", name, &at), 1);
    assert_true(at > 0 && !s->errors);
    if (json_parse(&data, text + at, strlen(text + at), &why))
        fail_msg("%s: %.200s", why.text, text);
    assert_string_equal(job_text(data, "type"), name);
    if (!strcmp(name, "error")) {
        s->errors++;
        snprintf(s->code, sizeof(s->code), "%s", job_text(json_get(data, "error"), "code"));
    } else {
        bool partial = !strcmp(name, "image_generation.partial_image");

        assert_true(partial || !strcmp(name, "image_generation.completed"));
        take_picture(s, data, partial);
    }
    json_close(&data);
}

static void read_stream(struct stream *s, int fd)
{
    struct reply r;
    char value[64], *text, *end;

    *s = (struct stream){.errors = 0};
    client_read(fd, true, &r);
    if (r.status != 200)
        fail_msg("%d: %s", r.status, r.body);
    assert_true(reply_header(&r, "content-type", value, sizeof(value)));
    assert_string_equal(value, "text/event-stream");
    for (text = r.body; (end = strstr(text, "\n\n")); text = end + 2) {
        *end = '\0';
        take_event(s, text);
    }
    assert_string_equal(text, "");
    reply_close(&r);
}

static void ask(const struct program *server, const char *body, struct stream *s)
{
    int fd = begin(server, body, 0);

    read_stream(s, fd);
    close(fd);
}

/* Goal: previews or none, streamed or not, the same request makes the same bytes. */
static void streamed_pictures_are_the_same(void **state)
{
    const struct program *server = *state;
    struct stream previewed, plain;
    struct reply r;

    ask(server, "{" FOX "," STREAM ",\"seed\":5,\"n\":2,\"partial_images\":3}", &previewed);
    ask(server, "{" FOX "," STREAM ",\"seed\":5,\"n\":2}", &plain);
    for (int i = 0; i < 2; i++) {
        char body[160];

        assert_true(previewed.partial[i] >= 1 && previewed.partial[i] <= 3);
        assert_int_equal(plain.partial[i], 0);
        snprintf(body, sizeof(body), "{" FOX ",\"seed\":%d}", 5 + i);
        client_generate(server->port, "Accept: image/png\r\n", body, &r);
        assert_int_equal(previewed.completed[i], 1);
        assert_int_equal(plain.completed[i], 1);
        assert_int_equal(previewed.bytes[i], r.bytes);
        assert_memory_equal(previewed.picture[i], r.body, r.bytes);
        assert_int_equal(plain.bytes[i], r.bytes);
        assert_memory_equal(plain.picture[i], r.body, r.bytes);
        assert_string_equal(plain.sha256[i], previewed.sha256[i]);
        reply_close(&r);
    }
    assert_int_equal(previewed.completed[2] + plain.completed[2], 0);
    stream_close(&previewed);
    stream_close(&plain);
}

static void a_picture_of_few_steps_has_few_previews(void **state)
{
    const struct program *server = *state;
    struct stream s;

    ask(server, "{" FOX "," STREAM ",\"num_inference_steps\":1,\"partial_images\":3}", &s);
    assert_int_equal(s.partial[0], 0);
    assert_int_equal(s.completed[0], 1);
    stream_close(&s);
    ask(server, "{" FOX "," STREAM ",\"num_inference_steps\":2,\"partial_images\":3}", &s);
    assert_true(s.partial[0] <= 3);
    assert_int_equal(s.completed[0], 1);
    stream_close(&s);
}

static void what_cannot_be_streamed_is_told(void **state)
{
    static const struct {
        const char *headers, *body, *param, *says;
    } bad[] = {
        {"", "{" FOX ",\"partial_images\":1}", "partial_images", "needs stream"},
        {"", "{" FOX "," STREAM ",\"partial_images\":4}", "partial_images", "from 0 to 3"},
        {"Accept: image/png\r\n", "{" FOX "," STREAM "}", "stream", "Accept"},
        {JOB_ASYNC, "{" FOX "," STREAM "}", "stream", "respond-async"},
        {"Idempotency-Key: k\r\n", "{" FOX "," STREAM "}", "stream", "Idempotency-Key"},
    };
    const struct program *server = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json *root;
        struct reply r;

        client_generate(server->port, bad[i].headers, bad[i].body, &r);
        assert_int_equal(r.status, 400);
        root = reply_json(&r);
        assert_string_equal(job_text(json_get(root, "error"), "param"), bad[i].param);
        assert_non_null(strstr(job_text(json_get(root, "error"), "message"), bad[i].says));
        json_close(&root);
        reply_close(&r);
    }
}

/* Goal: a picture that fails after the stream began ends it with an error.
   Method: a server that is told twice to stop. */
static void a_failure_ends_the_stream(void **state)
{
    const struct program *server = *state;
    struct stream s;
    struct reply r;
    int fd = begin(server, "{" FOX "," STREAM ",\"num_inference_steps\":150}", 0);

    client_read_head(fd, &r);
    assert_int_equal(r.status, 200); /* the head comes before anything is made */
    program_signal(server, SIGTERM);
    program_sleep_ms(200);
    program_signal(server, SIGTERM); /* the second one does not wait */
    s = (struct stream){.errors = 0};
    while (client_read_chunk(fd, &r))
        ;
    for (char *text = r.body, *end; (end = strstr(text, "\n\n")); text = end + 2) {
        *end = '\0';
        take_event(&s, text);
    }
    assert_int_equal(s.errors, 1);
    assert_string_equal(s.code, "unavailable");
    assert_int_equal(s.completed[0], 0);
    reply_close(&r);
    close(fd);
}

static void a_client_that_leaves_frees_its_seat(void **state)
{
    const struct program *server = *state;
    double before = client_metric(server->metrics_port, "limner_pictures_cancelled_total");
    int fd = begin(server, "{" FOX "," STREAM ",\"num_inference_steps\":150,\"n\":2}", 0);

    job_wait_for_metric(server, "limner_pictures_seated", 2);
    close(fd);
    job_wait_for_metric(server, "limner_pictures_cancelled_total", before + 2);
    job_wait_for_metric(server, "limner_pictures_seated", 0);
}

/* Goal: who does not read what is streamed holds nobody up, and gets all of it when he does. */
static void a_reader_that_sleeps_holds_nobody_up(void **state)
{
    const struct program *server = *state;
    struct stream s;
    int fd[3];

    for (int i = 0; i < 3; i++)
        fd[i] = begin(server,
                      "{" FOX "," STREAM ",\"num_inference_steps\":3,\"n\":2,\"partial_images\":2}",
                      65536);
    ask(server, "{" FOX "," STREAM ",\"num_inference_steps\":3}", &s);
    assert_int_equal(s.completed[0], 1);
    stream_close(&s);
    job_wait_for_metric(server, "limner_pictures_seated", 0);
    for (int i = 0; i < 3; i++) {
        read_stream(&s, fd[i]);
        assert_int_equal(s.completed[0] + s.completed[1], 2);
        assert_int_equal(s.errors, 0);
        stream_close(&s);
        close(fd[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_pictures_are_the_same),
        cmocka_unit_test(a_picture_of_few_steps_has_few_previews),
        cmocka_unit_test(what_cannot_be_streamed_is_told),
        cmocka_unit_test(a_client_that_leaves_frees_its_seat),
        cmocka_unit_test(a_reader_that_sleeps_holds_nobody_up),
        cmocka_unit_test(a_failure_ends_the_stream), /* the last: it ends the server */
    };

    return cmocka_run_group_tests(tests, server_open, server_close);
}
