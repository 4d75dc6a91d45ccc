/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hook.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define BODY_MAX    (256 << 10)

/* ---- a service that does what the prompt says ---- */

struct service {
    int listener, port;
    pthread_t thread, client[CLIENTS_MAX];
    int fd[CLIENTS_MAX], clients; /* of the accepting thread until it is joined */
    atomic_int connections, requests;
    atomic_bool stop;
    pthread_mutex_t lock; /* of what follows */
    char head[4096], body[1024];
};

struct client {
    struct service *service;
    int fd;
};

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void send_all(int fd, const char *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        data += n;
        bytes -= (size_t)n;
    }
}

static void reply(int fd, int status, const char *body, size_t bytes)
{
    char head[256];
    int n =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
                 status, bytes);

    send_all(fd, head, (size_t)n);
    send_all(fd, body, bytes);
}

static void reply_text(int fd, const char *body)
{
    reply(fd, 200, body, strlen(body));
}

static void wait_for_stop(struct service *s)
{
    while (!atomic_load(&s->stop))
        sleep_ms(5);
}

static void reply_slowly(struct service *s, int fd)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"action\":\"allow\"}";

    for (size_t i = 0; i < sizeof(text) - 1 && !atomic_load(&s->stop); i++) {
        send_all(fd, text + i, 1);
        sleep_ms(20);
    }
}

static void reply_huge(int fd)
{
    char *huge = malloc(HOOK_ANSWER_MAX + 64);

    memset(huge, ' ', HOOK_ANSWER_MAX + 64);
    memcpy(huge + HOOK_ANSWER_MAX, "{\"action\":\"allow\"}", 18);
    reply(fd, 200, huge, HOOK_ANSWER_MAX + 64);
    free(huge);
}

/* The reply that the word in the body asks for; false: close the connection. */
static bool serve_one(struct service *s, int fd, const char *body)
{
    if (strstr(body, "do-hang"))
        wait_for_stop(s);
    else if (strstr(body, "do-close"))
        return false;
    else if (strstr(body, "do-half"))
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"action\"", 50);
    else if (strstr(body, "do-garbage"))
        send_all(fd, "SSH-2.0-OpenSSH\r\n\r\n\r\n", 21);
    else if (strstr(body, "do-huge"))
        reply_huge(fd);
    else if (strstr(body, "do-drip"))
        reply_slowly(s, fd);
    else if (strstr(body, "do-redirect"))
        reply(fd, 307, "{\"action\":\"allow\"}", 18);
    else if (strstr(body, "do-error"))
        reply(fd, 500, "{\"action\":\"allow\"}", 18);
    else if (strstr(body, "do-text"))
        reply_text(fd, "allow");
    else if (strstr(body, "do-list"))
        reply_text(fd, "[\"allow\"]");
    else if (strstr(body, "do-word"))
        reply_text(fd, "{\"action\":\"pass\"}");
    else if (strstr(body, "do-type"))
        reply_text(fd, "{\"action\":\"allow\",\"category\":7}");
    else if (strstr(body, "do-hold"))
        reply_text(fd, "{\"action\":\"hold\"}");
    else if (strstr(body, "do-block"))
        reply_text(
            fd, "{\"action\":\"block\",\"category\":\"weapons\",\"reason\":\"a\\nrule\",\"x\":1}");
    else if (strstr(body, "do-odd"))
        reply_text(fd, "{\"action\":\"block\",\"category\":\"<b>\"}");
    else
        reply_text(fd, "{\"action\":\"allow\"}");
    return !strstr(body, "do-half") && !strstr(body, "do-garbage");
}

/* One request into `in`, NUL-terminated; the place of its body, or NULL. */
static char *receive(int fd, char *in)
{
    size_t used = 0;

    for (;;) {
        ssize_t n = recv(fd, in + used, BODY_MAX - 1 - used, 0);
        char *end, *length;

        if (n <= 0)
            return NULL;
        used += (size_t)n;
        in[used] = '\0';
        end = strstr(in, "\r\n\r\n");
        length = strcasestr(in, "content-length:");
        if (end && length && used >= (size_t)(end + 4 - in) + strtoul(length + 15, NULL, 10))
            return end + 4;
    }
}

