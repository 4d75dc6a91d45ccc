/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys from end to end: `limner key` beside a running server, and what it then lets pass.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL "tests/golden/tiny_lcm"
#define FOX   "{\"prompt\":\"a red fox\"}"

static char folder[128];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-keys.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : 1;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

/* `limner key ARGS --state FOLDER`: the exit code, and what it said. */
static int key(const char *const *args, char *text, size_t bytes)
{
    const char *all[PROGRAM_ARGS_MAX] = {"key", "--state", folder};
    struct program p;
    int count = 3, code;

    for (int i = 0; args[i]; i++)
        all[count++] = args[i];
    program_start(&p, all);
    code = program_wait(&p, 60000);
    program_read(&p, text, bytes);
    program_forget(&p);
    return code;
}

static void make_key(char out[64], const char *scopes, const char *tenant)
{
    const char *const args[] = {"create", "--scopes", scopes, "--tenant", tenant, NULL};
    char text[1024];

    if (key(args, text, sizeof(text)) || sscanf(text, "%63s", out) != 1 || strncmp(out, "lmr-", 4))
        fail_msg("%s", text);
}

static void revoke_key(const char *of)
{
    const char *const args[] = {"revoke", of, NULL};
    char text[1024];

    if (key(args, text, sizeof(text)) || !strstr(text, "is revoked since"))
        fail_msg("%s", text);
}

static void serve(struct program *server)
{
    const char *const args[] = {"--model", MODEL, "--threads", "1", "--state", folder, NULL};

    program_serve(server, args);
}

static void stop(struct program *server)
{
    assert_int_equal(program_stop(server), 0);
}

static int ask(const struct program *server, const char *bearer, struct reply *r)
{
    char header[128] = "";

    if (bearer)
        snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", bearer);
    client_generate(server->port, header, FOX, r);
    return r->status;
}

static int status_of(const struct program *server, const char *bearer)
{
    struct reply r;
    int status = ask(server, bearer, &r);

    reply_close(&r);
    return status;
}

/* Ask until the answer is `status`; the milliseconds that it took. */
static int wait_for(const struct program *server, const char *bearer, int status)
{
    int waited = 0;

    while (status_of(server, bearer) != status) {
        if (waited > 20000)
            fail_msg("the answer never became %d", status);
        program_sleep_ms(50);
        waited += 50;
    }
    return waited;
}

/* Goal: the whole life of a key beside one server that is never restarted. */
static void a_running_server_sees_keys_come_and_go(void **state)
{
    char first[64], metrics[64], value[128], header[128], text[8192];
    const char *const list[] = {"list", NULL};
    struct program server;
    struct reply r;

    (void)state;
    serve(&server);
    program_read(&server, text, sizeof(text));
    assert_non_null(strstr(text, "no key was made yet"));
    assert_int_equal(status_of(&server, NULL), 200);
    assert_int_equal(status_of(&server, "unused"), 200); /* as OpenAI's clients send one */

    make_key(first, "generate", "shop");
    wait_for(&server, NULL, 401);
    assert_int_equal(ask(&server, NULL, &r), 401);
    assert_true(reply_header(&r, "www-authenticate", value, sizeof(value)));
    assert_string_equal(value, "Bearer realm=\"limner\"");
    assert_non_null(strstr(r.body, "\"code\":\"missing_api_key\""));
    reply_close(&r);
    assert_int_equal(status_of(&server, first), 200);
    assert_int_equal(status_of(&server, "lmr-0000000000000000000000000000000000000000"), 401);

    make_key(metrics, "metrics", "shop");
    wait_for(&server, metrics, 403);
    client_ask(server.port, "GET", "/v1/models", "", NULL, &r);
    assert_int_equal(r.status, 401);
    reply_close(&r);
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", metrics);
    client_ask(server.port, "GET", "/v1/models", header, NULL, &r);
    assert_int_equal(r.status, 200); /* any key will do */
    reply_close(&r);
    client_ask(server.port, "GET", "/readyz", "", NULL, &r);
    assert_int_equal(r.status, 200); /* none is needed */
    reply_close(&r);
    client_metric(server.metrics_port, "limner_ready"); /* open on loopback */

    revoke_key(first);
    wait_for(&server, first, 401);
    assert_int_equal(key(list, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "revoked"));
    first[12] = '\0';
    assert_non_null(strstr(text, first));
    program_read(&server, text, sizeof(text));
    assert_null(strstr(text, metrics)); /* a key is in no log */
    stop(&server);
}

