/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server under a crowd that behaves badly: some wait, some leave at any moment, some send half a
 * request, some read slowly, some state deadlines that cannot be met. SOAK requests, 1000 without
 * it, two dozen at a time, from one seed.
 *
 * Everybody who waits gets one whole answer, nobody's seat stays taken, and with SOAK_MEMORY set
 * the server's memory is as large at the end as when a fifth had passed.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 24, HEAD_MAX = 4096, SLOW_BYTES = 700 };
enum behaviour { WAITS, READS_SLOWLY, LEAVES, SENDS_HALF, BEHAVIOURS };

struct visitor {
    int fd; /* below 0: nobody */
    enum behaviour behaviour;
    double until; /* ms: leaves then, or reads on then */
    size_t bytes; /* received */
    char head[HEAD_MAX + 1];
};

struct soak {
    struct program server;
    struct visitor visitor[CROWD];
    uint32_t random;
    int begun, whole, left, refused; /* requests; whole and refused: of those that waited */
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int up_to(struct soak *s, int limit)
{
    s->random = s->random * 1664525u + 1013904223u;
    return (int)((uint64_t)s->random * (uint64_t)limit >> 32);
}

static long resident_kib(const struct program *p)
{
    char path[64], line[256];
    long kib = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)p->pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

/* --- visitors ---------------------------------------------------------------------------- */

static size_t write_request(struct soak *s, char *text, size_t bytes)
{
    static const char *const priorities[] = {"normal", "high", "low"};
    const char *model = up_to(s, 4) ? "tiny_lcm" : "tiny_sd1";
    char body[512], deadline[64] = "";
    int used = snprintf(body, sizeof(body),
                        "{\"model\":\"%s\",\"prompt\":\"fox number %d\",\"n\":%d,\"seed\":%d,"
                        "\"num_inference_steps\":%d,\"priority\":\"%s\"}",
                        model, up_to(s, 100), 1 + up_to(s, 3), up_to(s, 1000), 1 + up_to(s, 6),
                        priorities[up_to(s, 3)]);

    if (!up_to(s, 5))
        snprintf(deadline, sizeof(deadline), "X-Request-Deadline-Ms: %d\r\n", 1 + up_to(s, 400));
    used = snprintf(text, bytes,
                    "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                    "Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
                    deadline, used, body);
    return (size_t)used;
}

static void come(struct soak *s, struct visitor *v)
{
    char text[1024];
    size_t bytes = write_request(s, text, sizeof(text));

    memset(v, 0, sizeof(*v));
    v->fd = client_connect(s->server.port);
    assert_true(v->fd >= 0);
    v->behaviour = up_to(s, 2) ? WAITS : (enum behaviour)up_to(s, BEHAVIOURS);
    v->until = now_ms() + up_to(s, 150);
    if (v->behaviour == SENDS_HALF)
        bytes = (size_t)up_to(s, (int)bytes);
    client_send_bytes(v->fd, text, bytes);
    fcntl(v->fd, F_SETFL, O_NONBLOCK);
    s->begun++;
}

static void go(struct visitor *v)
{
    close(v->fd);
    v->fd = -1;
}

/* The answer of somebody who waited: one, whole, and one that is due. */
static void check(struct soak *s, struct visitor *v)
{
    const char *length = strcasestr(v->head, "content-length: "),
               *end = strstr(v->head, "\r\n\r\n");
    int status = 0;

    if (sscanf(v->head, "HTTP/1.1 %d", &status) != 1 || !length || !end)
        fail_msg("after %zu bytes: %.200s", v->bytes, v->head);
    if (v->bytes != (size_t)(end + 4 - v->head) + strtoul(length + 16, NULL, 10))
        fail_msg("%zu bytes of: %.300s", v->bytes, v->head);
    if (status != 200 && status != 429 && status != 503 && status != 504)
        fail_msg("%.400s", v->head);
    s->whole++;
    s->refused += status != 200;
}

static void read_on(struct soak *s, struct visitor *v)
{
    static char bytes[65536];
    bool slow = v->behaviour == READS_SLOWLY;
    ssize_t got = recv(v->fd, bytes, slow ? SLOW_BYTES : sizeof(bytes), 0);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0) {
        size_t room = v->bytes < HEAD_MAX ? HEAD_MAX - v->bytes : 0;

        memcpy(v->head + v->bytes * (room > 0), bytes, (size_t)got < room ? (size_t)got : room);
        v->bytes += (size_t)got;
        v->until = slow ? now_ms() + 2 : 0;
        return;
    }
    if (v->behaviour == WAITS || slow)
        check(s, v);
    else
        s->left++;
    go(v);
}

