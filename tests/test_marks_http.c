/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that marks: every picture that leaves it, by whichever way, is marked, signed and in the
 * log, and none leaves that is not.
 */
#include "base/crypto.h"
#include "store/store.h"
#include "tests/job_client.h"
#include "tests/program.h"
#include "tests/unit.h"
#include "watermark/ledger.h"
#include "watermark/manifest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY(more)                                                                                 \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"128x128\",\"seed\":7,"            \
    "\"num_inference_steps\":3" more "}"

static char folder[128];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-marks.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : 1;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static void serve(struct program *server)
{
    const char *const args[] = {
        "--model",    "tests/golden/tiny_sd1", "--threads", "1", "--marks", "on", "--state", folder,
        "--provider", "Example GmbH",          NULL};

    program_serve(server, args);
}

/* The log, as somebody finds it who only reads. */
struct reader {
    struct store *store;
    struct ledger *ledger;
};

static void reader_open(struct reader *r)
{
    struct why why = {""};

    if (store_open(&r->store, folder, &why) ||
        ledger_open(&r->ledger, &(struct ledger_options){.store = r->store}, &why))
        fail_msg("%s", why.text);
}

static void reader_close(struct reader *r)
{
    ledger_close(&r->ledger);
    store_close(&r->store);
}

/* The file is signed, and the log has these very bytes under the same id. */
static void expect_traced(const struct reader *r, const void *data, size_t bytes,
                          const char *endpoint, struct record *record)
{
    struct manifest_found found;
    struct why why = {""};
    uint8_t hash[32];

    if (manifest_read(&found, data, bytes, NULL, &why))
        fail_msg("%s", why.text);
    assert_true(found.is_signed && found.is_bound && found.is_generated && found.has_id);
    crypto_sha256(hash, data, bytes);
    if (ledger_find_sha256(r->ledger, hash, record, &why))
        fail_msg("%s", why.text);
    assert_true(record->id == found.id);
    assert_string_equal(record->manifest, found.urn);
    assert_string_equal(record->endpoint, endpoint);
    assert_string_equal(record->model, "tiny_sd1");
    assert_int_equal(strlen(record->weights_sha256), 64);
}

static void each_picture_of_a_request_is_traced(void **state)
{
    struct program server;
    struct reader reader;
    struct record record;
    struct json *root;
    struct reply r;
    uint64_t first = 0;
    (void)state;

    serve(&server);
    client_generate(server.port, "", BODY(",\"n\":2"), &r);
    assert_int_equal(r.status, 200);
    root = reply_json(&r);
    reader_open(&reader);
    for (int i = 0; i < 2; i++) {
        const struct json *one = json_at(json_get(root, "data"), (size_t)i);
        size_t bytes;
        unsigned char *file = client_decode(job_text(one, "b64_json"), &bytes);

        expect_traced(&reader, file, bytes, "picture", &record);
        assert_string_equal(record.unmarked_sha256,
                            job_text(json_get(one, "limner"), "pixels_sha256"));
        assert_true(record.id != first);
        first = record.id;
        free(file);
    }
    json_close(&root);
    reply_close(&r);
    reader_close(&reader);
    assert_int_equal(program_stop(&server), 0);
}

/* Goal: whichever format, the same request makes the same pixels before they are marked, and other
   bytes each time. */
static void every_format_is_traced(void **state)
{
    static const char *const types[] = {"image/png", "image/webp", "image/jpeg"};
    static const char *const formats[] = {"png", "webp", "jpeg"};
    struct program server;
    struct reader reader;
    char same[65] = "", hash[65], headers[128];
    (void)state;

    serve(&server);
    reader_open(&reader);
    for (int i = 0; i < 3; i++) {
        struct record record;
        struct reply r;

        snprintf(headers, sizeof(headers), "Accept: %s\r\n", types[i]);
        client_generate(server.port, headers, BODY(""), &r);
        assert_int_equal(r.status, 200);
        expect_traced(&reader, r.body, r.bytes, "picture", &record);
        assert_string_equal(record.format, formats[i]);
        assert_true(reply_header(&r, "x-limner-pixels-sha256", hash, sizeof(hash)));
        if (i)
            assert_string_equal(hash, same);
        memcpy(same, hash, sizeof(same));
        reply_close(&r);
    }
    reader_close(&reader);
    assert_int_equal(program_stop(&server), 0);
}

