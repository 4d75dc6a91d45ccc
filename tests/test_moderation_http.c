/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callers get of pictures that a policy allows, covers, holds or blocks: every way to ask for
 * them, and servers that are killed in between.
 */
#include "tests/job_client.h"
#include "tests/judged.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUICK  "{\"prompt\":\"a red fox\",\"seed\":%d,\"n\":%d,\"user\":\"u-17\"}"
#define STREAM "{\"prompt\":\"a red fox\",\"seed\":%d,\"n\":%d,\"stream\":true}"

static char folder[128], policy[160];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-moderation.XXXXXX", P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    snprintf(policy, sizeof(policy), "%s/policy.json", folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static void serve(struct program *server, double blur, double hold, double block)
{
    const char *const args[] = {"--model",
                                "tests/golden/tiny_lcm",
                                "--seats",
                                "2",
                                "--queue",
                                "10",
                                "--threads",
                                "1",
                                "--state",
                                folder,
                                "--policy",
                                policy,
                                "--public-url",
                                "https://pictures.example",
                                NULL};

    judged_write(policy, &(struct judged){.blur = blur, .hold = hold, .block = block});
    program_serve(server, args);
}

static void serve_blocking(struct program *server)
{
    serve(server, JUDGED_NEVER, JUDGED_NEVER, 0);
}

static void serve_holding(struct program *server)
{
    serve(server, JUDGED_NEVER, 0, JUDGED_NEVER);
}

static void serve_allowing(struct program *server)
{
    serve(server, JUDGED_NEVER, JUDGED_NEVER, JUDGED_NEVER);
}

static void stop(struct program *server)
{
    double withheld = client_metric(server->metrics_port, "limner_moderation_withheld_total");

    assert_true(client_metric(server->metrics_port, "limner_moderation_statements_total") ==
                withheld);
    assert_int_equal(program_stop(server), 0);
}

static void generate(const struct program *server, const char *headers, const char *form, int seed,
                     int n, struct reply *r)
{
    char body[256];

    snprintf(body, sizeof(body), form, seed, n);
    client_generate(server->port, headers, body, r);
}

static const char *text(const struct json *o, const char *name)
{
    const struct json *value = json_get(o, name);

    if (json_type_of(value) != JSON_TYPE_STRING)
        fail_msg("%s is no text", name);
    return json_as_string(value);
}

static const struct json *moderation_of(const struct json *item)
{
    return json_get(json_get(item, "limner"), "moderation");
}

/* ---- all blocked ---- */

static void expect_blocked(struct reply *r, int n)
{
    const struct json *error, *mod;
    struct json *root = reply_json(r);
    char value[32];

    assert_int_equal(r->status, 400);
    assert_true(reply_header(r, "x-should-retry", value, sizeof(value)));
    assert_string_equal(value, "false");
    assert_false(reply_header(r, "retry-after", value, sizeof(value)));
    assert_true(reply_header(r, "content-type", value, sizeof(value)));
    assert_string_equal(value, "application/json");
    error = json_get(root, "error");
    assert_string_equal(text(error, "code"), "moderation_blocked");
    assert_string_equal(text(error, "type"), "image_generation_user_error");
    mod = json_get(error, "moderation");
    if (n > 1) {
        assert_int_equal(json_size(json_get(error, "moderations")), n);
        mod = json_at(json_get(error, "moderations"), 0);
    }
    assert_string_equal(text(mod, "action"), "block");
    assert_string_equal(text(mod, "stage"), "image");
    assert_string_equal(text(json_get(mod, "category"), "id"), "plain");
    assert_string_equal(text(json_get(mod, "reason"), "text"), "It looks plain.");
    assert_string_equal(text(json_get(mod, "reason"), "clause"), "Rule 9: nothing plain");
    assert_true(json_as_bool(json_get(json_get(mod, "appeal"), "allowed")));
    assert_non_null(
        strstr(text(json_get(mod, "appeal"), "url"), "https://pictures.example/appeal/"));
    assert_null(strstr(r->body, "b64_json"));
    json_close(&root);
}