static void keys_are_listed_as_json(void **state)
{
    const char *const create[] = {"create", "--json",    "--expires", "30d",
                                  "--note", "of \"us\"", NULL};
    const char *const list[] = {"list", "--json", NULL};
    const char *const absent[] = {"revoke", "lmr-00000000", NULL};
    char text[4096];
    struct json *root;
    int64_t created = 0, expires = 0;

    (void)state;
    assert_int_equal(key(create, text, sizeof(text)), 0);
    assert_int_equal(json_parse(&root, text, strlen(text), NULL), ST_OK);
    assert_int_equal(strlen(json_as_string(json_get(root, "key"))), 44);
    json_close(&root);
    assert_int_equal(key(list, text, sizeof(text)), 0);
    assert_int_equal(json_parse(&root, text, strlen(text), NULL), ST_OK);
    assert_int_equal(json_size(root), 1);
    assert_null(json_get(json_at(root, 0), "key"));
    assert_string_equal(json_as_string(json_get(json_at(root, 0), "state")), "live");
    assert_string_equal(json_as_string(json_get(json_at(root, 0), "note")), "of \"us\"");
    assert_int_equal(json_get_int(json_at(root, 0), "created", &created, NULL), ST_OK);
    assert_int_equal(json_get_int(json_at(root, 0), "expires", &expires, NULL), ST_OK);
    assert_int_equal(expires - created, 30 * 86400);
    json_close(&root);
    assert_int_equal(key(absent, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "there is no key lmr-00000000"));
}

/* Goal: other machines never reach a server that asks for no key. */
static void without_a_key_a_server_stays_on_its_machine(void **state)
{
    const char *const args[] = {"serve",     "--model",     MODEL,     "--listen", "0.0.0.0:0",
                                "--metrics", "127.0.0.1:0", "--state", folder,     NULL};
    struct program p;
    char text[8192], made[64];

    (void)state;
    program_start(&p, args);
    assert_int_equal(program_wait(&p, 60000), 1);
    program_read(&p, text, sizeof(text));
    assert_non_null(strstr(text, "limner key create"));
    program_forget(&p);

    make_key(made, "generate", "shop");
    program_serve(&p, (const char *const[]){"--model", MODEL, "--threads", "1", "--listen",
                                            "0.0.0.0:0", "--state", folder, NULL});
    assert_int_equal(status_of(&p, NULL), 401);
    assert_int_equal(status_of(&p, made), 200);
    stop(&p);
}

