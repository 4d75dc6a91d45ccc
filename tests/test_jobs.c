/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs from end to end: promises, cancelling, keys of requests, and servers that are killed.
 */
#include "store/store.h"
#include "tests/job_client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEATS   "limner_pictures_seated"
#define UNKNOWN "/v1/jobs/job_0123456789abcdef0123456789abcdef"
#define QUICK   "{\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\",\"seed\":%d,\"n\":%d}"
#define LONG                                                                                       \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"256x256\",\"seed\":%d,"           \
    "\"num_inference_steps\":%d}"

static char folder[128];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-jobs.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : 1;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

/* A server on the test's folder; `flag` and `value` may be NULL. */
static void serve(struct program *server, const char *flag, const char *value)
{
    const char *const args[] = {"--model",   "tests/golden/tiny_lcm",
                                "--model",   "tests/golden/tiny_sd1",
                                "--seats",   "1",
                                "--queue",   "10",
                                "--threads", "1",
                                "--drain",   "1",
                                "--state",   folder,
                                flag,        value,
                                NULL};

    program_serve(server, args);
}

static void stop(struct program *server)
{
    assert_int_equal(program_stop(server), 0);
}

static void picture(const struct program *server, const char *path, int k, struct reply *r)
{
    char full[96];

    snprintf(full, sizeof(full), "%s/images/%d", path, k);
    job_ask(server, "GET", full, 200, r);
}

/* Picture k is what an ordinary request with this body and seed gets. */
static void expect_picture(const struct program *server, const char *path, int k, const char *body)
{
    struct reply made, kept;
    char first[80], second[80];

    picture(server, path, k, &kept);
    client_generate(server->port, "Accept: image/png\r\n", body, &made);
    assert_int_equal(made.status, 200);
    assert_int_equal(made.bytes, kept.bytes);
    assert_memory_equal(made.body, kept.body, made.bytes);
    assert_true(reply_header(&made, "x-limner-pixels-sha256", first, sizeof(first)));
    assert_true(reply_header(&kept, "x-limner-pixels-sha256", second, sizeof(second)));
    assert_string_equal(first, second);
    assert_true(reply_header(&kept, "content-type", first, sizeof(first)));
    assert_string_equal(first, "image/png");
    reply_close(&made);
    reply_close(&kept);
}

/* ---- tests ---- */

static void a_promise_is_kept(void **state)
{
    struct program server;
    struct json *root;
    struct reply r;
    char path[64], body[256], value[64];

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), QUICK, 7, 2);
    job_promise(&server, "", body, path);
    root = job_outcome(&server, path);
    assert_string_equal(job_text(root, "status"), "completed");
    assert_string_equal(job_text(root, "model"), "tiny_lcm");
    assert_string_equal(job_text(root, "size"), "32x32");
    assert_int_equal(json_as_int(json_get(root, "seed")), 7);
    assert_int_equal(json_size(json_get(root, "images")), 2);
    assert_int_equal(json_as_int(json_get(root, "expires_at")),
                     json_as_int(json_get(root, "completed_at")) + 86400);
    assert_int_equal(json_type_of(json_get(root, "error")), JSON_TYPE_NULL);
    json_close(&root);
    for (int k = 0; k < 2; k++) {
        snprintf(body, sizeof(body), QUICK, 7 + k, 1);
        expect_picture(&server, path, k, body);
    }
    snprintf(value, sizeof(value), "%.46s/images/2", path);
    job_ask(&server, "GET", value, 404, &r);
    job_expect_error(&r, 404, "image_not_found", false);
    stop(&server);
    serve(&server, NULL, NULL); /* it is there for the next server too */
    job_expect_completed(&server, path);
    expect_picture(&server, path, 1, body);
    stop(&server);
}

static void bad_ids_and_methods_are_told(void **state)
{
    static const char *const bad[] = {UNKNOWN,
                                      "/v1/jobs/",
                                      "/v1/jobs/x",
                                      "/v1/jobs/job_0123456789ABCDEF0123456789abcdef",
                                      UNKNOWN "0",
                                      UNKNOWN "/",
                                      UNKNOWN "/images",
                                      UNKNOWN "/images/",
                                      UNKNOWN "/images/01",
                                      UNKNOWN "/images/-1",
                                      UNKNOWN "/images/99999",
                                      UNKNOWN "/images/0",
                                      UNKNOWN "/nothing"};
    struct program server;
    struct reply r;
    char value[64];

    (void)state;
    serve(&server, NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        job_ask(&server, "GET", bad[i], 404, &r);
        reply_close(&r);
    }
    job_ask(&server, "DELETE", UNKNOWN, 404, &r);
    job_expect_error(&r, 404, "job_not_found", false);
    job_ask(&server, "PUT", UNKNOWN, 405, &r);
    assert_true(reply_header(&r, "allow", value, sizeof(value)));
    assert_string_equal(value, "GET, HEAD, DELETE");
    reply_close(&r);
    job_ask(&server, "DELETE", UNKNOWN "/events", 405, &r);
    reply_close(&r);
    stop(&server);
}

