/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody whose picture was blocked: what he is told, how he contests it, and what he gets.
 * Against a server whose policy blocks everything.
 */
#include "tests/review_scene.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene scene;

static int open_scene(void **state)
{
    const struct scene_policy policy = {.action = "block", .version = 1};
    (void)state;

    scene_open(&scene, &policy, 2);
    scene_serve(&scene);
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    scene_stop(&scene);
    scene_close(&scene);
    return 0;
}

static void path_of(char out[512], const char *format, const char *id, const char *token)
{
    snprintf(out, 512, format, id, token);
}

/* ---- what one is told ---- */

static void a_blocked_picture_has_a_statement_without_an_account(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], path[512];
    struct json *root;
    struct reply r;
    (void)state;

    scene_blocked(&scene, "a statement", decision, token);
    path_of(path, "/v1/decisions/%s?token=%s", decision, token);
    root = scene_json(&scene, NULL, "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "moderation.reason.clause"), "Rule 1: nothing");
    assert_non_null(scene_member(root, "statement"));
    assert_null(scene_member(root, "scores"));
    json_close(&root);
    path_of(path, "/v1/decisions/%s?utm_source=mail&token=%s", decision, token);
    client_ask(scene.server.port, "GET", path, "Accept: text/plain\r\n", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.head, "text/plain"));
    assert_non_null(strstr(r.body, "This check objects to everything."));
    reply_close(&r);
}

static void a_decision_is_its_tenants_alone(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], forged[SCENE_TOKEN_MAX], path[512];
    struct json *root;
    (void)state;

    scene_blocked(&scene, "of a tenant", decision, token);
    path_of(path, "/v1/decisions/%s%s", decision, "");
    root = scene_json(&scene, scene.owner, "GET", path, NULL, 200);
    json_close(&root);
    scene_refused(&scene, scene.other, "GET", path, NULL, 404, "decision_not_found");
    scene_refused(&scene, NULL, "GET", path, NULL, 401, "missing_api_key");
    scene_refused(&scene, scene.owner, "GET", "/v1/decisions/dec_0", NULL, 404,
                  "decision_not_found");
    memcpy(forged, token, sizeof(forged));
    forged[20] = forged[20] == 'A' ? 'B' : 'A';
    path_of(path, "/v1/decisions/%s?token=%s", decision, forged);
    scene_refused(&scene, NULL, "GET", path, NULL, 404, "decision_not_found");
    path_of(path, "/v1/decisions/dec_00000000000000000000000000000000%.0s?token=%s", decision,
            token);
    scene_refused(&scene, NULL, "GET", path, NULL, 404, "decision_not_found");
}

/* Goal: nothing of a picture that is kept back comes out. Method: everything that one would try. */
static void a_blocked_picture_cannot_be_had(void **state)
{
    static const char *const tricks[] = {
        "/v1/decisions/%s/image/",       "/v1/decisions/%s/image%%00",
        "/v1/decisions/%s/../%s/image",  "/v1/decisions/./%s/image",
        "/v1/decisions/%s%%2fimage",     "/v1/decisions//%s/image",
        "/v1/decisions/%s/image/../raw", "/v1/decisions/%s/picture",
    };
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], path[512];
    double before = client_metric(scene.server.metrics_port, "limner_review_refused_views_total");
    struct reply r;
    (void)state;

    scene_blocked(&scene, "not to be had", decision, token);
    path_of(path, "/v1/decisions/%s/image?token=%s", decision, token);
    scene_refused(&scene, NULL, "GET", path, NULL, 403, "blocked");
    path_of(path, "/v1/decisions/%s/image%s", decision, "");
    scene_refused(&scene, scene.owner, "GET", path, NULL, 403, "blocked");
    for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
        snprintf(path, sizeof(path), tricks[i], decision, decision);
        client_ask(scene.server.port, "GET", path, "Range: bytes=0-9\r\n", NULL, &r);
        if (r.status != 404 || memmem(r.body, r.bytes, "\x89PNG", 4))
            fail_msg("%s: %d", path, r.status);
        reply_close(&r);
    }
    for (int tick = 0; tick < 200; tick++) {
        if (client_metric(scene.server.metrics_port, "limner_review_refused_views_total") >=
            before + 2)
            return;
        program_sleep_ms(50);
    }
    fail_msg("nobody counted the tries");
}

