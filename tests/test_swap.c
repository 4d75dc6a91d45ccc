/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models are changed under a running server: nobody who asks notices, and what cannot be served
 * leaves everything as it was.
 */
#include "server/folder.h"
#include "tests/client.h"
#include "tests/job_client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 120000 /* a slow build loads slowly */
#define CROWD   6
#define FOX     "{\"prompt\":\"a red fox\",\"seed\":1}"

static char folder[64];       /* of the test */
static char golden[PATH_MAX]; /* models */
static char config[80], output[8 << 20];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-swap.XXXXXX", P_tmpdir);
    if (!mkdtemp(folder) || !realpath("tests/golden", golden))
        return -1;
    snprintf(config, sizeof(config), "%s/limner.yaml", folder);
    return 0;
}

static int close_folder(void **state)
{
    char path[96];

    (void)state;
    snprintf(path, sizeof(path), "%s/model", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/empty", folder);
    if (!access(path, F_OK))
        program_remove(path);
    program_remove(folder);
    return 0;
}

/* The models are names of golden ones, or paths. */
static void write_models(const char *first, const char *second)
{
    const char *const names[] = {first, second};
    FILE *file = fopen(config, "w");

    assert_non_null(file);
    fputs("threads: 1\nseats: 2\nqueue-seconds: 0\nmodel:\n", file);
    for (int i = 0; i < 2 && names[i]; i++)
        fprintf(file, "- %s%s%s\n", names[i][0] == '/' ? "" : golden, names[i][0] == '/' ? "" : "/",
                names[i]);
    fclose(file);
}

static void serve(struct program *server)
{
    program_serve(server, (const char *const[]){"--config", config, NULL});
}

static void stop(struct program *server)
{
    int code = program_stop(server);

    if (code)
        fail_msg("the server ended with %d", code);
}

static int count_words(const struct program *server, const char *words)
{
    int count = 0;

    program_read(server, output, sizeof(output));
    for (const char *at = output; (at = strstr(at, words)); at += strlen(words))
        count++;
    return count;
}

/* What was said last: cmocka prints a thousand characters. */
static const char *tail(void)
{
    size_t bytes = strlen(output);

    return output + (bytes > 900 ? bytes - 900 : 0);
}

static void wait_for(const struct program *server, const char *words, int count)
{
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        if (count_words(server, words) >= count)
            return;
        program_sleep_ms(20);
    }
    fail_msg("'%s' did not come %d times: %s", words, count, tail());
}

/* The pictures' hash, of a request that must be answered. */
static void ask(const struct program *server, const char *body, char hash[65])
{
    struct reply r;
    const char *at;

    client_generate(server->port, "", body, &r);
    if (r.status != 200)
        fail_msg("%d: %s", r.status, r.body);
    at = strstr(r.body, "\"pixels_sha256\":\"");
    assert_non_null(at);
    snprintf(hash, 65, "%s", at + strlen("\"pixels_sha256\":\""));
    reply_close(&r);
}

static bool lists(const struct program *server, const char *model)
{
    char words[64];
    struct reply r;
    bool found;

    job_ask(server, "GET", "/v1/models", 200, &r);
    snprintf(words, sizeof(words), "\"id\":\"%s\"", model);
    found = strstr(r.body, words) != NULL;
    reply_close(&r);
    return found;
}

/* ---- under load ---- */