static void *run_client(void *memory)
{
    struct client c = *(struct client *)memory;
    char *in = malloc(BODY_MAX), *body;

    free(memory);
    while ((body = receive(c.fd, in)) != NULL) {
        atomic_fetch_add(&c.service->requests, 1);
        pthread_mutex_lock(&c.service->lock);
        snprintf(c.service->head, sizeof(c.service->head), "%.*s", (int)(body - in), in);
        snprintf(c.service->body, sizeof(c.service->body), "%s", body);
        pthread_mutex_unlock(&c.service->lock);
        if (!serve_one(c.service, c.fd, body))
            break;
    }
    shutdown(c.fd, SHUT_RDWR);
    free(in);
    return NULL;
}

static void *run_service(void *memory)
{
    struct service *s = memory;

    while (!atomic_load(&s->stop) && s->clients < CLIENTS_MAX) {
        struct pollfd p = {.fd = s->listener, .events = POLLIN};
        struct client *c;
        int fd;

        if (poll(&p, 1, 10) != 1)
            continue;
        fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        atomic_fetch_add(&s->connections, 1);
        c = malloc(sizeof(*c));
        *c = (struct client){.service = s, .fd = fd};
        s->fd[s->clients] = fd;
        if (pthread_create(&s->client[s->clients], NULL, run_client, c) == 0)
            s->clients++;
    }
    return NULL;
}

static void service_open(struct service *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);

    *s = (struct service){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    pthread_mutex_init(&s->lock, NULL);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &bytes), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, run_service, s), 0);
}

static void service_close(struct service *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    for (int i = 0; i < s->clients; i++) {
        shutdown(s->fd[i], SHUT_RDWR);
        pthread_join(s->client[i], NULL);
        close(s->fd[i]);
    }
    close(s->listener);
    pthread_mutex_destroy(&s->lock);
}

/* ---- who asks ---- */

struct asker {
    sem_t done;
    struct hook_answer answer;
    atomic_int calls;
};

static void on_answer(void *owner, const struct hook_answer *answer)
{
    struct asker *a = owner;

    a->answer = *answer;
    atomic_fetch_add(&a->calls, 1);
    sem_post(&a->done);
}

static struct hook *hook_to(const struct service *s, struct hook_options options)
{
    char url[64];
    struct hook *h;
    struct why why = {""};

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/judge?v=1", s->port);
    options.url = url;
    if (!options.deadline_ms)
        options.deadline_ms = 5000;
    if (hook_open(&h, &options, &why))
        fail_msg("%s", why.text);
    return h;
}

static void ask(struct hook *h, struct asker *a, const char *prompt)
{
    const struct hook_request r = {.id = "dec_1", .tenant = "t", .prompt = prompt, .model = "m"};

    atomic_store(&a->calls, 0);
    sem_init(&a->done, 0, 0);
    assert_int_equal(hook_ask(h, &r, on_answer, a, NULL), ST_OK);
}

static struct hook_answer wait_for(struct asker *a)
{
    while (sem_wait(&a->done))
        ;
    return a->answer;
}

static struct hook_answer ask_and_wait(struct hook *h, const char *prompt)
{
    struct asker a;
    struct hook_answer answer;

