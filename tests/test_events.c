/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a job, as a reader of events sees it: in order, once, and again after a break.
 */
#include "tests/job_client.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG                                                                                       \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"256x256\",\"seed\":1,"            \
    "\"num_inference_steps\":%d}"

static char folder[128];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-events.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : 1;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static void serve(struct program *server)
{
    const char *const args[] = {"--model",   "tests/golden/tiny_sd1",
                                "--seats",   "1",
                                "--queue",   "10",
                                "--threads", "1",
                                "--drain",   "1",
                                "--state",   folder,
                                NULL};

    program_serve(server, args);
}

static void stop(struct program *server)
{
    program_signal(server, SIGTERM);
    assert_int_equal(program_wait(server, 60000), 0);
    program_forget(server);
}

static void promise(const struct program *server, int steps, char path[64])
{
    char body[256];

    snprintf(body, sizeof(body), LONG, steps);
    job_promise(server, "", body, path);
}

/* ---- one reader ---- */

struct reader {
    int fd;
    struct reply reply;
    size_t at; /* read so far */
    long long last;
    int queued, progress, pings;
    int position, step;
    struct json *end; /* of the last event, when that was the job's end */
};

static void listen_to(struct reader *reader, const struct program *server, const char *path,
                      long long last)
{
    char head[256], value[64];

    *reader = (struct reader){.fd = client_connect(server->port), .last = last};
    snprintf(head, sizeof(head), "GET %s/events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: %lld\r\n\r\n",
             path, last);
    client_send(reader->fd, head);
    client_read_head(reader->fd, &reader->reply);
    assert_int_equal(reader->reply.status, 200);
    assert_true(reply_header(&reader->reply, "content-type", value, sizeof(value)));
    assert_string_equal(value, "text/event-stream");
    assert_true(reply_header(&reader->reply, "cache-control", value, sizeof(value)));
    assert_string_equal(value, "no-store");
}

static void hang_up(struct reader *reader)
{
    close(reader->fd);
    json_close(&reader->end);
    reply_close(&reader->reply);
}

static int number(const struct json *o, const char *name)
{
    return (int)json_as_int(json_get(o, name));
}

/* An event's numbers rise, places fall, steps rise. */
static void take_event(struct reader *reader, const char *text)
{
    struct json *data = NULL;
    struct why why = {""};
    long long id;
    char name[32], type[32];
    int at = 0;

    if (!strncmp(text, ": ping", 6)) {
        reader->pings++;
        return;
    }
    if (!strncmp(text, "retry: ", 7))
        return;
    assert_int_equal(sscanf(text, "id: %lld\nevent: %31s\ndata: %n", &id, name, &at), 2);
    assert_true(at > 0 && id > reader->last);
    reader->last = id;
    if (json_parse(&data, text + at, strlen(text + at), &why))
        fail_msg("%s: %s", text, why.text);
    snprintf(type, sizeof(type), "%s", job_text(data, "type"));
    assert_string_equal(type, name);
    assert_null(reader->end);
    if (!strcmp(name, "job.queued")) {
        assert_true(!reader->queued || number(data, "position") != reader->position);
        reader->position = number(data, "position");
        reader->queued++;
    } else if (!strcmp(name, "job.progress")) {
        assert_true(number(data, "step") > reader->step || !reader->progress);
        assert_true(number(data, "step") <= number(data, "steps"));
        reader->step = number(data, "step");
        reader->progress++;
    } else {
        assert_true(!strcmp(name, "job.completed") || !strcmp(name, "job.failed"));
        reader->end = data;
        return;
    }
    json_close(&data);
}

/* One chunk more. False: that was the end. */
static bool read_on(struct reader *reader)
{
    bool more = client_read_chunk(reader->fd, &reader->reply);
    char *text, *end;

    while (reader->reply.body && (text = reader->reply.body + reader->at) &&
           (end = strstr(text, "\n\n"))) {
        *end = '\0';
        take_event(reader, text);
        reader->at += (size_t)(end + 2 - text);
    }
    return more;
}

static void read_all(struct reader *reader)
{
    while (read_on(reader))
        ;
}

static void expect_end(const struct reader *reader, const char *status)
{
    assert_non_null(reader->end);
    assert_string_equal(job_text(json_get(reader->end, "job"), "status"), status);
}

/* ---- tests ---- */

static void a_reader_sees_places_steps_and_the_end(void **state)
{
    struct program server;
    struct reader reader;
    char first[64], second[64];
    long long last;

    (void)state;
    serve(&server);
    promise(&server, 30, first);
    promise(&server, 30, second);
    listen_to(&reader, &server, second, 0);
    read_all(&reader);
    expect_end(&reader, "completed");
    assert_int_equal(reader.position, 1);
    assert_true(reader.queued >= 1 && reader.progress >= 2);
    last = reader.last;
    hang_up(&reader);

    listen_to(&reader, &server, second, last - 1); /* the end once more */
    read_all(&reader);
    expect_end(&reader, "completed");
    assert_int_equal(reader.last, last);
    assert_int_equal(reader.progress, 0);
    hang_up(&reader);
    listen_to(&reader, &server, second, last); /* nothing that was seen */
    read_all(&reader);
    assert_null(reader.end);
    hang_up(&reader);
    stop(&server);
}