static int send_one(const struct program *server)
{
    char request[256];
    int fd = client_connect(server->port);

    snprintf(request, sizeof(request),
             "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(FOX), FOX);
    client_send(fd, request);
    return fd;
}

static int answered(int fd)
{
    struct reply r;

    client_read(fd, true, &r);
    if (r.status != 200)
        fail_msg("%d: %.300s", r.status, r.body ? r.body : "");
    reply_close(&r);
    close(fd);
    return 1;
}

static double pictures_of(const struct program *server, const char *model)
{
    char name[128];

    snprintf(name, sizeof(name),
             "limner_picture_duration_seconds_count{model=\"%s\",outcome=\"ok\"}", model);
    return client_metric(server->metrics_port, name);
}

/* Goal: whoever asks while models are changed gets a picture, counters go on, and a model that
   comes back makes the same pictures. Method: a crowd that always asks, while the models change
   four times. */
static void a_swap_under_load_loses_nobody(void **state)
{
    static const char *const models[][2] = {
        {"tiny_sd1", "tiny_lcm"}, {"tiny_sd1", NULL}, {"tiny_lcm", "tiny_sd1"}, {"tiny_lcm", NULL}};
    char first[65], last[65];
    struct program server;
    int fd[CROWD], made = 0;

    (void)state;
    write_models("tiny_lcm", NULL);
    serve(&server);
    ask(&server, FOX, first);
    made++;
    for (int i = 0; i < CROWD; i++)
        fd[i] = send_one(&server);
    for (int swap = 0; swap < 4; swap++) {
        write_models(models[swap][0], models[swap][1]);
        program_signal(&server, SIGHUP);
        do {
            for (int i = 0; i < CROWD; i++) {
                made += answered(fd[i]);
                fd[i] = send_one(&server);
            }
        } while (count_words(&server, "\"swapped\"") <= swap);
        assert_true(lists(&server, models[swap][0]));
        assert_int_equal(lists(&server, "tiny_sd1"), swap != 3);
        assert_int_equal(lists(&server, "tiny_lcm"), swap != 1);
    }
    for (int i = 0; i < CROWD; i++)
        made += answered(fd[i]);
    ask(&server, FOX, last);
    made++;
    assert_string_equal(first, last);
    job_wait_for_metric(&server, "limner_model_swaps_total", 4);
    assert_true(client_metric(server.metrics_port, "limner_pictures_done_total") == made);
    assert_true(pictures_of(&server, "tiny_lcm") + pictures_of(&server, "tiny_sd1") == made);
    assert_true(pictures_of(&server, "tiny_sd1") > 0);
    assert_true(client_metric(server.metrics_port, "limner_model_swaps_failed_total") == 0);
    assert_int_equal(count_words(&server, "not_swapped"), 0);
    stop(&server);
}

/* Goal: a picture keeps the model that it was asked of, however long it takes, and a change that
   comes too early is made when it can be. */
static void a_slow_picture_keeps_its_model(void **state)
{
    char path[64];
    struct program server;
    struct reply r;

    (void)state;
    write_models("tiny_sd1", NULL);
    serve(&server);
    job_promise(&server, JOB_ASYNC,
                "{\"prompt\":\"a red fox\",\"model\":\"tiny_sd1\",\"size\":\"256x256\","
                "\"num_inference_steps\":100}",
                path);
    write_models("tiny_lcm", NULL);
    program_signal(&server, SIGHUP);
    wait_for(&server, "\"swapped\"", 1);
    assert_true(lists(&server, "tiny_lcm") && !lists(&server, "tiny_sd1"));
    client_generate(server.port, "", "{\"prompt\":\"a\",\"model\":\"tiny_sd1\"}", &r);
    job_expect_error(&r, 404, "model_not_found", false);
    write_models("tiny_lcm", "tiny_sd1");
    program_signal(&server, SIGHUP);
    wait_for(&server, "\"swap_waits\"", 1); /* for the slow one */
    assert_false(lists(&server, "tiny_sd1"));
    job_expect_completed(&server, path);
    wait_for(&server, "\"swapped\"", 2);
    assert_true(lists(&server, "tiny_sd1"));
    stop(&server);
}

/* ---- what cannot be served ---- */

static void expect_refusal(const struct program *server, const char *model, const char *says)
{
    int before = count_words(server, "not_swapped");
    char hash[65];

    write_models(model, NULL);
    program_signal(server, SIGHUP);
    wait_for(server, "not_swapped", before + 1);
    if (!strstr(output, says))
        fail_msg("'%s' was not said: %s", says, tail());
    ask(server, FOX, hash);
    assert_true(lists(server, "tiny_lcm"));
}

/* Goal: models that are not there, are no models, or are too large for two at once, change
   nothing, and the log and the metrics say so. */
static void a_swap_that_fails_changes_nothing(void **state)
{
    char empty[96], file[128];
    struct program server;
    int fd;

    (void)state;
    write_models("tiny_lcm", NULL);
    serve(&server);
    expect_refusal(&server, "/nonexistent/model", "/nonexistent/model: No such file");
    snprintf(empty, sizeof(empty), "%s/empty", folder);
    assert_int_equal(mkdir(empty, 0700), 0);
    expect_refusal(&server, empty, "the models are as they were");
    snprintf(file, sizeof(file), "%s/weights.safetensors", empty);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)1 << 42), 0); /* a hole */
    close(fd);
    expect_refusal(&server, empty, "two at once need more memory, or a restart");
    assert_true(client_metric(server.metrics_port, "limner_model_swaps_failed_total") == 3);
    assert_true(client_metric(server.metrics_port, "limner_model_swap_underway") == 0);
    assert_true(client_metric(server.metrics_port, "limner_ready") == 1);
    write_models("tiny_sd1", NULL);
    program_signal(&server, SIGHUP);
    wait_for(&server, "\"swapped\"", 1);
    assert_true(lists(&server, "tiny_sd1"));
    stop(&server);
}

