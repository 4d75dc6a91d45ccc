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
#include <time.h>
#include <unistd.h>

#define LONG(size)                                                                                 \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"" size "\",\"seed\":1,"           \
    "\"num_inference_steps\":%d,\"n\":%d}"
#define MOST    10 /* pictures of a job */
#define PREVIEW "event: job.partial_image\ndata: "

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
    assert_int_equal(program_stop(server), 0);
}

static void promise_many(const struct program *server, int steps, int count, char path[64])
{
    char body[256];

    snprintf(body, sizeof(body), LONG("256x256"), steps, count);
    job_promise(server, "", body, path);
}

static void promise(const struct program *server, int steps, char path[64])
{
    promise_many(server, steps, 1, path);
}

/* ---- one reader ---- */

struct reader {
    int fd;
    struct reply reply;
    size_t at;        /* read so far */
    const char *size; /* of the pictures */
    long long last;
    int queued, progress, pings;
    int position, step;
    bool again; /* the job may be made once more from its first step */
    int previews[MOST],
        next[MOST];   /* of each picture: how many came, and the least index that may */
    struct json *end; /* of the last event, when that was the job's end */
};

static void listen_for(struct reader *reader, const struct program *server, const char *path,
                       const char *query, long long last)
{
    char head[256], value[64];

    *reader = (struct reader){.fd = client_connect(server->port), .last = last, .size = "256x256"};
    snprintf(head, sizeof(head),
             "GET %s/events%s HTTP/1.1\r\nHost: a\r\nLast-Event-ID: %lld\r\n\r\n", path, query,
             last);
    client_send(reader->fd, head);
    client_read_head(reader->fd, &reader->reply);
    assert_int_equal(reader->reply.status, 200);
    assert_true(reply_header(&reader->reply, "content-type", value, sizeof(value)));
    assert_string_equal(value, "text/event-stream");
    assert_true(reply_header(&reader->reply, "cache-control", value, sizeof(value)));
    assert_string_equal(value, "no-store");
}

static void listen_to(struct reader *reader, const struct program *server, const char *path,
                      long long last)
{
    listen_for(reader, server, path, "", last);
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

/* A preview has no number; it is a picture, of one of the job's, and later than the one before. */
static void take_preview(struct reader *reader, const char *text)
{
    struct json *data = NULL;
    struct why why = {""};
    unsigned char *png;
    size_t bytes;
    int image;

    if (json_parse(&data, text, strlen(text), &why))
        fail_msg("%.200s: %s", text, why.text);
    assert_string_equal(job_text(data, "type"), "job.partial_image");
    assert_string_equal(job_text(data, "output_format"), "png");
    assert_string_equal(job_text(data, "size"), reader->size);
    image = number(json_get(data, "limner"), "index");
    assert_in_range(image, 0, MOST - 1);
    assert_int_equal(number(json_get(data, "limner"), "seed"), 1 + image);
    assert_true(number(data, "partial_image_index") >= reader->next[image]);
    reader->next[image] = number(data, "partial_image_index") + 1;
    reader->previews[image]++;
    png = client_decode(job_text(data, "b64_json"), &bytes);
    assert_memory_equal(png, "\x89PNG", 4);
    free(png);
    assert_null(reader->end);
    json_close(&data);
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
    if (!strncmp(text, PREVIEW, sizeof(PREVIEW) - 1)) {
        take_preview(reader, text + sizeof(PREVIEW) - 1);
        return;
    }
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
        assert_true(number(data, "step") > reader->step || !reader->progress || reader->again);
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

/* Goal: previews of each picture come to who asks, no more of them than he asked for, and to
   nobody else; the job's picture is the same. */
static void previews_come_to_who_asks(void **state)
{
    struct program server;
    struct reader one, three, none;
    struct reply with, without;
    char body[256], path[64], plain[64], image[96];

    (void)state;
    serve(&server);
    snprintf(body, sizeof(body), LONG("96x96"), 60, 2);
    job_promise(&server, "", body, path);
    listen_for(&one, &server, path, "?partial_images=1", 0);
    listen_for(&three, &server, path, "?partial_images=3", 0);
    listen_to(&none, &server, path, 0);
    one.size = three.size = "96x96"; /* so small that who is not read yet is not cut off */
    read_all(&three);
    read_all(&one);
    read_all(&none);
    expect_end(&one, "completed");
    expect_end(&three, "completed");
    expect_end(&none, "completed");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(one.previews[i], 1);
        assert_true(three.previews[i] >= 2 && three.previews[i] <= 3);
        assert_int_equal(none.previews[i], 0);
    }
    assert_int_equal(three.progress, none.progress);
    hang_up(&one);
    hang_up(&three);
    hang_up(&none);

    snprintf(body, sizeof(body), LONG("96x96"), 60, 1);
    job_promise(&server, "", body, plain);
    job_expect_completed(&server, plain);
    snprintf(image, sizeof(image), "%s/images/0", path);
    job_ask(&server, "GET", image, 200, &with);
    snprintf(image, sizeof(image), "%s/images/0", plain);
    job_ask(&server, "GET", image, 200, &without);
    assert_int_equal(with.bytes, without.bytes);
    assert_memory_equal(with.body, without.body, with.bytes);
    reply_close(&with);
    reply_close(&without);
    stop(&server);
}

static void a_bad_number_of_previews_is_told(void **state)
{
    struct program server;
    struct reply r;
    char path[64], events[128];

    (void)state;
    serve(&server);
    promise(&server, 2, path);
    snprintf(events, sizeof(events), "%s/events?partial_images=4", path);
    job_ask(&server, "GET", events, 400, &r);
    assert_non_null(strstr(r.body, "\"param\":\"partial_images\""));
    reply_close(&r);
    stop(&server);
}

/* Goal: who takes previews slowly gets those that he could take, and all that happens meanwhile.
   Method: more of them than the kernel keeps for a connection, and a reader who sleeps; where that
   takes nearly the minute after which nobody's silence is borne, there is nothing to see. */
static void a_slow_reader_of_previews_gets_the_end(void **state)
{
    struct program server;
    struct reader slow;
    char path[64];
    int small = 65536;
    time_t begun = time(NULL);
    bool slept_too_long;

    (void)state;
    serve(&server);
    promise_many(&server, 12, MOST, path);
    listen_for(&slow, &server, path, "?partial_images=3", 0);
    assert_int_equal(setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    job_expect_completed(&server, path);
    slept_too_long = time(NULL) - begun > 45;
    if (!slept_too_long) {
        read_all(&slow);
        expect_end(&slow, "completed");
        assert_true(slow.previews[0] >= 1 && slow.previews[MOST - 1] == 0);
        assert_true(slow.step > 12 * (MOST - 1));
    }
    hang_up(&slow);
    stop(&server);
    if (slept_too_long)
        skip();
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
    snprintf(head, sizeof(head), "GET %s/events?partial_images=3 HTTP/1.1\r\nHost: a\r\n\r\n",
             path);
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
    reader.again = true; /* what was judged and could not be written down is not sent */
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
        cmocka_unit_test_setup_teardown(previews_come_to_who_asks, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_bad_number_of_previews_is_told, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_slow_reader_of_previews_gets_the_end, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(readers_that_do_not_read_hold_nobody_up, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_reader_is_pinged_while_nothing_happens, open_folder,
                                        close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