    ask(h, &a, prompt);
    answer = wait_for(&a);
    assert_int_equal(atomic_load(&a.calls), 1);
    sem_destroy(&a.done);
    return answer;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- tests ---- */

static void the_service_decides(void **state)
{
    struct service s;
    struct hook *h;
    struct hook_answer a;
    struct hook_counts c;

    (void)state;
    service_open(&s);
    h = hook_to(&s, (struct hook_options){.on_failure = HOOK_HOLD, .secret = "s3cret"});
    a = ask_and_wait(h, "a \"red\" fox");
    assert_true(a.action == HOOK_ALLOW && !a.failed && !a.late);
    pthread_mutex_lock(&s.lock);
    assert_string_equal(s.body,
                        "{\"id\":\"dec_1\",\"tenant\":\"t\",\"prompt\":\"a \\\"red\\\" fox\","
                        "\"negative_prompt\":null,\"context\":null,\"model\":\"m\"}");
    assert_int_equal(strncmp(s.head, "POST /judge?v=1 HTTP/1.1\r\n", 26), 0);
    assert_non_null(strstr(s.head, "Authorization: Bearer s3cret\r\n"));
    assert_non_null(strstr(s.head, "Content-Type: application/json\r\n"));
    pthread_mutex_unlock(&s.lock);
    assert_int_equal(ask_and_wait(h, "do-hold").action, HOOK_HOLD);
    a = ask_and_wait(h, "do-block");
    assert_int_equal(a.action, HOOK_BLOCK);
    assert_string_equal(a.category, "weapons");
    assert_string_equal(a.reason, "a rule");
    a = ask_and_wait(h, "do-odd");
    assert_true(a.action == HOOK_BLOCK && !a.failed); /* the block stands without its category */
    assert_string_equal(a.category, "");
    hook_count(h, &c);
    assert_true(c.asked == 4 && c.allowed == 1 && c.held == 1 && c.blocked == 2 && c.failed == 0);
    assert_int_equal(atomic_load(&s.connections), 1); /* one connection, used again */
    hook_close(&h);
    service_close(&s);
}

/* Goal: whatever a service does wrong, nothing passes that it did not allow. */
static void what_is_no_answer_is_a_failure(void **state)
{
    static const struct {
        const char *prompt, *reason;
    } cases[] = {
        {"do-close", "cannot be asked"},
        {"do-half", "cannot be asked"},
        {"do-garbage", "cannot be asked"},
        {"do-huge", "longer than 65536"},
        {"do-redirect", "status 307"},
        {"do-error", "status 500"},
        {"do-text", "no JSON"},
        {"do-list", "no JSON object"},
        {"do-word", "none of allow"},
        {"do-type", "the answer is wrong"},
    };
    struct service s;
    struct hook *h;
    struct hook_counts c;

    (void)state;
    service_open(&s);
    h = hook_to(&s, (struct hook_options){.on_failure = HOOK_BLOCK});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_answer a = ask_and_wait(h, cases[i].prompt);

        if (!a.failed || a.late || a.action != HOOK_BLOCK || !strstr(a.reason, cases[i].reason))
            fail_msg("%s: %s", cases[i].prompt, a.reason);
    }
    assert_int_equal(ask_and_wait(h, "all is well again").action, HOOK_ALLOW);
    hook_count(h, &c);
    assert_int_equal(c.failed, sizeof(cases) / sizeof(cases[0]));
    assert_int_equal(c.late, 0);
    hook_close(&h);
    service_close(&s);
}

static void a_deadline_is_kept(void **state)
{
    static const char *const prompts[] = {"do-hang", "do-drip"};
    struct service s;
    struct hook *h;

    (void)state;
    service_open(&s);
    h = hook_to(&s, (struct hook_options){.on_failure = HOOK_HOLD, .deadline_ms = 200});
    for (int i = 0; i < 2; i++) {
        double start = now_ms();
        struct hook_answer a = ask_and_wait(h, prompts[i]);

        assert_true(a.failed && a.late && a.action == HOOK_HOLD);
        assert_true(now_ms() - start >= 150 && now_ms() - start < 3000);
        assert_non_null(strstr(a.reason, "within 200 ms"));
    }
    hook_close(&h);
    service_close(&s);
}

/* Goal: one service that hangs holds up those who wait behind it until their deadline, not longer,
   and what is beyond the queue is refused at once. */
static void who_waits_is_late_and_who_comes_after_is_refused(void **state)
{
    const struct hook_request r = {.prompt = "x"};
    struct asker a[3];
    struct hook_answer refused;
    struct service s;
    struct hook *h;
    struct hook_counts c;

    (void)state;
    service_open(&s);
    h = hook_to(
        &s, (struct hook_options){
                .on_failure = HOOK_BLOCK, .deadline_ms = 300, .connections = 1, .queue_max = 3});
    for (int i = 0; i < 3; i++)
        ask(h, &a[i], "do-hang");
    assert_int_equal(hook_ask(h, &r, on_answer, NULL, &refused), ST_FULL);
    assert_true(refused.failed && refused.action == HOOK_BLOCK);
    assert_non_null(strstr(refused.reason, "too many"));
    for (int i = 0; i < 3; i++) {
        struct hook_answer answer = wait_for(&a[i]);

        assert_true(answer.failed && answer.late);
        sem_destroy(&a[i].done);
    }
    hook_count(h, &c);
    assert_true(c.asked == 4 && c.failed == 4 && c.late == 3);
    hook_close(&h);
    service_close(&s);
}