/* Goal: the same name for another folder is a change, and no change is none. */
static void a_folder_that_changed_is_loaded_again(void **state)
{
    char path[96], target[PATH_MAX + 32], before[65], after[65];
    struct program server;

    (void)state;
    snprintf(path, sizeof(path), "%s/model", folder);
    snprintf(target, sizeof(target), "%s/tiny_sd1", golden);
    assert_int_equal(symlink(target, path), 0);
    write_models(path, NULL);
    serve(&server);
    ask(&server, FOX, before);
    program_signal(&server, SIGHUP);
    wait_for(&server, "\"reloaded\"", 1);
    assert_int_equal(count_words(&server, "\"swapping\""), 0);
    unlink(path);
    snprintf(target, sizeof(target), "%s/tiny_lcm", golden);
    assert_int_equal(symlink(target, path), 0);
    program_signal(&server, SIGHUP);
    wait_for(&server, "\"swapped\"", 1);
    ask(&server, FOX, after);
    assert_string_not_equal(before, after);
    stop(&server);
}

/* Goal: a server that is told to stop while it loads other models ends well. */
static void a_server_stops_while_it_swaps(void **state)
{
    struct program server;

    (void)state;
    write_models("tiny_lcm", NULL);
    serve(&server);
    write_models("tiny_sd1", "tiny_lcm");
    program_signal(&server, SIGHUP);
    wait_for(&server, "\"swapping\"", 1);
    stop(&server);
}

/* ---- folders ---- */

/* Goal: what was written again is seen, also when it has the same length. */
static void folder_look_sees_what_changed(void **state)
{
    struct folder_look first, again, other;
    struct why why = {""};
    char file[96];

    (void)state;
    snprintf(file, sizeof(file), "%s/file", folder);
    for (int i = 0; i < 2; i++) {
        FILE *out = fopen(file, "w");

        assert_non_null(out);
        fputs(i ? "b" : "a", out);
        fclose(out);
        assert_int_equal(folder_look(i ? &other : &first, folder, &why), ST_OK);
        assert_int_equal(folder_look(&again, folder, &why), ST_OK);
        assert_true(again.mark == (i ? other.mark : first.mark));
        program_sleep_ms(20); /* the clock of files is coarse */
    }
    assert_true(first.mark != other.mark);
    assert_int_equal(other.bytes, 1);
    unlink(file);
    assert_int_equal(folder_look(&other, folder, &why), ST_OK);
    assert_int_equal(other.bytes, 0);
    assert_int_equal(folder_look(&other, file, &why), ST_MISSING);
    assert_non_null(strstr(why.text, file));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(folder_look_sees_what_changed),
        IN_FOLDER(a_swap_under_load_loses_nobody),
        IN_FOLDER(a_slow_picture_keeps_its_model),
        IN_FOLDER(a_swap_that_fails_changes_nothing),
        IN_FOLDER(a_folder_that_changed_is_loaded_again),
        IN_FOLDER(a_server_stops_while_it_swaps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
