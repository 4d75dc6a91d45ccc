/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps those who decide honest, what becomes of blocks that they overturn, and who is told.
 */
#include "tests/review_scene.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what keeps them honest ---- */

static void golden_items_are_counted_and_look_like_others(void **state)
{
    struct scene_claim c;
    char body[160];
    struct json *root;
    const struct json *people;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 2);
    scene_fill(&s, 1);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    scene_done(scene_decide(&s, s.reviewer[0], &c, "uphold", 200));
    snprintf(body, sizeof(body), "{\"item\":\"%s\",\"outcome\":\"overturn\"}", c.item);
    scene_done(scene_json(&s, s.lead, "POST", "/v1/review/golden", body, 201));
    scene_set(&s, "{\"golden_percent\":20}");
    for (int i = 0; !scene_claim(&s, s.reviewer[1], &c); i++)
        assert_true(i < 200);
    root = scene_decide(&s, s.reviewer[1], &c, "uphold", 200);
    assert_string_equal(scene_text(root, "kind"), "appeal");
    scene_done(root);
    root = scene_json(&s, s.lead, "GET", "/v1/review/stats", NULL, 200);
    people = scene_member(root, "reviewers");
    for (size_t i = 0; i < json_size(people); i++) {
        if (scene_int(json_at(people, i), "golden.n") == 1) {
            assert_int_equal(scene_int(json_at(people, i), "golden.k"), 0);
            scene_done(root);
            scene_end(&s);
            return;
        }
    }
    fail_msg("nobody has seen it: %s", "no reviewer has a golden item");
}

static int64_t queued(const struct json *stats, const char *kind)
{
    const struct json *backlog = scene_member(stats, "backlog");

    for (size_t i = 0; i < json_size(backlog); i++) {
        if (!strcmp(scene_text(json_at(backlog, i), "kind"), kind))
            return scene_int(json_at(backlog, i), "queued");
    }
    fail_msg("no %s in the backlog", kind);
    return -1;
}

/* Goal: who decides in no time is told of, and what he decided is looked at again. */
static void a_rubber_stamp_is_seen_and_looked_over(void **state)
{
    struct scene_claim c;
    struct json *root;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 2);
    scene_fill(&s, 22);
    for (int i = 0; i < 22; i++) {
        assert_true(scene_claim(&s, s.reviewer[0], &c));
        scene_done(scene_decide(&s, s.reviewer[0], &c, "uphold", 200));
    }
    root = scene_json(&s, s.lead, "GET", "/v1/review/stats", NULL, 200);
    assert_int_equal(scene_int(root, "alarms"), 1);
    assert_int_equal(queued(root, "second"), 22);
    scene_done(root);
    assert_false(scene_claim(&s, s.reviewer[0], &c));
    assert_true(scene_claim(&s, s.reviewer[1], &c));
    scene_end(&s);
}

/* ---- the breaker ---- */

static void overturn_all(const struct scene *s, const char *key, int count)
{
    struct scene_claim c;

    for (int i = 0; i < count; i++) {
        assert_true(scene_claim(s, key, &c));
        scene_done(scene_decide(s, key, &c, "overturn", 200));
    }
}

static void blocks_that_are_overturned_become_holds(void **state)
{
    static const char close_1[] = "{\"slice\":\"everything|acme|-|*\",\"policy_version\":1,"
                                  "\"note\":\"fixed\"}";
    static const char close_2[] = "{\"slice\":\"everything|acme|-|*\",\"policy_version\":2,"
                                  "\"note\":\"the border was moved\"}";
    const struct scene_policy newer = {.action = "block", .version = 2};
    const struct json *slices;
    struct json *root;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 1);
    scene_fill(&s, 20);
    overturn_all(&s, s.reviewer[0], 20);
    root = scene_json(&s, s.lead, "GET", "/v1/review/stats", NULL, 200);
    slices = scene_member(root, "breakers");
    assert_int_equal(json_size(slices), 1);
    assert_string_equal(scene_text(json_at(slices, 0), "state"), "open");
    assert_string_equal(scene_text(json_at(slices, 0), "slice"), "everything|acme|-|*");
    scene_done(root);
    root = scene_json(&s, s.owner, "POST", "/v1/images/generations", "{\"prompt\":\"after\"}", 202);
    scene_done(root);
    root = scene_json(&s, s.other, "POST", "/v1/images/generations", "{\"prompt\":\"after\"}", 400);
    scene_done(root); /* everything else is as it was */
    scene_refused(&s, s.reviewer[0], "POST", "/v1/breakers/close", close_1, 403,
                  "insufficient_permissions");
    scene_refused(&s, s.lead, "POST", "/v1/breakers/close", close_1, 409, "policy_not_newer");
    scene_policy(&s, &newer);
    scene_done(scene_json(&s, s.lead, "POST", "/v1/breakers/close", close_2, 200));
    scene_end(&s);
}

/* ---- what others are told ---- */