static void a_cancelled_job_leaves_its_seat_at_once(void **state)
{
    struct program server;
    struct json *root;
    struct reply r;
    char first[64], second[64], body[256];
    double done;

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), LONG, 1, 150);
    job_promise(&server, "", body, first);
    job_promise(&server, "", body, second);
    job_wait_for_metric(&server, SEATS, 1);
    done = client_metric(server.metrics_port, "limner_denoise_steps_total");
    for (int i = 0; i < 2; i++) {
        job_ask(&server, "DELETE", i ? first : second, 200, &r);
        root = reply_json(&r);
        assert_string_equal(job_text(root, "status"), "failed");
        assert_string_equal(job_text(json_get(root, "error"), "code"), "cancelled");
        json_close(&root);
        reply_close(&r);
    }
    job_wait_for_metric(&server, SEATS, 0);
    job_wait_for_metric(&server, "limner_pictures_cancelled_total", 2);
    done = client_metric(server.metrics_port, "limner_denoise_steps_total") - done;
    if (done > 60)
        fail_msg("%g steps were made for nobody", done);
    job_ask(&server, "DELETE", first, 409, &r);
    job_expect_error(&r, 409, "already_cancelled", false);
    snprintf(body, sizeof(body), "%.50s/images/0", first);
    job_ask(&server, "GET", body, 404, &r);
    job_expect_error(&r, 404, "image_not_found", false);

    snprintf(body, sizeof(body), QUICK, 1, 1);
    job_promise(&server, "", body, first);
    job_expect_completed(&server, first);
    job_ask(&server, "DELETE", first, 409, &r);
    job_expect_error(&r, 409, "job_finished", false);
    stop(&server);
}

/* Goal: a job that is late for its deadline says so.
   Method: a server that is held up for longer than it has. */
static void a_late_job_fails_with_its_reason(void **state)
{
    struct program server;
    struct json *root;
    char path[64], body[256];

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), LONG, 1, 4);
    job_promise(&server, "x-request-deadline-ms: 5000\r\n", body, path);
    program_signal(&server, SIGSTOP);
    program_sleep_ms(5100);
    program_signal(&server, SIGCONT);
    root = job_outcome(&server, path);
    assert_string_equal(job_text(root, "status"), "failed");
    assert_string_equal(job_text(json_get(root, "error"), "code"), "deadline_exceeded");
    json_close(&root);
    stop(&server);
}

/* Goal: a flood is told to come back, and everything that was promised is kept. */
static void a_flood_is_refused_and_what_was_promised_is_kept(void **state)
{
    struct program server;
    char path[64][64], body[256];
    int promised = 0, refused = 0;

    (void)state;
    serve(&server, NULL, NULL);
    for (int i = 0; i < 64; i++) {
        struct reply r;

        snprintf(body, sizeof(body), LONG, i, 3);
        client_generate(server.port, JOB_ASYNC, body, &r);
        if (r.status == 202) {
            assert_true(reply_header(&r, "location", path[promised++], 64));
            reply_close(&r);
        } else {
            refused++;
            job_expect_error(&r, 429, "rate_limit_exceeded", true);
        }
    }
    assert_true(promised >= 10 && refused >= 10);
    for (int i = 0; i < promised; i++)
        job_expect_completed(&server, path[i]);
    stop(&server);
}

/* ---- Idempotency-Key ---- */

