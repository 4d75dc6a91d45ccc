/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are held, and answers in pieces, on a server of nothing else: the path of a request
 * says what the test's own threads do with it.
 */
#include "base/clock.h"
#include "server/http.h"
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MAX 100000
#define GONE_MS     200 /* within which a client's leaving is to be noticed */

/* One held request; the tests have one at a time of each kind. */
struct held {
    struct http_ticket *ticket;
    atomic_int here, gone, over;
    atomic_llong gone_us;
};

static struct held held;
static struct http *http;
static struct clock real;

static void on_gone(void *owner)
{
    struct held *h = owner;

    atomic_store(&h->gone_us, clock_now_us(&real));
    atomic_fetch_add(&h->gone, 1);
}

static void on_over(void *owner)
{
    atomic_fetch_add(&((struct held *)owner)->over, 1);
}

static void on_over_free(void *owner)
{
    free(owner);
}

static bool is(struct http_text text, const char *word)
{
    return text.bytes == strlen(word) && memcmp(text.data, word, text.bytes) == 0;
}

static bool send_piece(struct http_ticket *ticket, const char *data, size_t bytes)
{
    return http_ticket_send(ticket, &(struct http_text){data, bytes}, 1);
}

/* Twenty numbered pieces, with pauses, then the end. */
static void *count(void *memory)
{
    struct held *h = memory;
    struct answer head;

    answer_text(&head, 200, "text/plain", NULL);
    http_ticket_begin(h->ticket, &head);
    for (int i = 0; i < 20; i++) {
        char piece[32];

        snprintf(piece, sizeof(piece), "piece %d;", i);
        send_piece(h->ticket, piece, strlen(piece));
        program_sleep_ms(i % 3);
    }
    http_ticket_end(h->ticket);
    return NULL;
}

static void spawn(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    pthread_detach(thread);
}

static void handle(void *context, struct http_request *r)
{
    struct answer answer;
    struct held *own;

    (void)context;
    if (is(r->path, "/count")) {
        own = calloc(1, sizeof(*own));
        own->ticket = http_hold(r, own, on_gone, on_over_free);
        spawn(count, own);
    } else if (is(r->path, "/hold")) {
        held.ticket = http_hold(r, &held, on_gone, on_over);
        atomic_store(&held.here, 1);
    } else {
        answer_text(&answer, 200, "text/plain", "plain");
        http_answer(r, &answer);
    }
}

static void refuse(void *context, struct answer *answer, int status, const char *reason)
{
    (void)context;
    answer_text(answer, status, "text/plain", "refused");
    (void)reason;
}

static void decorate(void *context, struct http_request *r, struct answer *answer)
{
    (void)context;
    (void)r;
    (void)answer;
}

static void answered(void *context, const struct http_request *r, int status)
{
    (void)context;
    (void)r;
    (void)status;
}

static int open_http(void **state)
{
    struct http_options options = {.listener = {{.host = "127.0.0.1"}},
                                   .listener_count = 1,
                                   .io_threads = 2,
                                   .connections_max = 64,
                                   .tickets_max = 64,
                                   .body_max = 1000,
                                   .pending_max = PENDING_MAX,
                                   .handle = handle,
                                   .refuse = refuse,
                                   .decorate = decorate,
                                   .answered = answered};
    struct why why = {""};

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    clock_init_real(&real);
    return http_open(&http, &options, &why) ? 1 : 0;
}

static int close_http(void **state)
{
    (void)state;
    http_drain(http);
    http_close(&http);
    return 0;
}

static int begin(const char *method, const char *path)
{
    int fd = client_connect(http_port(http, 0));
    char head[128];

    assert_true(fd >= 0);
    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", method, path);
    client_send(fd, head);
    return fd;
}

static void wait_until(atomic_int *value, int wanted)
{
    for (int waited = 0; atomic_load(value) != wanted; waited++) {
        if (waited == 10000)
            fail_msg("it does not come");
        program_sleep_ms(1);
    }
}

static int hold(const char *method)
{
    int fd;

    held = (struct held){.ticket = NULL};
    fd = begin(method, "/hold");
    wait_until(&held.here, 1);
    return fd;
}

static void begin_pieces(void)
{
    struct answer head;

    answer_text(&head, 200, "text/event-stream", NULL);
    http_ticket_begin(held.ticket, &head);
}

static void expect_plain(void)
{
    struct reply r;

    client_ask(http_port(http, 0), "GET", "/", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "plain");
    reply_close(&r);
}

static void expect_count(struct reply *r)
{
    char all[512] = "";

    for (int i = 0; i < 20; i++)
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "piece %d;", i);
    assert_int_equal(r->status, 200);
    assert_string_equal(r->body, all);
    reply_close(r);
}