static void blocked_pictures_are_told_with_the_reason(void **state)
{
    struct store_decision rows[8];
    struct program server;
    struct reply r;

    (void)state;
    serve_blocking(&server);
    for (int n = 1; n <= 4; n += 3) {
        generate(&server, "", QUICK, 5, n, &r);
        expect_blocked(&r, n);
        reply_close(&r);
    }
    generate(&server, "Accept: image/png\r\n", QUICK, 5, 1, &r);
    expect_blocked(&r, 1);
    reply_close(&r);
    assert_int_equal(judged_list(folder, rows, 8), 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(rows[i].standing, STORE_BLOCKED);
        assert_string_equal(rows[i].user, "u-17");
        assert_true(rows[i].object[0]);
    }
    stop(&server);
}

static void a_blocked_job_fails_and_says_why(void **state)
{
    const struct json *list;
    struct program server;
    struct json *root;
    struct reply r;
    char path[64], image[96], body[256];

    (void)state;
    serve_blocking(&server);
    snprintf(body, sizeof(body), QUICK, 5, 2);
    job_promise(&server, "", body, path);
    root = job_outcome(&server, path);
    assert_string_equal(text(root, "status"), "failed");
    assert_string_equal(text(json_get(root, "error"), "code"), "moderation_blocked");
    assert_int_equal(json_size(json_get(root, "images")), 0);
    list = json_get(root, "moderation");
    assert_int_equal(json_size(list), 2);
    assert_int_equal(json_as_int(json_get(json_at(list, 1), "index")), 1);
    assert_string_equal(text(json_get(json_at(list, 1), "moderation"), "action"), "block");
    json_close(&root);
    snprintf(image, sizeof(image), "%s/images/1", path);
    job_ask(&server, "GET", image, 400, &r);
    expect_blocked(&r, 1);
    reply_close(&r);
    stop(&server);
}

/* ---- held ---- */

/* The job's path. */
static void expect_held(struct reply *r, int n, char path[64])
{
    struct json *root = reply_json(r);
    const struct json *mod;

    assert_int_equal(r->status, 202);
    assert_true(reply_header(r, "location", path, 64));
    assert_string_equal(text(root, "status"), "in_review");
    assert_string_equal(text(root, "id"), path + strlen("/v1/jobs/"));
    assert_int_equal(json_as_int(json_get(root, "n")), n);
    assert_int_equal(json_size(json_get(root, "moderation")), n);
    assert_int_equal(json_size(json_get(root, "images")), n);
    mod = json_get(json_at(json_get(root, "moderation"), 0), "moderation");
    assert_string_equal(text(mod, "action"), "hold");
    assert_string_equal(text(mod, "human_review"), "automatic");
    assert_int_equal(json_type_of(json_at(json_get(root, "images"), 0)), JSON_TYPE_NULL);
    json_close(&root);
}

static void expect_kept_back(const struct program *server, const char *path, int k)
{
    struct reply r;
    char image[96];

    snprintf(image, sizeof(image), "%.64s/images/%d", path, k);
    job_ask(server, "GET", image, 409, &r);
    job_expect_error(&r, 409, "held_for_review", false);
}

/* Which of two pictures was let go, and where it is. */
static int released_of(const struct program *server, const char *path, char image[96])
{
    for (int k = 0; k < 2; k++) {
        struct reply r;
        bool there;

        snprintf(image, 96, "%.64s/images/%d", path, k);
        client_ask(server->port, "GET", image, "", NULL, &r);
        there = r.status == 200;
        if (there)
            assert_memory_equal(r.body, "PNG of it", 9);
        reply_close(&r);
        if (there)
            return k;
    }
    fail_msg("neither was let go");
    return 0;
}