static void a_promised_picture_is_traced(void **state)
{
    struct program server;
    struct reader reader;
    struct record record;
    struct reply r;
    char path[64], picture[96];
    (void)state;

    serve(&server);
    job_promise(&server, JOB_ASYNC, BODY(""), path);
    job_expect_completed(&server, path);
    snprintf(picture, sizeof(picture), "%s/images/0", path);
    job_ask(&server, "GET", picture, 200, &r);
    reader_open(&reader);
    expect_traced(&reader, r.body, r.bytes, "picture", &record);
    reader_close(&reader);
    reply_close(&r);
    assert_int_equal(program_stop(&server), 0);
}

/* The first base64 of an event of this kind; free it. */
static unsigned char *picture_of(const char *body, const char *kind, size_t *bytes)
{
    const char *event = strstr(body, kind), *text = event ? strstr(event, "\"b64_json\":\"") : NULL;
    unsigned char *file;
    char *copy;

    assert_non_null(text);
    text += strlen("\"b64_json\":\"");
    copy = strndup(text, strcspn(text, "\""));
    file = client_decode(copy, bytes);
    free(copy);
    return file;
}

static void previews_are_traced(void **state)
{
    struct program server;
    struct reader reader;
    struct record record;
    struct reply r;
    unsigned char *file;
    size_t bytes;
    (void)state;

    serve(&server);
    client_generate(server.port, "", BODY(",\"stream\":true,\"partial_images\":1"), &r);
    assert_int_equal(r.status, 200);
    reader_open(&reader);
    file = picture_of(r.body, "image_generation.partial_image", &bytes);
    expect_traced(&reader, file, bytes, "preview", &record);
    free(file);
    file = picture_of(r.body, "image_generation.completed", &bytes);
    expect_traced(&reader, file, bytes, "picture", &record);
    free(file);
    reader_close(&reader);
    reply_close(&r);
    assert_int_equal(program_stop(&server), 0);
}

static void a_picture_too_small_for_a_mark_is_not_made(void **state)
{
    static const char body[] = "{\"model\":\"tiny_sd1\",\"prompt\":\"a fox\",\"size\":\"64x64\"}";
    struct program server;
    struct reply r;
    (void)state;

    serve(&server);
    client_generate(server.port, "", body, &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "at least 96x96"));
    reply_close(&r);
    assert_int_equal(program_stop(&server), 0);
}

/* Goal: what the log has does not depend on how the server ended. */
static void the_log_is_whole_after_a_kill(void **state)
{
    struct program server;
    struct reader reader;
    struct why why = {""};
    struct reply r;
    int64_t size, bad = -1;
    (void)state;

    serve(&server);
    client_generate(server.port, "Accept: image/png\r\n", BODY(""), &r);
    assert_int_equal(r.status, 200);
    program_signal(&server, SIGKILL);
    assert_int_equal(program_wait(&server, 10000), -1);
    program_forget(&server);
    serve(&server);
    reader_open(&reader);
    assert_int_equal(ledger_size(reader.ledger, &size, &why), ST_OK);
    assert_true(size >= 3); /* two starts and the picture at least */
    if (ledger_check(reader.ledger, &bad, &why))
        fail_msg("%lld: %s", (long long)bad, why.text);
    reader_close(&reader);
    reply_close(&r);
    assert_int_equal(program_stop(&server), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_picture_of_a_request_is_traced),
        cmocka_unit_test(every_format_is_traced),
        cmocka_unit_test(a_promised_picture_is_traced),
        cmocka_unit_test(previews_are_traced),
        cmocka_unit_test(a_picture_too_small_for_a_mark_is_not_made),
        cmocka_unit_test(the_log_is_whole_after_a_kill),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