static void pieces_arrive_in_order_and_the_connection_stays(void **state)
{
    struct reply r;
    int fd[8];

    (void)state;
    for (int i = 0; i < 8; i++)
        fd[i] = begin("GET", "/count");
    for (int i = 0; i < 8; i++) {
        client_read(fd[i], true, &r);
        expect_count(&r);
        client_send(fd[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client_read(fd[i], true, &r);
        assert_string_equal(r.body, "plain");
        reply_close(&r);
        close(fd[i]);
    }
}

static void a_piece_arrives_while_the_next_is_not_there(void **state)
{
    struct reply r;
    int fd = hold("GET");

    (void)state;
    begin_pieces();
    assert_true(
        http_ticket_send(held.ticket, (struct http_text[]){{"o", 1}, {NULL, 0}, {"ne", 2}}, 3));
    client_read_head(fd, &r);
    assert_int_equal(r.status, 200);
    assert_true(client_read_chunk(fd, &r));
    assert_string_equal(r.body, "one");
    for (int waited = 0; http_ticket_unsent(held.ticket); waited++) {
        assert_true(waited < 1000);
        program_sleep_ms(1);
    }
    assert_true(send_piece(held.ticket, "two", 3));
    assert_true(client_read_chunk(fd, &r));
    assert_string_equal(r.body, "onetwo");
    http_ticket_end(held.ticket);
    assert_false(client_read_chunk(fd, &r));
    reply_close(&r);
    wait_until(&held.over, 1);
    assert_int_equal(atomic_load(&held.gone), 0);
    close(fd);
}

/* Goal: what was sent before the end reaches a client that reads late. */
static void a_slow_reader_gets_everything(void **state)
{
    static char data[PENDING_MAX];
    struct reply r;
    int fd = hold("GET");

    (void)state;
    memset(data, 'x', sizeof(data));
    begin_pieces();
    assert_true(send_piece(held.ticket, data, sizeof(data) / 2));
    assert_true(send_piece(held.ticket, data, sizeof(data) / 2));
    http_ticket_end(held.ticket);
    wait_until(&held.over, 1);
    program_sleep_ms(50);
    client_read(fd, true, &r);
    assert_int_equal(r.bytes, sizeof(data));
    reply_close(&r);
    close(fd);
}

/* Goal: who never reads costs a bound of memory, and nobody else anything. */
static void a_reader_that_never_reads_is_cut_off(void **state)
{
    static char data[10000];
    int fd, small = 4096;
    long sent = 0;

    (void)state;
    fd = hold("GET");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    begin_pieces();
    while (send_piece(held.ticket, data, sizeof(data))) {
        assert_true(http_ticket_unsent(held.ticket) <= PENDING_MAX);
        sent += (long)sizeof(data);
        assert_true(sent < 100 << 20); /* the kernel's buffers are not endless */
    }
    expect_plain();
    wait_until(&held.gone, 1);
    assert_false(send_piece(held.ticket, "x", 1));
    assert_int_equal(atomic_load(&held.over), 0);
    http_ticket_end(held.ticket);
    wait_until(&held.over, 1);
    expect_plain();
    for (int waited = 0; http_busy(http) > 0; waited++) {
        assert_true(waited < 5000);
        program_sleep_ms(1);
    }
    close(fd);
}

static void a_client_may_be_cut_off(void **state)
{
    struct reply r;
    int fd = hold("GET");

    (void)state;
    begin_pieces();
    assert_true(send_piece(held.ticket, "one", 3));
    client_read_head(fd, &r);
    assert_true(client_read_chunk(fd, &r));
    http_ticket_cut(held.ticket);
    assert_false(client_read_chunk(fd, &r));
    reply_close(&r);
    wait_until(&held.gone, 1);
    http_ticket_end(held.ticket);
    wait_until(&held.over, 1);
    close(fd);
}

static void ignore_body(int fd)
{
    char buffer[64];

    assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), -1);
}

static void head_gets_no_body(void **state)
{
    struct reply r;
    int fd = hold("HEAD");

    (void)state;
    begin_pieces();
    wait_until(&held.gone, 1); /* nothing more can reach him */
    assert_false(send_piece(held.ticket, "one", 3));
    http_ticket_end(held.ticket);
    client_read_head(fd, &r);
    assert_int_equal(r.status, 200);
    wait_until(&held.over, 1);
    program_sleep_ms(20);
    ignore_body(fd);
    close(fd);
}

static void an_old_client_reads_until_the_end(void **state)
{
    char text[4096];
    size_t used = 0;
    int fd = client_connect(http_port(http, 0));

    (void)state;
    client_send(fd, "GET /count HTTP/1.0\r\n\r\n");
    for (ssize_t got; (got = recv(fd, text + used, sizeof(text) - 1 - used, 0)) > 0;)
        used += (size_t)got;
    text[used] = '\0';
    assert_non_null(strstr(text, "\r\n\r\npiece 0;piece 1;"));
    assert_string_equal(text + used - 9, "piece 19;");
    close(fd);
}

/* Goal: a client that leaves while it waits is noticed within GONE_MS.
   Method: leave at any moment between two sweeps, before and behind the first piece. */
static void a_client_that_leaves_is_noticed_soon(void **state)
{
    (void)state;
    for (int round = 0; round < 24; round++) {
        int fd = hold("GET");
        struct answer answer;
        int64_t left_us, noticed_us;

        if (round % 2) {
            begin_pieces();
            send_piece(held.ticket, "one", 3);
        }
        program_sleep_ms(round * 7 % 100);
        left_us = clock_now_us(&real);
        close(fd);
        wait_until(&held.gone, 1);
        noticed_us = atomic_load(&held.gone_us) - left_us;
        if (noticed_us > GONE_MS * 1000)
            fail_msg("it took %lld us to notice", (long long)noticed_us);
        if (round % 2) {
            assert_false(send_piece(held.ticket, "two", 3));
            http_ticket_end(held.ticket);
        } else {
            answer_text(&answer, 200, "text/plain", "late");
            http_ticket_answer(held.ticket, &answer);
        }
        wait_until(&held.over, 1);
        assert_int_equal(atomic_load(&held.gone), 1);
    }
    expect_plain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_arrive_in_order_and_the_connection_stays),
        cmocka_unit_test(a_piece_arrives_while_the_next_is_not_there),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(a_reader_that_never_reads_is_cut_off),
        cmocka_unit_test(a_client_may_be_cut_off),
        cmocka_unit_test(head_gets_no_body),
        cmocka_unit_test(an_old_client_reads_until_the_end),
        cmocka_unit_test(a_client_that_leaves_is_noticed_soon),
    };

    return cmocka_run_group_tests(tests, open_http, close_http);
}