static void held_pictures_become_a_job_that_a_person_ends(void **state)
{
    const struct json *list;
    struct program server;
    struct json *root;
    struct reply r;
    char path[64], other[64], image[96];
    int free_one;

    (void)state;
    serve_holding(&server);
    generate(&server, "", QUICK, 5, 2, &r);
    expect_held(&r, 2, path);
    reply_close(&r);
    expect_kept_back(&server, path, 0);
    expect_kept_back(&server, path, 1);
    job_ask(&server, "DELETE", path, 409, &r);
    job_expect_error(&r, 409, "in_review", false);
    generate(&server, "Accept: image/png\r\n", QUICK, 6, 1, &r);
    expect_held(&r, 1, other);
    reply_close(&r);
    judged_let_go(folder);
    free_one = released_of(&server, path, image); /* as soon as it may be had */
    expect_kept_back(&server, path, !free_one);
    judged_uphold(folder);
    root = job_outcome(&server, path);
    assert_string_equal(text(root, "status"), "completed");
    list = json_get(root, "images");
    assert_int_equal(json_type_of(json_at(list, !free_one)), JSON_TYPE_NULL);
    assert_string_equal(json_as_string(json_at(list, (size_t)free_one)), image);
    json_close(&root);
    judged_uphold(folder);
    root = job_outcome(&server, other);
    assert_string_equal(text(root, "status"), "failed");
    assert_string_equal(text(json_get(root, "error"), "code"), "moderation_blocked");
    json_close(&root);
    stop(&server);
}

/* One more event of a stream that is read in chunks; its name and its data. */
static void expect_event(int fd, struct reply *r, size_t *at, const char *name)
{
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "event: %s\n", name);
    for (;;) {
        char *event = r->body ? strstr(r->body + *at, wanted) : NULL;

        if (event && strstr(event, "\n\n")) {
            *at = (size_t)(event - r->body) + strlen(wanted);
            return;
        }
        if (!client_read_chunk(fd, r))
            fail_msg("no event %s in %s", name, r->body ? r->body : "nothing");
    }
}

static int listen_to(const struct program *server, const char *path, int64_t after, struct reply *r)
{
    char request[256];
    int fd = client_connect(server->port);

    snprintf(request, sizeof(request),
             "GET %s/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %lld\r\n\r\n", path,
             (long long)after);
    client_send(fd, request);
    client_read_head(fd, r);
    assert_int_equal(r->status, 200);
    return fd;
}

static int64_t last_id(const struct reply *r)
{
    const char *at = r->body, *next;

    while ((next = strstr(at, "id: ")))
        at = next + 4;
    return strtoll(at, NULL, 10);
}

static void who_listens_hears_the_review_and_its_end(void **state)
{
    struct program server;
    struct reply r, again;
    char path[64], body[256];
    size_t at = 0, at_again = 0;
    int64_t seen;
    int fd, second;

    (void)state;
    serve_holding(&server);
    snprintf(body, sizeof(body), QUICK, 5, 1);
    job_promise(&server, "", body, path);
    fd = listen_to(&server, path, 0, &r);
    expect_event(fd, &r, &at, "job.in_review");
    assert_non_null(strstr(r.body + at, "\"status\":\"in_review\""));
    seen = last_id(&r);
    judged_let_go(folder);
    expect_event(fd, &r, &at, "job.completed");
    assert_true(last_id(&r) > seen);
    while (client_read_chunk(fd, &r))
        ;
    close(fd);
    reply_close(&r);
    second = listen_to(&server, path, seen, &again); /* who left in between hears the end */
    expect_event(second, &again, &at_again, "job.completed");
    assert_null(strstr(again.body, "job.in_review"));
    close(second);
    reply_close(&again);
    stop(&server);
}

/* ---- covered, and mixed ---- */