static void a_key_gets_the_same_answer_again(void **state)
{
    static const char *const bad[] = {"", "\"\"", "\x01", "caf\xc3\xa9"};
    struct program server;
    struct reply first, again;
    char body[256], value[32], headers[400], long_key[300];

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body),
             "{\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\"}"); /* any seed */
    for (int round = 0; round < 2; round++) {
        client_generate(server.port, "Idempotency-Key: \"order 7\"\r\n", body, &first);
        assert_int_equal(first.status, 200);
        assert_true(reply_header(&first, "idempotent-replayed", value, sizeof(value)) == round);
        client_generate(server.port, "Idempotency-Key: order 7\r\n", body, &again);
        assert_int_equal(again.status, 200);
        assert_true(reply_header(&again, "idempotent-replayed", value, sizeof(value)));
        assert_string_equal(value, "true");
        assert_string_equal(first.body, again.body);
        reply_close(&first);
        reply_close(&again);
        stop(&server); /* the next round asks the next server */
        serve(&server, NULL, NULL);
    }
    assert_true(client_metric(server.metrics_port, "limner_pictures_done_total") == 0);

    client_generate(server.port, "Idempotency-Key: order 7\r\nAccept: image/png\r\n", body, &again);
    job_expect_error(&again, 422, "idempotency_key_reused", false);
    strcat(body, " ");
    client_generate(server.port, "Idempotency-Key: order 7\r\n", body, &again);
    job_expect_error(&again, 422, "idempotency_key_reused", false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(headers, sizeof(headers), "Idempotency-Key: %s\r\n", bad[i]);
        client_generate(server.port, headers, body, &again);
        assert_int_equal(again.status, 400);
        reply_close(&again);
    }
    memset(long_key, 'k', 256);
    long_key[256] = '\0';
    for (int bytes = 256; bytes >= 255; bytes--) {
        long_key[bytes] = '\0';
        snprintf(headers, sizeof(headers), "Idempotency-Key: %s\r\n", long_key);
        client_generate(server.port, headers, body, &again);
        assert_int_equal(again.status, bytes == 256 ? 400 : 200);
        reply_close(&again);
    }
    stop(&server);
}

static void a_key_of_a_job_gets_the_same_job(void **state)
{
    struct program server;
    struct reply r;
    char path[64], again[64], body[256], value[16];

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), LONG, 1, 20);
    job_promise(&server, "Idempotency-Key: k\r\n", body, path);
    job_promise(&server, "Idempotency-Key: k\r\n", body, again);
    assert_string_equal(path, again);
    client_generate(server.port, "Idempotency-Key: k\r\n", body, &r); /* and waits for it */
    assert_int_equal(r.status, 200);
    reply_close(&r);
    assert_true(client_metric(server.metrics_port, "limner_pictures_done_total") == 1);
    client_generate(server.port, JOB_ASYNC "Idempotency-Key: k\r\n", body, &r);
    assert_int_equal(r.status, 202);
    assert_true(reply_header(&r, "idempotent-replayed", value, sizeof(value)));
    assert_non_null(strstr(r.body, "\"status\":\"completed\""));
    reply_close(&r);

    /* A refusal uses up no key. */
    client_generate(server.port, "Idempotency-Key: r\r\n", "{\"prompt\":1}", &r);
    assert_int_equal(r.status, 400);
    reply_close(&r);
    client_generate(server.port, "Idempotency-Key: r\r\n", "{\"prompt\":\"a fox\"}", &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    stop(&server);
}

static int begin(const struct program *server, const char *headers, const char *body)
{
    int fd = client_connect(server->port);
    char head[512];

    snprintf(head, sizeof(head),
             "POST /v1/images/generations HTTP/1.1\r\nHost: a\r\n"
             "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
             headers, strlen(body), body);
    client_send(fd, head);
    return fd;
}

/* Goal: a twin is told to wait; one whose first connection broke gets the picture, which is made
   once. */
static void twins_share_one_picture(void **state)
{
    struct program server;
    struct reply r;
    char body[256];
    int lost, patient;

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), LONG, 1, 60);
    lost = begin(&server, "Idempotency-Key: k\r\n", body);
    job_wait_for_metric(&server, SEATS, 1);
    client_generate(server.port, "Idempotency-Key: k\r\n", body, &r);
    job_expect_error(&r, 409, "idempotency_in_progress", true);
    close(lost);
    program_sleep_ms(300); /* so that it is noticed */
    patient = begin(&server, "Idempotency-Key: k\r\n", body);
    client_read(patient, true, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    close(patient);
    assert_true(client_metric(server.metrics_port, "limner_pictures_done_total") == 1);
    assert_true(client_metric(server.metrics_port, "limner_pictures_cancelled_total") == 0);
    stop(&server);
}

static void what_is_over_expires(void **state)
{
    struct program server;
    struct reply r;
    char path[64], body[256];

    (void)state;
    serve(&server, "--jobs-keep", "1");
    snprintf(body, sizeof(body), QUICK, 1, 1);
    job_promise(&server, "Idempotency-Key: k\r\n", body, path);
    job_expect_completed(&server, path);
    program_sleep_ms(2100);
    job_ask(&server, "GET", path, 404, &r);
    job_expect_error(&r, 404, "job_not_found", false);
    snprintf(body, sizeof(body), QUICK, 2, 1);
    client_generate(server.port, "Idempotency-Key: k\r\n", body, &r); /* the key is free again */
    assert_int_equal(r.status, 200);
    reply_close(&r);
    stop(&server);
}

