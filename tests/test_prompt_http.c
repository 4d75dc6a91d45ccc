/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words before pictures: rules, a team's own hook, contexts, policies that change while a server
 * runs, and servers that cannot judge and so do not start.
 */
#include "tests/job_client.h"
#include "tests/judged.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FINE     "{\"prompt\":\"a red fox\",\"seed\":5}"
#define BLOCKED  "{\"prompt\":\"a snorkwort in the sun\",\"seed\":5}"
#define DOUBTFUL "{\"prompt\":\"a maybewort in the sun\",\"seed\":5}"
#define MEDICAL  "{\"prompt\":\"a red fox\",\"seed\":5,\"context\":\"medical\"}"

static char folder[128], policy[160], rules[160];

static void write_rules(void)
{
    FILE *file = fopen(rules, "w");

    assert_non_null(file);
    fputs(
        "{\"schema\": \"prompt-rules/1\", \"version\": \"t\", \"categories\": [\n"
        "{\"id\": \"forbidden_words\", \"rules\": [{\"id\": \"a\", \"words\": [\"snorkwort\"]}]},\n"
        "{\"id\": \"doubtful_words\", \"rules\": [{\"id\": \"b\", \"words\": "
        "[\"maybewort\"]}]}]}\n",
        file);
    fclose(file);
}

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-prompts.XXXXXX", P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    snprintf(policy, sizeof(policy), "%s/policy.json", folder);
    snprintf(rules, sizeof(rules), "%s/rules.json", folder);
    write_rules();
    judged_write(policy, &(struct judged){JUDGED_NEVER, JUDGED_NEVER, JUDGED_NEVER, rules, 1});
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static void serve(struct program *server, const char *flag, const char *value, const char *flag2,
                  const char *value2)
{
    const char *const args[] = {"--model",   "tests/golden/tiny_lcm",
                                "--threads", "1",
                                "--queue",   "10",
                                "--state",   folder,
                                "--policy",  policy,
                                flag,        value,
                                flag2,       value2,
                                NULL};

    program_serve(server, args);
}

static void stop(struct program *server)
{
    double withheld = client_metric(server->metrics_port, "limner_moderation_withheld_total");

    assert_true(client_metric(server->metrics_port, "limner_moderation_statements_total") ==
                withheld);
    assert_int_equal(program_stop(server), 0);
}

static const char *text(const struct json *o, const char *name)
{
    const struct json *value = json_get(o, name);

    if (json_type_of(value) != JSON_TYPE_STRING)
        fail_msg("%s is no text", name);
    return json_as_string(value);
}

/* The decision's id. */
static void expect_blocked(struct reply *r, const char *category, char id[STORE_ID_MAX])
{
    struct json *root = reply_json(r);
    const struct json *mod = json_get(json_get(root, "error"), "moderation");

    assert_int_equal(r->status, 400);
    assert_string_equal(text(json_get(root, "error"), "code"), "moderation_blocked");
    assert_string_equal(text(mod, "stage"), "prompt");
    assert_string_equal(text(mod, "action"), "block");
    if (category)
        assert_string_equal(text(json_get(mod, "category"), "id"), category);
    else
        assert_string_equal(text(json_get(mod, "reason"), "code"), "prompt_check");
    assert_false(json_as_bool(json_get(mod, "billed")));
    assert_true(json_as_bool(json_get(json_get(mod, "appeal"), "allowed")));
    snprintf(id, STORE_ID_MAX, "%s", text(mod, "decision_id"));
    assert_null(strstr(r->body, "snorkwort"));
    json_close(&root);
    reply_close(r);
}

/* ---- rules ---- */