static void a_covered_picture_is_delivered_and_says_so(void **state)
{
    const struct json *mod;
    struct program server;
    struct json *root;
    struct reply r;
    char value[64];

    (void)state;
    serve(&server, 0, JUDGED_NEVER, JUDGED_NEVER);
    generate(&server, "", QUICK, 5, 1, &r);
    assert_int_equal(r.status, 200);
    root = reply_json(&r);
    mod = moderation_of(json_at(json_get(root, "data"), 0));
    assert_string_equal(text(mod, "action"), "blur");
    assert_string_equal(text(json_get(mod, "category"), "id"), "plain");
    assert_string_equal(text(json_get(mod, "reason"), "text"), "It looks plain.");
    assert_true(strlen(text(json_at(json_get(root, "data"), 0), "b64_json")) > 100);
    json_close(&root);
    reply_close(&r);
    generate(&server, "Accept: image/png\r\n", QUICK, 5, 1, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "x-limner-moderation", value, sizeof(value)));
    assert_string_equal(value, "blur");
    assert_memory_equal(r.body, "\x89PNG", 4);
    reply_close(&r);
    stop(&server);
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* A server that lets the least plain of four pictures pass, holds the two in the middle and blocks
   the plainest: seeds 40 to 43. */
static void serve_mixed(struct program *server)
{
    struct store_decision rows[4];
    struct reply r;
    double p[4];

    serve_allowing(server);
    generate(server, "", QUICK, 40, 4, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    assert_int_equal(judged_list(folder, rows, 4), 4);
    for (int i = 0; i < 4; i++)
        p[i] = judged_p(&rows[i]);
    qsort(p, 4, sizeof(p[0]), by_size);
    assert_true(p[0] < p[1] && p[2] < p[3]);
    stop(server);
    serve(server, JUDGED_NEVER, (p[0] + p[1]) / 2, (p[2] + p[3]) / 2);
}

static void expect_mix(const struct json *root, char path[64])
{
    int held = 0, blocked = 0, allowed = 0;

    assert_int_equal(json_size(json_get(root, "data")), 4);
    for (size_t i = 0; i < 4; i++) {
        const struct json *item = json_at(json_get(root, "data"), i);
        const char *action = text(moderation_of(item), "action");

        assert_int_equal(json_as_int(json_get(item, "seed")), 40 + i);
        if (!strcmp(action, "allow")) {
            allowed++;
            assert_true(strlen(text(item, "b64_json")) > 100);
            continue;
        }
        assert_null(json_get(item, "b64_json"));
        assert_int_equal(json_as_int(json_get(item, "index")), i);
        held += !strcmp(action, "hold");
        blocked += !strcmp(action, "block");
        if (!strcmp(action, "hold"))
            snprintf(path, 64, "/v1/jobs/%.50s", text(json_get(item, "limner"), "job_id"));
    }
    assert_true(allowed == 1 && held == 2 && blocked == 1);
}

static void each_of_four_pictures_has_its_own_outcome(void **state)
{
    struct program server;
    struct json *root;
    struct reply r, replay;
    char path[64], value[64], image[96];

    (void)state;
    serve_mixed(&server);
    generate(&server, "Idempotency-Key: four\r\n", QUICK, 40, 4, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "x-limner-moderation", value, sizeof(value)));
    assert_string_equal(value, "allowed=1, held=2, blocked=1");
    root = reply_json(&r);
    expect_mix(root, path);
    json_close(&root);
    generate(&server, "Idempotency-Key: four\r\n", QUICK, 40, 4, &replay);
    assert_int_equal(replay.status, 200);
    assert_true(reply_header(&replay, "idempotent-replayed", value, sizeof(value)));
    root = reply_json(&replay);
    expect_mix(root, path);
    json_close(&root);
    reply_close(&replay);
    reply_close(&r);
    generate(&server, "", QUICK, 40, 4, &r); /* and without a key */
    assert_int_equal(r.status, 200);
    root = reply_json(&r);
    expect_mix(root, path);
    json_close(&root);
    reply_close(&r);
    for (int k = 0, seen = 0; k < 4; k++) {
        snprintf(image, sizeof(image), "%s/images/%d", path, k);
        client_ask(server.port, "GET", image, "", NULL, &r);
        seen += r.status == 200;
        assert_true(r.status == 200 || r.status == 409 || r.status == 400);
        assert_true(k < 3 || seen == 1);
        reply_close(&r);
    }
    stop(&server);
}

