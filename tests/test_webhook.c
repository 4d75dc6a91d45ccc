/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words to tenants' servers: what is sent, and what happens when nobody listens.
 */
#include "base/crypto.h"
#include "server/webhook.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECRET       "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3" /* 0123456789abcdef01234567 */
#define MESSAGES_MAX 32
#define REQUESTS_MAX 64
#define HANG         0 /* takes the request and says nothing */

/* ---- a store that holds messages alone ---- */

struct shelf {
    struct store store;
    pthread_mutex_t lock;
    struct store_message message[MESSAGES_MAX];
    int count;
    bool broken;
};

static enum status next_message(struct store *s, int64_t now_s, struct store_message *out,
                                struct why *why)
{
    struct shelf *shelf = (struct shelf *)s;
    struct store_message *found = NULL;
    bool broken;

    pthread_mutex_lock(&shelf->lock);
    broken = shelf->broken;
    for (int i = 0; i < shelf->count; i++) {
        struct store_message *m = &shelf->message[i];

        if (!m->delivered_s && !m->given_up_s && m->next_s <= now_s &&
            (!found || m->next_s < found->next_s))
            found = m;
    }
    if (found)
        *out = *found;
    pthread_mutex_unlock(&shelf->lock);
    if (broken)
        return why_fail(why, ST_IO, "the disk is gone");
    return found ? ST_OK : ST_MISSING;
}

static enum status put_message(struct store *s, const struct store_message *m, int64_t now_s,
                               struct why *why)
{
    struct shelf *shelf = (struct shelf *)s;
    bool broken;
    (void)now_s;

    pthread_mutex_lock(&shelf->lock);
    broken = shelf->broken;
    for (int i = 0; i < shelf->count && !broken; i++) {
        if (!strcmp(shelf->message[i].id, m->id))
            shelf->message[i] = *m;
    }
    pthread_mutex_unlock(&shelf->lock);
    return broken ? why_fail(why, ST_IO, "the disk is gone") : ST_OK;
}

static const struct store_ops shelf_ops = {.message_next = next_message,
                                           .message_put = put_message};

static void shelf_add(struct shelf *s, const char *id, const char *tenant)
{
    pthread_mutex_lock(&s->lock);
    assert_true(s->count < MESSAGES_MAX);
    s->message[s->count] = (struct store_message){.created_s = time(NULL), .next_s = time(NULL)};
    snprintf(s->message[s->count].id, STORE_ID_MAX, "%s", id);
    snprintf(s->message[s->count].tenant, STORE_JOB_TENANT_MAX, "%s", tenant);
    snprintf(s->message[s->count].kind, STORE_REASON_MAX, "appeal.decided");
    snprintf(s->message[s->count].payload, STORE_PAYLOAD_MAX, "{\"number\":\"%s\"}", id);
    s->count++;
    pthread_mutex_unlock(&s->lock);
}

static struct store_message shelf_look(struct shelf *s, int i)
{
    struct store_message m;

    pthread_mutex_lock(&s->lock);
    m = s->message[i];
    pthread_mutex_unlock(&s->lock);
    return m;
}

static void shelf_break(struct shelf *s, bool broken)
{
    pthread_mutex_lock(&s->lock);
    s->broken = broken;
    pthread_mutex_unlock(&s->lock);
}

/* ---- a tenant's server ---- */

struct receiver {
    int fd, port;
    pthread_t thread;
    atomic_bool stop;
    const int *script; /* statuses, one for each request; the last one repeats */
    int script_count;
    atomic_int count;
    char request[REQUESTS_MAX][2048];
};

static void take_one(struct receiver *r, int fd)
{
    int number = atomic_load(&r->count),
        at = number < r->script_count ? number : r->script_count - 1;
    char *text = r->request[number % REQUESTS_MAX], answer[160];
    size_t used = 0;
    ssize_t more;

    do {
        more = recv(fd, text + used, sizeof(r->request[0]) - 1 - used, 0);
        used += more > 0 ? (size_t)more : 0;
        text[used] = '\0';
    } while (more > 0 && !strchr(text, '}'));
    if (more <= 0)
        return;
    atomic_fetch_add(&r->count, 1);
    while (r->script[at] == HANG && !atomic_load(&r->stop))
        program_sleep_ms(5);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 %d x\r\nlocation: http://127.0.0.1:%d/other\r\ncontent-length: 0\r\n"
             "connection: close\r\n\r\n",
             r->script[at], r->port);
    send(fd, answer, strlen(answer), MSG_NOSIGNAL);
}