static void nobody_listens_is_a_failure_that_may_be_allowed(void **state)
{
    struct service s;
    struct hook *h;
    struct hook_answer a;

    (void)state;
    service_open(&s);
    h = hook_to(&s, (struct hook_options){.on_failure = HOOK_ALLOW});
    service_close(&s);
    a = ask_and_wait(h, "x");
    assert_true(a.failed && !a.late && a.action == HOOK_ALLOW);
    hook_close(&h);
}

static void closing_answers_everybody_once(void **state)
{
    struct asker a[20];
    struct service s;
    struct hook *h;
    double start;

    (void)state;
    service_open(&s);
    h = hook_to(&s, (struct hook_options){.on_failure = HOOK_HOLD, .deadline_ms = 60000});
    for (int i = 0; i < 20; i++)
        ask(h, &a[i], "do-hang");
    start = now_ms();
    hook_close(&h);
    assert_null(h);
    assert_true(now_ms() - start < 5000);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(atomic_load(&a[i].calls), 1);
        assert_true(a[i].answer.failed && a[i].answer.action == HOOK_HOLD);
        sem_destroy(&a[i].done);
    }
    service_close(&s);
}

/* ---- many at once ---- */

#define THREADS 4
#define EACH    50

static void *ask_many(void *memory)
{
    struct hook *h = memory;

    for (int i = 0; i < EACH; i++) {
        struct asker a;
        bool block = i % 3 == 0;

        ask(h, &a, block ? "do-block" : "fine");
        if (wait_for(&a).action != (block ? HOOK_BLOCK : HOOK_ALLOW))
            return h;
        sem_destroy(&a.done);
    }
    return NULL;
}

static void many_threads_get_their_own_answers(void **state)
{
    pthread_t thread[THREADS];
    struct service s;
    struct hook *h;
    struct hook_counts c;

    (void)state;
    service_open(&s);
    h = hook_to(&s, (struct hook_options){.on_failure = HOOK_HOLD, .connections = 2});
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask_many, h), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;

        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    hook_count(h, &c);
    assert_int_equal(c.asked, THREADS * EACH);
    assert_int_equal(c.allowed + c.blocked, THREADS * EACH);
    assert_true(atomic_load(&s.connections) <= 2);
    hook_close(&h);
    service_close(&s);
}

static void wrong_options_are_refused(void **state)
{
    static const struct {
        struct hook_options options;
        const char *says;
    } cases[] = {
        {{.url = "ftp://x/", .deadline_ms = 1}, "http:// or https://"},
        {{.url = "file:///etc/passwd", .deadline_ms = 1}, "http:// or https://"},
        {{.url = "off", .deadline_ms = 1}, "http:// or https://"},
        {{.url = "http://a b/", .deadline_ms = 1}, "http:// or https://"},
        {{.url = "http://me:pw@host/", .deadline_ms = 1}, "LIMNER_PROMPT_HOOK_SECRET"},
        {{.url = "http://x/", .deadline_ms = 0}, "1 to 60000 ms"},
        {{.url = "http://x/", .deadline_ms = 1, .connections = 65}, "64 connections"},
        {{.url = "http://x/", .deadline_ms = 1, .secret = "a\r\nX: y"}, "printable"},
        {{.url = "http://x/", .deadline_ms = 1, .secret = ""}, "1 to 1024"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct why why = {""};
        struct hook *h;

        assert_int_equal(hook_open(&h, &cases[i].options, &why), ST_INVALID);
        assert_null(h);
        if (!strstr(why.text, cases[i].says))
            fail_msg("%s", why.text);
    }
    assert_int_equal(hook_find_action("pass"), -1);
    assert_string_equal(hook_action_name((enum hook_action)hook_find_action("hold")), "hold");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_decides),
        cmocka_unit_test(what_is_no_answer_is_a_failure),
        cmocka_unit_test(a_deadline_is_kept),
        cmocka_unit_test(who_waits_is_late_and_who_comes_after_is_refused),
        cmocka_unit_test(nobody_listens_is_a_failure_that_may_be_allowed),
        cmocka_unit_test(closing_answers_everybody_once),
        cmocka_unit_test(many_threads_get_their_own_answers),
        cmocka_unit_test(wrong_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