/* ---- the same answer again ---- */

static void the_same_key_gets_the_same_answer(void **state)
{
    struct store_decision rows[8];
    struct program server;
    struct reply first, second;
    char path[64], value[8];

    (void)state;
    serve_blocking(&server);
    generate(&server, "Idempotency-Key: b\r\n", QUICK, 5, 1, &first);
    expect_blocked(&first, 1);
    stop(&server);
    serve_holding(&server); /* what was told stays told */
    generate(&server, "Idempotency-Key: b\r\n", QUICK, 5, 1, &second);
    expect_blocked(&second, 1);
    assert_true(reply_header(&second, "idempotent-replayed", value, sizeof(value)));
    reply_close(&first);
    reply_close(&second);
    assert_int_equal(judged_list(folder, rows, 8), 1);
    generate(&server, "Idempotency-Key: h\r\n", QUICK, 5, 1, &first);
    expect_held(&first, 1, path);
    generate(&server, "Idempotency-Key: h\r\n", QUICK, 5, 1, &second);
    expect_held(&second, 1, path);
    reply_close(&first);
    reply_close(&second);
    assert_int_equal(judged_list(folder, rows, 8), 2);
    stop(&server);
}

/* ---- streams ---- */

static int count_of(const char *text_of_all, const char *word)
{
    int count = 0;

    while ((text_of_all = strstr(text_of_all, word))) {
        count++;
        text_of_all += strlen(word);
    }
    return count;
}