static bool is_leaving(const struct visitor *v)
{
    return (v->behaviour == LEAVES || v->behaviour == SENDS_HALF) && now_ms() >= v->until;
}

/* One look at everybody; whoever is gone makes room for the next. */
static void move_all(struct soak *s, int wanted)
{
    struct pollfd polls[CROWD];

    for (int i = 0; i < CROWD; i++) {
        struct visitor *v = &s->visitor[i];
        bool rests = v->behaviour == READS_SLOWLY && now_ms() < v->until;

        if (v->fd >= 0 && is_leaving(v)) {
            s->left++;
            go(v);
        }
        if (v->fd < 0 && s->begun < wanted)
            come(s, v);
        polls[i] = (struct pollfd){.fd = rests ? -1 : v->fd, .events = POLLIN};
    }
    poll(polls, CROWD, 2);
    for (int i = 0; i < CROWD; i++)
        if (s->visitor[i].fd >= 0 && polls[i].fd >= 0 && polls[i].revents)
            read_on(s, &s->visitor[i]);
}

static bool is_somebody_there(const struct soak *s)
{
    for (int i = 0; i < CROWD; i++)
        if (s->visitor[i].fd >= 0)
            return true;
    return false;
}

/* --- the whole --------------------------------------------------------------------------- */

static void wait_until_idle(const struct soak *s)
{
    const char *const counts[] = {"limner_pictures_waiting", "limner_pictures_seated",
                                  "limner_pictures_finishing"};

    for (int i = 0; i < 3; i++)
        for (int tries = 0; client_metric(s->server.metrics_port, counts[i]) > 0; tries++) {
            if (tries == 3000)
                fail_msg("%s does not fall to 0", counts[i]);
            program_sleep_ms(10);
        }
}

/* Everybody may come in again: a request of as many pictures as fit into one. */
static void check_that_all_is_free(const struct soak *s)
{
    struct reply r;

    client_generate(s->server.port, "",
                    "{\"model\":\"tiny_lcm\",\"prompt\":\"a fox\",\"n\":10,"
                    "\"num_inference_steps\":1}",
                    &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
}

static void a_bad_crowd_changes_nothing(void **state)
{
    static struct soak s = {.random = 1};
    const char *const args[] = {"--model",   "tests/golden/tiny_lcm",
                                "--model",   "tests/golden/tiny_sd1",
                                "--seats",   "4",
                                "--queue",   "32",
                                "--threads", "1",
                                "--drain",   "60",
                                NULL};
    int wanted = getenv("SOAK") ? atoi(getenv("SOAK")) : 1000;
    long early = 0, late;
    (void)state;

    program_serve(&s.server, args);
    for (int i = 0; i < CROWD; i++)
        s.visitor[i].fd = -1;
    while (s.begun < wanted || is_somebody_there(&s)) {
        move_all(&s, wanted);
        if (!early && s.begun > wanted / 5)
            early = resident_kib(&s.server);
    }
    wait_until_idle(&s);
    late = resident_kib(&s.server);
    print_message(
        "%d requests: %d answered (%d of them refused), %d left; memory %ld, then %ld KiB\n",
        s.begun, s.whole, s.refused, s.left, early, late);
    assert_int_equal(s.whole + s.left, s.begun);
    assert_true(s.whole > s.begun / 2 && s.refused < s.whole);
    if (getenv("SOAK_MEMORY") && (double)late > 1.02 * (double)early)
        fail_msg("memory grew from %ld to %ld KiB", early, late);
    check_that_all_is_free(&s);
    program_signal(&s.server, SIGTERM);
    assert_int_equal(program_wait(&s.server, 120000), 0);
    program_forget(&s.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_crowd_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
