/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public detector over HTTP: anybody may ask, in each way that the page and programs do, and
 * nobody can ask too much.
 */
#include "server/detector.h"
#include "server/upload.h"
#include "tests/job_client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY                                                                                       \
    "{\"model\":\"tiny_sd1\",\"prompt\":\"a red fox\",\"size\":\"128x128\",\"seed\":7,"            \
    "\"num_inference_steps\":3}"
#define FORM "Content-Type: multipart/form-data; boundary=xyz\r\n"

static struct program server;
static struct reply made; /* a picture of this server */

static int serve(void **state)
{
    const char *const args[] = {
        "--model",    "tests/golden/tiny_sd1", "--threads", "1", "--marks", "on",
        "--provider", "Example GmbH",          NULL};

    (void)state;
    program_serve(&server, args);
    client_generate(server.port, "Accept: image/png\r\n", BODY, &made);
    assert_int_equal(made.status, 200);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    reply_close(&made);
    return program_stop(&server);
}

static void post(const char *path, const char *headers, const void *body, size_t bytes,
                 struct reply *r)
{
    char head[512];
    int fd = client_connect(server.port);

    snprintf(head, sizeof(head),
             "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
             path, headers, bytes);
    client_send(fd, head);
    client_send_bytes(fd, body, bytes);
    client_read(fd, true, r);
    close(fd);
}

/* A form with a field and the picture. */
static char *form_of(size_t *bytes)
{
    static const char before[] = "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n"
                                 "--xyz\r\nContent-Disposition: form-data; name=\"file\"; "
                                 "filename=\"fox.png\"\r\nContent-Type: image/png\r\n\r\n";
    static const char after[] = "\r\n--xyz--\r\n";
    char *form = malloc(sizeof(before) + made.bytes + sizeof(after));

    assert_non_null(form);
    memcpy(form, before, sizeof(before) - 1);
    memcpy(form + sizeof(before) - 1, made.body, made.bytes);
    memcpy(form + sizeof(before) - 1 + made.bytes, after, sizeof(after) - 1);
    *bytes = sizeof(before) - 1 + made.bytes + sizeof(after) - 1;
    return form;
}

static void a_picture_of_this_server_is_confirmed_to_anybody(void **state)
{
    struct json *root;
    struct reply r;
    (void)state;

    post("/v1/detect", "Content-Type: image/png\r\n", made.body, made.bytes, &r);
    assert_int_equal(r.status, 200);
    assert_null(strstr(r.body, "z_pilot"));
    assert_null(strstr(r.body, "fox"));
    root = reply_json(&r);
    assert_string_equal(job_text(root, "verdict"), "confirmed");
    assert_string_equal(job_text(json_get(root, "manifest"), "verdict"), "ours");
    assert_non_null(strstr(job_text(root, "sentence"), "Example GmbH"));
    json_close(&root);
    reply_close(&r);
}

static void the_page_works_without_a_script(void **state)
{
    char policy[1024], *form;
    struct reply r;
    size_t bytes;
    (void)state;

    client_ask(server.port, "GET", "/detect", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_true(reply_header(&r, "content-security-policy", policy, sizeof(policy)));
    assert_non_null(strstr(policy, "form-action 'self'"));
    assert_non_null(strstr(policy, "script-src 'none'"));
    assert_non_null(strstr(r.body, "enctype=\"multipart/form-data\""));
    assert_null(strstr(r.body, "<script"));
    reply_close(&r);

    form = form_of(&bytes);
    post("/detect", FORM, form, bytes, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "This picture was made by an AI system of Example GmbH"));
    assert_non_null(strstr(r.body, "valid, and signed here"));
    reply_close(&r);
    post("/v1/detect", FORM, form, bytes, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\"verdict\":\"confirmed\""));
    reply_close(&r);
    free(form);
}