static void streams_tell_what_did_not_come(void **state)
{
    struct program server;
    struct reply r;

    (void)state;
    serve_blocking(&server);
    generate(&server, "", STREAM, 5, 2, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(count_of(r.body, "event: image_generation.moderated\n"), 2);
    assert_int_equal(count_of(r.body, "event: error\n"), 1);
    assert_non_null(strstr(r.body, "\"code\":\"moderation_blocked\""));
    assert_null(strstr(r.body, "b64_json"));
    reply_close(&r);
    stop(&server);
    serve_mixed(&server);
    generate(&server, "", STREAM, 40, 4, &r);
    assert_int_equal(count_of(r.body, "event: image_generation.moderated\n"), 3);
    assert_int_equal(count_of(r.body, "event: image_generation.completed\n"), 1);
    assert_int_equal(count_of(r.body, "event: image_generation.in_review\n"), 1);
    assert_int_equal(count_of(r.body, "event: error\n"), 0);
    assert_int_equal(count_of(r.body, "b64_json"), 1);
    reply_close(&r);
    stop(&server);
}

static void no_preview_leaves_of_what_is_kept_back(void **state)
{
    struct program server;
    struct reply r;

    (void)state;
    serve_blocking(&server);
    client_generate(server.port, "",
                    "{\"prompt\":\"a red fox\",\"stream\":true,\"partial_images\":3,\"seed\":5}",
                    &r);
    assert_int_equal(count_of(r.body, "partial_image"), 0);
    assert_null(strstr(r.body, "b64_json"));
    assert_int_equal(count_of(r.body, "event: error\n"), 1);
    reply_close(&r);
    stop(&server);
}

/* ---- who may read it ---- */

static void make_key(const char *tenant, char header[128])
{
    const char *const args[] = {"key", "create", "--tenant", tenant, "--state", folder, NULL};
    struct program p;
    char said[512], *key;

    program_start(&p, args);
    assert_int_equal(program_wait(&p, 20000), 0);
    program_read(&p, said, sizeof(said));
    key = strstr(said, "lmr-");
    assert_non_null(key);
    snprintf(header, 128, "Authorization: Bearer %.44s\r\n", key);
    program_forget(&p);
}

static int status_of(const struct program *server, const char *path, const char *header)
{
    struct reply r;
    int status;

    client_ask(server->port, "GET", path, header, NULL, &r);
    status = r.status;
    reply_close(&r);
    return status;
}

/* Goal: the link that was told opens its decision, without a key and after a restart; nothing else
   does. */
static void only_its_owner_and_its_link_open_a_decision(void **state)
{
    struct store_decision row;
    struct program server;
    struct json *root;
    struct reply r;
    char path[256], forged[256], bare[96], theirs[128];

    (void)state;
    serve_blocking(&server);
    generate(&server, "", QUICK, 5, 1, &r);
    root = reply_json(&r);
    snprintf(path, sizeof(path), "%s",
             text(json_get(json_get(root, "error"), "moderation"), "statement_url") +
                 strlen("https://pictures.example"));
    json_close(&root);
    reply_close(&r);
    program_signal(&server, SIGKILL);
    program_wait(&server, 5000);
    program_forget(&server);
    serve_blocking(&server);
    assert_int_equal(judged_list(folder, &row, 1), 1);
    make_key("other", theirs);
    program_sleep_ms(1500);
    assert_int_equal(status_of(&server, path, ""), 200);
    snprintf(forged, sizeof(forged), "%s", path);
    forged[strlen(forged) - 2] = forged[strlen(forged) - 2] == 'A' ? 'B' : 'A';
    assert_int_equal(status_of(&server, forged, ""), 404);
    snprintf(bare, sizeof(bare), "/v1/decisions/%s", row.id);
    assert_int_equal(status_of(&server, bare, ""), 401);
    assert_int_equal(status_of(&server, bare, theirs), 404);
    make_key("default", theirs);
    program_sleep_ms(1500);
    assert_int_equal(status_of(&server, bare, theirs), 200);
    assert_int_equal(program_stop(&server), 0);
}

/* ---- crashes ---- */

/* Goal: once a decision is on the disk nothing makes it untold. Method: the server dies as soon as
   the row is seen; the next one takes the promise up, and tells what came of it. */
static void a_decision_outlives_its_server(void **state)
{
    struct store_decision rows[16];
    struct program server;
    struct json *root;
    struct reply r;
    char path[64], body[256];
    int count;

    (void)state;
    for (int round = 0; round < 3; round++) {
        serve_holding(&server);
        count = judged_list(folder, rows, 16);
        snprintf(body, sizeof(body), QUICK, 5 + round, 1);
        job_promise(&server, "", body, path);
        judged_wait(folder, count + 1);
        program_signal(&server, SIGKILL);
        program_wait(&server, 5000);
        program_forget(&server);
        serve_holding(&server);
        for (int waited = 0;; waited += 20) {
            job_ask(&server, "GET", path, 200, &r);
            root = reply_json(&r);
            reply_close(&r);
            if (!strcmp(text(root, "status"), "in_review"))
                break;
            assert_true(waited < 60000);
            json_close(&root);
            program_sleep_ms(20);
        }
        assert_int_equal(json_size(json_get(root, "moderation")), 1);
        json_close(&root);
        expect_kept_back(&server, path, 0);
        stop(&server);
    }
}

/* Goal: nothing that could not be written down is sent. */
static void without_a_store_nothing_is_sent(void **state)
{
    struct program server;
    struct reply r;
    int lock;

    (void)state;
    serve_allowing(&server);
    lock = job_lock_store(folder);
    generate(&server, "", QUICK, 5, 1, &r);
    close(lock);
    assert_true(r.status >= 500);
    assert_null(strstr(r.body, "b64_json"));
    reply_close(&r);
    generate(&server, "", QUICK, 5, 1, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocked_pictures_are_told_with_the_reason, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_blocked_job_fails_and_says_why, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(held_pictures_become_a_job_that_a_person_ends, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(who_listens_hears_the_review_and_its_end, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_covered_picture_is_delivered_and_says_so, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(each_of_four_pictures_has_its_own_outcome, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(the_same_key_gets_the_same_answer, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(streams_tell_what_did_not_come, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(no_preview_leaves_of_what_is_kept_back, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(only_its_owner_and_its_link_open_a_decision, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_decision_outlives_its_server, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(without_a_store_nothing_is_sent, open_folder, close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