static void *receive(void *memory)
{
    struct receiver *r = memory;

    while (!atomic_load(&r->stop)) {
        struct pollfd ready = {.fd = r->fd, .events = POLLIN};
        int fd;

        if (poll(&ready, 1, 20) != 1)
            continue;
        fd = accept(r->fd, NULL, NULL);
        take_one(r, fd);
        close(fd);
    }
    return NULL;
}

static void receiver_open(struct receiver *r, int port, const int *script, int count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t bytes = sizeof(address);
    int yes = 1;

    memset(r, 0, sizeof(*r));
    r->script = script;
    r->script_count = count;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(r->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    assert_int_equal(bind(r->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(r->fd, 16), 0);
    getsockname(r->fd, (struct sockaddr *)&address, &bytes);
    r->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static void receiver_close(struct receiver *r)
{
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    close(r->fd);
}

/* ---- the two together ---- */

struct scene {
    struct shelf shelf;
    struct webhook *webhook;
};

static const int at_once[] = {0};

static void target(struct webhook_target *t, const char *tenant, int port)
{
    struct why why = {""};
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", port);
    if (webhook_target_set(t, tenant, url, SECRET, &why))
        fail_msg("%s", why.text);
}

static void scene_open(struct scene *s, int give_up_s)
{
    const struct webhook_options options = {.store = &s->shelf.store,
                                            .timeout_ms = 300,
                                            .delay_s = at_once,
                                            .delay_count = 1,
                                            .give_up_s = give_up_s};
    struct why why = {""};

    memset(s, 0, sizeof(*s));
    s->shelf.store.ops = &shelf_ops;
    pthread_mutex_init(&s->shelf.lock, NULL);
    assert_int_equal(webhook_open(&s->webhook, &options, &why), ST_OK);
}

static void scene_listen(struct scene *s, const char *tenant, int port)
{
    struct webhook_target t;
    struct why why = {""};

    target(&t, tenant, port);
    assert_int_equal(webhook_configure(s->webhook, &t, 1, &why), ST_OK);
}

static void scene_close(struct scene *s)
{
    webhook_close(&s->webhook);
    pthread_mutex_destroy(&s->shelf.lock);
}

static void wait_for(struct scene *s, int i, bool given_up)
{
    for (int tick = 0; tick < 1500; tick++) {
        struct store_message m = shelf_look(&s->shelf, i);

        if (given_up ? m.given_up_s : m.delivered_s)
            return;
        if (tick % 10 == 0)
            webhook_wake(s->webhook);
        program_sleep_ms(10);
    }
    fail_msg("message %d: nothing became of it", i);
}

static void header_of(const char *request, const char *name, char *out, size_t bytes)
{
    const char *at = strcasestr(request, name);

    if (!at)
        fail_msg("no %s in %s", name, request);
    at += strlen(name) + 2;
    snprintf(out, bytes, "%.*s", (int)strcspn(at, "\r\n"), at);
}

/* ---- tests ---- */

/* The signature is computed here again, as the standard says it. */
static void a_message_arrives_once_and_is_signed(void **state)
{
    static const int script[] = {200};
    char id[64], stamp[64], signature[96], text[4096], wanted[96] = "v1,";
    struct crypto_hmac hmac;
    struct receiver r;
    struct scene s;
    uint8_t mac[32];
    (void)state;

    receiver_open(&r, 0, script, 1);
    scene_open(&s, 0);
    scene_listen(&s, "acme", r.port);
    shelf_add(&s.shelf, "msg_1", "acme");
    wait_for(&s, 0, false);
    program_sleep_ms(100);
    assert_int_equal(atomic_load(&r.count), 1);
    assert_non_null(strstr(r.request[0], "POST /hook HTTP/1.1"));
    header_of(r.request[0], "webhook-id", id, sizeof(id));
    header_of(r.request[0], "webhook-timestamp", stamp, sizeof(stamp));
    header_of(r.request[0], "webhook-signature", signature, sizeof(signature));
    assert_string_equal(id, "msg_1");
    snprintf(text, sizeof(text), "%s.%s.{\"number\":\"msg_1\"}", id, stamp);
    crypto_hmac(&hmac, "0123456789abcdef01234567", 24);
    crypto_hmac_add(&hmac, text, strlen(text));
    crypto_hmac_end(&hmac, mac);
    crypto_base64_encode(wanted + 3, mac, sizeof(mac));
    assert_string_equal(signature, wanted);
    assert_int_equal(shelf_look(&s.shelf, 0).tries, 1);
    scene_close(&s);
    receiver_close(&r);
}

static void a_receiver_that_fails_hangs_and_redirects_is_asked_again_with_the_same_id(void **state)
{
    static const int script[] = {500, HANG, 302, 200};
    struct webhook_stats stats;
    struct receiver r;
    struct scene s;
    char id[64];
    (void)state;

    receiver_open(&r, 0, script, 2); /* the second hangs for good: another one takes its place */
    scene_open(&s, 0);
    scene_listen(&s, "acme", r.port);
    shelf_add(&s.shelf, "msg_1", "acme");
    for (int tick = 0; tick < 1000; tick++) {
        webhook_get_stats(s.webhook, &stats);
        if (stats.failed >= 2) /* the second one because its time was over */
            break;
        program_sleep_ms(10);
    }
    receiver_close(&r);
    assert_int_equal(atomic_load(&r.count), 2);
    receiver_open(&r, r.port, script + 2, 2);
    wait_for(&s, 0, false);
    assert_int_equal(atomic_load(&r.count), 2);
    for (int i = 0; i < 2; i++) {
        header_of(r.request[i], "webhook-id", id, sizeof(id));
        assert_string_equal(id, "msg_1");
        assert_non_null(strstr(r.request[i], "POST /hook "));
    }
    webhook_get_stats(s.webhook, &stats);
    assert_int_equal(stats.delivered, 1);
    assert_true(stats.failed >= 3 && stats.given_up == 0);
    scene_close(&s);
    receiver_close(&r);
}

static void a_receiver_that_is_gone_for_good_is_not_asked_again(void **state)
{
    static const int script[] = {410};
    struct webhook_stats stats;
    struct receiver r;
    struct scene s;
    (void)state;

    receiver_open(&r, 0, script, 1);
    scene_open(&s, 0);
    scene_listen(&s, "acme", r.port);
    shelf_add(&s.shelf, "msg_1", "acme");
    wait_for(&s, 0, true);
    webhook_wake(s.webhook);
    program_sleep_ms(200);
    assert_int_equal(atomic_load(&r.count), 1);
    webhook_get_stats(s.webhook, &stats);
    assert_int_equal(stats.given_up, 1);
    scene_close(&s);
    receiver_close(&r);
}

static void what_cannot_be_delivered_in_its_time_is_given_up(void **state)
{
    static const int script[] = {503};
    struct webhook_stats stats;
    struct receiver r;
    struct scene s;
    (void)state;

    receiver_open(&r, 0, script, 1);
    scene_open(&s, 1);
    scene_listen(&s, "acme", r.port);
    shelf_add(&s.shelf, "msg_1", "acme");
    wait_for(&s, 0, true);
    assert_true(shelf_look(&s.shelf, 0).tries >= 2);
    webhook_get_stats(s.webhook, &stats);
    assert_int_equal(stats.given_up, 1);
    scene_close(&s);
    receiver_close(&r);
}

/* Goal: one tenant's dead server takes nothing from another's. Method: twelve messages to a port
   where nobody answers in time, then one to a receiver that does. */
static void a_receiver_that_hangs_does_not_hold_up_others(void **state)
{
    static const int hangs[] = {HANG}, good[] = {200};
    struct webhook_target t[2];
    struct receiver bad, other;
    struct why why = {""};
    struct scene s;
    int64_t begun;
    char id[16];
    (void)state;

    receiver_open(&bad, 0, hangs, 1);
    receiver_open(&other, 0, good, 1);
    scene_open(&s, 0);
    target(&t[0], "slow", bad.port);
    target(&t[1], "acme", other.port);
    for (int i = 0; i < 12; i++) {
        snprintf(id, sizeof(id), "msg_%d", i);
        shelf_add(&s.shelf, id, "slow");
    }
    shelf_add(&s.shelf, "msg_acme", "acme");
    begun = time(NULL);
    assert_int_equal(webhook_configure(s.webhook, t, 2, &why), ST_OK);
    wait_for(&s, 12, false);
    assert_true(time(NULL) - begun < 3);
    scene_close(&s);
    receiver_close(&bad);
    receiver_close(&other);
}

static void messages_wait_for_a_store_that_fails_and_for_a_tenant_without_an_address(void **state)
{
    static const int script[] = {200};
    struct receiver r;
    struct scene s;
    (void)state;

    receiver_open(&r, 0, script, 1);
    scene_open(&s, 0);
    shelf_break(&s.shelf, true);
    scene_listen(&s, "acme", r.port);
    shelf_add(&s.shelf, "msg_1", "acme");
    shelf_add(&s.shelf, "msg_2", "nobody");
    program_sleep_ms(200);
    assert_int_equal(atomic_load(&r.count), 0);
    shelf_break(&s.shelf, false);
    wait_for(&s, 0, false);
    for (int tick = 0; tick < 500 && shelf_look(&s.shelf, 1).next_s < time(NULL) + 60; tick++)
        program_sleep_ms(10);
    assert_int_equal(shelf_look(&s.shelf, 1).tries, 0);
    assert_true(shelf_look(&s.shelf, 1).next_s > time(NULL) + 60);
    assert_int_equal(atomic_load(&r.count), 1);
    scene_close(&s);
    receiver_close(&r);
}

static void addresses_and_secrets_are_checked(void **state)
{
    static const struct {
        const char *url, *secret;
        enum status st;
    } cases[] = {
        {"https://hooks.example.com/limner", SECRET, ST_OK},
        {"http://127.0.0.1:9000/", SECRET, ST_OK},
        {"http://localhost/x", SECRET, ST_OK},
        {"http://[::1]:9000/x", SECRET, ST_OK},
        {"http://hooks.example.com/limner", SECRET, ST_INVALID},
        {"http://localhost.example.com/", SECRET, ST_INVALID},
        {"http://127.0.0.1@example.com/", SECRET, ST_INVALID},
        {"file:///etc/passwd", SECRET, ST_INVALID},
        {"ftp://127.0.0.1/", SECRET, ST_INVALID},
        {"https://a b/", SECRET, ST_INVALID},
        {"", SECRET, ST_INVALID},
        {"https://a/", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", ST_INVALID},
        {"https://a/", "whsec_", ST_INVALID},
        {"https://a/", "whsec_c2hvcnQ=", ST_INVALID},
        {"https://a/", "whsec_!!!!", ST_INVALID},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct webhook_target t;
        struct why why = {""};

        if (webhook_target_set(&t, "acme", cases[i].url, cases[i].secret, &why) != cases[i].st)
            fail_msg("%s %s: %s", cases[i].url, cases[i].secret, why.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_once_and_is_signed),
        cmocka_unit_test(a_receiver_that_fails_hangs_and_redirects_is_asked_again_with_the_same_id),
        cmocka_unit_test(a_receiver_that_is_gone_for_good_is_not_asked_again),
        cmocka_unit_test(what_cannot_be_delivered_in_its_time_is_given_up),
        cmocka_unit_test(a_receiver_that_hangs_does_not_hold_up_others),
        cmocka_unit_test(messages_wait_for_a_store_that_fails_and_for_a_tenant_without_an_address),
        cmocka_unit_test(addresses_and_secrets_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