static void what_is_no_picture_is_refused_with_a_sentence(void **state)
{
    static const char inside[] = "{\"url\": \"http://127.0.0.1:80/a.png\"}";
    struct reply r;
    (void)state;

    post("/v1/detect", "", "GIF89a......", 12, &r);
    assert_int_equal(r.status, 415);
    assert_non_null(strstr(r.body, "this is a GIF"));
    reply_close(&r);
    post("/v1/detect", "", "hello, world", 12, &r);
    assert_int_equal(r.status, 400);
    reply_close(&r);
    post("/v1/detect", "", "", 0, &r);
    assert_int_equal(r.status, 400);
    reply_close(&r);
    post("/v1/detect", "Content-Type: application/json\r\n", "{}", 2, &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "\"param\":\"url\""));
    reply_close(&r);
    post("/v1/detect", "Content-Type: application/json\r\n", inside, sizeof(inside) - 1, &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body, "private network"));
    reply_close(&r);
    client_ask(server.port, "GET", "/detect?url=http%3A%2F%2F10.0.0.1%2Fa.png", "", NULL, &r);
    assert_int_equal(r.status, 422);
    assert_non_null(strstr(r.body, "private network"));
    reply_close(&r);
    post("/detect", FORM, "--xyz--", 7, &r);
    assert_int_equal(r.status, 422);
    assert_non_null(strstr(r.body, "there is no file in the form"));
    reply_close(&r);
    post("/detect", FORM, "--xyz\r\nfilename\r\n\r\nGIF89a......\r\n--xyz--", 40, &r);
    assert_int_equal(r.status, 422);
    assert_non_null(strstr(r.body, "this is a GIF"));
    reply_close(&r);
}

/* Goal: one address cannot keep the detector for itself. Last, since it uses up its minute. */
static void who_asks_too_often_is_told_to_wait(void **state)
{
    int refused = 0;
    (void)state;

    for (int i = 0; i < 2 * DETECTOR_PER_MINUTE + 2; i++) { /* a minute may end meanwhile */
        struct reply r;
        char after[16];

        post("/v1/detect", "", "hello, world", 12, &r);
        if (r.status == 429) {
            refused++;
            assert_true(reply_header(&r, "retry-after", after, sizeof(after)));
        } else {
            assert_int_equal(r.status, 400);
        }
        reply_close(&r);
    }
    assert_true(refused > 0);
}

static struct http_text text_of(const char *text)
{
    return (struct http_text){text, strlen(text)};
}

static void forms_that_are_damaged_are_refused(void **state)
{
    static const char *const types[] = {"multipart/form-data", "multipart/form-data; boundary=",
                                        "multipart/form-data; boundary=\"\""};
    static const char *const bodies[] = {"",
                                         "--b",
                                         "--b\r\n",
                                         "--b\r\nfilename\r\n\r\nno end",
                                         "--b\r\nfilename=x\r\n\r\n\r\n--b--",
                                         "--b--",
                                         "--b\r\nname=a\r\n\r\nno file\r\n--b--"};
    struct http_text out;
    struct why why;
    (void)state;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        assert_int_equal(upload_find(&out, text_of(types[i]), text_of("--b--"), &why), ST_INVALID);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (upload_find(&out, text_of("multipart/form-data; boundary=b"), text_of(bodies[i]),
                        &why) != ST_INVALID)
            fail_msg("%s was taken", bodies[i]);
    }
    assert_int_equal(upload_find(&out, text_of("multipart/form-data; boundary=\"b c\""),
                                 text_of("--b c\r\nFileName=x\r\n\r\nhi\r\n--b c--"), &why),
                     ST_OK);
    assert_int_equal(out.bytes, 2);
    assert_memory_equal(out.data, "hi", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_are_damaged_are_refused),
        cmocka_unit_test(a_picture_of_this_server_is_confirmed_to_anybody),
        cmocka_unit_test(the_page_works_without_a_script),
        cmocka_unit_test(what_is_no_picture_is_refused_with_a_sentence),
        cmocka_unit_test(who_asks_too_often_is_told_to_wait),
    };
    return cmocka_run_group_tests(tests, serve, stop);
}