static void who_comes_back_gets_what_he_missed(void **state)
{
    struct program server;
    struct reader reader, whole;
    char path[64];
    long long last;
    int seen;

    (void)state;
    serve(&server);
    promise(&server, 60, path);
    listen_to(&whole, &server, path, 0);
    listen_to(&reader, &server, path, 0);
    while (reader.progress < 2)
        assert_true(read_on(&reader));
    last = reader.last;
    seen = reader.progress;
    hang_up(&reader);
    program_sleep_ms(400); /* in which more happens */
    listen_to(&reader, &server, path, last);
    read_all(&reader);
    read_all(&whole);
    expect_end(&reader, "completed");
    expect_end(&whole, "completed");
    assert_int_equal(reader.progress + seen, whole.progress);
    assert_int_equal(reader.last, whole.last);
    hang_up(&reader);
    hang_up(&whole);
    stop(&server);
}

static void a_cancelled_job_is_told_to_who_listens(void **state)
{
    struct program server;
    struct reader reader;
    struct reply r;
    char path[64];

    (void)state;
    serve(&server);
    promise(&server, 150, path);
    listen_to(&reader, &server, path, 0);
    while (!reader.progress)
        assert_true(read_on(&reader));
    job_ask(&server, "DELETE", path, 200, &r);
    reply_close(&r);
    read_all(&reader);
    expect_end(&reader, "failed");
    assert_string_equal(job_text(json_get(json_get(reader.end, "job"), "error"), "code"),
                        "cancelled");
    hang_up(&reader);
    stop(&server);
}

/* Goal: numbers rise from one server to the next, so that a reader who comes back misses nothing
   and sees nothing twice. */
static void a_reader_follows_a_job_to_the_next_server(void **state)
{
    struct program server;
    struct reader reader;
    char path[64];
    long long last;

    (void)state;
    serve(&server);
    promise(&server, 100, path);
    listen_to(&reader, &server, path, 0);
    while (reader.progress < 3)
        assert_true(read_on(&reader));
    program_signal(&server, SIGKILL);
    program_wait(&server, 10000);
    program_forget(&server);
    last = reader.last;
    hang_up(&reader);

    serve(&server);
    listen_to(&reader, &server, path, last);
    while (!reader.progress)
        assert_true(read_on(&reader));
    last = reader.last;
    program_signal(&server, SIGTERM); /* one that stops says good-bye, and no end */
    read_all(&reader);
    assert_null(reader.end);
    hang_up(&reader);
    assert_int_equal(program_wait(&server, 60000), 0);
    program_forget(&server);

    serve(&server);
    listen_to(&reader, &server, path, last);
    read_all(&reader);
    expect_end(&reader, "completed");
    hang_up(&reader);
    stop(&server);
}

/* Goal: readers that never read, or leave, hold up neither the job nor anybody else. */
static void readers_that_do_not_read_hold_nobody_up(void **state)
{
    struct program server;
    char path[64], head[256];
    int fd[40];

    (void)state;
    serve(&server);
    promise(&server, 40, path);
    snprintf(head, sizeof(head), "GET %s/events HTTP/1.1\r\nHost: a\r\n\r\n", path);
    for (int i = 0; i < 40; i++) {
        fd[i] = client_connect(server.port);
        client_send(fd[i], head);
    }
    for (int i = 0; i < 40; i += 2)
        close(fd[i]);
    job_expect_completed(&server, path);
    job_wait_for_metric(&server, "limner_http_requests_inflight", 1); /* the question itself */
    for (int i = 1; i < 40; i += 2)
        close(fd[i]);
    stop(&server);
}

/* Goal: a proxy sees that the connection is alive while nothing happens.
   Method: a job that is made, but cannot be written down for a while. */
static void a_reader_is_pinged_while_nothing_happens(void **state)
{
    struct program server;
    struct reader reader;
    char path[64];
    int lock;

    (void)state;
    serve(&server);
    promise(&server, 10, path);
    lock = job_lock_store(folder);
    listen_to(&reader, &server, path, 0);
    while (!reader.pings)
        assert_true(read_on(&reader));
    close(lock);
    read_all(&reader);
    expect_end(&reader, "completed");
    hang_up(&reader);
    stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_sees_places_steps_and_the_end, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(who_comes_back_gets_what_he_missed, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_cancelled_job_is_told_to_who_listens, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_reader_follows_a_job_to_the_next_server, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(readers_that_do_not_read_hold_nobody_up, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_reader_is_pinged_while_nothing_happens, open_folder,
                                        close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