static void a_preview_is_small_and_is_all_that_there_is(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], path[512], value[64];
    struct reply r;
    (void)state;

    scene_blocked(&scene, "a preview", decision, token);
    path_of(path, "/v1/decisions/%s/preview?token=%s", decision, token);
    scene_ask(&scene, NULL, "GET", path, NULL, 200, &r);
    assert_memory_equal(r.body, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal((unsigned char)r.body[19], 192); /* the width */
    assert_true(reply_header(&r, "cache-control", value, sizeof(value)));
    assert_string_equal(value, "no-store");
    reply_close(&r);
}

static void decisions_are_listed_for_their_tenant(void **state)
{
    char decision[SCENE_ID_MAX], path[512];
    const struct json *data;
    struct json *root;
    (void)state;

    scene_blocked(&scene, "first of a list", decision, NULL);
    scene_blocked(&scene, "second of a list", decision, NULL);
    root =
        scene_json(&scene, scene.owner, "GET", "/v1/decisions?status=blocked&limit=1", NULL, 200);
    data = scene_member(root, "data");
    assert_int_equal(json_size(data), 1);
    assert_string_equal(scene_text(json_at(data, 0), "id"), decision);
    snprintf(path, sizeof(path), "/v1/decisions?status=blocked&limit=1&after=%lld",
             (long long)scene_int(root, "next"));
    json_close(&root);
    root = scene_json(&scene, scene.owner, "GET", path, NULL, 200);
    data = scene_member(root, "data");
    assert_int_equal(json_size(data), 1);
    assert_string_not_equal(scene_text(json_at(data, 0), "id"), decision);
    json_close(&root);
    root = scene_json(&scene, scene.other, "GET", "/v1/decisions", NULL, 200);
    assert_int_equal(json_size(scene_member(root, "data")), 0);
    json_close(&root);
    scene_refused(&scene, scene.owner, "GET", "/v1/decisions?status=nice", NULL, 400,
                  "invalid_value");
}

/* ---- appeals ---- */

static void an_appeal_is_one_however_often_it_is_made(void **state)
{
    char decision[SCENE_ID_MAX], appeal[SCENE_ID_MAX], body[512], path[512];
    struct json *root;
    (void)state;

    scene_blocked(&scene, "contested once", decision, NULL);
    scene_appeal(&scene, decision, appeal);
    snprintf(body, sizeof(body), "{\"decision_id\":\"%s\",\"reason\":\"art\",\"text\":\"again\"}",
             decision);
    root = scene_json(&scene, scene.owner, "POST", "/v1/appeals", body, 409);
    assert_string_equal(scene_text(root, "error.code"), "already_appealed");
    assert_string_equal(scene_text(root, "error.appeal_id"), appeal);
    json_close(&root);
    path_of(path, "/v1/appeals/%s%s", appeal, "");
    root = scene_json(&scene, scene.owner, "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "status"), "pending");
    assert_string_equal(scene_text(root, "text"), "It is a drawing.");
    json_close(&root);
    scene_refused(&scene, scene.other, "GET", path, NULL, 404, "decision_not_found");
    scene_refused(&scene, scene.other, "POST", "/v1/appeals", body, 404, "decision_not_found");
}

struct twin {
    char decision[SCENE_ID_MAX], id[SCENE_ID_MAX];
    int status;
};

static void *appeal_with_key(void *memory)
{
    struct twin *t = memory;
    char headers[256], body[256];
    struct json *root;
    struct reply r;

    snprintf(headers, sizeof(headers),
             "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
             "Idempotency-Key: the-same\r\n",
             scene.owner);
    snprintf(body, sizeof(body), "{\"decision_id\":\"%s\",\"reason\":\"other\",\"text\":\"x\"}",
             t->decision);
    client_ask(scene.server.port, "POST", "/v1/appeals", headers, body, &r);
    t->status = r.status;
    root = reply_json(&r);
    if (r.status < 300)
        snprintf(t->id, sizeof(t->id), "%s", scene_text(root, "id"));
    json_close(&root);
    reply_close(&r);
    return NULL;
}

static void the_same_key_at_once_makes_one_appeal(void **state)
{
    struct twin twins[8];
    pthread_t thread[8];
    char decision[SCENE_ID_MAX], headers[256], body[256];
    int fresh = 0;
    struct reply r;
    (void)state;

    scene_blocked(&scene, "the same key", decision, NULL);
    for (int i = 0; i < 8; i++) {
        twins[i] = (struct twin){.status = 0};
        memcpy(twins[i].decision, decision, sizeof(decision));
    }
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, appeal_with_key, &twins[i]), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(thread[i], NULL);
        if (twins[i].status != 200 && twins[i].status != 201)
            fail_msg("status %d", twins[i].status);
        assert_string_equal(twins[i].id, twins[0].id);
        fresh += twins[i].status == 201;
    }
    assert_int_equal(fresh, 1);
    snprintf(headers, sizeof(headers),
             "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
             "Idempotency-Key: the-same\r\n",
             scene.owner);
    snprintf(body, sizeof(body), "{\"decision_id\":\"%s\",\"reason\":\"other\",\"text\":\"y\"}",
             twins[0].decision);
    client_ask(scene.server.port, "POST", "/v1/appeals", headers, body, &r);
    assert_int_equal(r.status, 422);
    reply_close(&r);
}