static void the_metrics_may_need_a_key(void **state)
{
    const char *const args[] = {"--model", MODEL,     "--threads", "1", "--metrics-auth",
                                "key",     "--state", folder,      NULL};
    char made[64], header[128];
    struct program server;
    struct reply r;

    (void)state;
    make_key(made, "metrics", "ops");
    program_serve(&server, args);
    client_ask(server.metrics_port, "GET", "/metrics", "", NULL, &r);
    assert_int_equal(r.status, 401);
    reply_close(&r);
    client_ask(server.metrics_port, "GET", "/livez", "", NULL, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", made);
    client_ask(server.metrics_port, "GET", "/metrics", header, NULL, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    stop(&server);
}

/* ---- limits ---- */

static void write_config(char path[160], const char *text)
{
    FILE *file;

    snprintf(path, 160, "%s/limner.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void serve_config(struct program *server, const char *path)
{
    const char *const args[] = {"--model", MODEL,      "--threads", "1", "--state",
                                folder,    "--config", path,        NULL};

    program_serve(server, args);
}

static void expect_header(const struct reply *r, const char *name, const char *value)
{
    char got[128] = "";

    reply_header(r, name, got, sizeof(got));
    if (strcmp(got, value))
        fail_msg("%s: '%s', not '%s', in %s", name, got, value, r->head);
}

static void wait_for_words(const struct program *server, const char *words, int times)
{
    char text[32768];
    int found = 0;

    for (int waited = 0; waited < 20000 && found < times; waited += 20) {
        program_sleep_ms(20);
        program_read(server, text, sizeof(text));
        found = 0;
        for (const char *at = text; (at = strstr(at, words)); at++)
            found++;
    }
    assert_true(found >= times); /* a change that came while models were loaded is read twice */
}

static void expect_refused(const struct program *server, const char *bearer, const char *field,
                           const char *says)
{
    char header[128], body[128];
    struct reply r;

    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", bearer);
    snprintf(body, sizeof(body), "{\"prompt\":\"a red fox\",%s}", field);
    client_generate(server->port, header, body, &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, says));
    reply_close(&r);
}

/* Goal: limits are told on each answer, kept per tenant, and change without a restart. */
static void limits_are_told_kept_and_reloaded(void **state)
{
    char path[160], shop[64], lab[64], value[64];
    struct program server;
    struct reply r;

    (void)state;
    write_config(path, "tenants:\n- name: shop\n  requests-per-minute: 2\n  images-per-day: 12\n");
    make_key(shop, "generate", "shop");
    make_key(lab, "generate", "lab");
    serve_config(&server, path);

    assert_int_equal(ask(&server, shop, &r), 200);
    expect_header(&r, "x-ratelimit-limit-requests", "2");
    expect_header(&r, "x-ratelimit-remaining-requests", "1");
    expect_header(&r, "x-ratelimit-limit-images", "12");
    expect_header(&r, "x-ratelimit-remaining-images", "11");
    reply_close(&r);
    assert_int_equal(status_of(&server, shop), 200);
    assert_int_equal(ask(&server, shop, &r), 429);
    expect_header(&r, "x-ratelimit-remaining-requests", "0");
    expect_header(&r, "x-should-retry", "true");
    assert_true(reply_header(&r, "retry-after", value, sizeof(value)));
    assert_in_range(atoi(value), 1, 30);
    assert_true(reply_header(&r, "retry-after-ms", value, sizeof(value)));
    assert_in_range(atoi(value), 1, 30000);
    assert_non_null(strstr(r.body, "\"code\":\"rate_limit_exceeded\""));
    assert_non_null(strstr(r.body, "\"type\":\"rate_limit_error\""));
    reply_close(&r);
    assert_int_equal(ask(&server, lab, &r), 200); /* another's limits are another's */
    expect_header(&r, "x-ratelimit-limit-requests", "");
    reply_close(&r);

    write_config(path, "queue: 32\nimages-max: 2\nsteps-max: 3\nprompt-max: 9\n"
                       "tenants: [{name: lab, requests-per-minute: 1}]\n");
    program_signal(&server, SIGHUP);
    wait_for_words(&server, "restart_needed", 1);
    assert_int_equal(status_of(&server, shop), 200);
    expect_refused(&server, shop, "\"n\":3", "n must be 1 to 2");
    expect_refused(&server, shop, "\"num_inference_steps\":4",
                   "num_inference_steps must be 1 to 3");
    expect_refused(&server, shop, "\"negative_prompt\":\"\u00e4 red foxes\"",
                   "negative_prompt must have at most 9 characters on this server; it has 11");
    assert_int_equal(ask(&server, lab, &r), 200); /* what it had before was not counted */
    expect_header(&r, "x-ratelimit-remaining-requests", "0");
    reply_close(&r);
    assert_int_equal(status_of(&server, lab), 429);

    write_config(path, "tenants: [{name: lab, requests-per-minuet: 100}]\n");
    program_signal(&server, SIGHUP);
    wait_for_words(&server, "not_reloaded", 1);
    assert_int_equal(status_of(&server, lab), 429); /* everything is as it was */
    stop(&server);
}

/* Goal: the lengths of prompts and bodies are what the operator said, to the byte. */
static void texts_and_bodies_are_as_long_as_was_said(void **state)
{
    char path[160], body[1200];
    struct program server;
    struct reply r;

    (void)state;
    write_config(path, "prompt-max: 9\nbody-max: 1024\n");
    serve_config(&server, path);
    client_generate(server.port, "", "{\"prompt\":\"a red fox.\"}", &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "prompt must have at most 9 characters on this server; it has "
                                   "10"));
    assert_non_null(strstr(r.body, "\"param\":\"prompt\""));
    reply_close(&r);
    for (int bytes = 1024; bytes <= 1025; bytes++) {
        snprintf(body, sizeof(body), "%-*s", bytes, FOX);
        client_generate(server.port, "", body, &r);
        assert_int_equal(r.status, bytes == 1024 ? 200 : 413);
        reply_close(&r);
    }
    stop(&server);
}

/* Goal: what is refused is given back, and what asks for too much is told which field it is. */
static void a_refused_request_costs_nothing(void **state)
{
    char path[160], shop[64], header[128];
    struct program server;
    struct reply r;

    (void)state;
    write_config(path, "tenant-default: {images-per-minute: 4, requests-per-day: 3}\n");
    make_key(shop, "generate", "shop");
    serve_config(&server, path);
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", shop);
    for (int i = 0; i < 4; i++) {
        client_generate(server.port, header, "{\"prompt\":\"a\",\"n\":5}", &r);
        assert_int_equal(r.status, 400);
        assert_non_null(strstr(r.body, "\"param\":\"n\""));
        reply_close(&r);
        client_generate(server.port, header, "{\"prompt\":\"a\",\"size\":\"1x1\"}", &r);
        assert_int_equal(r.status, 400);
        expect_header(&r, "x-ratelimit-remaining-requests", "3");
        expect_header(&r, "x-ratelimit-remaining-images", "4");
        reply_close(&r);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(status_of(&server, shop), 200);
    assert_int_equal(ask(&server, shop, &r), 429);
    assert_non_null(strstr(r.body, "3 requests per day"));
    reply_close(&r);
    stop(&server);
}

/* Goal: many at once never get more than the limit, through every thread of the server. Method: 24
   requests are sent before any answer is read; 7 pictures are allowed. */
static void a_crowd_gets_no_more_than_the_limit(void **state)
{
    char path[160], shop[64], request[512];
    struct program server;
    int fd[24], answered[2] = {0, 0};

    (void)state;
    write_config(path, "tenants: [{name: shop, images-per-day: 7}]\n");
    make_key(shop, "generate", "shop");
    serve_config(&server, path);
    snprintf(request, sizeof(request),
             "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             shop, strlen(FOX), FOX);
    for (int i = 0; i < 24; i++) {
        fd[i] = client_connect(server.port);
        client_send(fd[i], request);
    }
    for (int i = 0; i < 24; i++) {
        struct reply r;

        client_read(fd[i], true, &r);
        if (r.status != 200 && r.status != 429)
            fail_msg("%d: %s", r.status, r.body);
        answered[r.status == 200]++;
        reply_close(&r);
        close(fd[i]);
    }
    assert_int_equal(answered[1], 7);
    assert_int_equal(answered[0], 17);
    stop(&server);
}

/* Goal: a crash gives nobody a fresh quota. Method: kill -9, after the second that may be lost. */
static void a_quota_survives_a_crash(void **state)
{
    char path[160], shop[64];
    struct program server;
    struct reply r;

    (void)state;
    write_config(path, "tenants: [{name: shop, images-per-day: 3}]\n");
    make_key(shop, "generate", "shop");
    serve_config(&server, path);
    assert_int_equal(status_of(&server, shop), 200);
    assert_int_equal(status_of(&server, shop), 200);
    program_sleep_ms(3000);
    program_signal(&server, SIGKILL);
    assert_int_equal(program_wait(&server, 60000), -1);
    program_forget(&server);

    serve_config(&server, path);
    assert_int_equal(ask(&server, shop, &r), 200);
    expect_header(&r, "x-ratelimit-remaining-images", "0");
    reply_close(&r);
    assert_int_equal(status_of(&server, shop), 429);
    stop(&server);
    serve_config(&server, path);
    assert_int_equal(status_of(&server, shop), 429);
    stop(&server);
}

/* Goal: reading the configuration again drops nobody. */
static void a_reload_drops_no_request(void **state)
{
    char path[160];
    struct program server;

    (void)state;
    write_config(path, "tenant-default: {concurrency: 8}\n");
    serve_config(&server, path);
    for (int round = 1; round <= 5; round++) {
        int fd[4];

        for (int i = 0; i < 4; i++) {
            char request[512];

            snprintf(request, sizeof(request),
                     "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(FOX), FOX);
            fd[i] = client_connect(server.port);
            client_send(fd[i], request);
        }
        program_signal(&server, SIGHUP);
        wait_for_words(&server, "\"reloaded\"", round);
        for (int i = 0; i < 4; i++) {
            struct reply r;

            client_read(fd[i], true, &r);
            assert_int_equal(r.status, 200);
            reply_close(&r);
            close(fd[i]);
        }
    }
    stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_running_server_sees_keys_come_and_go, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(keys_are_listed_as_json, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(without_a_key_a_server_stays_on_its_machine, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(the_metrics_may_need_a_key, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(limits_are_told_kept_and_reloaded, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(texts_and_bodies_are_as_long_as_was_said, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_refused_request_costs_nothing, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_crowd_gets_no_more_than_the_limit, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_quota_survives_a_crash, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_reload_drops_no_request, open_folder, close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