/* ---- tenants ---- */

static void make_key(char header[128], const char *tenant)
{
    const char *const args[] = {"key",      "--state",  folder, "create", "--scopes",
                                "generate", "--tenant", tenant, NULL};
    struct program p;
    char text[1024], key[64];

    program_start(&p, args);
    assert_int_equal(program_wait(&p, 20000), 0);
    program_read(&p, text, sizeof(text));
    assert_int_equal(sscanf(text, "%63s", key), 1);
    snprintf(header, 128, "Authorization: Bearer %s\r\n", key);
    program_forget(&p);
}

static void another_tenants_job_is_nowhere(void **state)
{
    struct program server;
    struct reply r;
    char shop[128], lab[128], headers[300], path[64], other[64], body[256];

    (void)state;
    make_key(shop, "shop");
    make_key(lab, "lab");
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), LONG, 1, 30);
    snprintf(headers, sizeof(headers), "%sIdempotency-Key: k\r\n", shop);
    job_promise(&server, headers, body, path);
    client_ask(server.port, "GET", path, lab, NULL, &r);
    job_expect_error(&r, 404, "job_not_found", false);
    client_ask(server.port, "DELETE", path, lab, NULL, &r);
    job_expect_error(&r, 404, "job_not_found", false);
    client_ask(server.port, "GET", path, "", NULL, &r);
    assert_int_equal(r.status, 401);
    reply_close(&r);
    snprintf(headers, sizeof(headers), "%sIdempotency-Key: k\r\n", lab);
    job_promise(&server, headers, body, other);
    assert_string_not_equal(path, other);
    client_ask(server.port, "DELETE", path, shop, NULL, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    client_ask(server.port, "GET", other, lab, NULL, &r);
    assert_int_equal(r.status, 200);
    assert_null(strstr(r.body, "cancelled"));
    reply_close(&r);
    stop(&server);
}

/* ---- servers that end ---- */

#define KEPT 6

/* Goal: whenever the server is killed, every promise is kept by some later one, with the picture
   that the first would have made.
   Method: servers in turn on one folder, each killed a little later than the one before. */
static void a_killed_server_loses_no_promise(void **state)
{
    struct program server;
    char path[KEPT][64], body[256];

    (void)state;
    serve(&server, NULL, NULL);
    for (int i = 0; i < KEPT; i++) {
        snprintf(body, sizeof(body), LONG, i, 8);
        job_promise(&server, "", body, path[i]);
    }
    for (int round = 0; round < 6; round++) {
        program_sleep_ms(round * 60);
        program_signal(&server, SIGKILL);
        assert_int_equal(program_wait(&server, 10000), -1);
        program_forget(&server);
        serve(&server, NULL, NULL);
    }
    for (int i = 0; i < KEPT; i++) {
        struct reply r;
        char more[96];

        job_expect_completed(&server, path[i]);
        snprintf(body, sizeof(body), LONG, i, 8);
        expect_picture(&server, path[i], 0, body);
        snprintf(more, sizeof(more), "%.50s/images/1", path[i]);
        job_ask(&server, "GET", more, 404, &r);
        reply_close(&r);
    }
    stop(&server);
    serve(&server, NULL, NULL); /* and nothing is made once more */
    program_sleep_ms(300);
    assert_true(client_metric(server.metrics_port, "limner_pictures_done_total") == 0);
    stop(&server);
}

/* Goal: a stopping server does not make what it has not begun; the next one does. */
/* Goal: what was promised before the restart takes its tenant's places, until it ends. */
static void a_job_taken_up_holds_its_places(void **state)
{
    struct program server;
    struct reply r;
    char config[160], body[256], path[64];
    int status = 0;
    FILE *file;

    (void)state;
    snprintf(config, sizeof(config), "%s/config.yaml", folder);
    file = fopen(config, "w");
    assert_non_null(file);
    fputs("tenant-default: {concurrency: 1}\n", file);
    fclose(file);
    serve(&server, "--config", config);
    snprintf(body, sizeof(body), LONG, 1, 150);
    job_promise(&server, "", body, path);
    program_signal(&server, SIGKILL);
    program_wait(&server, 10000);
    program_forget(&server);

    serve(&server, "--config", config);
    job_wait_for_metric(&server, SEATS, 1);
    snprintf(body, sizeof(body), QUICK, 7, 1);
    client_generate(server.port, "", body, &r);
    assert_int_equal(r.status, 429);
    assert_non_null(strstr(r.body, "pictures at the same time"));
    reply_close(&r);
    job_ask(&server, "DELETE", path, 200, &r);
    reply_close(&r);
    for (int i = 0; i < 200 && status != 200; i++) {
        program_sleep_ms(25);
        client_generate(server.port, "", body, &r);
        status = r.status;
        reply_close(&r);
    }
    assert_int_equal(status, 200);
    stop(&server);
}