static void an_appeal_that_makes_no_sense_is_refused_by_name(void **state)
{
    static const struct {
        const char *body, *param;
    } cases[] = {
        {"{\"reason\":\"art\"}", "decision_id"},
        {"{\"decision_id\":\"dec_1\"}", "reason"},
        {"{\"decision_id\":\"dec_1\",\"reason\":\"because\"}", "reason"},
        {"{\"decision_id\":\"dec_1\",\"reason\":\"art\",\"txt\":\"x\"}", "txt"},
        {"{\"decision_id\":\"dec_1\",\"reason\":\"art\",\"text\":7}", "text"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json *root =
            scene_json(&scene, scene.owner, "POST", "/v1/appeals", cases[i].body, 400);

        assert_string_equal(scene_text(root, "error.param"), cases[i].param);
        json_close(&root);
    }
}

static void a_withdrawn_appeal_can_be_made_again(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], appeal[SCENE_ID_MAX], path[512];
    struct json *root;
    (void)state;

    scene_blocked(&scene, "withdrawn", decision, token);
    scene_appeal(&scene, decision, appeal);
    path_of(path, "/v1/appeals/%s/withdraw?token=%s", appeal, token);
    root = scene_json(&scene, NULL, "POST", path, "{}", 200);
    assert_string_equal(scene_text(root, "status"), "withdrawn");
    json_close(&root);
    scene_refused(&scene, NULL, "POST", path, "{}", 409, "not_in_this_state");
    scene_appeal(&scene, decision, appeal);
    scene_refused(&scene, NULL, "POST", "/v1/appeals/itm_1/withdraw?token=x", "{}", 404,
                  "decision_not_found");
}

/* ---- the page ---- */

static void get_page(const char *decision, const char *token, int status, struct reply *r)
{
    char path[512];

    path_of(path, "/appeal/%s?token=%s", decision, token);
    scene_ask(&scene, NULL, "GET", path, NULL, status, r);
    assert_non_null(strstr(r->head, "text/html"));
    assert_null(strstr(r->body, "<script"));
    assert_non_null(strcasestr(r->head, "referrer-policy: no-referrer"));
    assert_non_null(strcasestr(r->head, "cache-control: no-store"));
    assert_non_null(strcasestr(r->head, "default-src 'none'"));
}

static void post_form(const char *decision, const char *token, const char *rest, int status,
                      struct reply *r)
{
    char path[512], body[512];

    path_of(path, "/appeal/%s%s", decision, "");
    snprintf(body, sizeof(body), "token=%s&%s", token, rest);
    scene_ask(&scene, NULL, "POST", path, body, status, r);
}

static void the_page_works_without_a_script(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], value[512];
    struct reply r;
    (void)state;

    scene_blocked(&scene, "a page", decision, token);
    get_page(decision, token, 200, &r);
    assert_non_null(strstr(r.body, "This check objects to everything."));
    assert_non_null(strstr(r.body, "<textarea"));
    reply_close(&r);
    post_form(decision, token, "do=appeal&reason=art&text=It+is+%3Cb%3Eart%3C%2Fb%3E", 303, &r);
    assert_true(reply_header(&r, "location", value, sizeof(value)));
    reply_close(&r);
    scene_ask(&scene, NULL, "GET", value, NULL, 200, &r);
    assert_non_null(strstr(r.body, "A person will look at your picture"));
    assert_non_null(strstr(r.body, "It is &lt;b&gt;art&lt;/b&gt;"));
    reply_close(&r);
    post_form(decision, token, "do=appeal&reason=art&text=", 422, &r);
    assert_non_null(strstr(r.body, "You have asked already"));
    reply_close(&r);
    post_form(decision, token, "do=withdraw", 303, &r);
    reply_close(&r);
    get_page(decision, token, 200, &r);
    assert_non_null(strstr(r.body, "You took your request back"));
    reply_close(&r);
}