static void numbers_are_told_to_leads_and_metrics(void **state)
{
    struct json *root;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 2);
    scene_fill(&s, 3);
    overturn_all(&s, s.reviewer[0], 1);
    root = scene_json(&s, s.lead, "GET", "/v1/review/stats", NULL, 200);
    assert_int_equal(scene_int(root, "waiting"), 2);
    assert_int_equal(scene_int(root, "overturned.k"), 1);
    assert_int_equal(scene_int(root, "overturned.n"), 1);
    assert_int_equal(scene_int(root, "reviewers_active"), 1);
    assert_int_equal(scene_int(root, "reviewers_planned"), 4);
    assert_int_equal(queued(root, "appeal"), 2);
    scene_done(root);
    root = scene_json(&s, s.lead, "GET", "/v1/review/items?state=queued", NULL, 200);
    assert_int_equal(json_size(scene_member(root, "data")), 2);
    scene_done(root);
    root = scene_json(&s, s.lead, "GET", "/v1/review/items?outcome=overturn", NULL, 200);
    assert_int_equal(json_size(scene_member(root, "data")), 1);
    scene_done(root);
    for (int tick = 0;
         client_metric(s.server.metrics_port, "limner_review_looked_at{what=\"appeals\"}") != 1;
         tick++) {
        assert_true(tick < 200);
        program_sleep_ms(50);
    }
    assert_true(client_metric(s.server.metrics_port,
                              "limner_wrong_blocks{source=\"appeals\",bound=\"share\"}") == 1);
    scene_end(&s);
}

static void decisions_are_exported_without_anything_personal(void **state)
{
    struct json *root;
    struct reply r;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 0);
    scene_fill(&s, 3);
    root = scene_json(&s, s.compliance, "GET", "/v1/moderation/export?format=dsa", NULL, 200);
    assert_int_equal(json_size(scene_member(root, "statements")), 3);
    scene_done(root);
    scene_ask(&s, s.compliance, "GET", "/v1/moderation/export?format=csv", NULL, 200, &r);
    assert_memory_equal(r.body, "decision_id,created_at,", 23);
    assert_null(strstr(r.body, "picture 1"));
    reply_close(&r);
    scene_refused(&s, s.compliance, "GET", "/v1/moderation/export?format=xml", NULL, 400,
                  "invalid_value");
    scene_end(&s);
}

/* ---- a fall between the decision and the word about it ---- */

struct ear {
    int fd, port;
    char ids[16][64];
    int count;
};

static void ear_open(struct ear *e)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(address);

    *e = (struct ear){.count = 0};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    e->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(e->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    getsockname(e->fd, (struct sockaddr *)&address, &bytes);
    e->port = ntohs(address.sin_port);
}

/* Take what comes for `ms`; what is about `kind` is noted. */
static void ear_listen(struct ear *e, int ms, const char *kind)
{
    static const char answer[] =
        "HTTP/1.1 200 ok\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    struct pollfd ready = {.fd = e->fd, .events = POLLIN};

    while (poll(&ready, 1, ms) == 1) {
        int fd = accept(e->fd, NULL, NULL);
        char text[8192], *at;
        size_t used = 0;
        ssize_t more;

        do {
            more = recv(fd, text + used, sizeof(text) - 1 - used, 0);
            used += more > 0 ? (size_t)more : 0;
            text[used] = '\0';
        } while (more > 0 && !strstr(text, "}"));
        at = strcasestr(text, "webhook-id: ");
        if (at && strstr(text, kind) && e->count < 16)
            sscanf(at, "%*s %63s", e->ids[e->count++]);
        send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        close(fd);
    }
}

/* Goal: one release and one word about it, however it ends. Method: nobody listens while the
   decision is made; the server is killed; after the next start somebody does. */
static void a_fall_after_a_decision_releases_once_and_tells_once(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], appeal[SCENE_ID_MAX], path[512];
    const struct scene_policy policy = {.action = "block", .version = 1};
    struct scene_claim c;
    struct reply r;
    struct scene s;
    struct ear ear;
    (void)state;

    ear_open(&ear);
    scene_open(&s, &policy, 1);
    scene_webhook(&s, ear.port);
    scene_serve(&s);
    scene_blocked(&s, "a fall", decision, token);
    scene_appeal(&s, decision, appeal);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    scene_done(scene_decide(&s, s.reviewer[0], &c, "overturn", 200));
    scene_kill(&s);
    assert_int_equal(listen(ear.fd, 16), 0);
    scene_serve(&s);
    for (int i = 0; i < 60 && !ear.count; i++) /* it waits longer from try to try */
        ear_listen(&ear, 1000, "appeal.decided");
    assert_true(ear.count >= 1);
    ear_listen(&ear, 3000, "appeal.decided"); /* and comes no second time */
    for (int i = 1; i < ear.count; i++)
        assert_string_equal(ear.ids[i], ear.ids[0]);
    snprintf(path, sizeof(path), "/v1/decisions/%s/image?token=%s", decision, token);
    scene_ask(&s, NULL, "GET", path, NULL, 200, &r);
    reply_close(&r);
    assert_false(scene_claim(&s, s.reviewer[0], &c));
    close(ear.fd);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_items_are_counted_and_look_like_others),
        cmocka_unit_test(a_rubber_stamp_is_seen_and_looked_over),
        cmocka_unit_test(blocks_that_are_overturned_become_holds),
        cmocka_unit_test(numbers_are_told_to_leads_and_metrics),
        cmocka_unit_test(decisions_are_exported_without_anything_personal),
        cmocka_unit_test(a_fall_after_a_decision_releases_once_and_tells_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