static void a_stopping_server_hands_its_queue_over(void **state)
{
    struct program server;
    char path[4][64], body[256];

    (void)state;
    serve(&server, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        snprintf(body, sizeof(body), LONG, i, i ? 8 : 60);
        job_promise(&server, "", body, path[i]);
    }
    job_wait_for_metric(&server, SEATS, 1);
    stop(&server);
    serve(&server, NULL, NULL);
    for (int i = 3; i >= 0; i--)
        job_expect_completed(&server, path[i]);
    stop(&server);
}

/* A row that an earlier server has left open. */
static void leave(struct store *store, int id, const char *model, int falls, int64_t deadline_ms)
{
    static const char body[] = "{\"prompt\":\"a red fox\"}";
    struct store_job job = {.tenant = "default",
                            .width = 32,
                            .height = 32,
                            .steps = 4,
                            .images = 1,
                            .created_s = 1700000000,
                            .deadline_ms = deadline_ms,
                            .starts = falls + 1,
                            .falls = falls};
    struct why why = {""};

    snprintf(job.id, sizeof(job.id), "job_%032d", id);
    snprintf(job.model, sizeof(job.model), "%s", model);
    if (store->ops->job_add(store, &job, body, sizeof(body) - 1, &why))
        fail_msg("%s", why.text);
}

/* Goal: what cannot be taken up fails with a reason, and keeps no server from starting. */
static void what_cannot_be_taken_up_fails_with_a_reason(void **state)
{
    static const char *const codes[] = {NULL, "model_not_found", "deadline_exceeded",
                                        "internal_error"};
    struct program server;
    struct store *store;
    struct why why = {""};

    (void)state;
    assert_int_equal(store_open(&store, folder, &why), ST_OK);
    leave(store, 0, "tiny_lcm", 9, 0);
    leave(store, 1, "gone", 0, 0);
    leave(store, 2, "tiny_lcm", 0, 1700000000000);
    leave(store, 3, "tiny_lcm", 10, 0);
    store_close(&store);
    serve(&server, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        struct json *root;
        char path[64];

        snprintf(path, sizeof(path), "/v1/jobs/job_%032d", i);
        root = job_outcome(&server, path);
        assert_string_equal(job_text(root, "status"), i ? "failed" : "completed");
        if (i)
            assert_string_equal(job_text(json_get(root, "error"), "code"), codes[i]);
        json_close(&root);
    }
    stop(&server);
}

/* Goal: without a store nothing is promised, and what was made for a promise is kept until it can
   be written. */
static void a_locked_store_loses_nothing(void **state)
{
    struct program server;
    struct reply r;
    char path[64], body[256];
    int lock;

    (void)state;
    serve(&server, NULL, NULL);
    snprintf(body, sizeof(body), LONG, 1, 10);
    job_promise(&server, "", body, path);
    lock = job_lock_store(folder);
    snprintf(body, sizeof(body), QUICK, 1, 1);
    client_generate(server.port, JOB_ASYNC, body, &r);
    job_expect_error(&r, 503, "unavailable", true);
    client_generate(server.port, "", body, &r); /* what was decided cannot be written down */
    assert_int_equal(r.status, 500);
    assert_null(strstr(r.body, "b64_json"));
    reply_close(&r);
    job_wait_for_metric(&server, "limner_pictures_seated", 0);
    job_ask(&server, "GET", path, 200, &r);
    assert_null(strstr(r.body, "\"completed\""));
    reply_close(&r);
    close(lock);
    job_expect_completed(&server, path);
    stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_promise_is_kept, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(bad_ids_and_methods_are_told, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_cancelled_job_leaves_its_seat_at_once, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_late_job_fails_with_its_reason, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_flood_is_refused_and_what_was_promised_is_kept,
                                        open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_key_gets_the_same_answer_again, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_key_of_a_job_gets_the_same_job, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(twins_share_one_picture, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(what_is_over_expires, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(another_tenants_job_is_nowhere, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_killed_server_loses_no_promise, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_taken_up_fails_with_a_reason, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_locked_store_loses_nothing, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_job_taken_up_holds_its_places, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_stopping_server_hands_its_queue_over, open_folder,
                                        close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