static void a_wrong_link_or_form_gets_a_page_that_says_so(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX];
    struct reply r;
    (void)state;

    scene_blocked(&scene, "wrong forms", decision, token);
    get_page(decision, "AAAA", 404, &r);
    assert_null(strstr(r.body, "<form"));
    reply_close(&r);
    get_page("..", token, 404, &r);
    reply_close(&r);
    post_form(decision, token, "do=appeal&text=typed", 422, &r);
    assert_non_null(strstr(r.body, "typed"));
    assert_non_null(strstr(r.body, "role=\"alert\""));
    reply_close(&r);
    post_form(decision, "AAAA", "do=appeal&reason=art", 404, &r);
    reply_close(&r);
    post_form(decision, token, "do=appeal&reason=art&reason=art", 400, &r);
    reply_close(&r);
    post_form(decision, token, "do=dance", 422, &r);
    reply_close(&r);
}

/* ---- to the end ---- */

static void overturned(const char *prompt, char decision[SCENE_ID_MAX], char token[SCENE_TOKEN_MAX],
                       char appeal[SCENE_ID_MAX])
{
    struct scene_claim c;
    struct json *root;

    scene_blocked(&scene, prompt, decision, token);
    scene_appeal(&scene, decision, appeal);
    do
        assert_true(scene_claim(&scene, scene.reviewer[0], &c));
    while (strcmp(c.decision, decision) != 0);
    root = scene_decide(&scene, scene.reviewer[0], &c, "overturn", 200);
    assert_string_equal(scene_text(root, "outcome"), "overturn");
    assert_string_equal(scene_text(root, "scores.action"), "block");
    json_close(&root);
}

/* Goal: the very picture goes to its owner, who is told who: nobody in particular; and the same
   request is not blocked again. */
static void an_overturned_block_releases_the_picture(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], appeal[SCENE_ID_MAX], path[512];
    struct json *root;
    struct reply r;
    (void)state;

    overturned("an anatomy drawing", decision, token, appeal);
    path_of(path, "/v1/appeals/%s?token=%s", appeal, token);
    root = scene_json(&scene, NULL, "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "status"), "resolved");
    assert_string_equal(scene_text(root, "outcome"), "overturned");
    assert_string_equal(scene_text(root, "answer"), "Because I looked.");
    assert_string_equal(scene_text(root, "reviewer"), "a reviewer");
    json_close(&root);
    path_of(path, "/v1/decisions/%s/image?token=%s", decision, token);
    scene_ask(&scene, NULL, "GET", path, NULL, 200, &r);
    assert_true(r.bytes > 60);
    reply_close(&r);
    get_page(decision, token, 200, &r);
    assert_non_null(strstr(r.body, "here is your picture"));
    reply_close(&r);
    root = scene_json(&scene, scene.owner, "POST", "/v1/images/generations",
                      "{\"prompt\":\"an anatomy drawing\",\"seed\":7}", 200);
    json_close(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocked_picture_has_a_statement_without_an_account),
        cmocka_unit_test(a_decision_is_its_tenants_alone),
        cmocka_unit_test(a_blocked_picture_cannot_be_had),
        cmocka_unit_test(a_preview_is_small_and_is_all_that_there_is),
        cmocka_unit_test(decisions_are_listed_for_their_tenant),
        cmocka_unit_test(an_appeal_is_one_however_often_it_is_made),
        cmocka_unit_test(the_same_key_at_once_makes_one_appeal),
        cmocka_unit_test(an_appeal_that_makes_no_sense_is_refused_by_name),
        cmocka_unit_test(a_withdrawn_appeal_can_be_made_again),
        cmocka_unit_test(the_page_works_without_a_script),
        cmocka_unit_test(a_wrong_link_or_form_gets_a_page_that_says_so),
        cmocka_unit_test(an_overturned_block_releases_the_picture),
    };

    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