static void limit_to_one_picture(char path[160])
{
    FILE *file;

    snprintf(path, 160, "%.120s/limits.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("tenant-default:\n  images-per-day: 1\n", file);
    fclose(file);
}

static void blocked_words_cost_nothing(void **state)
{
    struct store_decision rows[8];
    struct program server;
    struct reply r;
    char id[STORE_ID_MAX], again[STORE_ID_MAX], log[16384], limits[160];

    (void)state;
    limit_to_one_picture(limits);
    serve(&server, "--config", limits, NULL, NULL);
    client_generate(server.port, "", BLOCKED, &r);
    expect_blocked(&r, "forbidden_words", id);
    client_generate(server.port, "Accept: image/png\r\n", BLOCKED, &r);
    expect_blocked(&r, "forbidden_words", id);
    client_generate(server.port, JOB_ASYNC, BLOCKED, &r);
    expect_blocked(&r, "forbidden_words", id);
    client_generate(server.port, "Idempotency-Key: w\r\n", BLOCKED, &r);
    expect_blocked(&r, "forbidden_words", id);
    client_generate(server.port, "Idempotency-Key: w\r\n", BLOCKED, &r);
    expect_blocked(&r, "forbidden_words", again);
    assert_string_equal(id, again);
    assert_true(client_metric(server.metrics_port, "limner_denoise_steps_total") == 0);
    assert_true(client_metric(server.metrics_port, "limner_moderation_statements_total") == 4);
    client_generate(server.port, "", FINE, &r);
    assert_int_equal(r.status, 200); /* the one that the limit has room for */
    reply_close(&r);
    client_generate(server.port, "", FINE, &r);
    assert_int_equal(r.status, 429);
    reply_close(&r);
    program_read(&server, log, sizeof(log));
    assert_null(strstr(log, "snorkwort"));
    stop(&server);
    assert_int_equal(judged_list(folder, rows, 8), 5);
    assert_int_equal(rows[1].stage, STORE_STAGE_PROMPT);
    assert_int_equal(rows[1].standing, STORE_BLOCKED);
}

static void doubtful_words_make_pictures_that_wait(void **state)
{
    struct store_decision rows[2];
    struct program server;
    struct reply r;

    (void)state;
    serve(&server, NULL, NULL, NULL, NULL);
    client_generate(server.port, "", DOUBTFUL, &r);
    assert_int_equal(r.status, 202);
    assert_non_null(strstr(r.body, "\"in_review\""));
    reply_close(&r);
    stop(&server);
    assert_int_equal(judged_list(folder, rows, 2), 1);
    assert_string_equal(rows[0].category, "doubtful_words");
    assert_int_equal(rows[0].standing, STORE_HELD);
}

/* Goal: what the words asked for is not forgotten by a server that falls before the picture is
   made. */
static void doubts_outlive_a_server(void **state)
{
    static const char *const args[] = {
        "--model", "tests/golden/tiny_sd1", "--threads", "1", "--seats", "1", NULL};
    struct store_decision rows[2];
    struct program server;
    const char *all[16] = {NULL};
    char path[64];
    int count = 0;

    (void)state;
    while (args[count]) {
        all[count] = args[count];
        count++;
    }
    all[count++] = "--state";
    all[count++] = folder;
    all[count++] = "--policy";
    all[count++] = policy;
    program_serve(&server, all);
    job_promise(&server, "",
                "{\"prompt\":\"a maybewort\",\"size\":\"256x256\",\"num_inference_steps\":20}",
                path);
    program_signal(&server, SIGKILL);
    program_wait(&server, 5000);
    program_forget(&server);
    program_serve(&server, all);
    judged_wait(folder, 1);
    job_wait_for_metric(&server, "limner_moderation_statements_total", 1); /* and told */
    stop(&server);
    assert_int_equal(judged_list(folder, rows, 2), 1);
    assert_int_equal(rows[0].standing, STORE_HELD);
    assert_string_equal(rows[0].category, "doubtful_words");
}

/* ---- a hook ---- */

struct team {
    int fd, port;
    pthread_t thread;
    _Atomic(const char *) answer; /* NULL: none comes */
    pthread_mutex_t lock;
    char asked[4096]; /* the last question; under the lock */
};

/* All of the body that the head promises is there. */
static bool ends_whole(const char *asked)
{
    const char *body = strstr(asked, "\r\n\r\n"), *length = strcasestr(asked, "content-length:");

    return body && length && strlen(body + 4) >= strtoul(length + 15, NULL, 10);
}

static void serve_one(struct team *t, int fd)
{
    const char *answer = atomic_load(&t->answer);
    char reply[512], asked[sizeof(t->asked)] = "";
    size_t used = 0;

    while (used + 1 < sizeof(asked) && !ends_whole(asked)) {
        ssize_t got = read(fd, asked + used, sizeof(asked) - 1 - used);

        if (got <= 0)
            break;
        used += (size_t)got;
        asked[used] = '\0';
    }
    pthread_mutex_lock(&t->lock);
    memcpy(t->asked, asked, sizeof(asked));
    pthread_mutex_unlock(&t->lock);
    if (answer) {
        snprintf(reply, sizeof(reply),
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 strlen(answer), answer);
        if (write(fd, reply, strlen(reply)) < 0)
            perror("hook");
    } else {
        program_sleep_ms(400);
    }
    close(fd);
}

static void *run_team(void *memory)
{
    struct team *t = memory;
    int fd;

    while ((fd = accept(t->fd, NULL, NULL)) >= 0)
        serve_one(t, fd);
    return NULL;
}

static void open_team(struct team *t, char url[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(at);

    *t = (struct team){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    pthread_mutex_init(&t->lock, NULL);
    assert_int_equal(bind(t->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(t->fd, 8), 0);
    assert_int_equal(getsockname(t->fd, (struct sockaddr *)&at, &bytes), 0);
    snprintf(url, 64, "http://127.0.0.1:%d/judge", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&t->thread, NULL, run_team, t), 0);
}

static void close_team(struct team *t)
{
    shutdown(t->fd, SHUT_RDWR);
    pthread_join(t->thread, NULL);
    close(t->fd);
    pthread_mutex_destroy(&t->lock);
}

/* The last question has these words. */
static bool was_asked(struct team *t, const char *words)
{
    bool found;

    pthread_mutex_lock(&t->lock);
    found = strstr(t->asked, words) != NULL;
    pthread_mutex_unlock(&t->lock);
    return found;
}

static void a_team_has_its_own_opinion(void **state)
{
    struct program server;
    struct reply r;
    struct team team;
    char url[64], id[STORE_ID_MAX];

    (void)state;
    open_team(&team, url);
    serve(&server, "--prompt-hook", url, "--prompt-hook-ms", "200");
    team.answer = "{\"action\":\"allow\"}";
    client_generate(server.port, "", FINE, &r);
    assert_int_equal(r.status, 200);
    assert_true(was_asked(&team, "a red fox"));
    reply_close(&r);
    client_generate(server.port, JOB_ASYNC, FINE, &r);
    assert_int_equal(r.status, 202);
    reply_close(&r);
    client_generate(server.port, "", "{\"prompt\":\"a red fox\",\"stream\":true}", &r);
    assert_non_null(strstr(r.body, "event: image_generation.completed"));
    reply_close(&r);
    team.answer = "{\"action\":\"block\",\"category\":\"forbidden_words\"}";
    client_generate(server.port, "", FINE, &r);
    expect_blocked(&r, "forbidden_words", id);
    team.answer = "{\"action\":\"block\",\"category\":\"never_heard_of\"}";
    client_generate(server.port, "", FINE, &r);
    expect_blocked(&r, NULL, id); /* of no category of the policy */
    team.answer = "{\"action\":\"hold\"}";
    client_generate(server.port, "", FINE, &r);
    assert_int_equal(r.status, 202);
    assert_non_null(strstr(r.body, "\"in_review\""));
    reply_close(&r);
    team.answer = NULL; /* and when it is late, a person looks */
    client_generate(server.port, "", FINE, &r);
    assert_int_equal(r.status, 202);
    assert_non_null(strstr(r.body, "\"in_review\""));
    reply_close(&r);
    client_generate(server.port, "", BLOCKED, &r); /* the rules come first */
    expect_blocked(&r, "forbidden_words", id);
    stop(&server);
    close_team(&team);
}

static void a_hook_that_is_gone_fails_as_it_was_told_to(void **state)
{
    static const char gone[] = "http://127.0.0.1:1/judge";
    struct program server;
    struct reply r;
    char id[STORE_ID_MAX];

    (void)state;
    serve(&server, "--prompt-hook", gone, "--prompt-hook-fail", "block");
    client_generate(server.port, "", FINE, &r);
    expect_blocked(&r, NULL, id);
    stop(&server);
    serve(&server, "--prompt-hook", gone, "--prompt-hook-fail", "allow");
    client_generate(server.port, "", FINE, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    stop(&server);
}

/* ---- a word to the tenant's own server ---- */

static void wait_for_question(struct team *t, const char *words)
{
    for (int waited = 0; waited < 10000; waited += 20) {
        if (was_asked(t, words))
            return;
        program_sleep_ms(20);
    }
    fail_msg("nobody asked with the words %s", words);
}

static void a_tenant_is_told_of_what_was_kept_back(void **state)
{
    struct program server;
    struct reply r;
    struct team team;
    char url[64], id[STORE_ID_MAX], path[160];
    FILE *file;

    (void)state;
    open_team(&team, url);
    team.answer = "{}";
    snprintf(path, sizeof(path), "%.120s/webhooks.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "tenants:\n  - name: default\n    webhook: %s\n", url);
    fclose(file);
    setenv("LIMNER_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 1);
    serve(&server, "--config", path, "--public-url", "https://pictures.example");
    client_generate(server.port, "", BLOCKED, &r);
    expect_blocked(&r, "forbidden_words", id);
    wait_for_question(&team, "decision.blocked");
    wait_for_question(&team, id);
    assert_true(was_asked(&team, "https://pictures.example/v1/decisions/dec_"));
    assert_false(was_asked(&team, "snorkwort"));
    client_generate(server.port, "", DOUBTFUL, &r);
    assert_int_equal(r.status, 202);
    reply_close(&r);
    wait_for_question(&team, "decision.held");
    stop(&server);
    unsetenv("LIMNER_WEBHOOK_SECRET");
    close_team(&team);
}

/* ---- contexts ---- */

static int context(const char *const *words)
{
    const char *args[16] = {"context"};
    struct program p;
    int count = 1, code;

    while (*words)
        args[count++] = *words++;
    args[count++] = "--state";
    args[count++] = folder;
    args[count++] = "--policy";
    args[count] = policy;
    program_start(&p, args);
    code = program_wait(&p, 20000);
    program_forget(&p);
    return code;
}

static int status_of(const struct program *server, const char *body, const char *code)
{
    struct reply r;
    int status;

    client_generate(server->port, "", body, &r);
    status = r.status;
    if (code && !strstr(r.body, code))
        fail_msg("%s is not in %s", code, r.body);
    reply_close(&r);
    return status;
}

static void a_context_needs_a_grant(void **state)
{
    static const char *const grant[] = {"grant",      "default",   "medical", "--evidence",
                                        "contract 7", "--expires", "30d",     NULL};
    static const char *const bare[] = {"grant", "default", "medical", NULL};
    static const char *const unknown[] = {"grant", "default", "dental", "--evidence", "x", NULL};
    static const char *const endless[] = {"grant", "default",   "medical", "--evidence",
                                          "x",     "--expires", "never",   NULL};
    static const char *const revoke[] = {"revoke", "default", "medical", NULL};
    static const char *const list[] = {"list", "--json", NULL};
    struct program server;

    (void)state;
    serve(&server, NULL, NULL, NULL, NULL);
    assert_int_equal(status_of(&server, MEDICAL, "context_not_granted"), 403);
    assert_int_equal(
        status_of(&server, "{\"prompt\":\"x\",\"context\":\"dental\"}", "unknown_context"), 400);
    assert_int_equal(context(bare), 2);
    assert_int_equal(context(unknown), 2);
    assert_int_equal(context(endless), 2);
    assert_int_equal(context(revoke), 1);
    assert_int_equal(context(grant), 0);
    assert_int_equal(context(list), 0);
    program_sleep_ms(1500);
    assert_int_equal(status_of(&server, MEDICAL, NULL), 200);
    assert_int_equal(context(revoke), 0);
    program_sleep_ms(1500);
    assert_int_equal(status_of(&server, MEDICAL, "context_not_granted"), 403);
    stop(&server);
}

/* ---- policies that change, and servers that do not start ---- */

static void wait_for_log(const struct program *server, const char *words)
{
    static char log[65536];

    for (int waited = 0; waited < 10000; waited += 20) {
        program_read(server, log, sizeof(log));
        if (strstr(log, words))
            return;
        program_sleep_ms(20);
    }
    fail_msg("%s is not in %s", words, log);
}

static void a_policy_is_exchanged_or_stays(void **state)
{
    struct program server;
    FILE *file;

    (void)state;
    serve(&server, NULL, NULL, NULL, NULL);
    file = fopen(policy, "a");
    assert_non_null(file);
    fputs("and more", file);
    fclose(file);
    program_signal(&server, SIGHUP);
    wait_for_log(&server, "policy_not_reloaded");
    assert_int_equal(status_of(&server, BLOCKED, "moderation_blocked"), 400);
    assert_int_equal(status_of(&server, FINE, NULL), 200);
    judged_write(policy, &(struct judged){JUDGED_NEVER, JUDGED_NEVER, 0, NULL, 2});
    program_signal(&server, SIGHUP);
    wait_for_log(&server, "policy_reloaded");
    assert_int_equal(status_of(&server, FINE, "\"version\":2"), 400);
    assert_int_equal(status_of(&server, BLOCKED, "\"stage\":\"image\""), 400);
    stop(&server);
}

static void expect_no_start(const char *flag, const char *value, const char *words)
{
    const char *const args[] = {
        "serve",       "--model",   "tests/golden/tiny_lcm", "--state", folder, "--listen",
        "127.0.0.1:0", "--metrics", "127.0.0.1:0",           flag,      value,  NULL};
    struct program p;
    char said[8192];

    program_start(&p, args);
    assert_int_equal(program_wait(&p, 30000), 1);
    program_read(&p, said, sizeof(said));
    if (!strstr(said, words))
        fail_msg("%s is not in %s", words, said);
    assert_null(strstr(said, "\"event\":\"ready\""));
    program_forget(&p);
}

static void what_cannot_judge_does_not_start(void **state)
{
    char path[200];
    FILE *file;

    (void)state;
    expect_no_start("--classifiers", folder, "cannot_start");
    snprintf(path, sizeof(path), "%s/bad.json", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\n\"schema\": \"moderation-policy/1\",\n\"surprise\": 1}", file);
    fclose(file);
    expect_no_start("--policy", path, "bad.json:");
    snprintf(path, sizeof(path), "%s/open.key", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("a 0000000000000000000000000000000000000000000000000000000000000000\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
    expect_no_start("--vault-key", path, "open.key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocked_words_cost_nothing, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(doubtful_words_make_pictures_that_wait, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(doubts_outlive_a_server, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_team_has_its_own_opinion, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_hook_that_is_gone_fails_as_it_was_told_to, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_tenant_is_told_of_what_was_kept_back, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_context_needs_a_grant, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_policy_is_exchanged_or_stays, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(what_cannot_judge_does_not_start, open_folder,
                                        close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
